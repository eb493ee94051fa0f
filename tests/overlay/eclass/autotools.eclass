# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: autotools.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @BLURB: stand-in for the tests: dependencies and eautoreconf

BDEPEND="dev-build/autoconf dev-build/automake dev-build/libtool"

# @FUNCTION: eautoreconf
# @DESCRIPTION:
# The sources of the tests have a configure already.
eautoreconf() {
	[[ -x configure ]] || die "no configure in ${PWD}"
}

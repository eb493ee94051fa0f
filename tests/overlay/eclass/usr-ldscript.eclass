# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: usr-ldscript.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @BLURB: stand-in for the tests: libraries of a split /usr

IUSE="split-usr"

# @FUNCTION: gen_usr_ldscript
# @DESCRIPTION:
# There are no libraries.
gen_usr_ldscript() { :; }

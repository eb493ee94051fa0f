# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: optfeature.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @BLURB: stand-in for the tests: what else is useful

# @FUNCTION: optfeature
# @DESCRIPTION:
# Name packages that are not installed and what they are for.
optfeature() {
	has_version "$2" || elog "  $2 for $1"
}

# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: flag-o-matic.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @BLURB: stand-in for the tests: compiler flags

# @FUNCTION: strip-flags
# @DESCRIPTION:
# Nothing is compiled.
strip-flags() { :; }

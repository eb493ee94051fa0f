# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: optfeature.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @BLURB: stand-in for the lint: what else is useful

# @FUNCTION: optfeature
# @DESCRIPTION:
# Does nothing.
optfeature() { :; }

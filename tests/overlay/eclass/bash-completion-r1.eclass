# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: bash-completion-r1.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @BLURB: stand-in for the lint: where completions go

# @FUNCTION: dobashcomp
# @DESCRIPTION:
# Does nothing.
dobashcomp() { :; }

# @FUNCTION: bashcomp_alias
# @DESCRIPTION:
# Does nothing.
bashcomp_alias() { :; }

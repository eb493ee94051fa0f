# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: shell-completion.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @BLURB: stand-in for the lint: where completions go

# @FUNCTION: newbashcomp
# @DESCRIPTION:
# Does nothing.
newbashcomp() { :; }

# @FUNCTION: dozshcomp
# @DESCRIPTION:
# Does nothing.
dozshcomp() { :; }

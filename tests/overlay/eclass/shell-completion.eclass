# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: shell-completion.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @BLURB: stand-in for the tests: where completions go

# @FUNCTION: newbashcomp
# @DESCRIPTION:
# Install one under another name.
newbashcomp() {
	(
		insinto /usr/share/bash-completion/completions
		newins "$@"
	)
}

# @FUNCTION: dozshcomp
# @DESCRIPTION:
# Install them.
dozshcomp() {
	(
		insinto /usr/share/zsh/site-functions
		doins "$@"
	)
}

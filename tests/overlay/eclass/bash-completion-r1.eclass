# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: bash-completion-r1.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @BLURB: stand-in for the tests: where completions go

# @FUNCTION: dobashcomp
# @DESCRIPTION:
# Install them.
dobashcomp() {
	(
		insinto /usr/share/bash-completion/completions
		doins "$@"
	)
}

# @FUNCTION: bashcomp_alias
# @DESCRIPTION:
# The first one is for the others as well.
bashcomp_alias() {
	local name
	for name in "${@:2}"; do
		dosym "$1" "/usr/share/bash-completion/completions/${name}"
	done
}

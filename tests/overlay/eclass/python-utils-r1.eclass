# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: python-utils-r1.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @BLURB: stand-in for the tests: which Python is at hand

# @FUNCTION: python_choose
# @USAGE: <prefix of flags>
# @DESCRIPTION:
# Set EPYTHON to the newest Python that a flag asks for.
python_choose() {
	local impl
	EPYTHON=
	for impl in "${PYTHON_COMPAT[@]}"; do
		use "$1_${impl}" && EPYTHON=${impl/_/.}
	done
	type -P "${EPYTHON:-none}" >/dev/null || die "no Python: '${EPYTHON}'"
	export EPYTHON PYTHON=${EPREFIX}/usr/bin/${EPYTHON}
}

# @FUNCTION: python_fix_shebang
# @DESCRIPTION:
# Write that Python into scripts.
python_fix_shebang() {
	local files
	mapfile -t files < <(grep -rlE '^#!.*python' "$@")
	[[ -z ${files[*]} ]] || sed -i -e "1s|^#!.*python.*|#!${PYTHON}|" "${files[@]}" || die
}

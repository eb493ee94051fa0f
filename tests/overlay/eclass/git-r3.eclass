# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: git-r3.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @BLURB: stand-in for the tests: a live package

PROPERTIES="live"
BDEPEND="dev-vcs/git"

# @ECLASS_VARIABLE: EGIT_REPO_URI
# @DESCRIPTION:
# Where it is cloned from. EGIT_OVERRIDE_REPO_OWNER_NAME goes before it.

# @FUNCTION: git-r3_src_unpack
# @DESCRIPTION:
# Clone it.
git-r3_src_unpack() {
	local uri=${EGIT_REPO_URI%.git}
	local owner=${uri%/*} name=${uri##*/}
	name=${owner##*/}_${name}
	name=${name//[^a-zA-Z0-9_]/_}
	local override=EGIT_OVERRIDE_REPO_${name^^}
	git clone --quiet --depth 1 "${!override:-${EGIT_REPO_URI}}" "${WORKDIR}/${P}" || die
	EGIT_VERSION=$(git -C "${WORKDIR}/${P}" rev-parse HEAD) || die
	export EGIT_VERSION
}

EXPORT_FUNCTIONS src_unpack

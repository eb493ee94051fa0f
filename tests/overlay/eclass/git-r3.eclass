# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: git-r3.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @BLURB: stand-in for the lint: a live package

PROPERTIES="live"
BDEPEND="dev-vcs/git"

# @ECLASS_VARIABLE: EGIT_REPO_URI
# @DESCRIPTION:
# Read here.

# @FUNCTION: git-r3_src_unpack
# @DESCRIPTION:
# Does nothing.
git-r3_src_unpack() { :; }

EXPORT_FUNCTIONS src_unpack

# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: pam.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @BLURB: stand-in for the tests: where PAM modules lie

# @FUNCTION: getpam_mod_dir
# @DESCRIPTION:
# Print it.
getpam_mod_dir() { echo "${EPREFIX}/lib64/security"; }

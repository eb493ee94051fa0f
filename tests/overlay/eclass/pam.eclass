# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: pam.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @BLURB: stand-in for the lint: where PAM modules lie

# @FUNCTION: getpam_mod_dir
# @DESCRIPTION:
# Does nothing.
getpam_mod_dir() { :; }

# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: systemd.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @BLURB: stand-in for the lint: where units lie

# @FUNCTION: systemd_get_systemunitdir
# @DESCRIPTION:
# Does nothing.
systemd_get_systemunitdir() { :; }

# @FUNCTION: systemd_get_systempresetdir
# @DESCRIPTION:
# Does nothing.
systemd_get_systempresetdir() { :; }

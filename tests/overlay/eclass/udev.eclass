# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: udev.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @BLURB: stand-in for the lint: where rules lie

# @FUNCTION: get_udevdir
# @DESCRIPTION:
# Does nothing.
get_udevdir() { :; }

# @FUNCTION: udev_reload
# @DESCRIPTION:
# Does nothing.
udev_reload() { :; }

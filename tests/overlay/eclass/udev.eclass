# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: udev.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @BLURB: stand-in for the tests: where rules lie

# @FUNCTION: get_udevdir
# @DESCRIPTION:
# Print it.
get_udevdir() { echo /usr/lib/udev; }

# @FUNCTION: udev_reload
# @DESCRIPTION:
# No udev is running: say that it would be told.
udev_reload() { einfo "udev would read its rules again"; }

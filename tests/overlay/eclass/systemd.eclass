# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: systemd.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @BLURB: stand-in for the tests: where units lie

# @FUNCTION: systemd_get_systemunitdir
# @DESCRIPTION:
# Print it.
systemd_get_systemunitdir() { echo "${EPREFIX}/usr/lib/systemd/system"; }

# @FUNCTION: systemd_get_systempresetdir
# @DESCRIPTION:
# Print it.
systemd_get_systempresetdir() { echo "${EPREFIX}/usr/lib/systemd/system-preset"; }

# @FUNCTION: systemd_dounit
# @DESCRIPTION:
# Install units.
systemd_dounit() {
	(
		insopts -m 0644
		insinto /usr/lib/systemd/system
		doins "$@"
	)
}

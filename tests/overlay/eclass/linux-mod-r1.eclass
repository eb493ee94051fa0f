# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: linux-mod-r1.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @BLURB: stand-in for the lint: kernel modules, with its flags and dependencies

# @ECLASS_VARIABLE: MODULES_INITRAMFS_IUSE
# @DESCRIPTION:
# Read here.

# @ECLASS_VARIABLE: MODULES_OPTIONAL_IUSE
# @DESCRIPTION:
# Read here.

IUSE="dist-kernel modules-compress modules-sign +strip ${MODULES_OPTIONAL_IUSE}"
IUSE+=" ${MODULES_INITRAMFS_IUSE}"
RDEPEND="modules? ( sys-apps/kmod[tools] dist-kernel? ( virtual/dist-kernel:= ) )"
DEPEND="modules? ( virtual/linux-sources )"
BDEPEND="modules? ( dev-util/pahole sys-apps/kmod[tools] )"
IDEPEND="modules? ( sys-apps/kmod[tools] initramfs? ( sys-kernel/installkernel ) )"

# @FUNCTION: modules_post_process
# @DESCRIPTION:
# Does nothing.
modules_post_process() { :; }

# @FUNCTION: linux-mod-r1_pkg_setup
# @DESCRIPTION:
# Does nothing.
linux-mod-r1_pkg_setup() { :; }

# @FUNCTION: linux-mod-r1_src_compile
# @DESCRIPTION:
# Does nothing.
linux-mod-r1_src_compile() { :; }

# @FUNCTION: linux-mod-r1_src_install
# @DESCRIPTION:
# Does nothing.
linux-mod-r1_src_install() { :; }

# @FUNCTION: linux-mod-r1_pkg_postinst
# @DESCRIPTION:
# Does nothing.
linux-mod-r1_pkg_postinst() { :; }

EXPORT_FUNCTIONS pkg_setup src_compile src_install pkg_postinst

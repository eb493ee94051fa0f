# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: linux-mod-r1.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @BLURB: stand-in for the tests: kernel modules, with its flags and dependencies

# @ECLASS_VARIABLE: MODULES_INITRAMFS_IUSE
# @DESCRIPTION:
# The flag for modules in the initramfs.

# @ECLASS_VARIABLE: MODULES_OPTIONAL_IUSE
# @DESCRIPTION:
# The flag for modules at all.

IUSE="dist-kernel modules-compress modules-sign +strip ${MODULES_OPTIONAL_IUSE}"
IUSE+=" ${MODULES_INITRAMFS_IUSE}"
RDEPEND="modules? ( sys-apps/kmod[tools] dist-kernel? ( virtual/dist-kernel:= ) )"
DEPEND="modules? ( virtual/linux-sources )"
BDEPEND="modules? ( dev-util/pahole sys-apps/kmod[tools] )"
IDEPEND="modules? ( sys-apps/kmod[tools] initramfs? ( sys-kernel/installkernel ) )"

# @FUNCTION: linux-mod-r1_pkg_setup
# @DESCRIPTION:
# Read the kernel sources in KERNEL_DIR: their version, and the options that are asked
# for by CONFIG_CHECK.
linux-mod-r1_pkg_setup() {
	KV_DIR=${KERNEL_DIR:-/usr/src/linux}
	KV_OUT_DIR=${KV_DIR}
	local name value
	while IFS=' =' read -r name value; do
		case ${name} in
			VERSION) KV_MAJOR=${value} ;;
			PATCHLEVEL) KV_MINOR=${value} ;;
			SUBLEVEL) KV_PATCH=${value} ;;
			EXTRAVERSION) KV_EXTRA=${value} ;;
		esac
	done < "${KV_DIR}/Makefile" || die "no kernel sources in ${KV_DIR}"
	KV_FULL=${KV_MAJOR}.${KV_MINOR}.${KV_PATCH}${KV_EXTRA}

	for name in ${CONFIG_CHECK}; do
		if [[ ${name} == !* ]]; then
			grep -q "^CONFIG_${name#!}=" "${KV_DIR}/.config" &&
				die "CONFIG_${name#!} must not be set"
		else
			grep -q "^CONFIG_${name}=" "${KV_DIR}/.config" ||
				die "CONFIG_${name} is not set"
		fi
	done
	MODULES_MAKEARGS=( V=1 )
}

# @FUNCTION: modules_post_process
# @DESCRIPTION:
# Modules are text here.
modules_post_process() { :; }

# @FUNCTION: linux-mod-r1_src_compile
# @DESCRIPTION:
# For packages with modules alone.
linux-mod-r1_src_compile() { die "not for this package"; }

# @FUNCTION: linux-mod-r1_src_install
# @DESCRIPTION:
# For packages with modules alone.
linux-mod-r1_src_install() { die "not for this package"; }

# @FUNCTION: linux-mod-r1_pkg_postinst
# @DESCRIPTION:
# No kernel is installed.
linux-mod-r1_pkg_postinst() { :; }

EXPORT_FUNCTIONS pkg_setup src_compile src_install pkg_postinst

# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

EAPI=8

# Overlays win: where this repository is enabled, zfs-9999 is this one and not
# ::gentoo's. What it does that ::gentoo's does not: it reads from the checkout which
# kernels that very commit was made for, and refuses others before anything is built.

PYTHON_COMPAT=( python3_{12..14} )

MODULES_INITRAMFS_IUSE=+initramfs
MODULES_OPTIONAL_IUSE=+modules

inherit autotools bash-completion-r1 flag-o-matic git-r3 linux-mod-r1 pam
inherit python-single-r1 systemd udev usr-ldscript

DESCRIPTION="OpenZFS from git: kernel modules and programs"
HOMEPAGE="https://github.com/openzfs/zfs"
EGIT_REPO_URI="https://github.com/openzfs/zfs.git"

LICENSE="BSD-2 CDDL MIT modules? ( debug? ( GPL-2+ ) )"
# the number is that of libzfs.so, as in ::gentoo; genkernel asks for slot 0
SLOT="0/7"
IUSE="custom-cflags debug minimal nls pam +rootfs selinux unwind"
REQUIRED_USE="!minimal? ( ${PYTHON_REQUIRED_USE} )"
# the test suite makes and destroys pools
RESTRICT="test"

DEPEND="
	dev-libs/openssl:=
	net-libs/libtirpc:=
	sys-apps/util-linux
	virtual/libudev:=
	virtual/zlib:=
	!minimal? ( ${PYTHON_DEPS} )
	pam? ( sys-libs/pam )
	unwind? ( sys-libs/libunwind:= )
"
# awk: completions, scripts and the dracut module
RDEPEND="
	${DEPEND}
	!<sys-fs/zfs-kmod-2.4.0_rc2-r1
	app-alternatives/awk
	sys-fs/udev-init-scripts
	virtual/udev
	rootfs? (
		app-alternatives/cpio
		app-misc/pax-utils
	)
	selinux? ( sec-policy/selinux-zfs )
"
BDEPEND="
	app-alternatives/awk
	virtual/pkgconfig
	modules? ( dev-lang/perl )
	nls? ( sys-devel/gettext )
	!minimal? ( ${PYTHON_DEPS} )
"

pkg_setup() {
	use minimal || python-single-r1_pkg_setup
	use modules || return

	local CONFIG_CHECK="
		EFI_PARTITION
		ZLIB_DEFLATE
		ZLIB_INFLATE
		!DEBUG_LOCK_ALLOC
	"
	use debug && CONFIG_CHECK+=" DEBUG_INFO FRAME_POINTER !DEBUG_INFO_REDUCED"
	use rootfs && CONFIG_CHECK+=" BLK_DEV_INITRD DEVTMPFS"
	linux-mod-r1_pkg_setup
}

# zfs_meta FIELD: what the checked-out META says of it
zfs_meta() {
	local value
	value=$(awk -v field="$1:" '$1 == field { print $2; exit }' META) || die
	[[ ${value} =~ ^[0-9]+[.][0-9]+$ ]] ||
		die "META has no line '$1:' with a version; this commit is not understood"
	echo "${value}"
}

# Refuse a kernel that this commit was not made for.
#
# Upstream's configure refuses a newer kernel as well, after the sources were prepared
# and without a word about Gentoo; ::gentoo's 9999 has a number in the ebuild and does
# not look at it.
zfs_check_kernel() {
	local max min allowed mine=${KV_MAJOR}.${KV_MINOR}
	max=$(zfs_meta Linux-Maximum) || die
	min=$(zfs_meta Linux-Minimum) || die
	allowed=${ZFS_KERNEL_COMPAT_OVERRIDE:-${max}}
	[[ ${allowed} =~ ^[0-9]+[.][0-9]+$ ]] ||
		die "ZFS_KERNEL_COMPAT_OVERRIDE must be like 7.2, and not '${allowed}'"

	# Portage keeps it with the installed package, where tools look for it
	MODULES_KERNEL_MAX=${max}
	MODULES_KERNEL_MIN=${min}

	if ver_test "${mine}" -lt "${min}"; then
		eerror "This commit of OpenZFS supports Linux ${min} to ${max}; the kernel in"
		eerror "${KV_DIR} is ${KV_FULL}."
		eerror "Choose a newer one: eselect kernel list"
		die "Linux ${KV_FULL} is too old for OpenZFS, which needs ${min}"
	fi
	if ver_test "${mine}" -gt "${allowed}"; then
		eerror "This commit of OpenZFS supports Linux ${min} to ${max}; the kernel in"
		eerror "${KV_DIR} is ${KV_FULL}."
		eerror
		eerror "Choose an older one (eselect kernel list), or wait until META in"
		eerror "${EGIT_REPO_URI} names yours."
		eerror "To build all the same, at the risk of your data:"
		eerror "  ZFS_KERNEL_COMPAT_OVERRIDE=${mine} emerge sys-fs/zfs"
		die "Linux ${KV_FULL} is too new for OpenZFS, which supports up to ${allowed}"
	fi
	if ver_test "${mine}" -gt "${max}"; then
		ewarn "ZFS_KERNEL_COMPAT_OVERRIDE=${allowed}: building for Linux ${KV_FULL},"
		ewarn "which OpenZFS calls experimental. Data may be lost."
		ZFS_EXPERIMENTAL=1
	fi
}

# Say when the subslot is no longer that of the library.
#
# Packages that link to libzfs are rebuilt when the subslot changes. If git raises the
# library's number and the ebuild does not follow, they break and nothing is rebuilt.
zfs_check_soversion() {
	local current age subslot=${SLOT#*/}
	IFS=: read -r current _ age < <(sed -n -E \
		's/^libzfs_la_LDFLAGS.*-version-info ([0-9]+:[0-9]+:[0-9]+).*/\1/p' \
		lib/libzfs/Makefile.am)
	# as libtool counts: the oldest interface that is still there
	local number=unknown
	[[ ${age} ]] && number=$(( current - age ))
	[[ ${number} == "${subslot}" ]] && return

	ewarn "The number of libzfs.so in this commit is ${number}; the ebuild's subslot is"
	ewarn "${subslot}. So Portage will not rebuild what is linked to it. After this merge:"
	ewarn "  emerge @preserved-rebuild"
	ewarn "and please report it, so that the subslot is raised."
}

src_prepare() {
	use modules && zfs_check_kernel
	zfs_check_soversion

	default
	eautoreconf

	# conf.d is OpenRC's on Gentoo
	sed -i -e '/EnvironmentFile/d' etc/systemd/system/zfs*.in || die
	# OpenRC unmounts everything itself; zfs-mount would complain of a busy root
	sed -i -e '/^ZFS_UNMOUNT=/ s/yes/no/' etc/default/zfs.in || die
}

src_configure() {
	use custom-cflags || strip-flags

	local myconf=(
		--bindir="${EPREFIX}/bin"
		--sbindir="${EPREFIX}/sbin"
		--localstatedir="${EPREFIX}/var"
		--disable-static
		--enable-shared
		--enable-sysvinit
		--disable-pyzfs
		--with-config="$(usex modules all user)"
		--with-dracutdir="${EPREFIX}/usr/lib/dracut"
		--with-pammoduledir="$(getpam_mod_dir)"
		--with-pamconfigsdir="${EPREFIX}/unwanted"
		--with-systemdpresetdir="$(systemd_get_systempresetdir)"
		--with-systemdunitdir="$(systemd_get_systemunitdir)"
		--with-udevdir="${EPREFIX}$(get_udevdir)"
		--with-vendor=gentoo
		--with-python="$(usex minimal no "${PYTHON}")"
		$(use_enable debug)
		$(use_enable nls)
		$(use_enable pam)
		$(use_enable !elibc_musl systemd)
		$(use_with unwind libunwind)
	)
	if use modules; then
		myconf+=( --with-linux="${KV_DIR}" --with-linux-obj="${KV_OUT_DIR}" )
		# configure tries kernel functions with the kernel's compiler as well; it does
		# not take a compiler with arguments (upstream's kernel.m4, bug #865157)
		if [[ ${KERNEL_CC}${KERNEL_LD} != *[[:space:]]* ]]; then
			myconf+=( KERNEL_CC="${KERNEL_CC}" KERNEL_LD="${KERNEL_LD}" )
			[[ ${KERNEL_CC} == *clang* ]] && myconf+=( KERNEL_LLVM=1 )
		fi
		[[ ${ZFS_EXPERIMENTAL} ]] && myconf+=( --enable-linux-experimental )
	fi

	econf "${myconf[@]}"
}

src_compile() {
	if use modules; then
		emake "${MODULES_MAKEARGS[@]}"
	else
		emake
	fi
}

src_install() {
	# Linux-Maximum is in META: zfs-root-migrate reads it there
	local DOCS=( AUTHORS COPYRIGHT META README.md )

	if use modules; then
		emake "${MODULES_MAKEARGS[@]}" DESTDIR="${D}" install
		modules_post_process
	else
		emake DESTDIR="${D}" install
	fi
	einstalldocs

	gen_usr_ldscript -a nvpair zfs zfs_core zfsbootenv zpool
	find "${ED}" -name '*.la' -delete || die
	rm -rf "${ED}"/usr/share/zfs/{test-runner,zfs-tests,runfiles,*sh} || die
	if use pam; then
		rm -r "${ED}/unwanted" || die
	fi

	dobashcomp contrib/bash_completion.d/zfs
	bashcomp_alias zfs zpool
	fperms 0644 /etc/conf.d/zfs

	use minimal || python_fix_shebang "${ED}/bin"
}

pkg_postinst() {
	udev_reload
	use modules && linux-mod-r1_pkg_postinst

	if use rootfs && ! has_version sys-kernel/dracut &&
		! has_version sys-kernel/genkernel && ! has_version sys-kernel/ugrd
	then
		elog "A root on ZFS needs an initramfs: sys-kernel/dracut (its ZFS module is"
		elog "OpenZFS's own), sys-kernel/genkernel or sys-kernel/ugrd make one."
	fi
	if has_version sys-boot/grub; then
		elog "GRUB does not read pools with all features. Do not upgrade a pool that it"
		elog "reads /boot from; make such a pool with: zpool create -o compatibility=grub2"
	fi
	if [[ -z ${REPLACING_VERSIONS} ]]; then
		elog "OpenRC: add zfs-import and zfs-mount to the boot runlevel, zfs-zed and"
		elog "zfs-share to default. systemd: systemctl preset takes the units' state from"
		elog "$(systemd_get_systempresetdir)/50-zfs.preset"
	fi
}

pkg_postrm() {
	udev_reload
}

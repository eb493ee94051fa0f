#!/bin/bash
# genkernel's initramfs, made by dracut.
#
# Read after all the other gen_*.sh: it takes the place of two of their functions.

# yes or no; the ebuild writes USE=dracut here
GK_DRACUT=yes

# Called before anything is built: say now what could not be done later.
check_distfiles() {
	isTrue "${BUILD_RAMDISK}" || return 0

	if ! isTrue "${GK_DRACUT}"
	then
		print_error 1 "This genkernel has none of the tarballs that its own initramfs is compiled from."
		print_error 1 "One of these helps:"
		print_error 1 "  genkernel kernel          build the kernel only"
		print_error 1 "  USE=dracut                let dracut make the initramfs"
		print_error 1 "  <sys-kernel/genkernel-9999    a release, which brings the tarballs"
		gen_die "no initramfs can be made without USE=dracut"
	fi

	DRACUT_COMMAND="$(type -P dracut)"
	[ -n "${DRACUT_COMMAND}" ] \
		|| gen_die "dracut was not found. Is sys-kernel/dracut installed?"
	isTrue "${INTEGRATED_INITRAMFS}" \
		&& gen_die "--integrated-initramfs cannot be done with dracut: the image must be a file."
	isTrue "$(tc-is-cross-compiler)" \
		&& gen_die "dracut makes initramfs for this machine only: no --cross-compile."
	[ -z "${LINUXRC}" ] \
		|| gen_die "--linuxrc is for genkernel's own initramfs; dracut has its own /init."

	local option
	for option in SSH SPLASH UNIONFS NETBOOT WRAP_INITRD STRACE
	do
		isTrue "${!option}" \
			&& print_warning 1 "--${option,,} is for genkernel's own initramfs; dracut ignores it."
	done
	return 0
}

# The dracut modules that genkernel's options ask for.
gk_dracut_modules() {
	local pair
	for pair in ZFS:zfs MDADM:mdraid LVM:lvm LUKS:crypt DMRAID:dmraid \
		MULTIPATH:multipath BTRFS:btrfs BCACHE:bcache ISCSI:iscsi PLYMOUTH:plymouth
	do
		local option=${pair%:*}
		isTrue "${!option}" && echo "${pair#*:}"
	done
	return 0
}

create_initramfs() {
	CPIO_ARCHIVE="${TMPDIR}/${GK_FILENAME_TEMP_INITRAMFS}"

	local kmoddir="${KERNEL_MODULES_PREFIX%/}/lib/modules/${KV}"
	local -a args=( --force --kver "${KV}" --kmoddir "${kmoddir}" )
	# an image for what the root will be, not only for what it is
	args+=( --no-hostonly )

	local modules
	modules="$(gk_dracut_modules)"
	[ -n "${modules}" ] && args+=( --add "${modules//$'\n'/ }" )

	if isTrue "${ZFS}" && ! gk_has_zfs "${kmoddir}"
	then
		print_error 1 "There is no zfs.ko in '${kmoddir}': a root on ZFS could not be mounted."
		print_error 1 "Build it for this kernel, then only the initramfs:"
		print_error 1 "  emerge @module-rebuild && genkernel --zfs initramfs"
		gen_die "--zfs without a ZFS module for Linux ${KV}"
	fi

	# the pool is imported without force only by the host that it belongs to
	isTrue "${ZFS}" && [ -e /etc/hostid ] && args+=( --install /etc/hostid )

	if isTrue "${MICROCODE_INITRAMFS}"
	then
		args+=( --early-microcode )
	else
		args+=( --no-early-microcode )
	fi
	[ -n "${INITRAMFS_OVERLAY}" ] && args+=( --include "${INITRAMFS_OVERLAY}" / )
	if isTrue "${COMPRESS_INITRD}"
	then
		# BEST and FASTEST depend on the kernel's configuration; dracut's choice is good
		case ${COMPRESS_INITRD_TYPE} in
			BZIP2|GZIP|LZO|LZ4|LZMA|XZ|ZSTD) args+=( "--${COMPRESS_INITRD_TYPE,,}" ) ;;
		esac
	else
		args+=( --no-compress )
	fi

	print_info 1 "initramfs: >> dracut ${args[*]}"
	"${DRACUT_COMMAND}" "${args[@]}" "${CPIO_ARCHIVE}" >>"${LOGFILE}" 2>&1 \
		|| gen_die "dracut failed; see '${LOGFILE}'"

	# dracut leaves out what it cannot find, and says so only in its log
	if isTrue "${ZFS}"
	then
		local content
		content="$(lsinitrd "${CPIO_ARCHIVE}" 2>>"${LOGFILE}")" \
			|| gen_die "lsinitrd cannot read '${CPIO_ARCHIVE}'; see '${LOGFILE}'"
		local wanted
		for wanted in 'sbin/zpool' 'mount-zfs\.sh'
		do
			grep -Eq "${wanted}\$" <<<"${content}" \
				|| gen_die "the initramfs has no '${wanted//\\/}'; see '${LOGFILE}'"
		done
		gk_is_builtin "${kmoddir}" \
			|| grep -Eq '/zfs\.ko(\.[a-z0-9]+)?$' <<<"${content}" \
			|| gen_die "the initramfs has no zfs.ko; see '${LOGFILE}'"
		print_info 1 "initramfs: >> has ZFS; the kernel's command line: root=ZFS=POOL/DATASET"
	fi

	if isTrue "${CMD_INSTALL}"
	then
		copy_image_with_preserve \
			"${GK_FILENAME_INITRAMFS_SYMLINK}" \
			"${CPIO_ARCHIVE}" \
			"${GK_FILENAME_INITRAMFS}"
	fi

	# genkernel would now advise parameters that dracut does not know (dozfs, domdadm)
	ZFS=no MDADM=no LVM=no LUKS=no DMRAID=no MULTIPATH=no ISCSI=no SSH=no SPLASH=no
}

# gk_has_zfs KMODDIR: is the ZFS module among the modules, or in the kernel
gk_has_zfs() {
	[ -n "$(find "${1}" -name 'zfs.ko*' -print -quit 2>/dev/null)" ] \
		|| gk_is_builtin "${1}"
}

gk_is_builtin() {
	grep -qs '/zfs\.ko$' "${1}/modules.builtin"
}

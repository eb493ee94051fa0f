#!/bin/sh
# Part of zfs-root-migrate, in the initramfs of the new root. dracut sources it when the
# root is mounted read-only and nothing of it has run yet.
#
# The pass during shutdown leaves a seal in a property of the root dataset:
#     v1 MANIFEST UUID,OFFSET,LENGTH,SHA256 ...
# Each window is a piece of one of the old file systems that changes whenever it is
# mounted for writing. As long as they are what they were, nothing was written there that
# is not here. A root that has run before (booted=yes) is started whatever the seal says.

type getargbool >/dev/null 2>&1 || . /lib/dracut-lib.sh

# shellcheck disable=SC2154 # dracut's NEWROOT
zrm_dataset() {
	while read -r zrm_source zrm_place zrm_type _; do
		[ "$zrm_place $zrm_type" = "$NEWROOT zfs" ] && echo "$zrm_source"
	done </proc/mounts
}

zrm_property() {
	zfs get -H -o value -s local "zfs-root-migrate:$1" "$zrm_root" 2>/dev/null
}

zrm_say() {
	printf '%s\n' "$@" >/dev/console
}

zrm_sum() {
	zrm_block=512
	[ $(($2 % 4096 + $3 % 4096)) -ne 0 ] || zrm_block=4096
	dd if="$1" bs="$zrm_block" skip=$(($2 / zrm_block)) count=$(($3 / zrm_block)) \
		2>/dev/null | sha256sum
}

# succeeds and says which file system it is, where one has changed
zrm_changed() {
	udevadm settle --timeout=30 >/dev/null 2>&1
	for zrm_window; do
		zrm_uuid=${zrm_window%%,*} zrm_rest=${zrm_window#*,}
		zrm_offset=${zrm_rest%%,*} zrm_rest=${zrm_rest#*,}
		zrm_device=/dev/disk/by-uuid/$zrm_uuid
		if [ ! -b "$zrm_device" ]; then
			zrm_say "zfs-root-migrate: $zrm_device is not there and was not looked at"
			continue
		fi
		zrm_found=$(zrm_sum "$zrm_device" "$zrm_offset" "${zrm_rest%%,*}")
		if [ "${zrm_found%% *}" != "${zrm_rest#*,}" ]; then
			echo "$zrm_device"
			return 0
		fi
	done
	return 1
}

zrm_refuse() {
	umount -R "$NEWROOT" || umount -l "$NEWROOT"
	zpool export "${zrm_root%%/*}" || zpool export -f "${zrm_root%%/*}"
	zrm_say "" "zfs-root-migrate: this root is not started." "$@" "" \
		"What to do: start the old disk, type there" \
		"    zfs-root-migrate run" \
		"and shut it down; then start this one again." \
		"To start this one as it is, without what was written to the old disk since:" \
		"add zfs-root-migrate.unsealed to the kernel's command line (e in GRUB's menu)." \
		""
	if getargbool 0 rd.shell; then
		emergency_shell -n zfs-root-migrate "this root is not started"
	else
		zrm_say "The machine starts again in a minute."
		sleep 60
	fi
	reboot -f
	# never further than here; some programs of that name want an init to ask
	sleep 5
	echo b >/proc/sysrq-trigger
	while :; do sleep 60; done
}

zrm_look() {
	zrm_root=$(zrm_dataset)
	[ -n "$zrm_root" ] || return 0
	[ "$(zrm_property booted)" != yes ] || return 0
	zrm_seal=$(zrm_property seal)
	case $zrm_seal in
	"") return 0 ;;
	esac
	if getargbool 0 zfs-root-migrate.unsealed; then
		zrm_say "zfs-root-migrate: started without a look at the seal, as was asked for"
		return 0
	fi
	case $zrm_seal in
	open)
		zrm_refuse "It was not copied to its end: the last pass was not made, or failed."
		;;
	"v1 "*) ;;
	*)
		zrm_refuse "Its seal is of another version: $zrm_seal"
		;;
	esac
	# shellcheck disable=SC2086 # the words of the seal
	set -- $zrm_seal
	shift 2
	if zrm_which=$(zrm_changed "$@"); then
		zrm_refuse "The old system was started after this copy of it was sealed:" \
			"$zrm_which has changed since, and this root does not have what was written."
	fi
	return 0
}

zrm_look

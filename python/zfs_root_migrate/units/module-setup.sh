#!/bin/bash
# Part of zfs-root-migrate: the initramfs looks whether the new root is still what the
# old one was when it was last written to.

check() {
	return 0
}

depends() {
	echo zfs
}

install() {
	inst_multiple dd reboot sha256sum sleep umount
	# shellcheck disable=SC2154 # dracut says where this file is
	inst_hook pre-pivot 05 "$moddir/zfs-root-migrate-sealed.sh"
}

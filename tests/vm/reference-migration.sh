#!/bin/bash
# The migration by hand, as somebody who has done it before would type it, with the
# tool's own layout: what the tool's speed is compared with.
#
#   reference-migration.sh disk pool copy boot    # from disk A; then boot from B
#   reference-migration.sh attach                 # from B: what is on A is lost
#
# One rsync pass, no comparison, no journal, no proof. Each stage says how long it took.
set -euo pipefail

A=${A:-/dev/disk/by-id/virtio-OLDDISK}
B=${B:-/dev/disk/by-id/virtio-NEWDISK}
POOL=rpool
ROOT=$POOL/ROOT
NEW=/mnt/new
MD=/dev/md/boot
# partitions: 1 boot loader, 2 /boot, 3 swap, 4 pool
BOOT_MIB=512
SWAP_MIB=128

settle() { udevadm settle --timeout=60; }
in_new() { chroot "$NEW" env PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }

stage_disk() {
	modprobe -a zfs raid1
	wipefs -aq "$B"
	sgdisk -n1:2048:+1M -t1:EF02 -n2:0:+${BOOT_MIB}M -t2:FD00 \
		-n3:0:+${SWAP_MIB}M -t3:8200 -n4:0:-8M -t4:BF00 "$B" >/dev/null
	settle
	mdadm --create $MD --run --level=1 --raid-devices=2 --metadata=1.0 \
		--name=boot --homehost=any "$B-part2" missing
	settle
	mke2fs -q -F -t ext2 -L boot $MD
	mkswap -q "$B-part3"
}

stage_pool() {
	[ -s /etc/hostid ] || zgenhostid
	mkdir -p $NEW
	zpool create -f -o ashift=12 -o cachefile=/run/zpool.cache \
		-O mountpoint=/ -O canmount=off -O compression=lz4 -O relatime=on \
		-O xattr=sa -O acltype=posixacl -O dnodesize=auto -R $NEW $POOL "$B-part4"
	zfs create -o mountpoint=legacy $ROOT
	mount -t zfs $ROOT $NEW
	zfs create $POOL/home
	zfs create -o canmount=off $POOL/usr
	zfs create $POOL/usr/local
	zfs create $POOL/usr/src
	zfs create $POOL/var
	zfs create $POOL/var/log
	zfs create -o mountpoint=/var/db/repos/gentoo $POOL/usr/portage
	zfs create -o mountpoint=/var/cache/distfiles $POOL/usr/portage/distfiles
	zfs create -o mountpoint=/var/cache/binpkgs $POOL/usr/portage/packages
	zpool set bootfs=$ROOT $POOL
	mkdir -p $NEW/boot
	mount -t ext2 $MD $NEW/boot
}

stage_copy() {
	# shows what lies below mount points, and no other file system
	mkdir -p /mnt/src
	mount --bind / /mnt/src
	rsync -aHAXS --numeric-ids --one-file-system \
		--exclude=/mnt/new/ --exclude=/mnt/src/ --exclude=/boot/ --exclude=/home/ \
		/mnt/src/ $NEW/
	rsync -aHAXS --numeric-ids --one-file-system /boot/ $NEW/boot/
	rsync -aHAXS --numeric-ids --one-file-system /home/ $NEW/home/
	umount /mnt/src
}

stage_boot() {
	local kernel dir service
	kernel=$(uname -r)
	for dir in dev proc sys run; do
		mkdir -p $NEW/$dir
		mount --rbind --make-rslave /$dir $NEW/$dir
	done
	cat > $NEW/etc/fstab <<-END
		UUID=$(blkid -s UUID -o value $MD) /boot ext2 noatime 0 2
		UUID=$(blkid -s UUID -o value "$B-part3") none swap sw,nofail 0 0
		tmpfs /tmp tmpfs mode=1777,nosuid,nodev,size=50% 0 0
	END
	mdadm --detail --scan > $NEW/etc/mdadm.conf
	# with one disk gone, udev leaves the array inactive
	cat > $NEW/etc/init.d/md-degraded <<-'END'
		#!/sbin/openrc-run
		depend() { after udev udev-trigger modules; before fsck localmount; }
		start() {
			ebegin "Starting degraded arrays"
			udevadm settle; mdadm -IRs; udevadm settle
			eend 0
		}
	END
	chmod 755 $NEW/etc/init.d/md-degraded
	for service in md-degraded zfs-import zfs-mount; do
		ln -sfn /etc/init.d/$service $NEW/etc/runlevels/boot/$service
	done
	mkdir -p $NEW/etc/zfs $NEW/etc/dracut.conf.d
	cp /run/zpool.cache $NEW/etc/zfs/zpool.cache
	cp -p /etc/hostid $NEW/etc/hostid
	cat > $NEW/etc/dracut.conf.d/zfs.conf <<-'END'
		hostonly="no"
		add_dracutmodules+=" zfs "
		omit_dracutmodules+=" btrfs lvm crypt dm nvdimm overlay-root qemu hwdb lunmask virtfs virtiofs bluetooth kernel-modules-extra "
		add_drivers+=" virtio_blk virtio_pci virtio_scsi ahci sd_mod nvme "
		install_items+=" /etc/hostid "
	END
	in_new dracut --quiet --force --kver "$kernel" "/boot/initramfs-$kernel.img"
	sed -i '/^GRUB_CMDLINE_LINUX=/d' $NEW/etc/default/grub
	echo "GRUB_CMDLINE_LINUX=\"console=ttyS0,115200 root=ZFS=$ROOT\"" \
		>> $NEW/etc/default/grub
	in_new grub-install --target=i386-pc "$(readlink -f "$B")"
	in_new grub-mkconfig -o /boot/grub/grub.cfg
	umount -R $NEW/run $NEW/sys $NEW/proc $NEW/dev
	sync
	umount -R $NEW
	# lets the initramfs import without force
	zpool export $POOL
}

stage_attach() {
	wipefs -aq "$A"-part* "$A"
	sgdisk -Z "$A" >/dev/null
	sgdisk -R "$A" "$B"
	sgdisk -G "$A" >/dev/null
	settle
	mdadm "$(readlink -f $MD)" --add "$A-part2"
	mkswap -q "$A-part3"
	zpool attach -o ashift=12 $POOL \
		"$(zdb -l "$B-part4" | sed -n 's/^    guid: //p' | head -n 1)" "$A-part4"
	zpool wait -t resilver $POOL
	mdadm --wait "$(readlink -f $MD)" || true
	grub-install --target=i386-pc "$(readlink -f "$A")"
	sync
}

for stage; do
	begun=$(date +%s%N)
	"stage_$stage" >&2
	echo "$stage $((($(date +%s%N) - begun) / 1000000))"
done

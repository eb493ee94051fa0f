# Leaves of the kernel's modules those that a guest in QEMU can use, unpacked:
# xz costs seconds under emulation, and all that lies here is copied again and
# again by the tests.
kernel=$1
cd "/lib/modules/$kernel/kernel"
rm -rf sound samples net/bluetooth net/wireless net/mac80211 net/can net/tipc \
    net/sctp net/netfilter net/sched net/ceph net/openvswitch net/sunrpc net/rxrpc \
    net/batman-adv net/ipv4 net/ipv6 net/bridge net/dccp net/l2tp net/rds net/smc \
    net/vmw_vsock net/nfc net/ieee802154 net/6lowpan net/ax25 net/atm net/xfrm \
    net/mptcp net/mpls net/netrom net/rose net/phonet net/qrtr net/core net/dsa \
    virt arch/x86/kvm arch/x86/events
(cd drivers && for directory in *; do
    case $directory in
        block|char|md|virtio|ata|nvme|scsi|watchdog|nvdimm) ;;
        *) rm -rf "$directory" ;;
    esac
done)
(cd drivers/scsi && for entry in *; do
    case $entry in
        scsi_mod*|sd_mod*|sr_mod*|virtio_scsi*|scsi_common*|sg.ko*) ;;
        *) rm -rf "$entry" ;;
    esac
done)
(cd drivers/block && for entry in *; do
    case $entry in
        loop*|virtio_blk*|zram|brd*) ;;
        *) rm -rf "$entry" ;;
    esac
done)
(cd drivers/ata && for entry in *; do
    case $entry in ahci*|libahci*|libata*) ;; *) rm -rf "$entry" ;; esac
done)
(cd drivers/char && for entry in *; do
    case $entry in virtio_console*|hw_random) ;; *) rm -rf "$entry" ;; esac
done)
(cd fs && for directory in *; do
    case $directory in
        ext4|ext2|9p|netfs|fat|nls|mbcache.ko*|jbd2|overlayfs|fuse|isofs|fscache) ;;
        autofs|binfmt_misc.ko*|efivarfs|configfs|squashfs|pstore|xfs) ;;
        *) rm -rf "$directory" ;;
    esac
done)
find "/lib/modules/$kernel" -name '*.ko.xz' -print0 | xargs -0 -r unxz
depmod "$kernel"
du -sm "/lib/modules/$kernel"

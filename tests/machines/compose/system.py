"""The parts that the described machines share: Gentoo's files, services and kernels."""

DIST = "6.12.58-gentoo-dist"
OS_RELEASE = """\
NAME=Gentoo
ID=gentoo
PRETTY_NAME="Gentoo Linux"
VERSION="2.18"
VERSION_ID="2.18"
HOME_URL="https://www.gentoo.org/"
SUPPORT_URL="https://www.gentoo.org/support/"
BUG_REPORT_URL="https://bugs.gentoo.org/"
ANSI_COLOR="1;32"
"""
GRUB_DEFAULT = """\
# Copyright 1999-2024 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2
#
# To populate all changes in this file you need to regenerate your
# grub configuration file afterwards:
#     'grub-mkconfig -o /boot/grub/grub.cfg'

GRUB_DISTRIBUTOR="Gentoo"

#GRUB_DEFAULT=0
GRUB_TIMEOUT=5
GRUB_CMDLINE_LINUX="quiet"
#GRUB_CMDLINE_LINUX_DEFAULT=""
"""
MDADM_CONF = """\
# mdadm configuration file
#
# mdadm will function properly without the use of a configuration file,
# but this file is useful for keeping track of arrays and member disks.
#
#DEVICE /dev/hd*[0-9] /dev/sd*[0-9]
#MAILADDR root@mydomain.tld
"""
RUNLEVELS = {
    "sysinit": "cgroups devfs dmesg kmod-static-nodes sysfs udev udev-trigger",
    "boot": "binfmt bootmisc fsck hostname hwclock keymaps localmount loopback modules "
    "mtab procfs root save-keymaps save-termencoding seedrng swap sysctl "
    "systemd-tmpfiles-setup termencoding",
    "default": "cronie dhcpcd local netmount sshd sysklogd",
    "nonetwork": "local",
    "shutdown": "killprocs mount-ro savecache",
}
SERVICES = "mdadm mdraid rsyncd zfs-import zfs-load-key zfs-mount zfs-share zfs-zed"

TOOLS = (
    *("zpool", "zfs", "zdb", "zgenhostid", "mdadm", "sfdisk", "wipefs", "blkid"),
    *("mke2fs", "mkswap", "blkdiscard", "partx", "lsblk", "findmnt", "mount"),
    *("umount", "swapon", "swapoff", "blockdev", "udevadm", "unshare", "chroot"),
    *("rsync", "tar", "sha256sum", "od", "strings", "grub-install", "grub-mkconfig"),
    *("grub-probe", "grub-reboot", "grub-script-check", "grub-editenv", "dracut"),
    *("lsinitrd", "mountpoint", "cmp"),
    *("installkernel", "modprobe", "modinfo", "depmod", "rc-update", "rc-service"),
    *("emerge", "reboot", "shutdown", "sync", "python3"),
)


def gentoo_files(**more: str) -> dict[str, str]:
    """Return the files that every machine has; a name's __ stands for a slash."""
    files = {
        "/etc/os-release": OS_RELEASE,
        "/etc/default/grub": GRUB_DEFAULT,
        "/etc/mdadm.conf": MDADM_CONF,
        "/proc/sys/kernel/osrelease": f"{DIST}\n",
        "/proc/sys/kernel/arch": "x86_64\n",
        "/proc/sys/kernel/hostname": "larry\n",
        "/proc/meminfo": "MemTotal:       16314528 kB\nMemFree:         9284160 kB\n",
        "/proc/swaps": swaps(),
    }
    return files | {"/" + name.replace("__", "/"): text for name, text in more.items()}


def swaps(*rows: tuple[str, str, int]) -> str:
    """Print /proc/swaps; sizes in KiB."""
    head = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
    return head + "".join(
        f"{path:<40}{kind:<16}{size}\t\t0\t\t-2\n" for path, kind, size in rows
    )


def openrc(*services: str) -> dict[str, tuple[str, ...]]:
    """Return the directories of OpenRC."""
    levels = {
        f"/etc/runlevels/{name}": tuple(sorted(text.split()))
        for name, text in RUNLEVELS.items()
    }
    every = {name for names in levels.values() for name in names}
    return {
        "/etc/runlevels": tuple(sorted(RUNLEVELS)),
        **levels,
        "/etc/init.d": tuple(sorted({*every, *SERVICES.split(), *services})),
    }


def kernel_files(*releases: str, images: str = "vmlinuz") -> dict:
    """Return /lib/modules and /boot as installkernel leaves them."""
    names = [
        f"{kind}-{r}" for r in releases for kind in (images, "System.map", "config")
    ]
    names += [f"initramfs-{release}.img" for release in releases]
    return {
        "/lib/modules": tuple(sorted(releases)),
        "/boot": tuple(sorted((*names, "grub", "lost+found"))),
        "/boot/grub": ("fonts", "grub.cfg", "grubenv", "i386-pc", "locale"),
        "/usr/lib/grub": ("grub-mkconfig_lib", "i386-pc", "x86_64-efi"),
    }


def modinfo(release: str, zfs: str | None, raid1: str = "module") -> str:
    """Print what modinfo says of zfs and raid1."""
    magic = f"{release} SMP preempt mod_unload "
    text = ""
    if zfs:
        text += (
            f"filename:       /lib/modules/{release}/extra/zfs.ko\n"
            f"version:        {zfs}\n"
            "license:        CDDL\nlicense:        Dual BSD/GPL\n"
            "license:        Dual MIT/GPL\nauthor:         OpenZFS\n"
            "description:    ZFS\nalias:          zzstd\nalias:          zcommon\n"
            "alias:          devname:zfs\nalias:          char-major-10-249\n"
            "srcversion:     8A2C2E6B9B5C4A1D7F0E3B6\ndepends:        spl\n"
            f"name:           zfs\nvermagic:       {magic}\n"
            "parm:           zvol_inhibit_dev:Do not create zvol device nodes (uint)\n"
        )
    if raid1 == "module":
        text += (
            f"filename:       /lib/modules/{release}/kernel/drivers/md/raid1.ko\n"
            "alias:          md-level-1\nalias:          md-raid1\n"
            "alias:          md-personality-3\n"
            "description:    RAID1 (mirroring) personality for MD\n"
            "license:        GPL\nintree:         Y\n"
            f"name:           raid1\nvermagic:       {magic}\n"
        )
    if raid1 == "builtin":
        text += (
            "name:           raid1\nfilename:       (builtin)\n"
            "alias:          md-level-1\nlicense:        GPL\n"
            "file:           drivers/md/raid1\n"
        )
    return text

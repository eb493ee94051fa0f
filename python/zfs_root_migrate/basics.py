"""Packages that every Gentoo system has anyway, and the programs called of them.

They are installed like the others where somebody has taken one away.
"""

from zfs_root_migrate.model import Facts

BASICS = {
    "sys-apps/coreutils": ("chroot", "od", "sha256sum", "sync"),
    "sys-apps/diffutils": ("cmp",),
    "sys-apps/kmod": ("modinfo", "modprobe"),
    "sys-apps/util-linux": (
        *("blkid", "blockdev", "findmnt", "lsblk", "mkswap", "mount", "mountpoint"),
        *("sfdisk", "swapoff", "swapon", "umount", "unshare", "wipefs"),
    ),
    "sys-fs/e2fsprogs": ("mke2fs",),
}


def lacking_basics(facts: Facts) -> tuple[str, ...]:
    """Return the packages of which a program was looked for and not found."""
    gone = {tool.name for tool in facts.system.tools if not tool.path}
    return tuple(name for name, tools in BASICS.items() if gone & set(tools))

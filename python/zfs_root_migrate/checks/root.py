"""Checks of the running root: what it is and which disk it lies on."""

from collections.abc import Iterator

from zfs_root_migrate import topology
from zfs_root_migrate.config import Config
from zfs_root_migrate.finding import LATER, Finding, Severity
from zfs_root_migrate.model import Facts, Mount, Storage


class RootUnknown(Finding):
    """What is mounted on / could not be traced to a disk.

    Everything depends on it: which disk must never be written to, what is copied, and
    which disk may join the pool later. Network roots, live media and containers end
    here, and so does a system whose /dev hides the root device. `findmnt /` and
    `lsblk` show what the system itself thinks.
    """

    key = "root-unknown"
    severity = Severity.INHIBITOR
    title = "the disk of the running root is not known"


class RootNotWhole(Finding):
    """/ is a directory of a file system and not the whole of it.

    That is so in a chroot, in a container and where / is a bind mount or a subvolume.
    Copying it would leave out what lies beside it, boot files among them.
    """

    key = "root-not-whole"
    severity = Severity.INHIBITOR
    title = "/ is only a part of its file system"


class RootOnZfs(Finding):
    """The running root is on ZFS already; there is nothing to migrate.

    After `run` and a boot from the new disk this is as it should be: go on with
    `zfs-root-migrate status`, which names the next step.
    """

    key = "root-on-zfs"
    severity = Severity.INHIBITOR
    title = "the root is on ZFS already"


class RootOnNetwork(Finding):
    """The root comes over the network, so no local disk is the old disk.

    Boot loader, hostid and the later mirror all assume a local old disk.
    """

    key = "root-on-network"
    severity = Severity.INHIBITOR
    title = "the root is a network file system"
    unsupported = True


class RootOnOverlay(Finding):
    """The root is made of layers (overlayfs and the like), as on live media.

    What is written there is often kept in memory only. Boot the installed system and
    start from there.
    """

    key = "root-on-overlay"
    severity = Severity.INHIBITOR
    title = "the root is an overlay"


class RootOnBtrfs(Finding):
    """The root is on btrfs, which this version does not migrate.

    Subvolumes, snapshots and reflinks have no counterpart in a plain copy: copied
    naively, each snapshot would be written out in full.
    """

    key = "root-on-btrfs"
    severity = Severity.INHIBITOR
    title = "the root is on btrfs"
    unsupported = True


class RootOnLvm(Finding):
    """The root is on a logical volume, which this version does not migrate.

    The old boot entry, and freeing the old disk for the mirror, need LVM's own steps.
    """

    key = "root-on-lvm"
    severity = Severity.INHIBITOR
    title = "the root is on LVM"
    unsupported = True


class RootOnLuks(Finding):
    """The root is encrypted with LUKS, which this version does not migrate.

    The pool that would be made is not encrypted: whatever the user protected would lie
    on the new disk in clear text. This is why it is refused rather than tried.
    """

    key = "root-on-luks"
    severity = Severity.INHIBITOR
    title = "the root is encrypted (LUKS)"
    unsupported = True


class RootOnMd(Finding):
    """The root is on a Linux software RAID, which this version does not migrate.

    Its members cannot be told apart into one old disk that joins the pool later.
    """

    key = "root-on-md"
    severity = Severity.INHIBITOR
    title = "the root is on software RAID (md)"
    unsupported = True


class RootOnSeveralDisks(Finding):
    """The root lies on more than one disk.

    There is then no single old disk that can be kept bootable and join the pool later.
    """

    key = "root-on-several-disks"
    severity = Severity.INHIBITOR
    title = "the root lies on several disks"
    unsupported = True


class RootOnMultipath(Finding):
    """The root is reached over several paths (device-mapper multipath).

    A pool that is made of such disks comes up on one path only (openzfs/zfs#957,
    #3297, #7413), and the same disk shows up as several.
    """

    key = "root-on-multipath"
    severity = Severity.INHIBITOR
    title = "the root is on a multipath device"
    unsupported = True


class RootReadOnly(Finding):
    """/ is mounted read-only.

    The migration writes its journal and the hostid there. A root that has become
    read-only by itself often means a failing disk: look into `dmesg` first.
    """

    key = "root-read-only"
    severity = Severity.INHIBITOR
    title = "/ is mounted read-only"


_TYPES: dict[str, tuple[type[Finding], str]] = {
    "zfs": (RootOnZfs, "There is nothing to migrate."),
    "btrfs": (RootOnBtrfs, "Its subvolumes and snapshots would be lost."),
}
_KINDS: dict[str, tuple[type[Finding], str]] = {
    "lvm": (RootOnLvm, "The old disk could not be freed for the mirror."),
    "crypt": (RootOnLuks, "Your encrypted data would be copied into a clear pool."),
    "mpath": (RootOnMultipath, "The pool would come up on one path (zfs#957)."),
}


def check_root(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at what / is, from the file system down to the disks."""
    storage = facts.storage
    root = topology.root_mount(storage)
    special = _special_root(root)
    if special:
        yield special
    elif root is None or not topology.old_disks(storage):
        yield RootUnknown(
            seen=f"/ is {root.source} ({root.fs_type})" if root else "no mount on /",
            why="Without it, no disk can be told to be safe to write on.",
            remedy=("See what the system says, and report it:", "  findmnt /; lsblk"),
        )
    else:
        yield from _stacked_root(storage, root)
    if root and "ro" in root.options.split(","):
        yield RootReadOnly(
            seen=f"/ is mounted with {root.options}",
            why="The journal that makes the migration safe is written there.",
            remedy=("If dmesg shows no disk errors:", "  mount -o remount,rw /"),
        )


def _special_root(root: Mount | None) -> Finding | None:
    if root is None:
        return None
    seen = f"/ is {root.source} ({root.fs_type})"
    if root.fs_type in _TYPES:
        kind, why = _TYPES[root.fs_type]
        hint = "  zfs-root-migrate status" if root.fs_type == "zfs" else LATER
        return kind(seen=seen, why=why, remedy=(hint,))
    if root.fs_type in topology.NETWORK_TYPES:
        return RootOnNetwork(seen=seen, why="There is no old disk.", remedy=(LATER,))
    if root.fs_type in topology.LAYER_TYPES or root.fs_type in topology.MEMORY_TYPES:
        return RootOnOverlay(
            seen=seen,
            why="This looks like a live medium; its / is not an installed system.",
            remedy=("Boot the installed system and start from there.",),
        )
    if root.root != "/":
        return RootNotWhole(
            seen=f"/ is the directory {root.root} of {root.source}",
            why="What lies beside that directory would not be copied.",
            remedy=("Leave the chroot or container and start from the real root.",),
        )
    return None


def _stacked_root(storage: Storage, root: Mount) -> Iterator[Finding]:
    for layer in topology.layers(storage, root):
        if layer.kind == "part":
            continue
        kind, why = _KINDS.get(layer.kind, (RootOnMd, "No single disk holds the root."))
        yield kind(
            seen=f"/ is on {topology.show_name(layer)} ({layer.kind})",
            why=why,
            remedy=(LATER,),
        )
    below = topology.old_disks(storage)
    if len(below) > 1:
        yield RootOnSeveralDisks(
            seen="/ is on " + ", ".join(disk.name for disk in below),
            why="No single disk can stay bootable as the way back.",
            remedy=(LATER,),
        )

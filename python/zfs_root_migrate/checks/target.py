"""Checks of each chosen disk: that it is free, and that it may be overwritten."""

import shlex
from collections.abc import Iterator

from zfs_root_migrate import topology
from zfs_root_migrate.checks.choice import LIST, show_disk, targets
from zfs_root_migrate.config import Config
from zfs_root_migrate.finding import Finding, Severity
from zfs_root_migrate.model import BlockDevice, Facts, Storage


class TargetInUse(Finding):
    """A chosen disk is in use: mounted, swap, in an array, a volume group or a pool.

    This is not something `overwrite` can allow. If the disk is the right one, take it
    out of use first; if that cannot be done, it is likely the wrong one.
    """

    key = "target-in-use"
    severity = Severity.INHIBITOR
    title = "a chosen disk is in use"


class TargetNotBlank(Finding):
    """A chosen disk has something on it and nobody said that it may be destroyed.

    To allow it, `zfs-root-migrate set overwrite` takes the serial number of the disk.
    It is a serial number and no path because a path can come to mean another disk. A
    disk without a serial number of its own has to be emptied by hand (`wipefs --all`).
    """

    key = "target-not-blank"
    severity = Severity.INHIBITOR
    title = "a chosen disk is not empty"


class TargetContentUnknown(Finding):
    """Whether a chosen disk is empty could not be found out.

    Reading signatures takes root. Not known is not empty, so the disk is not touched.
    """

    key = "target-content-unknown"
    severity = Severity.INHIBITOR
    title = "whether a chosen disk is empty is not known"


class OverwriteUnused(Finding):
    """The setting `overwrite` names a serial number that no chosen disk has.

    A misspelling perhaps, or left over from an earlier choice. It is a standing
    permission to destroy that disk's content as soon as it is chosen: take it away.
    """

    key = "overwrite-unused"
    severity = Severity.WARNING
    title = "overwrite names a disk that is not chosen"


class TargetReadOnly(Finding):
    """A chosen disk refuses writes: a switch, a dying SSD, or `blockdev --setro`."""

    key = "target-read-only"
    severity = Severity.INHIBITOR
    title = "a chosen disk is read-only"


class TargetRemovable(Finding):
    """A chosen disk is removable or attached by USB.

    A pool on it works, but stops the system when the plug is pulled, and some firmware
    does not boot from it.
    """

    key = "target-removable"
    severity = Severity.WARNING
    title = "a chosen disk is removable"


class TargetMultipath(Finding):
    """A chosen disk is one path of a multipath device, or seems to be.

    A pool made of it comes up on one path only (openzfs/zfs#957, #3297, #7413). Where
    multipathd does not run, the paths look like disks of their own that have the same
    World Wide Name, serial number and size. Two of them would be made a mirror of one
    disk with itself; or one of them is the disk that the system runs from.
    """

    key = "target-multipath"
    severity = Severity.INHIBITOR
    title = "a chosen disk is a path of a multipath device"


def may_overwrite(storage: Storage, config: Config, disk: BlockDevice) -> bool:
    """Tell whether the user named the disk's serial, and only that disk has it."""
    return (
        disk.serial in config.overwrite
        and [d.serial for d in topology.disks(storage)].count(disk.serial) == 1
    )


def check_targets(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at every chosen disk: whether it is free and may be written on."""
    storage, old = facts.storage, topology.old_disks(facts.storage)
    for disk in targets(facts, config):
        if disk in old:
            continue
        yield from _in_use(storage, disk)
        yield from _not_blank(storage, config, disk)
        yield from _nature(storage, disk)
    serials = {disk.serial for disk in targets(facts, config)}
    unused = [serial for serial in config.overwrite if serial not in serials]
    if unused:
        kept = [serial for serial in config.overwrite if serial in serials]
        yield OverwriteUnused(
            seen="no chosen disk has the serial number " + ", ".join(unused),
            why="It allows that disk's content to be destroyed once it is chosen.",
            remedy=(
                "  " + shlex.join(("zfs-root-migrate", "set", "overwrite", *kept)),
            ),
        )


def _in_use(storage: Storage, disk: BlockDevice) -> Iterator[Finding]:
    reasons = topology.uses(storage, disk)
    if reasons:
        yield TargetInUse(
            seen=f"{show_disk(disk)}: " + "; ".join(reasons),
            why="Whatever uses it would lose its data under its feet.",
            remedy=(
                "If it is the right disk, take it out of use; else choose another:",
                *_release(storage, disk),
                LIST,
            ),
        )


def _release(storage: Storage, disk: BlockDevice) -> Iterator[str]:
    rows = (disk, *topology.stacked(storage, disk))

    def here(text: str) -> bool:
        return topology.find_device(storage, text) in rows

    for mount in reversed(storage.mounts):
        if here(mount.device or mount.source):
            yield f"  umount {shlex.quote(mount.target)}"
    for swap in storage.swaps:
        if not swap.is_file and here(swap.path):
            yield f"  swapoff {shlex.quote(swap.path)}"
    for pool in storage.pools or ():
        if pool.imported and any(map(here, pool.devices)):
            yield f"  zpool export {pool.name}"
    yield from (_close(device) for device in reversed(rows) if is_layer(device))


def is_layer(device: BlockDevice) -> bool:
    """Tell whether a device is a volume or an array upon others."""
    return device.kind not in ("disk", "part", "mpath")


def _close(device: BlockDevice) -> str:
    if device.kind.startswith(("raid", "linear")):
        return f"  mdadm --stop {device.path}"
    return f"  dmsetup remove {shlex.quote(topology.show_name(device))}"


def _not_blank(
    storage: Storage, config: Config, disk: BlockDevice
) -> Iterator[Finding]:
    if may_overwrite(storage, config, disk):
        return
    found = topology.contents(storage, disk)
    if found:
        yield TargetNotBlank(
            seen=f"{show_disk(disk)} has: " + "; ".join(found),
            why="All of this would be destroyed, and nothing brings it back.",
            remedy=_allow(storage, config, disk),
        )
    elif not topology.is_probed(storage, disk):
        yield TargetContentUnknown(
            seen=f"{show_disk(disk)}: its signatures could not be read",
            why="What is not known to be empty is not overwritten.",
            remedy=("Look again as root:", "  zfs-root-migrate check"),
        )


def _allow(storage: Storage, config: Config, disk: BlockDevice) -> tuple[str, ...]:
    serial = disk.serial
    named = (*(s for s in config.overwrite if s != serial), serial or "")
    if serial and may_overwrite(storage, Config(overwrite=(serial,)), disk):
        return (
            "If nothing of it is wanted, allow this very disk to be overwritten:",
            "  " + shlex.join(("zfs-root-migrate", "set", "overwrite", *named)),
            "Else choose another:",
            LIST,
        )
    return (
        "It has no serial number of its own to name. If nothing of it is wanted:",
        *(
            f"  wipefs --all {shlex.quote(topology.stable_path(device))}"
            for device in reversed((disk, *topology.stacked(storage, disk)))
        ),
    )


def _nature(storage: Storage, disk: BlockDevice) -> Iterator[Finding]:
    if disk.read_only:
        yield TargetReadOnly(
            seen=f"{show_disk(disk)} is read-only",
            why="Nothing can be written on it.",
            remedy=("Look into dmesg for the cause; choose another disk:", LIST),
        )
    if disk.removable or disk.transport == "usb":
        yield TargetRemovable(
            seen=f"{show_disk(disk)} is removable or on USB",
            why="The system stops when it is pulled out, and may not boot from it.",
            remedy=("Choose a disk inside the machine, if there is one:", LIST),
        )
    if any(device.kind == "mpath" for device in topology.stacked(storage, disk)):
        yield TargetMultipath(
            seen=f"{show_disk(disk)} is a path of a multipath device",
            why="The pool would come up on one path only (zfs#957).",
            remedy=("Choose a disk that is no multipath device:", LIST),
        )
    same = [d for d in topology.disks(storage) if _is_the_same(d, disk)]
    if same:
        yield TargetMultipath(
            seen=f"{show_disk(disk)} is also {', '.join(d.name for d in same)}: same "
            f"WWN {disk.wwn}, serial number and size",
            why="It is one disk on two paths; the pool would come up on one (zfs#957).",
            remedy=("Choose a disk that there is once:", LIST),
        )


def _is_the_same(one: BlockDevice, other: BlockDevice) -> bool:
    """Tell whether two names are of one disk; those without numbers are not told."""
    marks = [(disk.wwn, disk.serial, disk.size) for disk in (one, other)]
    return one != other and all(marks[0]) and marks[0] == marks[1]

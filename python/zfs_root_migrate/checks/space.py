"""Checks of sizes: whether what is copied fits, now and when the old disk joins."""

from collections.abc import Iterator
from dataclasses import replace

from zfs_root_migrate import layout, topology
from zfs_root_migrate.amounts import show_size
from zfs_root_migrate.checks.choice import LIST, targets
from zfs_root_migrate.checks.source import copied, joins
from zfs_root_migrate.config import Config
from zfs_root_migrate.finding import Finding, Severity
from zfs_root_migrate.model import BlockDevice, Facts, Firmware, Topology

# OpenZFS keeps back 1/32 of a pool, between 128 MiB and 128 GiB, so that there is
# always room to delete: spa_slop_shift, see zfs(4)
SLOP_SHIFT = 5
SLOP_RANGE = (128 << 20, 128 << 30)


class TargetTooSmall(Finding):
    """What is to be copied does not fit on the new disks.

    Counted are the used bytes of every file system that is copied and a tenth more, and
    what is kept for the making of the initramfs, beside /boot, swap, what parity or
    mirrors take, and the part of a pool that OpenZFS keeps back. Compression is not
    counted on.
    """

    key = "target-too-small"
    severity = Severity.INHIBITOR
    title = "the new disks are too small"


class TargetTight(Finding):
    """What is copied may or may not fit: how much `exclude` saves is not known.

    The used bytes are known for whole file systems only. If the new disk becomes full
    while copying, the copy stops with a message and nothing is lost.
    """

    key = "target-tight"
    severity = Severity.WARNING
    title = "the new disks may be too small"


class OldDiskTooSmall(Finding):
    """The new disk is large enough, but the old one is not, and it is to join later.

    Every partition of the pool has the size that fits on the smallest disk: a disk that
    is smaller by a single sector cannot be attached (openzfs/zfs#1208, #4740), and
    that would show only after everything else is done.
    """

    key = "old-disk-too-small"
    severity = Severity.INHIBITOR
    title = "the old disk is too small to become the mirror"


class SourceSizeUnknown(Finding):
    """How much a file system holds that is to be copied could not be read.

    Whether it fits on the new disks is then not known either.
    """

    key = "source-size-unknown"
    severity = Severity.INHIBITOR
    title = "the size of what is copied is not known"


class BootTooSmall(Finding):
    """The setting `boot-size` is less than what /boot holds, with room for one kernel.

    Half as much again as is used now is asked for: the new initramfs is larger.
    """

    key = "boot-too-small"
    severity = Severity.INHIBITOR
    title = "the new /boot would be too small"


class TargetSizesDiffer(Finding):
    """The disks that make up the pool differ in size by more than a tenth.

    All are used as if they were as small as the smallest one. The rest stays empty.
    This includes the old disk where it is to join later.
    """

    key = "target-sizes-differ"
    severity = Severity.WARNING
    title = "the disks differ in size, a part stays unused"


class Target4kn(Finding):
    """A chosen disk shows sectors of 4096 bytes (4Kn) on a machine with a BIOS.

    A PC BIOS reads sectors of 512 bytes only, and cannot boot from such a disk. Disks
    that are 4096 inside and show 512 (512e) are fine. Some disks can be switched over
    (`nvme format`, `sg_format`; both erase the disk).
    """

    key = "target-4kn"
    severity = Severity.INHIBITOR
    title = "a chosen disk cannot be booted by a BIOS (4Kn)"


class SectorSizesDiffer(Finding):
    """The disks that are to mirror one another differ in logical sector size.

    The pool is made for the larger one (ashift), so it works; disk tools count sectors
    of different size on the two disks, and a table copied by hand will not fit.
    """

    key = "sector-sizes-differ"
    severity = Severity.WARNING
    title = "the disks differ in sector size"


class GeometryUnknown(Finding):
    """The size of sectors of a disk is not known, or whether it can be written.

    The pool is made for the largest sectors of its disks, which cannot be changed later
    (openzfs/zfs#6975, #16292), and the partition table counts in sectors. lsblk tells
    what the kernel shows in /sys; in a container it may show nothing.
    """

    key = "geometry-unknown"
    severity = Severity.INHIBITOR
    title = "the sectors of a disk are not known"


class DiskKindUnknown(Finding):
    """Whether a chosen disk turns, or can be taken out, is not known.

    A pool on a disk that may turn is made without autotrim. A disk that can be taken
    out stops the system when it is.
    """

    key = "disk-kind-unknown"
    severity = Severity.WARNING
    title = "what kind a chosen disk is is not known"


def check_space(facts: Facts, config: Config) -> Iterator[Finding]:
    """Compare what is copied with what the layout makes room for."""
    mounts = [m for m in copied(facts, config) if m.target != "/boot"]
    unknown = [mount.target for mount in mounts if mount.used is None]
    if unknown:
        yield SourceSizeUnknown(
            seen="how much is used on " + ", ".join(unknown) + " could not be read",
            why="Whether it fits on the new disks cannot be said.",
            remedy=("See what df says:", "  df --portability " + " ".join(unknown)),
        )
    elif enough_targets(facts, config):
        used = sum(mount.used or 0 for mount in mounts)
        yield from _fits(facts, config, used)


def enough_targets(facts: Facts, config: Config) -> bool:
    """Tell whether there are disks to lay out, none of them the old one."""
    chosen = targets(facts, config)
    old = topology.old_disks(facts.storage)
    return len(chosen) >= config.topology.fewest_disks and not set(chosen) & set(old)


def _fits(facts: Facts, config: Config, used: int) -> Iterator[Finding]:
    needed = used + used // 10 + layout.BUILD_ROOM
    alone = room(facts, replace(config, join_old_disk=False))
    joined = room(facts, config)
    seen = f"{show_size(used)} are used and need {show_size(needed)} with a reserve; "
    if needed > alone:
        kind = TargetTight if _saves_unknown(facts, config) else TargetTooSmall
        yield kind(
            seen=seen + f"the pool would offer {show_size(alone)}",
            why="The copy would fill the new disks and stop half-way.",
            remedy=(
                "Choose larger disks, or leave something out:",
                LIST,
                "  zfs-root-migrate set exclude PATH...",
            ),
        )
    elif needed > joined:
        yield OldDiskTooSmall(
            seen=seen + f"with the old disk as mirror there are {show_size(joined)}",
            why="A smaller disk cannot be attached to the pool (zfs#1208, #4740).",
            remedy=(
                "Keep the old disk out of the pool:",
                "  zfs-root-migrate set join-old-disk no",
            ),
        )


def room(facts: Facts, config: Config) -> int:
    """Bytes that files can take in the pool that the settings ask for."""
    size = layout.pool_size(layout.design(config, facts))
    smallest, largest = SLOP_RANGE
    return max(0, size - min(largest, max(smallest, size >> SLOP_SHIFT)))


def _saves_unknown(facts: Facts, config: Config) -> bool:
    points = {mount.target for mount in facts.storage.mounts}
    return any(path not in points for path in config.exclude)


def check_boot_size(facts: Facts, config: Config) -> Iterator[Finding]:
    """Compare the wanted size of /boot with what it holds."""
    boot = next((m for m in facts.storage.mounts if m.target == "/boot"), None)
    needed = (boot.used or 0) * 3 // 2 if boot else 0
    wanted = layout.boot_size(config, facts)
    if wanted < max(needed, 64 << 20):
        yield BootTooSmall(
            seen=f"boot-size is {show_size(wanted)}, /boot needs {show_size(needed)}",
            why="The kernels and the new initramfs would not fit.",
            remedy=(
                "Let the size be worked out:",
                "  zfs-root-migrate set boot-size auto",
            ),
        )


def check_geometry(facts: Facts, config: Config) -> Iterator[Finding]:
    """Compare the sizes and the sectors of the disks that make up the pool."""
    everyone = _members(facts, config)
    sizes = sorted(disk.size for disk in everyone)
    if sizes and (sizes[-1] - sizes[0]) * 10 > sizes[-1]:
        yield TargetSizesDiffer(
            seen=", ".join(f"{d.name} has {show_size(d.size)}" for d in everyone),
            why="All are used as if they were as small as the smallest one.",
            remedy=_unjoin(config),
        )
    bios = facts.boot.firmware is Firmware.BIOS
    for disk in targets(facts, config):
        if disk.logical_sector not in (None, 512) and bios:
            yield Target4kn(
                seen=f"{disk.name} has sectors of {disk.logical_sector} bytes",
                why="A BIOS cannot boot from it.",
                remedy=("Choose a disk with sectors of 512 bytes:", LIST),
            )
    yield from _not_told(facts, config)
    if len({disk.logical_sector for disk in everyone} - {None}) > 1:
        yield SectorSizesDiffer(
            seen=", ".join(f"{d.name} has {d.logical_sector}" for d in everyone),
            why="The pool is made for the larger; tables cannot be copied by hand.",
            remedy=("Take disks of one kind if you can:", LIST),
        )


def _not_told(facts: Facts, config: Config) -> Iterator[Finding]:
    """Name what lsblk does not tell of the disks."""
    chosen = targets(facts, config)
    sectors, kinds = [], []
    for disk in _members(facts, config):
        values = {
            "the logical sector size": disk.logical_sector,
            "the physical sector size": disk.physical_sector,
        }
        if disk in chosen:
            values["whether it is read-only"] = disk.read_only
        sectors += [f"{n} of {disk.name}" for n, v in values.items() if v is None]
    for disk in chosen:
        values = {"it turns": disk.rotational, "it is removable": disk.removable}
        kinds += [f"{disk.name}: whether {n}" for n, v in values.items() if v is None]
    columns = "NAME,LOG-SEC,PHY-SEC,RO,ROTA,RM"
    look = ("See what the kernel says of it:", f"  lsblk --output {columns}")
    if sectors:
        yield GeometryUnknown(
            seen="not known: " + ", ".join(sectors),
            why="Table and pool would be made for sectors that are guessed.",
            remedy=(*look, "If that is empty as well, choose another disk:", LIST),
        )
    if kinds:
        yield DiskKindUnknown(
            seen="not known: " + ", ".join(kinds),
            why="The pool is made as for a disk that turns.",
            remedy=look,
        )


def _members(facts: Facts, config: Config) -> tuple[BlockDevice, ...]:
    old = topology.old_disks(facts.storage) if joins(config) else ()
    return tuple(dict.fromkeys((*old, *targets(facts, config))))


def _unjoin(config: Config) -> tuple[str, ...]:
    if config.topology is Topology.SINGLE:
        return (
            "Accept it, or use the whole new disk and keep the old one out:",
            "  zfs-root-migrate set join-old-disk no",
        )
    return ("Accept it, or choose disks of one size:", LIST)

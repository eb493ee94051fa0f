"""Partition tables: written, proved, and taken away again."""

from dataclasses import replace

from zfs_root_migrate.layout import MIB, DiskLayout, Layout, Role
from zfs_root_migrate.step import Action, Hazard, Probe, Require, Run, Step
from zfs_root_migrate.steps import probes
from zfs_root_migrate.steps.probes import SETTLE


def partition(layout: Layout, overwritten: frozenset[str]) -> tuple[Step, ...]:
    """Return one step for each new disk: its partition table."""
    return tuple(
        _partition(
            disk, wipe=disk.path in overwritten, number=n, many=len(layout.disks)
        )
        for n, disk in enumerate(layout.disks, 1)
    )


def table_script(disk: DiskLayout) -> str:
    """Return what sfdisk reads: the whole table with every identifier in it."""
    lines = ["label: gpt", f"label-id: {disk.table_uuid}", "unit: sectors"]
    for part in disk.partitions:
        lines.append(
            f"{part.number} : start={part.start // disk.sector}, "
            f"size={part.size // disk.sector}, type={part.type_code}, "
            f'uuid={part.uuid}, name="{part.label}"'
        )
    return "\n".join(lines) + "\n"


def write_table(disk: DiskLayout) -> tuple[Action, ...]:
    """Write the table; what makes something in a partition clears it first."""
    return (
        Run(
            argv=("sfdisk", "--wipe=always", "--wipe-partitions=always", disk.path),
            stdin=table_script(disk),
        ),
        SETTLE,
    )


def _partition(disk: DiskLayout, *, wipe: bool, number: int, many: int) -> Step:
    first: tuple[Action, ...] = (
        Require(
            probe=Probe(
                argv=("lsblk", "--noheadings", "--output=MOUNTPOINTS", disk.path),
                absent=(r"\S",),
            ),
            brief=f"{disk.path} is in use",
            resolution="a file system or swap area of it is active now, which was not "
            "so when the facts were read: look at it with lsblk",
        ),
    )
    if wipe:
        first += clear_disk(disk)
    else:
        first += (
            Require(
                probe=probes.is_blank(disk.path),
                brief=f"{disk.path} is not blank any more",
                resolution="something wrote to the disk after the facts were read; "
                "look at it with `lsblk -f` and `wipefs`. If it was this tool that was "
                "cut short just here, `zfs-root-migrate undo` cleans up",
            ),
        )
    which = f" {number} of {many}" if many > 1 else ""
    return Step(
        id=f"partition-{number}",
        title=f"Partition new disk{which}: {disk.path}",
        reason="the boot loader's own partition, /boot, swap and the pool"
        + ("; what is on the disk now is destroyed, as you allowed" if wipe else ""),
        hazard=Hazard.LOSSY if wipe else Hazard.REVERSIBLE,
        actions=(*first, *write_table(disk)),
        undo=(
            Run(
                argv=("wipefs", "--all", "--quiet", "--force", disk.path),
                when=probes.has_table(disk),
            ),
            *_zero_ends(disk),
            Run(argv=("blockdev", "--rereadpt", disk.path)),
            SETTLE,
        ),
        proof=(probes.has_table(disk),),
        seconds=3,
    )


def clear_disk(disk: DiskLayout) -> tuple[Action, ...]:
    """Take away every signature, so that no old pool or array comes back to life.

    Clearing the partitions' signatures goes first: a label inside a partition
    survives the table's replacement (openzfs/zfs#14869).
    """
    clear = (
        'for p in $(lsblk --list --noheadings --paths --output=NAME "$0" | tac); do '
        'zpool labelclear -f "$p" 2>/dev/null || true; '
        'wipefs --all --quiet --force "$p"; done'
    )
    return (Run(argv=("sh", "-ec", clear, disk.path)), SETTLE)


def _zero_ends(disk: DiskLayout) -> tuple[Run, ...]:
    # boot.img's and the loader's code and both tables; blkdiscard --zeroout writes
    # zeros where the device cannot do it itself
    head = max(p.start + p.size for p in disk.partitions if p.role is Role.BIOS)
    common = ("blkdiscard", "--zeroout", "--force")
    return (
        Run(argv=(*common, "--offset", "0", "--length", str(head), disk.path)),
        Run(
            argv=(
                *common,
                "--offset",
                str(disk.size - MIB),
                "--length",
                str(MIB),
                disk.path,
            )
        ),
    )


def partition_ids(layout: Layout) -> tuple[str, ...]:
    """Return the identifiers of the partitioning steps."""
    return tuple(f"partition-{n}" for n in range(1, len(layout.disks) + 1))


def clear(parts: tuple[str, ...], *, unless: Probe) -> tuple[Run, ...]:
    """Clear what older file systems left just where a partition begins or ends."""
    made_here = replace(unless, holds=not unless.holds)
    wipe = ("wipefs", "--all", "--quiet")
    return tuple(Run(argv=(*wipe, part), when=made_here) for part in parts)


def wipe(parts: tuple[str, ...]) -> tuple[Run, ...]:
    """Clear partitions that are there."""
    return tuple(
        Run(argv=("wipefs", "--all", "--quiet", part), when=probes.exists(part))
        for part in parts
    )

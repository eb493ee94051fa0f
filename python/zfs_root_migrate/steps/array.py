"""The MD RAID1 under /boot, and swap."""

from dataclasses import replace

from zfs_root_migrate.layout import DiskLayout, Layout, Role
from zfs_root_migrate.step import Action, Hazard, Probe, Require, Run, Step
from zfs_root_migrate.steps import probes
from zfs_root_migrate.steps.disks import clear, partition_ids, wipe
from zfs_root_migrate.steps.probes import SETTLE


def array(layout: Layout) -> Step:
    """Return the step that makes the MD RAID1 and the ext2 on it."""
    made = layout.array
    missing = made.slots - len(made.members)
    # metadata 1.0 is at the end of the partition: firmware and GRUB see a plain ext2
    create = (
        *("mdadm", "--create", "/dev/md/boot", "--run", "--level=1"),
        # mdadm(8): an array of one device must be wanted with --force
        *(("--force",) if made.slots == 1 else ()),
        *(f"--raid-devices={made.slots}", "--metadata=1.0", f"--uuid={made.uuid}"),
        *("--name=boot", "--homehost=any", *made.members, *["missing"] * missing),
    )
    later = "; the old disk's half is missing until `mirror`" if missing else ""
    return Step(
        id="array",
        title="Make the array and file system for /boot",
        reason=f"RAID1 with metadata 1.0, so GRUB sees plain ext2{later}",
        hazard=Hazard.REVERSIBLE,
        needs=("modules", *partition_ids(layout)),
        actions=(
            *clear(made.members, unless=_array_exists(layout)),
            Run(argv=create, when=_array_exists(layout, holds=False)),
            SETTLE,
            *assemble(layout),
            Run(
                argv=(
                    *("mke2fs", "-q", "-F", "-t", "ext2"),
                    *("-L", made.label, "-U", made.fs_uuid, made.path),
                ),
                when=_has_boot_fs(layout, holds=False),
            ),
            SETTLE,
        ),
        undo=(
            *stop_array(layout),
            *(
                Run(
                    argv=("mdadm", "--zero-superblock", "--force", part),
                    when=Probe(argv=("mdadm", "--examine", part)),
                )
                for part in made.members
            ),
            *wipe(made.members),
        ),
        proof=(_array_exists(layout), _has_boot_fs(layout)),
        seconds=3,
    )


def _array_exists(layout: Layout, *, holds: bool = True) -> Probe:
    return Probe(
        argv=("mdadm", "--examine", layout.array.members[-1]),
        matches=(rf"Array UUID : {layout.array.uuid}\b",),
        holds=holds,
    )


def _has_boot_fs(layout: Layout, *, holds: bool = True) -> Probe:
    # asked of the member, as the array need not be running: with the metadata at the
    # end both say the same
    return Probe(
        argv=probes.freshly(layout.array.members[0], "dumpe2fs", "-h"),
        matches=(rf"Filesystem UUID: +{layout.array.fs_uuid}\b",),
        holds=holds,
    )


def array_runs(layout: Layout, *, holds: bool = True) -> Probe:
    """The array is running."""
    return Probe(
        argv=("mdadm", "--detail", layout.array.path),
        matches=(r"^ *State : (clean|active)",),
        holds=holds,
    )


def assemble(layout: Layout, *, udev: bool = True) -> tuple[Action, ...]:
    """Start the array if it is not running; udev leaves a degraded one inactive.

    Without udev, which is gone at the end of a shutdown, mdadm makes its link when it
    is told so (mdadm(8), MDADM_NO_UDEV), and the lasting one is made here.
    """
    path = layout.array.path
    stopped = array_runs(layout, holds=False)
    known = probes.exists(path)
    alone = () if udev else ("env", "MDADM_NO_UDEV=1")
    link = Run(
        argv=("ln", "-sfn", "/dev/md/boot", path), when=replace(known, holds=False)
    )
    return (
        Run(argv=("mdadm", "--stop", path), when=_inactive(layout)),
        Run(
            argv=(
                *(*alone, "mdadm", "--assemble", "--run"),
                *(f"--uuid={layout.array.uuid}", "/dev/md/boot", *layout.array.members),
            ),
            when=stopped,
        ),
        SETTLE,
        *(() if udev else (link,)),
        Require(
            probe=known,
            brief="the array for /boot did not start",
            resolution="look at /proc/mdstat and at the last lines of dmesg",
        ),
    )


def _inactive(layout: Layout) -> Probe:
    return Probe(
        argv=("mdadm", "--detail", layout.array.path),
        matches=(r"^ *State : inactive",),
    )


def stop_array(layout: Layout) -> tuple[Run, ...]:
    """Stop the array if it is there."""
    path = layout.array.path
    return (Run(argv=("mdadm", "--stop", path), when=probes.exists(path)), SETTLE)


def swap(layout: Layout) -> tuple[Step, ...]:
    """Return the step that makes the swap areas, or none."""
    parts = [(d, p) for d in layout.disks if (p := d.part(Role.SWAP)) is not None]
    if not parts:
        return ()
    return (
        Step(
            id="swap",
            title="Make the swap areas",
            reason="a partition, as swap on a pool can lock up (openzfs/zfs#7734)",
            hazard=Hazard.REVERSIBLE,
            needs=partition_ids(layout),
            actions=tuple(
                Run(argv=("mkswap", "--quiet", "--uuid", disk.swap_uuid, part.path))
                for disk, part in parts
            ),
            undo=wipe(tuple(part.path for _, part in parts)),
            proof=tuple(has_swap(disk) for disk, _ in parts),
        ),
    )


def has_swap(disk: DiskLayout) -> Probe:
    """The disk's swap partition carries the planned swap area."""
    return Probe(
        argv=("blkid", "--probe", "--output=export", disk.part_path(Role.SWAP)),
        matches=(f"^UUID={disk.swap_uuid}$", "^TYPE=swap$"),
    )

"""The last pass: armed by `run`, made while the system goes down, ended by a seal."""

from dataclasses import replace

from zfs_root_migrate import topology
from zfs_root_migrate.config import Config
from zfs_root_migrate.errors import UsageError
from zfs_root_migrate.layout import Layout
from zfs_root_migrate.model import Facts
from zfs_root_migrate.paths import (
    ARMED,
    ARMED_LINK,
    ARMED_SCRIPT,
    SEAL,
    SEAL_LOG,
    SEAL_REPORT,
    SNAPSHOT,
    SOURCES,
    STATE,
    in_new,
)
from zfs_root_migrate.shipped import OPENRC_SERVICE, SERVICE, shipped
from zfs_root_migrate.step import (
    Action,
    Arm,
    CompareTrees,
    CopyRounds,
    Hazard,
    Probe,
    Require,
    Run,
    Seal,
    SourceFs,
    Step,
    WriteFile,
)
from zfs_root_migrate.steps import copying, pool, probes
from zfs_root_migrate.steps.probes import make_directory

# nothing changes any more, so the second pass finds nothing; the third is for luck
MOST_ROUNDS = 3


def source_file_systems(layout: Layout, facts: Facts) -> tuple[SourceFs, ...]:
    """Return the copied file systems by names that outlive a boot, / first."""
    found = []
    for mount in layout.sources:
        device = topology.find_device(facts.storage, mount.device or mount.source)
        if device is None or not device.fs_uuid:
            raise UsageError(
                f"the file system at {mount.target} has no UUID",
                details="it could not be found again while the system goes down",
                resolution="give it one (tune2fs -U, xfs_admin -U), or do without the "
                "last pass: zfs-root-migrate set consistency now",
            )
        found.append(
            SourceFs(target=mount.target, fs_type=mount.fs_type, uuid=device.fs_uuid)
        )
    return tuple(found)


def left_behind(config: Config) -> tuple[copying.LeftOut, ...]:
    """Return what is lost where no last pass is wanted."""
    if config.seals:
        return ()
    return (
        copying.LeftOut(
            path="what is written after the last `run` or `sync`",
            reason="no pass is made at shutdown, by the setting `consistency`",
        ),
    )


def arm(config: Config, facts: Facts, layout: Layout) -> tuple[Step, ...]:
    """Return the step that has the last pass made at shutdown, where it is wanted."""
    if not config.seals:
        return ()
    ours = SERVICE not in facts.system.services
    script = shipped(OPENRC_SERVICE)
    there = probes.has_content(ARMED_SCRIPT, script)
    take_away = (ARMED_LINK, ARMED, *((ARMED_SCRIPT,) if ours else ()))
    place: Action = (
        WriteFile(path=ARMED_SCRIPT, content=script, mode=0o755)
        if ours
        else Require(
            probe=there,
            brief=f"{ARMED_SCRIPT} is of another version than this program",
            resolution="install zfs-root-migrate anew, so that both are of one version",
        )
    )
    return (
        Step(
            id="arm",
            title="Have the last pass made while the system goes down",
            reason="what is written until then is copied when nothing can write any "
            "more: nothing is lost",
            hazard=Hazard.REVERSIBLE,
            needs=("close",),
            actions=(
                place,
                Arm(path=ARMED, mounts=source_file_systems(layout, facts)),
                make_directory(ARMED_LINK.rpartition("/")[0]),
                Run(argv=("ln", "-sfn", ARMED_SCRIPT, ARMED_LINK)),
            ),
            undo=tuple(Run(argv=("rm", "-f", path)) for path in take_away),
            proof=(
                there,
                probes.links_to(ARMED_LINK, ARMED_SCRIPT),
                Probe(argv=("grep", "-q", "last_pass()", ARMED)),
            ),
            old_disk=(
                f"{' and '.join(take_away[:2])} are made, for the last pass while the "
                "system goes down",
                *((f"{ARMED_SCRIPT} is made",) if ours else ()),
            ),
            always=True,
        ),
    )


def quiet(facts: Facts, layout: Layout) -> Step:
    """Return the step after which nothing can write to the old file systems.

    By the time that it is made, all others than / have been unmounted: they are mounted
    anew, elsewhere and read-only. It fails on a system at work, having done nothing.
    """
    others = source_file_systems(layout, facts)[1:]
    places = [f"{SOURCES}/{n}" for n in range(len(layout.sources))]
    seen = dict(zip(places[1:], others, strict=True))
    return Step(
        id="quiet",
        title="Make the old root read-only",
        reason="nothing can be written from here on that would not be copied",
        hazard=Hazard.READS,
        actions=(
            Run(argv=("sync",)),
            Run(argv=("mount", "-o", "remount,ro", "/")),
            *(
                Run(
                    argv=("mount", "-o", "remount,ro", fs.target),
                    when=probes.is_mounted(fs.target),
                )
                for fs in others
            ),
            make_directory(*places),
            Run(argv=("mount", "--bind", "/", places[0])),
            *(
                Run(
                    argv=(
                        *("mount", "-t", fs.fs_type, "-o", "ro"),
                        *(f"UUID={fs.uuid}", place),
                    )
                )
                for place, fs in seen.items()
            ),
        ),
        undo=(
            *(
                Run(argv=("umount", place), when=probes.is_mounted(place))
                for place in places
            ),
            Run(argv=("mount", "-o", "remount,rw", "/")),
            *(
                Run(
                    argv=("mount", "-o", "remount,rw", fs.target),
                    when=probes.is_mounted(fs.target),
                )
                for fs in others
            ),
        ),
        proof=(probes.are_read_only(places),),
    )


def open_again(config: Config, layout: Layout) -> Step:
    """Return the step that opens the new disks without udev, and breaks the seal."""
    release = copying.release(layout)
    step = pool.open_pool(
        layout,
        pool.refuse_booted(layout),
        *pool.unseal(layout, wanted=config.seals),
        udev=False,
    )
    return replace(step, undo=pool.let_go(layout, release))


def last_pass(config: Config, facts: Facts, layout: Layout) -> Step:
    """Return the step that copies what is left, and sees that nothing is."""
    trees = copying.verified(copying.transfers(config, facts, layout))
    files = sum(tree.files for tree in trees)
    return Step(
        id="last-pass",
        title="Copy the last changes, and compare",
        reason="until a pass finds nothing; then all names with owner, mode and times, "
        "and the content of what was changed since all of it was compared",
        hazard=Hazard.REVERSIBLE,
        actions=(
            CopyRounds(trees=trees, goal=0, most=MOST_ROUNDS, still=True),
            CompareTrees(pairs=trees, report=SEAL_REPORT, still=True, amend=True),
        ),
        seconds=5 + 2 * files // copying.FILES_PER_SECOND,
    )


def snapshot(layout: Layout) -> Step:
    """Return the step that keeps what the new root was when it was sealed."""
    name = f"{layout.pool}@{SNAPSHOT}"
    return Step(
        id="snapshot",
        title="Take a snapshot",
        reason="what was carried over can be looked at later; `mirror` removes it",
        hazard=Hazard.REVERSIBLE,
        actions=(
            Run(argv=("cp", SEAL_LOG, f"{in_new(STATE)}/seal.log")),
            *forget_snapshot(layout),
            Run(argv=("zfs", "snapshot", "-r", name)),
        ),
    )


def has_snapshot(layout: Layout, *, holds: bool = True) -> Probe:
    """The snapshot is there."""
    name = f"{layout.pool}@{SNAPSHOT}"
    return Probe(argv=("zfs", "list", "-H", "-t", "snapshot", name), holds=holds)


def forget_snapshot(layout: Layout) -> tuple[Run, ...]:
    """Destroy the snapshot, where there is one."""
    name = f"{layout.pool}@{SNAPSHOT}"
    return (Run(argv=("zfs", "destroy", "-r", name), when=has_snapshot(layout)),)


def seal(facts: Facts, layout: Layout) -> Step:
    """Return the step that writes the seal, when all else is on the new disks."""
    root, *others = source_file_systems(layout, facts)
    return Step(
        id="seal",
        title="Seal the new root",
        reason="its initramfs can tell whether the old root was written to since",
        hazard=Hazard.REVERSIBLE,
        actions=(
            *pool.unmount(copying.release(layout)),
            *_unmount_others(others),
            Seal(dataset=layout.root, sources=(root, *others)),
        ),
        proof=(
            Probe(
                argv=("zfs", "get", "-H", "-o", "value", SEAL, layout.root),
                matches=("^v1 [0-9a-f]{64} ",),
            ),
        ),
    )


def _unmount_others(others: list[SourceFs]) -> tuple[Action, ...]:
    """Let go of the other file systems: XFS writes when it is unmounted, even then.

    One that the program lies on stays, and is unmounted later.
    """
    actions: list[Action] = []
    for number, fs in enumerate(others, 1):
        place = f"{SOURCES}/{number}"
        there = probes.is_mounted(fs.target)
        actions.append(Run(argv=("umount", place), when=probes.is_mounted(place)))
        # umount(8): 32 is a failed unmount
        actions.append(Run(argv=("umount", fs.target), when=there, accept=(0, 32)))
        if fs.fs_type == "xfs":
            gone = probes.is_mounted(fs.target, holds=False)
            actions.append(
                Require(
                    probe=gone,
                    brief=f"{fs.target} is in use to the end, and writes to its XFS "
                    "log when it is unmounted: it cannot be sealed",
                    resolution="have zfs-root-migrate on the root file system, or do "
                    "without the last pass: zfs-root-migrate set consistency now",
                )
            )
    return tuple(actions)


def forget_seal(layout: Layout) -> tuple[Run, ...]:
    """Take seal and snapshot away, when the old root is."""
    return (
        Run(argv=("zfs", "inherit", SEAL, layout.root)),
        *forget_snapshot(layout),
    )


def not_sealed(layout: Layout) -> Probe:
    """No seal is left that an initramfs could look at."""
    return Probe(
        argv=("zfs", "get", "-H", "-o", "value", SEAL, layout.root),
        matches=("^-$",),
    )

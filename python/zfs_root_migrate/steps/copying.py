"""What is copied from where to where, and what is left out."""

from dataclasses import dataclass, replace

from zfs_root_migrate import topology
from zfs_root_migrate.config import Config
from zfs_root_migrate.datasets import Dataset
from zfs_root_migrate.layout import Layout
from zfs_root_migrate.model import Facts
from zfs_root_migrate.paths import (
    ARMED,
    ARMED_LINK,
    ARMED_SCRIPT,
    REPORT,
    SOURCES,
    STATE,
    UNDER,
    in_new,
)
from zfs_root_migrate.places import is_below, relative
from zfs_root_migrate.shipped import SERVICE
from zfs_root_migrate.step import (
    Action,
    CompareTrees,
    CopyRounds,
    CopyTree,
    Hazard,
    Probe,
    Run,
    Start,
    Step,
)
from zfs_root_migrate.steps import grub, initramfs, pool, probes
from zfs_root_migrate.steps.probes import make_directory
from zfs_root_migrate.steps.services import services

MARK = "zfs-root-migrate:copied"
# what each transfer has copied: in the new root, so that a power cut, which takes the
# pool back by some seconds, takes this back with it
COPIED = in_new(f"{STATE}/copied")
# a pass that takes so long is as good as none before the system goes down
GOAL = 30
MOST_ROUNDS = 5
BYTES_PER_SECOND = 60 << 20
FILES_PER_SECOND = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A path that is not copied, and why."""

    path: str
    reason: str


# kept by the new system itself
ALWAYS_LEFT_OUT = (
    LeftOut(path=STATE, reason="this tool's own state; handed over at the end"),
    LeftOut(path="/etc/zfs/zpool.cache", reason="the new root gets its own"),
    LeftOut(path=ARMED, reason="has the last pass made; the new root needs none"),
    LeftOut(path=ARMED_LINK, reason="the same"),
)


def left_out_mounts(config: Config, facts: Facts) -> tuple[LeftOut, ...]:
    """Return the mounted file systems that are not copied, by reason."""
    reasons: dict[str, list[str]] = {}
    for mount, reason in topology.left_out(facts.storage, config.exclude):
        reasons.setdefault(reason, []).append(mount.target)
    return tuple(
        LeftOut(path=" ".join(dict.fromkeys(paths)), reason=reason)
        for reason, paths in reasons.items()
    )


def left_out(config: Config, facts: Facts, layout: Layout) -> tuple[LeftOut, ...]:
    """Return every path below a copied file system that is not copied."""
    swap_files = tuple(
        LeftOut(path=swap.path, reason="a swap file; the new root has a partition")
        for swap in facts.storage.swaps
        if swap.is_file
    )
    wishes = tuple(
        LeftOut(path=path, reason="the setting `exclude`") for path in config.exclude
    )
    lost = tuple(
        LeftOut(path=f"{mount.target.rstrip('/')}/lost+found", reason="made by mke2fs")
        for mount in layout.sources
    )
    stale = tuple(
        LeftOut(path=path, reason="the service manager's cache; made anew at boot")
        for path in services(facts, layout).caches
    )
    # else it belongs to the package, and is copied as everything else is
    if SERVICE not in facts.system.services:
        stale += (LeftOut(path=ARMED_SCRIPT, reason=ALWAYS_LEFT_OUT[-2].reason),)
    return (*ALWAYS_LEFT_OUT, *stale, *lost, *swap_files, *wishes)


def left_hidden(layout: Layout) -> tuple[LeftOut, ...]:
    """Return the mount points below which something hidden would be left behind."""
    kept = {path for path, _, _ in hidden(layout)}
    return tuple(
        LeftOut(
            path=f"what lies hidden below {mount.target}",
            reason="the new root has no mount point there",
        )
        for mount in layout.sources
        if mount.target != "/" and mount.target not in kept
    )


def written(facts: Facts, layout: Layout) -> tuple[str, ...]:
    """Return the paths that are the new root's own and that no pass may touch."""
    return (
        "/etc/fstab",
        facts.system.mdadm_conf_path,
        *services(facts, layout).written,
        *initramfs.written(facts.boot),
        *grub.WRITTEN,
    )


def transfers(config: Config, facts: Facts, layout: Layout) -> tuple[CopyTree, ...]:
    """Return one transfer for each copied file system, and those for hidden files.

    What lies hidden below a mount point of the running system stays hidden below the
    same mount point of the new one, where there is one; nothing is lost.
    """
    mounts = layout.sources
    skip = [
        *(item.path for item in left_out(config, facts, layout)),
        *written(facts, layout),
    ]
    made = []
    for number, mount in enumerate(mounts):
        covered = [m.target for m in mounts if is_below(m.target, mount.target)]
        made.append(
            CopyTree(
                source=f"{SOURCES}/{number}",
                destination=in_new(mount.target),
                exclude=relative([*skip, *covered], mount.target),
                size=mount.used or 0,
                files=mount.files or 0,
                # /boot is no dataset
                sparse=mount.target == "/boot" or layout.compression == "off",
                copier=config.copier,
                state=f"{COPIED}/{number}",
                split_links=config.splits_links,
            )
        )
    for number, (path, parent, holder) in enumerate(hidden(layout), len(mounts)):
        inside = relative([path], mounts[parent].target)[0]
        beneath = relative([path], str(holder.mountpoint))[0]
        made.append(
            CopyTree(
                source=f"{SOURCES}/{parent}{inside}",
                destination=_under(layout, holder) + beneath,
                exclude=relative(skip, path),
                size=0,
                files=0,
                sparse=layout.compression == "off",
                copier=config.copier,
                state=f"{COPIED}/{number}",
                split_links=config.splits_links,
            )
        )
    return tuple(made)


def hidden(layout: Layout) -> tuple[tuple[str, int, Dataset], ...]:
    """Return the mount points that stay ones, each with what lies below it.

    That is the number of the copied file system whose directory is mounted upon, and
    the dataset that this directory goes to.
    """
    places = {str(d.mountpoint) for d in layout.mounts} | {"/boot"}
    mounts = layout.sources
    made = []
    for mount in mounts:
        if mount.target == "/" or mount.target not in places:
            continue
        parent = max(
            (n for n, m in enumerate(mounts) if is_below(mount.target, m.target)),
            key=lambda n: len(mounts[n].target),
        )
        holder = max(
            (d for d in layout.mounts if is_below(mount.target, str(d.mountpoint))),
            key=lambda d: len(str(d.mountpoint)),
        )
        made.append((mount.target, parent, holder))
    return tuple(made)


def _under(layout: Layout, dataset: Dataset) -> str:
    return f"{UNDER}/{layout.mounts.index(dataset)}"


def _binds(layout: Layout) -> tuple[tuple[str, str], ...]:
    """Return what is shown where without what is mounted upon it."""
    mounts = layout.sources
    binds = [(m.target, f"{SOURCES}/{n}") for n, m in enumerate(mounts)]
    for _, _, holder in hidden(layout):
        binds.append((in_new(str(holder.mountpoint)), _under(layout, holder)))
    return tuple(dict.fromkeys(binds))


def sources(layout: Layout) -> Step:
    """Return the step that shows each file system without what is mounted upon it."""
    binds = _binds(layout)
    actions: list[Action] = [make_directory(*(place for _, place in binds))]
    actions += [
        Run(
            argv=("mount", "--bind", seen_at, place),
            when=probes.is_mounted(place, holds=False),
        )
        for seen_at, place in binds
    ]
    return Step(
        id="sources",
        title="Show each file system without what is mounted upon it",
        reason="so that all of it is copied, and nothing twice",
        hazard=Hazard.READS,
        needs=("mount",),
        actions=tuple(actions),
        proof=(probes.are_mounted(place for _, place in binds),),
    )


def release(layout: Layout) -> tuple[Run, ...]:
    """Take away what `sources` showed of the new root."""
    return tuple(
        Run(argv=("umount", place), when=probes.is_mounted(place))
        for _, place in _binds(layout)
        if place.startswith(UNDER)
    )


def copy(config: Config, facts: Facts, layout: Layout) -> Step:
    """Return the step that copies the whole system while it runs."""
    trees = transfers(config, facts, layout)
    size, files = sum(t.size for t in trees), sum(t.files for t in trees)
    return Step(
        id="copy",
        title="Copy the system",
        reason="every local file system on the old disk, each seen without what is "
        "mounted upon it",
        hazard=Hazard.REVERSIBLE,
        needs=("sources",),
        undone_by=("pool", "array"),
        actions=(*pool.unseal(layout, wanted=config.seals), *trees, _mark(layout)),
        proof=(probes.property_is(layout.root, MARK, "yes"),),
        seconds=5 + max(size // BYTES_PER_SECOND, files // FILES_PER_SECOND),
    )


def _mark(layout: Layout) -> Run:
    # a property of the pool itself: it can neither be lost nor outlive the copy
    return Run(argv=("zfs", "set", f"{MARK}=yes", layout.root))


def verified(trees: tuple[CopyTree, ...]) -> tuple[CopyTree, ...]:
    """Have the copier read back what it copies."""
    return tuple(replace(tree, verify=True) for tree in trees)


def delta(config: Config, facts: Facts, layout: Layout, *meanwhile: Start) -> Step:
    """Return the step that brings the copy up to date.

    The passes also put right the times of the directories that were written to since.
    `meanwhile` is started before all files are read once more.
    """
    trees = verified(transfers(config, facts, layout))
    files = sum(tree.files for tree in trees)
    return Step(
        id="delta",
        title="Copy what changed and compare every file",
        reason="read back from the new disks by code that shares nothing with the "
        "copier",
        hazard=Hazard.REVERSIBLE,
        needs=("sources",),
        undone_by=("pool", "array", "partition-1"),
        actions=(
            *pool.unseal(layout, wanted=config.seals),
            CopyRounds(trees=trees, goal=GOAL, most=MOST_ROUNDS),
            *meanwhile,
            CompareTrees(pairs=trees, report=REPORT, amend=True),
        ),
        seconds=10 + files // FILES_PER_SECOND,
    )


def compare(config: Config, facts: Facts, layout: Layout) -> Step:
    """Return the step that compares every file, without the copier's help."""
    trees = transfers(config, facts, layout)
    files = sum(tree.files for tree in trees)
    return Step(
        id="compare",
        title="Compare every file",
        reason="content, owner, mode, times, attributes and links, read back from the "
        "new disks by code that shares nothing with the copier",
        hazard=Hazard.READS,
        needs=("sources",),
        actions=(CompareTrees(pairs=trees, report=REPORT),),
        seconds=5 + files // FILES_PER_SECOND,
    )


def hand_over(layout: Layout) -> Step:
    """Return the step that gives the new root what `mirror` has to know."""
    there = in_new(STATE)
    return Step(
        id="hand-over",
        title="Hand the state over to the new root",
        reason="`mirror` runs there and must know the old disk and the layout",
        hazard=Hazard.REVERSIBLE,
        needs=("mount",),
        undone_by=("pool",),
        actions=(
            make_directory(there),
            Run(argv=("cp", "-a", f"{STATE}/.", there)),
            Run(argv=("sync",)),
        ),
        proof=(Probe(argv=("cmp", f"{STATE}/plan.json", f"{there}/plan.json")),),
    )

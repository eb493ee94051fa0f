"""Plans, disks and settings as text for people. Pure functions."""

import shlex

from zfs_root_migrate import copier, topology
from zfs_root_migrate.amounts import duration, show_size
from zfs_root_migrate.layout import DiskLayout, Layout, Role, pool_size
from zfs_root_migrate.model import BlockDevice, Facts, Topology
from zfs_root_migrate.plan import Plan
from zfs_root_migrate.quoting import one_line
from zfs_root_migrate.step import (
    Action,
    Arm,
    Await,
    CompareTrees,
    Consult,
    CopyRounds,
    CopyTree,
    Hazard,
    Join,
    Probe,
    Require,
    Run,
    Seal,
    Start,
    Step,
    WriteFile,
)
from zfs_root_migrate.steps.copying import LeftOut, hidden

HAZARDS = {
    Hazard.READS: "changes nothing",
    Hazard.REVERSIBLE: "can be undone",
    Hazard.LOSSY: "destroys what you allowed",
    Hazard.FINAL: "cannot be undone",
}
CHROOT_NOTE = (
    "A command after `in the new root:` runs in a chroot with /dev, /proc, /sys, /run "
    "and a /tmp in memory, in a mount namespace of its own."
)


def picture(facts: Facts, layout: Layout) -> list[str]:
    """Draw the disks as they are, after `run`, and after `mirror`."""
    old = topology.old_disks(facts.storage)
    new = [_find(facts, disk) for disk in layout.disks]
    lines = ["Now:"]
    for disk in old:
        lines += _present(facts, disk, "the running system")
    for found in new:
        if found is not None:
            lines += _present(facts, found, "new")
    lines += ["", "After `run` (the old disk stays as it is and still boots):"]
    for planned in layout.disks:
        lines += _planned(planned, layout, complete=False)
    if layout.old_disk is not None:
        lines += ["", "After `mirror` (no turning back):"]
        for planned in (*layout.disks, layout.old_disk):
            lines += _planned(planned, layout, complete=True)
    else:
        lines += ["", "The old disk stays out of the pool."]
    lines += ["", f"Pool {layout.pool}: {_topology_text(layout)}", *_datasets(layout)]
    return lines


def _find(facts: Facts, disk: DiskLayout) -> BlockDevice | None:
    return topology.find_disk(facts.storage, disk.path)


def _present(facts: Facts, disk: BlockDevice, what: str) -> list[str]:
    parts = [d for d in facts.storage.devices if disk.name in d.parents]
    boxes = []
    for part in parts:
        place = next(
            (m.target for m in facts.storage.mounts if m.source == part.path), ""
        )
        words = [part.fs_type or "-", place, show_size(part.size)]
        boxes.append(" ".join(word for word in words if word))
    title = f"  {topology.stable_path(disk)} ({disk.name}, {show_size(disk.size)}"
    serial = f", serial {one_line(disk.serial)}" if disk.serial else ""
    drawn = "".join(f"[{box}]" for box in boxes) or "[blank]"
    return [f"{title}{serial}): {what}", f"    {drawn}"]


def _planned(disk: DiskLayout, layout: Layout, *, complete: bool) -> list[str]:
    half = "" if complete or len(layout.disks) > 1 else ", one half"
    names = {
        Role.BIOS: "boot loader",
        Role.BOOT: f"/boot ext2 on RAID1{half}",
        Role.SWAP: "swap",
        Role.ZFS: f"pool {layout.pool}",
    }
    boxes = [f"{names[p.role]} {show_size(p.size)}" for p in disk.partitions]
    end = max(p.start + p.size for p in disk.partitions)
    free = disk.size - end
    rest = [f"free {show_size(free)}"] if free > (64 << 20) else []
    return [
        f"  {disk.path} ({disk.name})",
        "    " + "".join(f"[{box}]" for box in [*boxes, *rest]),
    ]


def _topology_text(layout: Layout) -> str:
    size = show_size(pool_size(layout))
    if layout.topology is Topology.SINGLE:
        later = ", a mirror once the old disk has joined" if layout.old_disk else ""
        return f"one disk{later}; {size}"
    return f"{layout.topology} over {len(layout.disks)} disks; {size}"


def _datasets(layout: Layout) -> list[str]:
    rows = []
    for ds in layout.datasets:
        place = ds.mountpoint or "not mounted"
        rows.append((ds.name, place, f"({ds.reason})" if ds.reason else ""))
    width = max(len(name) for name, _, _ in rows)
    far = max(len(place) for _, place, _ in rows)
    return [f"  {n:<{width}}  {p:<{far}}  {r}".rstrip() for n, p, r in rows]


def plan_text(
    plan: Plan, facts: Facts, layout: Layout, left_out: tuple[LeftOut, ...]
) -> str:
    """Write the whole plan: picture, what is copied and what not, every command."""
    lines = picture(facts, layout)
    lines += ["", "Copied from the old disk:"]
    for mount in layout.sources:
        used = "unknown size" if mount.used is None else show_size(mount.used)
        files = "" if mount.files is None else f", {mount.files} files"
        lines.append(
            f"  {mount.target} ({mount.fs_type} on {mount.source}): {used}{files}"
        )
    lines += ["", "Not copied:"]
    lines += [f"  {item.path}: {item.reason}" for item in left_out]
    kept = [path for path, _, _ in hidden(layout)]
    if kept:
        lines += ["", "What lies hidden below these stays so: " + " ".join(kept)]
    lines += [
        "",
        "Touched on the running system:",
    ]
    touched = [text for step in plan.steps for text in step.old_disk]
    lines += [f"  {text}" for text in touched]
    lines += [
        "  /var/lib/zfs-root-migrate: journal and recorded facts (`undo` removes it)",
        "  /var/log/zfs-root-migrate.log",
        "",
        f"Steps (about {duration(plan.seconds)} in all):",
    ]
    for number, step in enumerate(plan.steps, 1):
        lines += ["", *step_text(step, number)]
    lines += ["", CHROOT_NOTE]
    return "\n".join(lines) + "\n"


def steps_text(plan: Plan) -> str:
    """Write the steps of a plan with their commands."""
    lines = [f"Steps of `{plan.verb}` (about {duration(plan.seconds)} in all):"]
    for number, step in enumerate(plan.steps, 1):
        lines += ["", *step_text(step, number)]
    return "\n".join([*lines, "", CHROOT_NOTE])


def step_text(step: Step, number: int) -> list[str]:
    """Write one step with its reason and every command."""
    head = f"{number}. {step.title}  [{HAZARDS[step.hazard]}, {duration(step.seconds)}]"
    lines = [head, f"   why: {step.reason}"]
    for action in step.actions:
        lines += [f"     {line}" for line in action_text(action)]
    return lines


def action_text(action: Action) -> list[str]:  # noqa: C901 - one case for each
    """Write what an action does, in commands where it is one."""
    match action:
        case Run():
            return _run_text(action)
        case WriteFile():
            text = action.content.rstrip("\n").split("\n")
            return [
                f"write {action.path} (mode {action.mode:o}):",
                *(f"  | {line}" for line in text),
            ]
        case Require():
            return [f"stop unless: {probe_text(action.probe)}"]
        case CopyTree():
            return [shlex.join(copier.command(action))]
        case CopyRounds():
            lines = [shlex.join(copier.command(tree)) for tree in action.trees]
            until = "until nothing is found" if action.still else "while that is a gain"
            return [*lines, f"and again {until}, {action.most} times at most"]
        case CompareTrees():
            lines = [
                f"compare {pair.source} with {pair.destination}"
                for pair in action.pairs
            ]
            once = ["copy what differs again, once, and compare again"]
            return lines + once * action.amend
        case Start():
            first, *rest = action_text(action.run)
            return [f"in the background: {first}", *rest]
        case Join():
            return [f"wait for what was started in the background: {action.name}"]
        case Consult():
            place = "in the new root: " if action.chroot else ""
            return [f"note what this says: {place}{shlex.join(action.argv)}"]
        case Arm():
            return [f"write {action.path}: how this program is started"]
        case Seal():
            names = " ".join(fs.device for fs in action.sources)
            return [
                f"write down in a property of {action.dataset} what these are like "
                f"now: {names}"
            ]
        case Await():
            return [f"wait while {action.what}: {shlex.join(action.argv)}"]


def _run_text(action: Run) -> list[str]:
    place = "in the new root: " if action.chroot else ""
    text = place + shlex.join(action.argv)
    lines = [text + (" <<'END'" if action.stdin else "")]
    if action.stdin:
        lines += [*action.stdin.rstrip("\n").split("\n"), "END"]
    if action.when is not None:
        lines[0] = f"if {probe_text(action.when)}: {lines[0]}"
    return lines


def probe_text(probe: Probe) -> str:
    """Write a probe's question and the expected answer on one line."""
    text = f"`{shlex.join(probe.argv)}`"
    wanted = [f"says /{m}/" for m in probe.matches]
    wanted += [f"does not say /{m}/" for m in probe.absent]
    if not wanted:
        wanted = ["succeeds" if not probe.status else f"ends with {probe.status}"]
    answer = " and ".join(wanted)
    return f"{text} {answer}" if probe.holds else f"not ({text} {answer})"

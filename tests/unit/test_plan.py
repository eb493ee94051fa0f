"""Plans: as stored, and true to the rules that the executor and the user rely on."""

import os
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings

from tests.unit.checks.machines import base
from tests.unit.fakes.machines import JOINING, MACHINES, WISHES, wished
from tests.unit.test_layout import machines
from zfs_root_migrate import codec, paths, topology
from zfs_root_migrate.config import Config
from zfs_root_migrate.errors import UsageError
from zfs_root_migrate.facts import dump_facts, load_facts
from zfs_root_migrate.layout import design
from zfs_root_migrate.model import Topology
from zfs_root_migrate.paths import ARMED
from zfs_root_migrate.plan import (
    Plan,
    _checked,
    plan_mirror,
    plan_run,
    plan_seal,
    plan_sync,
    plan_verify,
)
from zfs_root_migrate.render import plan_text
from zfs_root_migrate.step import (
    Arm,
    CopyRounds,
    CopyTree,
    Hazard,
    Join,
    Probe,
    Require,
    Run,
    Start,
    WriteFile,
)
from zfs_root_migrate.steps.copying import left_out, left_out_mounts

UPDATE = os.environ.get("UPDATE_MACHINES") == "1"
BEFORE_MIRROR = (plan_run, plan_sync, plan_verify, plan_seal)
# programs that only look, and mount below the tool's own directory
# what has the last pass made, on the running system
ARMING = (paths.ARMED_SCRIPT, paths.ARMED_LINK, ARMED)
READERS = {"blkid", "cat", "cmp", "findmnt", "lsblk", "mountpoint", "test", "zdb"}


@pytest.mark.parametrize("case", WISHES)
def test_stored_plans(case):
    """The whole text of a plan is as it was, or somebody looks at the difference."""
    config, facts = wished(case)
    plan, layout = plan_run(config, facts), design(config, facts)
    skipped = (*left_out_mounts(config, facts), *left_out(config, facts, layout))
    text = f"digest {plan.digest}\n\n" + plan_text(plan, facts, layout, skipped)
    path = MACHINES / WISHES[case][0] / f"plan-{case}.txt"
    if UPDATE:
        path.write_text(text)
    assert path.read_text() == text


def actions_of(plan):
    """Return every action of a plan, undo included, with its step."""
    return [
        (step, part)
        for step in plan.steps
        for action in (*step.actions, *step.undo)
        for part in parts_of(action)
    ]


def parts_of(action):
    """Return an action, or the command that it starts."""
    return (action.run,) if isinstance(action, Start) else (action,)


def old_names(facts):
    """Return every name that the old disk and what is on it are known by."""
    storage = facts.storage
    names = set()
    for disk in topology.old_disks(storage):
        for device in (disk, *topology.stacked(storage, disk)):
            names |= {device.path, *device.links}
            tags = (("uuid", device.fs_uuid), ("partuuid", device.part_uuid))
            names |= {f"/dev/disk/by-{kind}/{tag}" for kind, tag in tags if tag}
    return names


def spares_the_old_disk(plan, facts):
    """See that no writing action names the old disk."""
    names = old_names(facts)
    assert names
    for step, action in actions_of(plan):
        match action:
            case Run():
                words = {*action.argv, *re.split(r"[\s,='\"]+", action.stdin or "")}
            case WriteFile():
                words = {action.path}
            case CopyTree():
                words = {action.destination}
            case CopyRounds():
                words = {tree.destination for tree in action.trees}
            case _:
                continue
        if isinstance(action, Run) and action.argv[0] in READERS:
            continue
        words |= {word.partition("=")[2] for word in words}
        assert not words & names, (step.id, action)


def writes_only_its_own_files(plan):
    """See that every file of the running system that is written is a known one."""
    own = ("/run/zfs-root-migrate", "/var/lib/zfs-root-migrate/", *ARMING)
    # in memory, and where udev would make it
    own += ("/dev/disk/by-id/md-uuid-",)
    for step, action in actions_of(plan):
        if isinstance(action, WriteFile):
            assert action.path.startswith(own), (step.id, action)
        if isinstance(action, CopyRounds):
            for tree in action.trees:
                assert tree.destination.startswith(own), (step.id, tree)
        if isinstance(action, CopyTree):
            assert action.destination.startswith(own), (step.id, action)
        if not isinstance(action, Run) or action.chroot:
            continue
        if action.argv[0] in ("rm", "mkdir", "ln", "cp"):
            allowed = action.argv == ("rm", "-f", "/etc/hostid")
            allowed |= action.argv == ("mkdir", "-p", "/etc/runlevels/shutdown")
            assert action.argv[-1].startswith(own) or allowed, (step.id, action)


def keeps_the_rules(plan, facts):
    """See to needs, names, hazards and undo."""
    done = set()
    undoable = {s.id for s in plan.steps if s.undo}
    for step in plan.steps:
        assert step.id not in done
        assert set(step.needs) <= done
        assert step.hazard < Hazard.FINAL
        assert step.title
        assert step.reason
        assert step.seconds >= 0
        if step.hazard > Hazard.READS:
            assert step.undo or step.undone_by
        assert set(step.undone_by) <= undoable
        # undo goes backwards: what takes a step's effects along must come before it
        assert set(step.undone_by) <= done
        done.add(step.id)


def no_kernel_names(plan, facts):
    """See that a disk with a stable link is never called by its kernel name."""
    linked = [
        d.path for d in facts.storage.devices if any("/by-id/" in n for n in d.links)
    ]
    text = codec.canonical([_without_comments(a) for _, a in actions_of(plan)])
    for path in linked:
        assert not re.search(rf"{path}\b", text), path


def _without_comments(action):
    """Return a file without the lines that only tell how it was before."""
    if not isinstance(action, WriteFile):
        return action
    lines = action.content.splitlines()
    lines = [line for line in lines if not line.startswith("#")]
    return replace(action, content="\n".join(lines))


RULES = (spares_the_old_disk, keeps_the_rules, no_kernel_names)


@pytest.mark.parametrize("case", WISHES)
@pytest.mark.parametrize("make", BEFORE_MIRROR)
def test_recorded_machines_keep_the_rules(case, make):
    """Every plan before `mirror`, on every recorded machine."""
    config, facts = wished(case)
    plan = make(config, facts)
    spares_the_old_disk(plan, facts)
    no_kernel_names(plan, facts)
    writes_only_its_own_files(plan)
    if make is plan_run:
        keeps_the_rules(plan, facts)


@given(machines())
@settings(max_examples=25, deadline=None)
def test_all_machines_keep_the_rules(machine):
    """Whatever the sizes, disks and settings are."""
    config, facts = machine
    plan = plan_run(config, facts)
    for rule in RULES:
        rule(plan, facts)
    writes_only_its_own_files(plan)


def test_the_rule_has_teeth():
    """A plan that writes to the old disk by any of its names is caught."""
    config, facts = wished("guest-openrc-bios")
    plan = plan_run(config, facts)
    uuid = next(d.part_uuid for d in facts.storage.devices if d.part_uuid)
    for name in (
        "/dev/vda",
        "/dev/vda5",
        "/dev/disk/by-id/virtio-OLDDISK-part2",
        f"/dev/disk/by-partuuid/{uuid}",
    ):
        bad = replace(plan.steps[0], actions=(Run(argv=("wipefs", "-a", name)),))
        with pytest.raises(AssertionError):
            spares_the_old_disk(Plan(verb="run", steps=(bad,)), facts)
        undo = replace(plan.steps[0], undo=(Run(argv=("dd", f"of={name}")),))
        with pytest.raises(AssertionError):
            spares_the_old_disk(Plan(verb="run", steps=(undo,)), facts)


@given(machines())
@settings(max_examples=15, deadline=None)
def test_digests_are_stable(machine):
    """The same facts give the same digest, also on their way through a file."""
    config, facts = machine
    digest = plan_run(config, facts).digest
    assert plan_run(config, facts).digest == digest
    again = load_facts(dump_facts(facts), "facts")
    assert plan_run(codec.decode(Config, codec.encode(config)), again).digest == digest


@given(machines())
@settings(max_examples=20, deadline=None)
def test_plans_survive_the_state_file(machine):
    """A plan comes back as the same value."""
    plan = plan_run(*machine)
    assert codec.decode(Plan, codec.encode(plan)) == plan


def test_digests_depend_on_every_command():
    """Whatever changes in any action, undo or proof changes the digest."""
    plan = plan_run(*wished("guest-openrc-bios"))
    digests = {plan.digest}
    count = 1
    for number, step in enumerate(plan.steps):
        for field in ("actions", "undo", "proof"):
            for place, item in enumerate(getattr(step, field)):
                changed = list(getattr(step, field))
                changed[place] = _touch(item)
                steps = list(plan.steps)
                steps[number] = replace(step, **{field: tuple(changed)})
                digests.add(replace(plan, steps=tuple(steps)).digest)
                count += 1
    assert len(digests) == count > 100


def _touch(item):
    """Change the last part of an action or a probe a little."""
    if isinstance(item, Run | Probe):
        return replace(item, argv=(*item.argv[:-1], item.argv[-1] + "x"))
    if isinstance(item, Require):
        return replace(item, probe=_touch(item.probe))
    if isinstance(item, WriteFile):
        return replace(item, mode=item.mode ^ 1)
    if isinstance(item, CopyTree):
        return replace(item, exclude=(*item.exclude, "/x"))
    if isinstance(item, CopyRounds):
        return replace(item, most=item.most + 1)
    if isinstance(item, Arm):
        return replace(item, path=item.path + "x")
    if isinstance(item, Start):
        return replace(item, run=_touch(item.run))
    if isinstance(item, Join):
        return replace(item, name=item.name + "x")
    return replace(item, report=item.report + "x")


@pytest.mark.parametrize("case", JOINING)
def test_mirror_plans(case):
    """Nothing is destroyed before `ready`, and never is the new disk."""
    config, facts = wished(case)
    layout = design(config, facts)
    plan = plan_mirror(config, facts, facts)
    ids = [step.id for step in plan.steps]
    assert ids[0] == "ready"
    assert plan.steps[0].hazard is Hazard.READS
    assert all(isinstance(a, Require) for a in plan.steps[0].actions)
    reach = {"ready"}
    for step in plan.steps[1:]:
        assert step.hazard is Hazard.FINAL
        assert reach & set(step.needs)
        reach.add(step.id)
    new = {d.path for d in layout.disks} | {
        p.path for d in layout.disks for p in d.partitions
    }
    destroyers = ("sfdisk", "wipefs", "mkswap", "mke2fs", "blkdiscard")
    for step, action in actions_of(plan):
        if isinstance(action, Run) and action.argv[0] in destroyers:
            assert not set(action.argv) & new, (step.id, action)
        if isinstance(action, Run) and "wipefs" in " ".join(action.argv):
            assert not set(action.argv) & new, (step.id, action)
    no_kernel_names(plan, facts)


def test_mirror_attaches_and_never_adds():
    """An added disk would be striped and could not be taken out again."""
    plan = plan_mirror(*(w := wished("guest-openrc-bios")), w[1])
    text = "\n".join(
        " ".join(a.argv) for _, a in actions_of(plan) if hasattr(a, "argv")
    )
    assert "zpool attach" in text
    assert "zpool add" not in text


def test_the_old_disk_starts_the_machine_before_the_resilver_ends():
    """It may take hours; but no loader is put before a half of /boot that is empty."""
    config, facts = wished("guest-openrc-bios")
    ids = [step.id for step in plan_mirror(config, facts, facts).steps]
    assert ids.index("attach") < ids.index("whole") < ids.index("grub")
    assert ids.index("grub") < ids.index("resilver") < ids.index("forget-seal")


@pytest.mark.parametrize(
    "change", [{"join_old_disk": False}, {"topology": Topology.MIRROR}]
)
def test_no_mirror_without_a_place(change):
    """Where the old disk does not join, that is said, and what it means."""
    config, facts = wished("guest-openrc-bios")
    with pytest.raises(UsageError, match="no place in this pool") as caught:
        plan_mirror(replace(config, **change), facts, facts)
    assert "complete as it is" in caught.value.resolution


def test_overwriting_is_only_for_disks_that_were_given_up():
    """Old content is wiped where its serial was named, and the step says so."""
    config, facts = base_with_content()
    wishes = ((), ("OTHER",), ("DISKB",))
    hazards = [
        {s.id: s.hazard for s in plan_run(replace(config, overwrite=w), facts).steps}
        for w in wishes
    ]
    assert [h["partition-1"] for h in hazards] == [
        Hazard.REVERSIBLE,
        Hazard.REVERSIBLE,
        Hazard.LOSSY,
    ]
    refused = plan_run(config, facts).steps
    (step,) = (s for s in refused if s.id == "partition-1")
    brief = [a.brief for a in step.actions if isinstance(a, Require)]
    assert any("not blank any more" in text for text in brief)


def base_with_content():
    """Return a machine whose new disk holds a file system."""
    facts = base()
    devices = tuple(
        replace(d, fs_type="ext4") if d.name == "vdb" else d
        for d in facts.storage.devices
    )
    storage = replace(facts.storage, devices=devices)
    return Config(target=("/dev/disk/by-id/virtio-DISKB",)), replace(
        facts, storage=storage
    )


def step_like(**fields):
    """Return the first step of a plan, changed."""
    return replace(plan_run(*wished("guest-openrc-bios")).steps[1], **fields)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ((step_like(), step_like()), "two steps"),
        ((step_like(needs=("later",)), step_like(id="later")), "comes before"),
        ((step_like(hazard=Hazard.FINAL),), "destroy the old disk"),
        ((step_like(undo=()),), "has no undo"),
    ],
)
def test_a_plan_that_breaks_the_rules_is_not_made(steps, message):
    """The planner checks itself."""
    with pytest.raises(AssertionError, match=message):
        _checked(Plan(verb="run", steps=steps))

"""The executor on made-up plans: order of records and deeds, death, failure, undo."""

import os

import pytest
from hypothesis import given, settings

from tests.unit.fakes.plans import has, make_plan, make_step, plans
from tests.unit.fakes.world import (
    EffectWorld,
    Fate,
    MemoryJournal,
    Silent,
    carry_out,
    take_back,
)
from zfs_root_migrate.errors import StepFailedError
from zfs_root_migrate.executor import Executor, describe_failure
from zfs_root_migrate.journal import Event, Journal
from zfs_root_migrate.step import Probe, Run


def dead_at(plan, at):
    """Return the world and the journal's disk after a death at a point of a run."""
    world, disk = EffectWorld(Fate(at)), []
    alive = carry_out(world, disk, plan)
    points, world.fate = world.fate.points, Fate()
    return world, disk, alive, points


def points_of(plan):
    """Return every point at which a run can die."""
    return range(1, dead_at(plan, None)[3] + 1)


@given(plans())
@settings(max_examples=12, deadline=None)
def test_killed_anywhere_and_resumed(plan):
    """Killed or reset at any point, the next run brings every effect there is."""
    whole = dead_at(plan, None)[0].effects
    for at in points_of(plan):
        for reset in (False, True):
            world, disk, alive, _ = dead_at(plan, at)
            assert not alive
            if reset:
                world.reboot()
            assert carry_out(world, disk, plan)
            assert world.effects == whole


@given(plans())
@settings(max_examples=12, deadline=None)
def test_killed_anywhere_and_undone(plan):
    """Killed at any point, undo takes every lasting effect back, killed or not."""
    for at in points_of(plan):
        world, disk, _, _ = dead_at(plan, at)
        world.fate = Fate(3)
        take_back(world, disk, plan)
        world.fate = Fate()
        assert take_back(world, disk, plan)
        world.reboot()
        assert world.effects == set()


@given(plans())
@settings(max_examples=12, deadline=None)
def test_what_is_there_is_kept(plan):
    """A second run does only what has no proof."""
    world, disk, _, _ = dead_at(plan, None)
    world.acted.clear()
    carry_out(world, disk, plan)
    bare = [step for step in plan.steps if not step.proof]
    assert world.acted == [a.argv[1] for step in bare for a in step.actions]


def events(disk):
    """Return event and step of every record."""
    return [(r.event, r.step) for r in disk]


def test_records_of_a_run():
    """Each step is bracketed by its records; what is there already is kept."""
    plan = make_plan(make_step("a", "x"), make_step("b", "y"))
    world, disk = EffectWorld(Fate()), []
    world.effects = {"x"}
    carry_out(world, disk, plan)
    assert events(disk) == [
        (Event.BEGIN, ""),
        (Event.KEPT, "a"),
        (Event.INTENT, "b"),
        (Event.DONE, "b"),
        (Event.END, ""),
    ]
    assert {(r.verb, r.plan) for r in disk} == {("run", plan.digest)}


def test_intent_is_on_the_disk_before_the_deed(tmp_path, monkeypatch):
    """No action happens before the intent of its step was fsynced."""
    path = tmp_path / "journal"
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor):
        real(descriptor)
        if path.exists():
            synced[:] = path.read_text().splitlines()

    monkeypatch.setattr(os, "fsync", fsync)
    world = EffectWorld(Fate())
    world.before_act = lambda action: seen.append((action.argv[1], synced[-1]))
    seen: list[tuple[str, str]] = []
    journal = Journal.open(path)
    plan = make_plan(make_step("a", "x1", "x2"), make_step("b", "y"))
    Executor(world, journal, Silent()).run(plan)

    assert [effect for effect, _ in seen] == ["x1", "x2", "y"]
    for (_, line), step in zip(seen, "aab", strict=True):
        assert '"event": "intent"' in line
        assert f'"step": "{step}"' in line


@pytest.mark.parametrize(
    ("verb", "raised", "event"),
    [
        ("fail", StepFailedError, Event.FAILED),
        ("interrupt", KeyboardInterrupt, Event.INTERRUPTED),
    ],
)
def test_other_endings_are_recorded(verb, raised, event):
    """A failure or Ctrl-C is in the journal, nothing after it happens, undo works."""
    bad = make_step("b", "y", actions=(Run(argv=("do", "y")), Run(argv=(verb, "no"))))
    plan = make_plan(make_step("a", "x"), bad, make_step("c", "z"))
    world, disk = EffectWorld(Fate()), []
    with pytest.raises(raised):
        carry_out(world, disk, plan)
    assert events(disk)[-2:] == [(Event.INTENT, "b"), (event, "b")]
    assert world.effects == {"x", "y"}
    take_back(world, disk, plan)
    assert world.effects == set()


def test_a_deed_without_effect_is_a_failure():
    """A step is not done because its commands succeeded; its proof must hold."""
    step = make_step("a", "x", proof=(has("x"), has("never")))
    disk = []
    with pytest.raises(StepFailedError, match="the proof does not hold") as caught:
        carry_out(EffectWorld(Fate()), disk, make_plan(step))
    assert "has never" in caught.value.details
    assert events(disk)[-1] == (Event.FAILED, "a")


def test_a_step_without_proof_is_never_believed():
    """It is done anew each time."""
    plan = make_plan(make_step("a", "x", proven=False))
    world, disk = EffectWorld(Fate()), []
    carry_out(world, disk, plan)
    carry_out(world, disk, plan)
    assert world.acted == ["x", "x"]


def test_undo_goes_backwards_over_what_was_touched():
    """The last step comes first, and steps that were never tried are left alone."""
    steps = [make_step(name, name) for name in "abc"]
    world, disk, _, _ = dead_at(make_plan(*steps[:2]), None)
    world.acted.clear()
    world.effects.add("c")
    take_back(world, disk, make_plan(*steps))
    assert world.acted == ["b", "a"]
    assert world.effects == {"c"}
    assert events(disk)[-2:] == [(Event.UNDONE, "b"), (Event.UNDONE, "a")]


def test_kept_steps_are_not_undone():
    """What was there before the tool came is not its own to take away."""
    plan = make_plan(make_step("a", "x"))
    world, disk = EffectWorld(Fate()), []
    world.effects = {"x"}
    carry_out(world, disk, plan)
    take_back(world, disk, plan)
    assert world.effects == {"x"}


def test_a_failing_undo_can_be_tried_again():
    """The step stays open until its undo went well."""
    good = make_step("a", "x")
    bad = make_step("b", "y", undo=(Run(argv=("fail", "busy")),))
    world, disk, _, _ = dead_at(make_plan(good, bad), None)
    with pytest.raises(StepFailedError):
        take_back(world, disk, make_plan(good, bad))
    assert world.effects == {"x", "y"}
    take_back(world, disk, make_plan(good, make_step("b", "y")))
    assert world.effects == set()


def test_the_monitor_hears_of_every_step():
    """Numbers count from 1, and what was kept is said to be kept."""
    heard = []

    class Monitor:
        def step_begins(self, step, number, total):
            heard.append((step.id, number, total))

        def step_ends(self, step, *, kept):
            heard.append((step.id, kept))

    world, fate = EffectWorld(Fate()), Fate()
    world.effects = {"x"}
    plan = make_plan(make_step("a", "x"), make_step("b", "y"))
    Executor(world, MemoryJournal([], fate), Monitor()).run(plan)
    assert heard == [("a", 1, 2), ("a", True), ("b", 2, 2), ("b", False)]


def test_a_failed_proof_is_described():
    """People are told what was asked and what was expected."""
    probe = Probe(argv=("zdb", "-l"), matches=("A",), absent=("B",), holds=False)
    text = describe_failure(probe)
    for part in ("zdb -l", "status 0", "find: A", "not to find: B", "opposite"):
        assert part in text

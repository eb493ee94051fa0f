"""Passes, one after the other: when there is no gain in another one."""

import time

import pytest

from tests.unit.fakes.heard import Heard
from tests.unit.fakes.machines import wished
from zfs_root_migrate import copier
from zfs_root_migrate.errors import StepFailedError
from zfs_root_migrate.journal import Event, Record
from zfs_root_migrate.plan import plan_run, plan_seal
from zfs_root_migrate.rounds import expected, make_rounds
from zfs_root_migrate.step import CopyRounds
from zfs_root_migrate.workbench import passes
from zfs_root_migrate.world import Passes


@pytest.fixture
def rounds(monkeypatch):
    """Return a function that makes passes which take and find what is given."""

    def run(action, *found_and_took, since=0.0):
        clock, left, heard = [1000.0], list(found_and_took), Heard()

        def copy_tree(_tree, _progress):
            found, took = left.pop(0)
            clock[0] += took
            return found

        monkeypatch.setattr(copier, "copy_tree", copy_tree)
        for name in ("time", "monotonic"):
            monkeypatch.setattr(time, name, lambda: clock[0])
        make_rounds(action, heard, since=since)
        assert not left
        return heard

    return run


def action(*, still=False, goal=30, most=5):
    """Return rounds over one tree, whose content does not matter here."""
    return CopyRounds(trees=("tree",), goal=goal, most=most, still=still)


def test_passes_become_shorter_until_they_are_short(rounds):
    """Each has less to carry; the prediction is shown, and decides."""
    heard = rounds(action(), (9000, 400), (800, 100), since=200.0)
    assert heard.rounds == 2
    assert "pass 1: 9000 changes in 6 min 40 s" in heard.notes[0]
    assert "expected to take 3 min 20 s" in heard.notes[0]
    assert "pass 2: 800 changes in 1 min 40 s" in heard.notes[1]
    assert "expected to take 25 s" in heard.notes[1]


@pytest.mark.parametrize(
    ("pass_", "since"),
    [
        # nothing was found: there is nothing to gain
        ((0, 500), 0.0),
        # what is expected is short enough
        ((70, 100), 100.0),
        # as much changes as can be carried: it would never end
        ((70, 500), 900.0),
    ],
)
def test_one_pass_is_enough(rounds, pass_, since):
    """Another one would be no gain."""
    assert rounds(action(), pass_, since=since).rounds == 1


def test_there_is_an_end(rounds):
    """However much there is to gain."""
    shrinking = [(9, 500.0 * 0.5**n) for n in range(3)]
    assert rounds(action(most=3, goal=0), *shrinking, since=0.0).rounds == 3


def test_nothing_changes_any_more(rounds):
    """Then a pass must find nothing."""
    still = action(still=True, goal=0, most=3)
    assert rounds(still, (5, 9), (0, 3)).rounds == 2
    assert rounds(still, (0, 3)).rounds == 1
    with pytest.raises(StepFailedError, match="after 3 passes"):
        rounds(still, (5, 9), (4, 9), (4, 9))


def test_without_a_pass_before():
    """Nothing can be expected of the time that has gone."""
    assert expected(50, 0) == expected(50, -3) == 50


def records(*rows):
    """Return journal records of verb run."""
    return [
        Record(event=event, verb="run", plan="d", step=step, time=time)
        for event, step, time in rows
    ]


def test_when_passes_began():
    """From the journal; a comparison counts from its pass, once it is done."""
    begin, done, failed = Event.INTENT, Event.DONE, Event.FAILED
    assert passes([]) == Passes()
    copied = [(begin, "copy", 10.0), (done, "copy", 20.0), (begin, "delta", 30.0)]
    assert passes(records(*copied)) == Passes(last=30.0, before=10.0)
    compared = [*copied, (done, "delta", 40.0)]
    assert passes(records(*compared)) == Passes(last=30.0, before=10.0, compared=30.0)
    again = [*compared, (begin, "delta", 50.0), (failed, "delta", 60.0)]
    assert passes(records(*again)) == Passes(last=50.0, before=30.0, compared=30.0)
    final = [*again, (begin, "last-pass", 70.0)]
    assert passes(records(*final)) == Passes(last=70.0, before=50.0, compared=30.0)


def test_the_steps_have_these_names():
    """Those that the plans give them."""
    config, facts = wished("guest-openrc-bios")
    names = {s.id for make in (plan_run, plan_seal) for s in make(config, facts).steps}
    assert {"copy", "delta", "last-pass", "quiet"} <= names

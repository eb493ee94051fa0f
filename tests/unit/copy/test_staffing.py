"""How many workers there are."""

import os
import time
from dataclasses import dataclass

import pytest

from zfs_root_migrate.copy import staffing
from zfs_root_migrate.copy.staffing import Processors, Staffing

CPUS = {"cpu0": (10, 1), "cpu1": (20, 2), "cpu2": (40, 4), "cpu10": (80, 8)}


def stat(**more):
    """Return what the kernel says, with more ticks of idle and iowait."""
    rows = ["cpu 9 9 9 9999 9999 9 9 0 0 0"]
    for name, counted in CPUS.items():
        idle, wait = (
            a + b for a, b in zip(counted, more.get(name, (0, 0)), strict=True)
        )
        rows.append(f"{name} 7 7 7 {idle} {wait} 7 7 0 0 0")
    return "\n".join([*rows, "intr 5 5 5", "ctxt 1", ""])


@pytest.fixture
def clock(monkeypatch):
    """Return a clock that only the test moves, and two processors of four."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 10})
    monkeypatch.setattr(os, "sysconf", lambda _: 100)
    return now


@pytest.mark.parametrize(
    ("ticks", "idle"),
    [
        ({}, 0.0),
        ({"cpu1": (50, 0)}, 1.0),
        ({"cpu1": (0, 50)}, 1.0),
        ({"cpu1": (25, 0), "cpu10": (0, 50)}, 1.5),
        ({"cpu1": (50, 0), "cpu10": (50, 0)}, 2.0),
        ({"cpu0": (50, 0), "cpu2": (0, 50)}, 0.0),
    ],
)
def test_idle_processors(tmp_path, clock, ticks, idle):
    """Those that this process may use, with nothing to do or waiting for a disk."""
    file = tmp_path / "stat"
    file.write_text(stat())
    processors = Processors(str(file))
    assert len(processors) == 2
    processors.idle()
    file.write_text(stat(**ticks))
    clock[0] += 0.5
    assert processors.idle() == pytest.approx(idle)
    clock[0] += 0.5
    assert processors.idle() == 0.0


def test_a_kernel_that_does_not_tell(tmp_path, clock):
    """As if nobody else were at work."""
    processors = Processors(str(tmp_path / "missing"))
    for _ in range(2):
        assert processors.idle() == 2.0
        clock[0] += 1


@dataclass
class Machine:
    """So many processors, some of them free."""

    many: int
    free: float

    def __len__(self) -> int:
        """Return how many there are."""
        return self.many

    def idle(self):
        """Return how many have nothing to do, at any time."""
        return self.free


def grown(clock, machine, jobs=0):
    """Return how many there are after each look, beginning with one."""
    made = Staffing(jobs, machine)
    made.begin()
    present, seen = 1, []
    assert made.look(1) == 1
    for _ in range(4):
        clock[0] += made.pause(present)
        present = max(present, made.look(present))
        seen.append(present)
    return seen


@pytest.mark.parametrize(
    ("many", "idle", "seen"),
    [
        # nothing but the copy, which keeps one processor busy
        (2, 1, [2, 3, 4, 4]),
        (8, 7, [8, 8, 8, 8]),
        # no more than twice as many, and never very many
        (3, 3, [4, 6, 6, 6]),
        (64, 64, [8, 8, 8, 8]),
        # all of them have something else to do
        (2, 0.4, [1, 1, 1, 1]),
        (4, 0, [2, 2, 2, 2]),
        (64, 0, [8, 8, 8, 8]),
        # one alone
        (1, 1, [1, 1, 1, 1]),
    ],
)
def test_growing(clock, many, idle, seen):
    """As far as there is something idle, however little that is half of them."""
    assert grown(clock, Machine(many, idle)) == seen


def test_as_many_as_are_wished(clock):
    """A number that was given is kept to, in a busy machine too."""
    assert grown(clock, Machine(2, 0), jobs=5) == [5, 5, 5, 5]
    assert grown(clock, Machine(4, 4), jobs=1) == [1, 1, 1, 1]


def test_each_work_begins_with_one(clock):
    """What was idle while there was nothing to do says nothing."""
    made = Staffing(0, Machine(4, 3))
    made.begin()
    clock[0] += staffing.ALONE
    assert made.look(1) == 4
    made.begin()
    assert made.look(1) == 1
    assert made.pause(1) == pytest.approx(staffing.ALONE)
    assert made.pause(8) == staffing.LONGEST


@pytest.mark.programs
def test_this_machine_tells():
    """What the kernel says here is understood: it moves with what is done."""
    processors = Processors()
    processors.idle()
    time.sleep(0.3)
    assert 0 <= processors.idle() <= len(processors) + 0.2

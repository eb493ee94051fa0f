"""Killed and interrupted at any time: nothing half-done looks done, and it goes on."""

import random
import signal
import time
from pathlib import Path

import pytest

from tests.copy import hard, judge
from tests.copy.changes import NOT_FOR_RSYNC
from tests.copy.conftest import Mount
from tests.copy.engine import Engine, Running
from tests.copy.mutate import Mutator

# for the workers to see that nobody waits for them any more
SOON_S = 5
# a pass has hardly begun
SOONEST_S = 0.05


def engine(mount: Mount, tmp_path: Path, *, crowd: int) -> Engine:
    """Return an engine with a tree that takes some time."""
    source, destination = mount("ext4", "old").path, mount("ext4", "new").path
    hard.build(source / "t", hard.Wanted(small=True, crowd=crowd))
    for number in range(crowd // 100):
        file = source / f"large-{number}"
        file.write_bytes(random.Random(number).randbytes(2_000_000))
    return Engine(source, destination, tmp_path / "state")


def wait_until_gone(running: Running) -> None:
    """Wait until no process of a pass is left."""
    end = time.monotonic() + SOON_S
    while members := running.members():
        assert time.monotonic() < end, f"still there: {members}"
        time.sleep(0.02)


def kill_at_random(engine: Engine, rounds: int, *, longest_s: float) -> None:
    """Kill pass after pass, change the tree in between; then let one end."""
    chance = random.Random(8)
    mutator = Mutator(engine.source / "t", chance)
    broken = 0
    for _ in range(rounds):
        running = engine.start()
        # as often early as late, however fast the machine is
        time.sleep(SOONEST_S * (longest_s / SOONEST_S) ** chance.random())
        running.signal(signal.SIGKILL, group=False)
        done = running.end()
        broken += done.status == -signal.SIGKILL
        wait_until_gone(running)
        assert judge.pretenders(engine.source, engine.destination) == []
        # nothing that hides from whoever compares by size and time
        mutator.some(20, without=NOT_FOR_RSYNC)
    assert broken > 0
    last = engine.run()
    assert (last.status, last.error) == (0, ""), last.complaints
    assert judge.differences(engine.source, engine.destination) == []


@pytest.mark.slow
def test_killed(mount: Mount, tmp_path: Path) -> None:
    """A pass that is killed leaves no process, and the next one ends the work."""
    kill_at_random(engine(mount, tmp_path, crowd=1000), 3, longest_s=0.5)


@pytest.mark.slow
def test_killed_again_and_again(mount: Mount, tmp_path: Path) -> None:
    """The same, many times, at times when the state is written too."""
    kill_at_random(engine(mount, tmp_path, crowd=4000), 25, longest_s=2.0)


@pytest.mark.slow
@pytest.mark.parametrize("group", [True, False], ids=["terminal", "process"])
def test_interrupted(mount: Mount, tmp_path: Path, group: bool) -> None:
    """Ctrl-C ends it with 130 and few words, and the next pass ends the work."""
    made = engine(mount, tmp_path, crowd=2000)
    running = made.start()
    while not any(made.destination.glob("t/*")):
        assert running.process.poll() is None
        time.sleep(0.005)
    running.signal(signal.SIGINT, group=group)
    done = running.end()
    assert done.status == 130
    assert "Traceback" not in done.error
    wait_until_gone(running)
    assert judge.pretenders(made.source, made.destination) == []
    last = made.run()
    assert (last.status, last.error) == (0, ""), last.complaints
    assert judge.differences(made.source, made.destination) == []

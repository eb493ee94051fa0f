"""Random trees and random changes, between the passes and during them."""

import random
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.copy import hard, judge
from tests.copy.changes import KINDS
from tests.copy.clear import clear
from tests.copy.conftest import Mount
from tests.copy.engine import Engine, Pass
from tests.copy.mutate import Mutator
from zfs_root_migrate.copy.order import Order

FIXTURE = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)
changes = st.lists(st.sampled_from(sorted(KINDS)), max_size=20)
# not st.randoms: what is drawn must not depend on what the tree has become (hypothesis'
# FlakyStrategyDefinition, seen once)
seeds = st.integers(0, 2**32)
# how many passes are made while something changes
ROUNDS = 3
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)


class World:
    """Two directories for each example, on file systems for all of them."""

    def __init__(self, old: Path, new: Path) -> None:
        """Remember where."""
        self.old, self.new = old, new

    def engine(self) -> Engine:
        """Return an engine between two new trees, the old one with something in it."""
        base = Path(tempfile.mkdtemp(dir=self.new))
        source, destination = self.old / base.name, base / "new"
        for path in (source / "one", source / "two/three", destination):
            path.mkdir(parents=True)
        for number, folder in enumerate(("one", "two", "two/three", ".")):
            file = source / folder / f"file-{number}"
            file.write_bytes(b"content" * number * 2000)
            (source / f"link-{number}").hardlink_to(file)
            (source / folder / f"symlink-{number}").symlink_to("nowhere")
        return Engine(source, destination, base / "state")


@pytest.fixture
def world(mount: Mount) -> World:
    """Return room for many small trees."""
    return World(mount("ext4", "old").path, mount("tmpfs", "new").path)


def whole(engine: Engine) -> Pass:
    """Make a pass that must not complain, whatever changes meanwhile."""
    done = engine.run()
    assert (done.status, done.error) == (0, ""), done.complaints
    return done


def check_between(
    world: World, seed: int, rounds: list[list[str]], *, with_room: bool = False
) -> None:
    """Make a pass after each of the rounds; the trees are equal."""
    engine = world.engine()
    order = Order(
        source=str(engine.source),
        destination=str(engine.destination),
        state=str(engine.state),
    )
    mutator = Mutator(engine.source, random.Random(seed))
    for kinds in rounds:
        for number, kind in enumerate(kinds):
            mutator.one(kind)
            if with_room and number == len(kinds) // 2:
                # as where a pass has found the destination full, and ended
                clear(order)
        whole(engine)
        assert judge.differences(engine.source, engine.destination) == []


def check_during(world: World, seed: int, kinds: list[str]) -> None:
    """Change the tree while passes are made; after a quiet one both are equal."""
    engine = world.engine()
    mutator = Mutator(engine.source, random.Random(seed))
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            for kind in kinds:
                mutator.one(kind)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(ROUNDS):
            whole(engine)
    finally:
        stop.set()
        thread.join()
    whole(engine)
    assert judge.differences(engine.source, engine.destination) == []


@pytest.mark.slow
@given(seeds, st.lists(changes, min_size=2, max_size=4))
@settings(max_examples=3, phases=NO_SHRINKING, suppress_health_check=FIXTURE)
def test_changes_between_passes(
    world: World, seed: int, rounds: list[list[str]]
) -> None:
    """Whatever happens between two passes, the next one carries it over."""
    check_between(world, seed, rounds)


@pytest.mark.slow
@given(seeds, st.lists(changes, min_size=2, max_size=4))
@settings(max_examples=60, suppress_health_check=FIXTURE)
def test_many_changes_between_passes(
    world: World, seed: int, rounds: list[list[str]]
) -> None:
    """The same, many times."""
    check_between(world, seed, rounds)


@pytest.mark.slow
@given(seeds, st.lists(changes, min_size=2, max_size=4))
@settings(max_examples=30, suppress_health_check=FIXTURE)
def test_room_is_made_between_passes(
    world: World, seed: int, rounds: list[list[str]]
) -> None:
    """Whatever was removed to make room, and comes back: the next pass knows of it."""
    check_between(world, seed, rounds, with_room=True)


# what happens depends on who is faster, so that nothing is gained by shrinking
@pytest.mark.slow
@given(seeds, changes.filter(bool))
@settings(
    max_examples=30,
    phases=NO_SHRINKING,
    suppress_health_check=FIXTURE,
)
def test_changes_during_passes(world: World, seed: int, kinds: list[str]) -> None:
    """What changes during a pass is carried over by a later one, at the latest."""
    check_during(world, seed, kinds)


@pytest.mark.slow
@pytest.mark.parametrize("old", ["xfs", "ext4"])
@pytest.mark.parametrize("seed", range(3))
def test_a_busy_tree(mount: Mount, tmp_path: Path, old: str, seed: int) -> None:
    """A larger tree is changed by another process all the time."""
    source, destination = mount(old, "old").path, mount("tmpfs", "new").path
    hard.build(source / "t", hard.Wanted(small=True, crowd=3000, seed=seed))
    engine = Engine(source, destination, tmp_path / "state")
    command = [sys.executable, "-m", "tests.copy.mutate", str(source / "t")]
    busy = subprocess.Popen(
        [*command, "--seed", str(seed), "--seconds", "1000"], stdout=subprocess.DEVNULL
    )
    try:
        for _ in range(6):
            whole(engine)
    finally:
        busy.kill()
        busy.wait()
    whole(engine)
    assert judge.differences(source, destination) == []


@pytest.mark.slow
def test_a_tree_that_goes_away(mount: Mount, tmp_path: Path) -> None:
    """A whole directory may be deleted under the engine, and come back as another."""
    source, destination = mount("tmpfs", "old").path, mount("tmpfs", "new").path
    engine = Engine(source, destination, tmp_path / "state")
    for number in range(4):
        for folder in range(60):
            place = source / f"{folder}/below/deeper"
            place.mkdir(parents=True)
            for name in range(40):
                (place / str(name)).write_bytes(b"%d" % number * 3000)
        running = engine.start()
        for folder in range(60):
            shutil.rmtree(source / str(folder))
        done = running.end()
        assert (done.status, done.error) == (0, ""), done.complaints
    whole(engine)
    assert judge.differences(source, destination) == []
    assert list(destination.iterdir()) == []

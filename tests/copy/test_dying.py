"""A pass dies at every single point, and what the next one believes is true."""

import mmap
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.copy import judge
from tests.copy.clear import clear
from tests.copy.conftest import Mount
from tests.copy.passes import TICK_S
from zfs_root_migrate.copy import ledger, one_pass
from zfs_root_migrate.copy.engine import copy
from zfs_root_migrate.copy.order import Detect, Order, Tally
from zfs_root_migrate.journal import write_state

# what leaves something behind: a pass dies just before one of these
DEEDS = ("mkdir", "rmdir", "unlink", "rename", "replace", "link", "ftruncate", "write")


def make_pass(order: Order) -> bool:
    """Make a pass; tell whether it was a good one."""
    return copy(order, _nobody).is_good


def dies(order: Order, at: int, work: Callable[[Order], bool] = make_pass) -> bool:
    """Have work killed at a deed of one of its processes; False: it ends, and well."""
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        # shared by all its processes
        left = mmap.mmap(-1, mmap.PAGESIZE)
        left[0] = at
        for name in DEEDS:
            setattr(os, name, _counted(getattr(os, name), left))
        os._exit(not work(order))
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        assert status == 0
        return False
    return True


write = os.write


def _counted(deed: Callable[..., Any], left: mmap.mmap) -> Callable[..., Any]:
    def do(*args: Any, **more: Any) -> Any:  # noqa: ANN401 -- whatever the deed takes
        # what one process tells the other is gone with both
        if deed is not write or not stat.S_ISFIFO(os.fstat(args[0]).st_mode):
            left[0] -= 1
        if not left[0]:
            os.killpg(0, signal.SIGKILL)
        return deed(*args, **more)

    return do


def _nobody(_tally: Tally) -> None:
    """Hear how far it is."""


@pytest.fixture
def order(mount: Mount, tmp_path: Path) -> Order:
    """Return a pass between two small file systems, by one worker."""
    (tmp_path / "state").mkdir()
    return Order(
        source=str(mount("ext4", "old", 32 << 20).path),
        destination=str(mount("ext4", "new", 32 << 20).path),
        state=str(tmp_path / "state/0"),
        jobs=1,
    )


class Kept:
    """What a pass has left behind, to begin from it again and again."""

    def __init__(self, order: Order, place: Path) -> None:
        """Keep it at a place that is not there yet."""
        assert order.state is not None
        self._sides = [
            (Path(order.destination) / "t", place / "new"),
            (Path(order.state).parent, place / "state"),
        ]
        for there, kept in self._sides:
            _copy(there, kept)

    def restore(self) -> None:
        """Bring it back."""
        for there, kept in self._sides:
            shutil.rmtree(there)
            _copy(kept, there)


def _copy(source: Path, destination: Path) -> None:
    destination.parent.mkdir(exist_ok=True)
    subprocess.run(["cp", "-a", str(source), str(destination)], check=True)


@pytest.mark.slow
def test_a_directory_that_goes_and_comes_back(order: Order, tmp_path: Path) -> None:
    """Two passes die: one while it is elsewhere, one when it is back."""
    source = Path(order.source) / "t"
    (source / "x/dir/below").mkdir(parents=True)
    (source / "y").mkdir()
    (source / "x/dir/below/file").write_text("content")
    (source / "x/dir/below/again").hardlink_to(source / "x/dir/below/file")
    time.sleep(TICK_S)
    assert copy(order, _nobody).is_good
    begin = Kept(order, tmp_path / "begin")
    dead = True
    first = 0
    while dead:
        first += 1
        begin.restore()
        (source / "x/dir").rename(source / "y/dir")
        time.sleep(TICK_S)
        dead = dies(order, first)
        (source / "y/dir").rename(source / "x/dir")
        time.sleep(TICK_S)
        between = Kept(order, tmp_path / f"{first}")
        second = 0
        goes_on = True
        while goes_on:
            second += 1
            between.restore()
            goes_on = dies(order, second)
            assert copy(order, _nobody).is_good
            found = judge.differences(source, Path(order.destination) / "t")
            assert found == [], (first, second)
        assert second > 3
    assert first > 10


def instead(source: Path, stranger: Path) -> None:
    """Put another directory in the place of the one that goes."""
    (source / "x/dir").rename(source / "y/dir")
    stranger.rename(source / "x/dir")


def back(source: Path, stranger: Path) -> None:
    """Let it come back."""
    (source / "x/dir").rename(stranger)
    (source / "y/dir").rename(source / "x/dir")


@pytest.mark.slow
def test_room_is_made_and_it_dies(order: Order, tmp_path: Path) -> None:
    """Of what goes, and comes back after that, nothing is believed to be there."""
    source = Path(order.source) / "t"
    stranger = Path(order.source) / "stranger"
    (source / "x/dir/below").mkdir(parents=True)
    (source / "y").mkdir()
    (source / "x/dir/below/file").write_text("content")
    (source / "x/dir/file").write_text("content")
    (stranger / "below").mkdir(parents=True)
    time.sleep(TICK_S)
    assert make_pass(order)
    begin = Kept(order, tmp_path / "begin")
    at, goes_on = 0, True
    while goes_on:
        at += 1
        begin.restore()
        instead(source, stranger)
        goes_on = dies(order, at, lambda order: clear(order)[0])
        back(source, stranger)
        time.sleep(TICK_S)
        assert make_pass(order)
        assert judge.differences(source, Path(order.destination) / "t") == [], at
    assert at > 4


def test_what_a_mount_hides_is_not_removed(order: Order) -> None:
    """Neither for room nor by a pass: what is mounted at the source is not ours."""
    source, destination = Path(order.source), Path(order.destination)
    (source / "dir/below").mkdir(parents=True)
    (source / "dir/below/file").write_text("content")
    time.sleep(TICK_S)
    assert make_pass(order)
    subprocess.run(["mount", "-t", "tmpfs", "none", str(source / "dir")], check=True)
    try:
        assert clear(order) == (False, 0)
        assert make_pass(order)
    finally:
        subprocess.run(["umount", str(source / "dir")], check=True)
    assert (destination / "dir/below/file").read_text() == "content"


@pytest.mark.slow
@pytest.mark.parametrize("detect", [Detect.TABLES, Detect.WALK])
def test_a_pass_that_dies_before_it_counts(order: Order, detect: Detect) -> None:
    """What it has seen is seen again, or is known."""
    order = replace(order, detect=detect)
    source, destination = Path(order.source), Path(order.destination)
    (source / "a").mkdir()
    (source / "b").mkdir()
    (source / "a/one").write_text("content")
    for _ in range(2):
        time.sleep(TICK_S)
        assert copy(replace(order, detect=Detect.AUTO), _nobody).is_good
    goes_on, at = True, 0
    while goes_on:
        at += 1
        (source / "b/again").hardlink_to(source / "a/one")
        (source / "new").mkdir()
        (source / "new/file").write_text("before")
        time.sleep(TICK_S)
        goes_on = dies(order, at)
        (source / "a/one").chmod(0o600 + at % 8)
        (source / "new/file").write_text("behind")
        time.sleep(TICK_S)
        assert copy(order, _nobody).is_good
        assert judge.differences(source, destination) == [], at
        shutil.rmtree(source / "new")
        (source / "b/again").unlink()
        for _ in range(2):
            # nothing is doubtful any more
            time.sleep(TICK_S)
            assert copy(order, _nobody).is_good
    assert at > 10


def test_nothing_counts_before_it_is_on_the_disk(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the log is written anew: of directories that were moved."""
    source = Path(order.source)
    (source / "dir/below").mkdir(parents=True)
    (source / "dir/below/file").write_text("content")
    assert copy(order, _nobody).is_good
    there = Path(order.destination).stat().st_dev
    said: list[str] = []

    def sync(folder: int) -> None:
        if os.fstat(folder).st_dev == there:
            said.append("synced")

    def write(path: Path, text: str) -> None:
        said.append("counted")
        write_state(path, text)

    monkeypatch.setattr(one_pass, "sync_file_system", sync)
    monkeypatch.setattr(ledger, "write_state", write)
    (source / "dir").rename(source / "moved")
    assert copy(order, _nobody).is_good
    assert said == ["synced", "counted"]

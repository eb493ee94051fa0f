"""What becomes of a path while a pass is on its way to it."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.copy import judge
from tests.copy.conftest import Mount
from tests.copy.engine import Engine
from tests.copy.passes import TICK_S
from tests.copy.test_torture import TABLES
from zfs_root_migrate import syscalls
from zfs_root_migrate.copy.crew import PORTION
from zfs_root_migrate.copy.engine import copy
from zfs_root_migrate.copy.folder import Folders
from zfs_root_migrate.copy.order import Detect, Order, Report, Tally
from zfs_root_migrate.copy.sides import Task, open_directory

NAME = "directory " * 10


def by_one(source: Path, destination: Path, tmp_path: Path, detect: Detect) -> Order:
    """Return a pass by a single worker, which visits one directory after the other."""
    return Order(
        source=str(source),
        destination=str(destination),
        state=str(tmp_path / "state"),
        detect=detect,
        jobs=1,
    )


def settle(order: Order) -> Report:
    """Make a pass a little after the last change."""
    time.sleep(TICK_S)
    done = copy(order, nobody)
    assert done.is_good
    return done


def nobody(_tally: Tally) -> None:
    """Hear how far it is."""


@pytest.mark.parametrize("depth", [3, 50], ids=["short", "longer than PATH_MAX"])
@pytest.mark.parametrize("target", ["real", "x" * 4000], ids=["there", "no name"])
@pytest.mark.parametrize("knows", [True, False], ids=["openat2", "old kernel"])
def test_no_link_is_followed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    depth: int,
    target: str,
    *,
    knows: bool,
) -> None:
    """A link in the middle of a path is no directory, wherever it leads."""
    assert syscalls._has_openat2()
    monkeypatch.setattr(syscalls, "_has_openat2", lambda: knows)
    top = os.open(tmp_path, os.O_RDONLY)
    here = os.dup(top)
    for name in ("real", *[NAME] * depth):
        os.mkdir(name, dir_fd=here)
        above, here = here, os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(above)
    (tmp_path / "link").symlink_to(target)
    found = open_directory(top, "/real" + f"/{NAME}" * depth)
    assert os.fstat(found).st_ino == os.fstat(here).st_ino
    os.close(found)
    os.close(here)
    with pytest.raises(NotADirectoryError):
        open_directory(top, "/link" + f"/{NAME}" * depth)
    with pytest.raises(NotADirectoryError):
        open_directory(top, "/link")
    os.close(top)


def test_nothing_is_written_through_a_link(mount: Mount, tmp_path: Path) -> None:
    """A directory becomes a link that leads to it from outside: into the source."""
    source, destination = mount("ext4", "old").path, mount("tmpfs", "new").path
    # more than is handed out at a time: some come after the top
    crowd = [f"{number}/below" for number in range(3 * PORTION)]
    for name in crowd:
        (source / "dir" / name).mkdir(parents=True)
        (source / "dir" / name / "file").write_text("before")
    engine = Engine(source, destination, tmp_path / "state", (*TABLES, "--jobs", "1"))
    assert engine.run().status == 0
    away = source / "away"
    (source / "dir").rename(away)
    (source / "dir").symlink_to(away)
    for name in crowd:
        (away / name / "file").write_text("now")
    before = {path: path.lstat() for path in source.rglob("*")}
    for _ in range(2):
        done = engine.run()
        assert done.status == 0, done.complaints
    for path, then in before.items():
        now = path.lstat()
        assert (now.st_ino, now.st_ctime_ns) == (then.st_ino, then.st_ctime_ns), path
    assert judge.differences(source, destination) == []


def test_a_directory_that_stood_for_its_file_system_goes(
    mount: Mount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts as copied is on the disk, also where nothing leads there any more."""
    source, destination = mount("ext4", "old").path, mount("tmpfs", "new").path
    (source / "place/dir/below").mkdir(parents=True)
    mount("tmpfs", "new/place")
    order = by_one(source, destination, tmp_path, Detect.TABLES)
    copy(order, nobody)
    (source / "place/dir/below/file").write_text("new")
    below = destination / "place/dir"
    synced = []

    def make_a_file(tally: Tally) -> None:
        if tally.copied and below.is_dir():
            shutil.rmtree(below)
            below.write_text("file")

    monkeypatch.setattr(os, "sync", lambda: synced.append(1))
    assert copy(order, make_a_file).is_good
    assert below.is_file()
    assert synced


def test_a_name_that_is_met_at_two_places(
    mount: Mount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is one name of its file, and the other one is still to be found."""
    source, destination = mount("ext4", "old").path, mount("tmpfs", "new").path
    for name in ("other", "away/dir", "one", "two"):
        (source / name).mkdir(parents=True)
    (source / "other/name").write_text("content")
    (source / "away/dir/name").hardlink_to(source / "other/name")
    order = by_one(source, destination, tmp_path, Detect.WALK)
    settle(order)
    real, ways = Folders.visit, [source / "away/dir"]

    def visit(self: Folders, task: Task) -> None:
        """Have the directory in both places at the time when each is visited."""
        if task[0] in ("/one", "/two"):
            ways.append(ways[-1].rename(source / task[0][1:] / "dir"))
        real(self, task)

    with monkeypatch.context() as patch:
        patch.setattr(Folders, "visit", visit)
        assert copy(order, nobody).is_good
    assert not (source / "away/dir").exists()
    settle(order)
    assert judge.differences(source, destination) == []
    settle(order)
    assert judge.differences(source, destination) == []


@pytest.mark.parametrize("detect", [Detect.AUTO, Detect.WALK])
@pytest.mark.parametrize("way", [("one", "two"), ("two", "one")], ids="-".join)
def test_stopped_on_the_way_to_what_was_moved(
    mount: Mount,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: tuple[str, str],
    detect: Detect,
) -> None:
    """What was copied of a directory elsewhere is not known at its new place."""
    source, destination = mount("ext4", "old").path, mount("tmpfs", "new").path
    old, new = source / way[0] / "dir", source / way[1] / "dir"
    (old / "below/deeper").mkdir(parents=True)
    new.parent.mkdir()
    (old / "below/deeper/file").write_text("content")
    order = by_one(source, destination, tmp_path, detect)
    settle(order)
    old.rename(new)
    real = Folders.visit

    def visit(self: Folders, task: Task) -> None:
        """Have the pass interrupted when it is about to go into a directory."""
        if task[0] == f"/{way[1]}/dir/below":
            os.kill(os.getppid(), signal.SIGINT)
            while True:
                self._tick()
        real(self, task)

    time.sleep(TICK_S)
    with monkeypatch.context() as patch:
        patch.setattr(Folders, "visit", visit)
        with pytest.raises(KeyboardInterrupt):
            copy(order, nobody)
    settle(order)
    assert judge.differences(source, destination) == []


@pytest.mark.parametrize("detect", [Detect.AUTO, Detect.WALK])
def test_a_directory_that_is_away_when_it_is_looked_for(
    mount: Mount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, detect: Detect
) -> None:
    """With all that is above it, which is as before when the next pass begins."""
    source, destination = mount("ext4", "old").path, mount("tmpfs", "new").path
    (source / "top/middle").mkdir(parents=True)
    order = by_one(source, destination, tmp_path, detect)
    settle(order)
    (source / "top/middle/below").mkdir()
    (source / "top/middle/below/file").write_text("content")
    real = Folders.visit

    def visit(self: Folders, task: Task) -> None:
        """Have it away for the time of its visit."""
        if task[0] == "/top/middle/below":
            (source / "top").rename(source / "away")
            real(self, task)
            (source / "away").rename(source / "top")
        else:
            real(self, task)

    time.sleep(TICK_S)
    with monkeypatch.context() as patch:
        patch.setattr(Folders, "visit", visit)
        assert copy(order, nobody).is_good
    assert list((destination / "top/middle/below").iterdir()) == []
    settle(order)
    assert judge.differences(source, destination) == []


def test_a_file_that_is_being_written(mount: Mount, tmp_path: Path) -> None:
    """It has its change time already, and not yet its content: that is not believed."""
    source, destination = mount("ext4", "old").path, mount("tmpfs", "new").path
    order = by_one(source, destination, tmp_path, Detect.AUTO)
    (source / "file").write_text("before")
    (source / "one").write_text("before")
    (source / "other").hardlink_to(source / "one")
    with (source / "file").open("r+"), (source / "one").open("r+"):
        # whoever writes may not have come to its end
        copied = [settle(order).tally.copied for _ in range(2)]
    copied += [settle(order).tally.copied for _ in range(2)]
    assert copied == [3, 3, 3, 0]
    assert judge.differences(source, destination) == []

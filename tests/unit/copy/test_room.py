"""Making room takes away what is no more, and says so before it is gone."""

import errno
import gc
import os
import shutil
import time
from pathlib import Path

import pytest

from tests.copy.clear import clear
from zfs_root_migrate.copy import one_pass, room
from zfs_root_migrate.copy.engine import copy
from zfs_root_migrate.copy.order import Order, Report
from zfs_root_migrate.copy.problems import FatalError
from zfs_root_migrate.copy.writer import Writer

# passes are made by worker processes
pytestmark = pytest.mark.programs


class Copied:
    """A tree that was copied once."""

    def __init__(self, base: Path) -> None:
        """Make it, and copy it."""
        self.old, self.new = base / "old", base / "new"
        self.old.mkdir()
        self.new.mkdir()
        for path in ("file", "dir/deep/file", "dir/other", "kept/dir/file"):
            self.write(path)
        self.order = Order(
            source=str(self.old),
            destination=str(self.new),
            state=str(base / "state"),
            exclude=("/kept/dir",),
        )
        # what is as young as the kernel's tick is copied again in any case
        time.sleep(0.05)
        self.copy()
        (self.new / "kept/dir").mkdir()
        (self.new / "kept/dir/own").touch()

    def write(self, path: str) -> None:
        """Write a file at the source."""
        file = self.old / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)

    def copy(self) -> Report:
        """Make a pass."""
        report = copy(self.order, lambda _tally: None)
        assert report.is_good, report
        return report

    def clear(self) -> tuple[bool, int]:
        """Make room; return whether there is some, and how many names were removed."""
        return clear(self.order)

    def names(self) -> set[str]:
        """Return what is at the destination."""
        return {str(p.relative_to(self.new)) for p in self.new.rglob("*")}


@pytest.fixture
def copied(tmp_path: Path) -> Copied:
    """Return a tree that was copied."""
    return Copied(tmp_path)


def test_nothing_to_remove(copied: Copied) -> None:
    """Both are the same, so that there is no more room than before."""
    before = copied.names()
    assert copied.clear() == (False, 0)
    assert copied.names() == before


def test_what_is_no_more_goes(copied: Copied) -> None:
    """Files and directories, but for what is excluded and what has changed only."""
    (copied.old / "file").write_text("otherwise")
    (copied.old / "dir/other").unlink()
    shutil.rmtree(copied.old / "dir/deep")
    shutil.rmtree(copied.old / "kept")
    assert copied.clear() == (True, 3)
    assert copied.names() == {"file", "dir", "kept", "kept/dir", "kept/dir/own"}


def test_what_comes_back_is_copied_again(copied: Copied) -> None:
    """A directory that was moved away and back is as it was for inode and times."""
    before = copied.names()
    away = copied.old.with_name("away")
    (copied.old / "dir/deep").rename(away)
    copied.clear()
    away.rename(copied.old / "dir/deep")
    copied.copy()
    assert copied.names() == before


def test_another_directory_of_that_name(copied: Copied) -> None:
    """What is missing in it is not missing in the one that had the name before."""
    before = copied.names()
    away, other = copied.old.with_name("away"), copied.old.with_name("other")
    copied.write("other/deep/elsewhere")
    (copied.old / "other").rename(other)
    (copied.old / "dir").rename(away)
    other.rename(copied.old / "dir")
    copied.clear()
    (copied.old / "dir").rename(other)
    away.rename(copied.old / "dir")
    copied.copy()
    assert copied.names() == before


def test_no_room_for_the_ledger(
    copied: Copied, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be taken back is forgotten, before anything goes that it knows of."""
    before = copied.names()
    away = copied.old.with_name("away")
    (copied.old / "dir").rename(away)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def clear_trees(self: room.Room, path: str, names: list[str]) -> None:
        assert not Path(str(copied.order.state)).exists()
        really(self, path, names)

    really = room.Room._clear_trees
    with monkeypatch.context() as patch:
        patch.setattr(Writer, "take_back", full)
        patch.setattr(room.Room, "_clear_trees", clear_trees)
        assert copied.clear() == (True, 4)
    away.rename(copied.old / "dir")
    copied.copy()
    assert copied.names() == before


def test_what_is_known_stays_known(
    copied: Copied, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a ledger that cannot be opened but to read: ftruncate(2) needs room on ZFS."""
    real = os.ftruncate

    def full(place: int, size: int) -> None:
        if (copied.new / "file").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(place, size)

    (copied.old / "file").unlink()
    shutil.rmtree(copied.old / "dir/deep")
    monkeypatch.setattr(os, "ftruncate", full)
    report = copied.copy()
    assert (report.tally.removed, report.tally.copied) == (3, 0)
    assert copied.names() == {"dir", "dir/other", "kept", "kept/dir", "kept/dir/own"}


def test_what_cannot_be_read_is_not_empty(
    copied: Copied, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad disk takes nothing away from the copy."""
    before = copied.names()
    real, broken = os.scandir, (copied.old / "dir").stat()

    def bad(place: object) -> object:
        if isinstance(place, int) and os.path.samestat(os.fstat(place), broken):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(place)

    shutil.rmtree(copied.old / "dir/deep")
    monkeypatch.setattr(os, "scandir", bad)
    assert copied.clear() == (False, 0)
    assert copied.names() == before


def test_read_only_meanwhile(copied: Copied, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another reason than room is not taken for it."""

    def read_only(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    shutil.rmtree(copied.old / "dir")
    monkeypatch.setattr(Writer, "take_back", read_only)
    with pytest.raises(FatalError, match=os.strerror(errno.EROFS)):
        copied.clear()
    assert "dir/deep/file" in copied.names()


def test_room_that_comes_late(copied: Copied, monkeypatch: pytest.MonkeyPatch) -> None:
    """ZFS says no until the transaction group has ended; and it may say no for good."""
    answers = [False, False, True]
    monkeypatch.setattr(room.Room, "_has_room", lambda _: answers.pop(0))
    (copied.old / "file").unlink()
    assert copied.clear() == (True, 1)
    assert answers == []
    monkeypatch.setattr(room, "FREED_WITHIN", 0.0)
    monkeypatch.setattr(room.Room, "_has_room", lambda _: False)
    (copied.old / "dir/other").unlink()
    assert copied.clear() == (False, 1)


def test_nothing_is_left_open(copied: Copied, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state lies on the destination, which is unmounted in the same process."""

    def read_only(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    (copied.old / "file").unlink()
    gc.disable()
    try:
        copied.clear()
        monkeypatch.setattr(one_pass.Pass, "_sync", read_only)
        report = copy(copied.order, lambda _tally: None)
        held = Path("/proc/self/maps").read_text()
    finally:
        gc.enable()
    assert report.fatal == os.strerror(errno.EROFS)
    assert str(copied.order.state) not in held

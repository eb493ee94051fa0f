"""Inode numbers are used again, and directories move: what is remembered by inode."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.copy import judge
from tests.copy.conftest import Mount
from tests.copy.engine import Engine
from tests.copy.passes import TICK_S
from tests.copy.test_torture import TABLES, WALK
from tests.copy.volumes import MIB

Change = Callable[[Path], None]


def file_to_directory(top: Path) -> None:
    """The directory has the file's name and inode."""
    (top / "file").unlink()
    (top / "file").mkdir()
    (top / "file/inside").write_text("inside")


def directory_to_file(top: Path) -> None:
    """The file has the directory's name and inode."""
    shutil.rmtree(top / "folder")
    (top / "folder").write_text("file")


def another_directory(top: Path) -> None:
    """A directory of the same name and inode has other things in it."""
    shutil.rmtree(top / "folder")
    (top / "folder").mkdir()
    (top / "folder/new").write_text("new")


def elsewhere(top: Path) -> None:
    """A directory with the inode of one that is gone is at another place."""
    shutil.rmtree(top / "folder")
    (top / "deep/other").mkdir()
    (top / "deep/other/new").write_text("new")


def into_itself(top: Path) -> None:
    """A directory gets a new parent of its own name."""
    (top / "folder").rename(top / "x")
    (top / "folder").mkdir()
    (top / "x").rename(top / "folder/folder")


def parent_and_child(top: Path) -> None:
    """What was inside is outside now, and the other way round."""
    (top / "folder/below").rename(top / "x")
    (top / "folder").rename(top / "x/below")
    (top / "x").rename(top / "folder")


def swapped(top: Path) -> None:
    """Two directories change places."""
    (top / "folder").rename(top / "x")
    (top / "deep").rename(top / "folder")
    (top / "x").rename(top / "deep")


def moved_and_changed(top: Path) -> None:
    """A directory moves, and what is deep in it changes."""
    (top / "folder/below/one").write_text("other")
    (top / "folder").rename(top / "deep/moved")


def moved_and_replaced(top: Path) -> None:
    """A directory moves away, and another comes to its name."""
    (top / "folder").rename(top / "moved")
    (top / "deep").rename(top / "folder")
    (top / "moved/below/more").write_text("more")


def link_to_another(top: Path) -> None:
    """One name of a file leaves its group for another."""
    (top / "one").unlink()
    (top / "one").hardlink_to(top / "folder/below/one")


def file_with_old_inode(top: Path) -> None:
    """A new file has the inode of one that was deleted elsewhere."""
    size, times = (top / "file").stat().st_size, (top / "file").stat().st_mtime_ns
    (top / "file").unlink()
    (top / "folder/file").write_bytes(b"y" * size)
    os.utime(top / "folder/file", ns=(times, times))


def moved_with_links(top: Path) -> None:
    """A directory moves, with a name of a file that has another where nothing moves."""
    (top / "moves").rename(top / "moved")


CHANGES = (
    *(file_to_directory, directory_to_file, another_directory, elsewhere, into_itself),
    *(parent_and_child, swapped, moved_and_changed, moved_and_replaced),
    *(link_to_another, file_with_old_inode, moved_with_links),
)


def tree(top: Path) -> None:
    """Make what the changes expect."""
    for path in (top / "folder/below", top / "deep"):
        path.mkdir(parents=True)
    for name in ("file", "folder/below/one", "folder/below/two", "deep/three"):
        (top / name).write_text(name)
    (top / "one").hardlink_to(top / "deep/three")
    for name in ("stays", "moves"):
        (top / name).mkdir()
        (top / name / "name").hardlink_to(top / "folder/below/two")


@pytest.mark.parametrize("detect", [WALK, TABLES], ids=lambda words: words[1])
def test_changes_of_inodes(
    mount: Mount, tmp_path: Path, detect: tuple[str, str]
) -> None:
    """Each change is carried over by the next pass, and leaves nothing for another."""
    old, new = mount("ext4", "old", size=64 * MIB).path, mount("tmpfs", "new").path
    for change in CHANGES:
        tree(old / change.__name__)
    engine = Engine(old, new, tmp_path / "state", detect)
    for number in range(4):
        if number == 2:
            for change in CHANGES:
                change(old / change.__name__)
        time.sleep(TICK_S)
        done = engine.run()
        assert done.status == 0, done.complaints
    assert judge.differences(old, new) == []
    assert done.copied == 0


def test_a_directory_with_the_inode_of_a_file(mount: Mount, tmp_path: Path) -> None:
    """What is in it is copied too; the inode alone does not say what is known."""
    old, new = mount("ext4", "old", size=64 * MIB).path, mount("tmpfs", "new").path
    (old / "file").write_text("text")
    engine = Engine(old, new, tmp_path / "state", TABLES)
    before = (old / "file").stat().st_ino
    for _ in range(2):
        time.sleep(TICK_S)
        assert engine.run().status == 0
    file_to_directory(old)
    assert (old / "file").stat().st_ino == before
    assert engine.run().status == 0
    assert judge.differences(old, new) == []

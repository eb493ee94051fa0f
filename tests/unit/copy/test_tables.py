"""Inode tables, read from file systems that mke2fs has made; no mount is needed."""

import os
import time

import pytest

from zfs_root_migrate import runner
from zfs_root_migrate.copy.tables import Tables

pytestmark = pytest.mark.programs
KINDS = {
    "ext4": ("-t", "ext4"),
    "ext4 small blocks": ("-t", "ext4", "-b", "1024"),
    "ext4 32 bit": ("-t", "ext4", "-O", "^64bit,^metadata_csum"),
    "ext3": ("-t", "ext3"),
    "ext2 small inodes": ("-t", "ext2", "-I", "128"),
    "large inodes": ("-t", "ext4", "-I", "512"),
}
FILES = 40


@pytest.fixture(params=KINDS, ids=KINDS)
def image(needs, tmp_path, request):
    """Return a file system with some files in it."""
    needs("mke2fs", "debugfs")
    tree = tmp_path / "tree"
    tree.mkdir()
    for n in range(FILES):
        (tree / f"file{n}").write_text(str(n))
    path = tmp_path / "image"
    argv = ("mke2fs", "-qF", *KINDS[request.param], "-d", str(tree), str(path), "24M")
    done = runner.query(argv)
    assert done.status == 0, done.stderr
    return path


def read(path, barrier=None):
    """Return the tables as they are."""
    device = os.open(path, os.O_RDONLY)
    try:
        return Tables.read(device, barrier or (1 << 31) * 10**9 - 1)
    finally:
        os.close(device)


def debugfs(path, *requests):
    """Change or ask a file system that is not mounted."""
    text = "\n".join(requests) + "\n"
    done = runner.query(("debugfs", "-w", "-f", "-", str(path)), stdin=text)
    assert done.status == 0, done.stderr
    return done.stdout


def inode_of(path, name):
    """Return the number of an inode, asked of another program."""
    return int(debugfs(path, f"stat {name}").split("Inode:")[1].split()[0])


def test_nothing_changed(image):
    """Nothing differs."""
    assert read(image).differ(read(image)) == set()


@pytest.mark.parametrize("field", ["ctime", "mode"])
def test_a_changed_inode_is_found(image, field):
    """That one, and no other."""
    before = read(image)
    number = inode_of(image, "file7")
    value = {"ctime": "@1000000001", "mode": "0100600"}[field]
    debugfs(image, f"set_inode_field file7 {field} {value}")
    assert read(image).differ(before) == {number}


def test_a_new_and_a_cleared_inode_are_found(image, tmp_path):
    """Those, and at most what debugfs writes besides."""
    before = read(image)
    gone = inode_of(image, "file3")
    other = tmp_path / "other"
    other.write_text("new")
    debugfs(image, f"write {other} fresh", "clri file3")
    found = read(image).differ(before)
    assert {inode_of(image, "fresh"), gone} <= found
    assert len(found) <= 4


def test_times_from_the_barrier_on_differ_always(image):
    """Such a file may have been written to after it was read."""
    now = time.time_ns()
    debugfs(image, f"set_inode_field file9 ctime @{now // 10**9 + 5}")
    number = inode_of(image, "file9")
    before = read(image, now)
    assert number in read(image, now + 60 * 10**9).differ(before)
    later = read(image, now + 60 * 10**9)
    assert read(image, now + 60 * 10**9).differ(later) == set()


def test_they_survive_a_file(image, tmp_path):
    """What is written is what is read."""
    tables = read(image)
    tables.write(tmp_path / "kept")
    again = Tables.load(tmp_path / "kept")
    assert again.rows == tables.rows
    assert read(image).differ(again) == set()


@pytest.mark.parametrize("cut", [1, 4, 9])
def test_a_file_that_is_cut_is_none(image, tmp_path, cut):
    """Everything is looked at then."""
    read(image).write(tmp_path / "kept")
    data = (tmp_path / "kept").read_bytes()
    (tmp_path / "kept").write_bytes(data[:-cut])
    assert Tables.load(tmp_path / "kept") is None
    assert Tables.load(tmp_path / "none") is None


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, os.urandom(8192)])
def test_what_is_no_such_file_system(tmp_path, content):
    """It says so."""
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(ValueError, match="no ext2"):
        read(tmp_path / "other")


@pytest.mark.parametrize("barrier", [0, -1, (1 << 31) * 10**9])
def test_a_clock_out_of_range(image, barrier):
    """The stamps of 32 bits say nothing then."""
    with pytest.raises(ValueError, match="clock"):
        read(image, barrier or -1)

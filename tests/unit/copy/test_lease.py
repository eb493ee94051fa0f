"""Whether somebody may be writing to a file."""

import mmap
import os

import pytest

from zfs_root_migrate.syscalls import may_be_written


@pytest.fixture
def file(tmp_path):
    """Return a file with something in it."""
    path = tmp_path / "file"
    path.write_bytes(bytes(4096))
    return path


def ask(path):
    """Ask as the copier does, which has it open for reading."""
    file = os.open(path, os.O_RDONLY)
    try:
        return may_be_written(file)
    finally:
        os.close(file)


def test_nobody_writes(file):
    """Neither who reads, nor who has written."""
    file.write_bytes(b"content")
    with file.open("rb"):
        assert not ask(file)


def test_somebody_writes(file):
    """Who has it open may be in the middle of a write."""
    with file.open("r+b"):
        assert ask(file)
    assert not ask(file)


def test_somebody_has_mapped_it(file):
    """The file itself was closed long ago."""
    with file.open("r+b") as stream:
        mapped = mmap.mmap(stream.fileno(), 0)
    assert ask(file)
    mapped.close()
    assert not ask(file)


def test_nobody_waits_for_what_was_asked(file):
    """The lease is given back: opening the file for writing breaks none."""
    with file.open("rb") as stream:
        assert not may_be_written(stream.fileno())
        os.close(os.open(file, os.O_WRONLY | os.O_NONBLOCK))


def test_where_it_cannot_be_asked():
    """Nothing is known of a pipe, and so of a file system without leases."""
    ends = os.pipe()
    assert may_be_written(ends[0])
    for end in ends:
        os.close(end)

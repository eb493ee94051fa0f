"""What an old file system is like now, read from its device. Part of the rim.

A window is a piece of a device that is another one after any mount for writing, so that
a later look needs neither a mount nor the tool. Nothing is written here.
"""

import fcntl
import hashlib
import os
import re

from zfs_root_migrate import runner
from zfs_root_migrate.errors import StepFailedError
from zfs_root_migrate.step import SourceFs

CHUNK = 1 << 20
SECTOR = 512
# include/uapi/linux/fs.h
_BLKFLSBUF = 0x1261
# one superblock, with mount time, write time, mount count and a sum over all that
# (fs/ext4/ext4.h); written at every mount for writing
_EXT = (1024, 1024)
_LOG = re.compile(r"log device: (\w+) daddr: (\d+) length: (\d+)")
_DATA = re.compile(r"data device: (\w+)")
_HEAD = re.compile(r"log tail: \d+ head: (\d+) state: <CLEAN>")
# a record of XFS's log has a header of at least this size, with its number in it
_LOG_WINDOW = 4096


def seal_text(sources: tuple[SourceFs, ...], manifest: str) -> str:
    """Return the seal: version, manifest and the windows of every file system."""
    words = [
        f"{fs.uuid},{offset},{length},{_digest(fs.device, offset, length)}"
        for fs in sources
        for offset, length in _windows(fs)
    ]
    return " ".join(("v1", manifest, *words))


def _windows(fs: SourceFs) -> tuple[tuple[int, int], ...]:
    if fs.fs_type in ("ext2", "ext3", "ext4"):
        return (_EXT,)
    if fs.fs_type == "xfs":
        return _xfs_windows(fs.device)
    # FAT has nothing that every mount changes; such a file system is a small one
    return ((0, _size(fs.device)),)


def _xfs_windows(device: str) -> tuple[tuple[int, int], ...]:
    """Return the superblock and the place where the log goes on."""
    answer = runner.query(("xfs_logprint", "-t", device))
    try:
        return ((0, SECTOR), log_window("" if answer.status else answer.stdout))
    except ValueError as error:
        raise StepFailedError(
            f"cannot tell where the log of {device} ends",
            details=f"{runner.shell_text(answer.argv)}\n{answer.stdout}{answer.stderr}{error}",
            resolution="unmount it, so that its log is clean",
        ) from None


def log_window(text: str) -> tuple[int, int]:
    """Return offset and length of what the next record of a clean log overwrites.

    >>> log_window('''
    ...     data device: 0x702
    ...     log device: 0x702 daddr: 262192 length: 131072
    ...
    ...     log tail: 10 head: 10 state: <CLEAN>
    ... ''')
    (134247424, 4096)
    """
    data, log, head = _DATA.search(text), _LOG.search(text), _HEAD.search(text)
    if not (data and log and head):
        raise ValueError("the log is not clean, or not described as expected")
    if data[1] != log[1]:
        raise ValueError("the log is on a device of its own")
    start, length, at = int(log[2]), int(log[3]), int(head[1])
    # at the end of the log the next record begins at its start again
    room = (length - at) * SECTOR
    return (start + at) * SECTOR, min(_LOG_WINDOW, room)


def _size(device: str) -> int:
    with open(device, "rb") as file:  # noqa: PTH123 - a device, not a file of ours
        return file.seek(0, os.SEEK_END)


def _digest(device: str, offset: int, length: int) -> str:
    """Return the SHA-256 of a piece of a device, as it is on the disk."""
    found = hashlib.sha256()
    descriptor = os.open(device, os.O_RDONLY)
    try:
        # XFS does not write through the device's own page cache
        fcntl.ioctl(descriptor, _BLKFLSBUF, 0)
        os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_DONTNEED)
        while length:
            piece = os.pread(descriptor, min(CHUNK, length), offset)
            if not piece:
                raise StepFailedError(f"{device} ends before {offset}")
            found.update(piece)
            offset, length = offset + len(piece), length - len(piece)
    finally:
        os.close(descriptor)
    return found.hexdigest()

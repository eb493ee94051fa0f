"""Adds records to the log of a ledger."""

import os
from collections.abc import Iterable
from pathlib import Path

from zfs_root_migrate.copy.listing import void

_FLUSH = 256 << 10


class Writer:
    """Adds records to the log; each process has its own."""

    def __init__(self, path: Path) -> None:
        """Open the log for appending."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600)
        self._waiting: list[bytes] = []
        self._size = 0

    def write(self, record: bytes) -> None:
        """Add a record; it is in the file at the next flush."""
        self._waiting.append(record)
        self._size += len(record)
        if self._size > _FLUSH:
            self.flush()

    def flush(self) -> None:
        """Hand over all that waits, in one piece, so that records stay whole."""
        if self._waiting:
            data = b"".join(self._waiting)
            self._waiting, self._size = [], 0
            done = os.write(self._file, data)
            if done != len(data):
                # a full disk: the error comes with the next write
                os.write(self._file, data[done:])

    def take_back(self, inodes: Iterable[int]) -> None:
        """Take back what is said of directories, and wait until that is on the disk.

        Before anything changes there: should the pass die, and they come back, the
        next one must not believe that they are as they were.
        """
        said = False
        for inode in inodes:
            self.write(void(inode))
            said = True
        if said:
            self.flush()
            os.fdatasync(self._file)

    def close(self) -> None:
        """Flush and let go of it."""
        self.flush()
        os.close(self._file)

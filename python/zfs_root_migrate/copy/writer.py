"""Adds records to the log of a ledger."""

import os
from pathlib import Path

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

    def settle(self) -> None:
        """Flush, and wait until it is on the disk."""
        self.flush()
        os.fdatasync(self._file)

    def close(self) -> None:
        """Flush and let go of it."""
        self.flush()
        os.close(self._file)

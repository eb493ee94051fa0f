#!/usr/bin/python3
"""Writes records whose loss would be noticed, in a guest; standard library only.

    writer.py write TOP       for ever: a record into each store, on the disk, reported
    writer.py dump TOP        all records that are there, one line each

A record is `KIND NUMBER HASH`; the hash covers the one before it, so that none can be
missing, doubled or changed in the middle. It is reported to the host over a port when
the store has said that it is on the disk: from then on, nobody may lose it.
"""

import hashlib
import mmap
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PORT = Path("/dev/virtio-ports/zfs-root-migrate.acks")
SLOT = 96
GROW = SLOT << 12
# seconds between two records of each kind: enough for thousands in a migration, and the
# guest, which is slow, has other things to do as well
PAUSE = 0.1


def chained(kind: str, number: int, before: str) -> str:
    """Return the hash of a record."""
    text = f"{kind} {number} {before}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Plain:
    """Lines at the end of a file, each followed by fsync."""

    kind = "plain"

    def __init__(self, top: Path) -> None:
        """Open the file, which need not be there."""
        self.path = top / "var/log/acks/plain.log"

    def open(self) -> None:
        """Get ready to append, behind the last whole line."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        whole = "".join(f"{line}\n" for line in self._lines())
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        os.ftruncate(self._file, len(whole))
        os.lseek(self._file, 0, os.SEEK_END)

    def append(self, number: int, digest: str) -> None:
        """Write one record; it is on the disk afterwards."""
        os.write(self._file, f"{number} {digest}\n".encode())
        os.fsync(self._file)

    def records(self) -> Iterator[tuple[int, str]]:
        """Yield all records."""
        for line in self._lines():
            number, _, digest = line.partition(" ")
            yield int(number), digest

    def _lines(self) -> list[str]:
        text = self.path.read_text() if self.path.exists() else ""
        return text[: text.rfind("\n") + 1].splitlines()


class Database:
    """Rows of an SQLite database in WAL mode, each committed by itself."""

    kind = "sqlite"

    def __init__(self, top: Path) -> None:
        """Refer to the database, which need not be there."""
        self.path = top / "home/larry/acks/acks.db"

    def open(self) -> None:
        """Open or make it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(self.path, isolation_level=None)
        for line in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "CREATE TABLE IF NOT EXISTS acks (number INTEGER PRIMARY KEY, hash TEXT)",
        ):
            self._connection.execute(line).fetchall()

    def append(self, number: int, digest: str) -> None:
        """Commit one row; it is on the disk afterwards."""
        self._connection.execute("INSERT INTO acks VALUES (?, ?)", (number, digest))

    def records(self) -> Iterator[tuple[int, str]]:
        """Yield all rows."""
        if self.path.exists():
            self.open()
            yield from self._connection.execute("SELECT * FROM acks ORDER BY number")


class Mapped:
    """Slots of a file that is mapped into memory, each followed by msync."""

    kind = "mmap"

    def __init__(self, top: Path) -> None:
        """Refer to the file, which need not be there."""
        self.path = top / "srv/acks/mapped"

    def open(self) -> None:
        """Map it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        self._map()

    def _map(self) -> None:
        if os.fstat(self._file).st_size == 0:
            os.ftruncate(self._file, GROW)
        self._memory = mmap.mmap(self._file, 0)

    def append(self, number: int, digest: str) -> None:
        """Fill one slot; it is on the disk afterwards."""
        if (number + 1) * SLOT > len(self._memory):
            self._memory.close()
            os.ftruncate(self._file, os.fstat(self._file).st_size + GROW)
            os.fsync(self._file)
            self._map()
        place = number * SLOT
        text = f"{number} {digest}".ljust(SLOT - 1) + "\n"
        self._memory[place : place + SLOT] = text.encode()
        page = place // mmap.PAGESIZE * mmap.PAGESIZE
        self._memory.flush(page, min(len(self._memory), place + SLOT) - page)

    def records(self) -> Iterator[tuple[int, str]]:
        """Yield all filled slots."""
        data = self.path.read_bytes() if self.path.exists() else b""
        for place in range(0, len(data), SLOT):
            words = data[place : place + SLOT].strip(b"\0").split()
            if len(words) == 2:
                yield int(words[0]), words[1].decode()


STORES = (Plain, Database, Mapped)


def write(top: Path) -> None:
    """Go on where the stores end, for ever."""
    stores = [store(top) for store in STORES]
    ends = {store.kind: (list(store.records()) or [(-1, "")])[-1] for store in stores}
    for store in stores:
        store.open()
    port = os.open(PORT, os.O_WRONLY)
    while True:
        for store in stores:
            number, before = ends[store.kind]
            number, digest = number + 1, chained(store.kind, number + 1, before)
            store.append(number, digest)
            ends[store.kind] = number, digest
            os.write(port, f"{store.kind} {number} {digest}\n".encode())
        time.sleep(PAUSE)


def dump(top: Path) -> None:
    """Print every record; a chain that is broken ends with a line that says so."""
    for store in (made(top) for made in STORES):
        before = ""
        for expected, (number, digest) in enumerate(store.records()):
            if (number, digest) != (expected, chained(store.kind, expected, before)):
                sys.stdout.write(f"{store.kind} broken at {expected}\n")
                break
            sys.stdout.write(f"{store.kind} {number} {digest}\n")
            before = digest


def main() -> None:
    """Do what the command line says."""
    {"write": write, "dump": dump}[sys.argv[1]](Path(sys.argv[2]))


if __name__ == "__main__":
    main()

"""What was copied, by directory: names, inodes and change times. Kept between passes.

`FILE` is the head: a few lines of JSON that say what the rest belongs to and how much
of it counts. `FILE.N` is a log of records, one for each directory, written by all
workers at its end (O_APPEND); a later record of a directory takes the place of an
earlier one. The head is written anew, after the destination was synced, and never
counts records of what is not on the disk. `FILE.tables.N` are the inode tables that
belong to what the head counts, where it names some.

A record can also take back what was said of a directory. It is written before that
becomes untrue, and holds even where a pass died and the head does not count it.

A change time of 0 means doubtful: look at it again the next time.
"""

import glob
import json
import mmap
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from zfs_root_migrate.copy.identity import Identity
from zfs_root_migrate.copy.listing import (
    END,
    HEAD,
    MAGIC,
    Listing,
    Place,
    decode,
    inodes_of,
    void,
    voids,
)
from zfs_root_migrate.copy.writer import Writer
from zfs_root_migrate.journal import write_state

_SCHEMA = "zfs-root-migrate/copied"
_VERSION = 3


class Ledger:
    """The records of earlier passes, and where those of this one go."""

    def __init__(
        self, path: str, identity: Identity, *, only_read: bool = False
    ) -> None:
        """Read the head, drop what it does not count, and find each directory.

        With `only_read` what it does not count is still there, and needs no room to go.
        """
        self._path = Path(path)
        self._identity = identity
        head = self._read_head()
        # the last pass came to its end, so no directory is missing
        self.is_complete = bool(head.get("complete"))
        self.number = _as_int(head.get("number"))
        self._length = _as_int(head.get("length"))
        self._tables = _as_int(head.get("tables"))
        self._data: mmap.mmap | bytes = b""
        self._places: dict[int, int] = {}
        self._doubtful: set[int] = set()
        self._live = 0
        # where the records of this pass begin
        self._begin = self._length
        self._took_back = False
        if only_read:
            with suppress(FileNotFoundError), self.log.open("rb") as log:
                self._read(log.fileno())
        else:
            self._open()

    @classmethod
    def reopen(cls, path: str) -> "Ledger | None":
        """Open a ledger as it is, whatever trees it is about; None: of no use."""
        try:
            head = json.loads(Path(path).read_text("utf-8"))
            identity = Identity.read(head)
        except (OSError, ValueError, LookupError, TypeError):
            return None
        return cls(path, identity)

    @property
    def root(self) -> int:
        """Inode of the directory at which the source begins."""
        return self._identity.source_root

    @property
    def log(self) -> Path:
        """The log of records."""
        return self._path.with_name(f"{self._path.name}.{self.number}")

    @property
    def tables(self) -> Path | None:
        """Where the inode tables of the last complete pass are, if it had some."""
        return self._table(self._tables) if self._tables else None

    def _table(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.tables.{number}")

    def __len__(self) -> int:
        """Return how many directories are known."""
        return len(self._places)

    def _read_head(self) -> dict[str, object]:
        try:
            head = json.loads(self._path.read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        wanted = {"schema": _SCHEMA, "version": _VERSION, **self._identity.written()}
        same = isinstance(head, dict) and wanted.items() <= head.items()
        return head if same else {}

    def _open(self) -> None:
        """Read where each directory is, and cut the log to what counts."""
        # a pass was cut short while it wrote these, or before it could take them away
        for other in _beside(self._path, "[0-9]*", "tables*"):
            if other not in (self.log, self.tables):
                other.unlink()
        descriptor = os.open(self.log, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            untrue = self._read(descriptor)
            if untrue:
                # first of what is not counted, so that it is found again whatever comes
                os.pwrite(descriptor, untrue, self._begin)
                self._begin += len(untrue)
            os.ftruncate(descriptor, self._begin)
        finally:
            os.close(descriptor)
        if untrue:
            self.is_complete = False
            self.count(self._begin, complete=False)

    def _read(self, descriptor: int) -> bytes:
        """Read what counts, and return the records that take back some of it."""
        size = os.fstat(descriptor).st_size
        if size < self._length:
            self._length, self.is_complete = 0, False
        self._begin = self._scan(descriptor)
        return self._taken_back(descriptor, self._begin, size)

    def _taken_back(self, descriptor: int, place: int, size: int) -> bytes:
        """Forget what a pass that died took back, and return these records.

        What comes before one of them may have been written in part only.
        """
        if not self._places or size <= place:
            return b""
        found: list[bytes] = []
        with mmap.mmap(descriptor, size, access=mmap.ACCESS_READ) as data:
            for inode in voids(data, place):
                if self._places.pop(inode, None) is not None:
                    self._doubtful.discard(inode)
                    found.append(void(inode))
        return b"".join(found)

    def _scan(self, descriptor: int) -> int:
        if not self._length:
            return 0
        self._data = mmap.mmap(descriptor, self._length, access=mmap.ACCESS_READ)
        place = 0
        sizes: dict[int, int] = {}
        while place + HEAD.size <= self._length:
            head = HEAD.unpack_from(self._data, place)
            magic, length, inode, *_, doubtful, gone = head
            end = place + length
            if magic != MAGIC or length < HEAD.size or not self._ends(end):
                self.is_complete = False
                break
            if gone:
                self._took_back = True
                # it is somewhere else, where this pass has seen it, or it is no more
                if self._places.get(inode, self._begin) < self._begin:
                    del self._places[inode]
                    del sizes[inode]
            else:
                self._places[inode] = place
                sizes[inode] = length
                (self._doubtful.add if doubtful else self._doubtful.discard)(inode)
            place = end
        self._doubtful &= self._places.keys()
        self._live = sum(sizes.values())
        return place

    def _ends(self, place: int) -> bool:
        return self._data[place - len(END) : place] == END

    def forget(self) -> None:
        """Remove all files of this ledger; the head first, which makes it one."""
        self._path.unlink(missing_ok=True)
        for other in _beside(self._path, "[0-9]*", "tables*"):
            other.unlink()

    def close(self) -> None:
        """Let go of the log, whoever still refers to this: its place is unmounted."""
        if isinstance(self._data, mmap.mmap):
            self._data.close()
        self._data, self._places = b"", {}

    def find(self, inode: int) -> Listing | None:
        """Return what is known of a directory."""
        place = self._places.get(inode)
        return None if place is None else decode(self._data, place)

    def is_in(self, inode: int, parent: int) -> bool:
        """Tell whether a directory was in another one when it was copied."""
        place = self._places.get(inode)
        return place is not None and HEAD.unpack_from(self._data, place)[3] == parent

    def is_at(self, inode: int, parent: int, place: Place) -> bool:
        """Tell whether it was, and was copied to this directory of the destination."""
        found = self._places.get(inode)
        if found is None:
            return False
        head = HEAD.unpack_from(self._data, found)
        return (head[3], head[5:7]) == (parent, place)

    def __contains__(self, inode: int) -> bool:
        """Tell whether anything is known of a directory."""
        return inode in self._places

    def below(self, inodes: Iterable[int], parent: int) -> Iterator[int]:
        """Return directories, and all that was copied below them.

        Only those that were copied when they were in the parent.
        """
        waiting = [(inode, parent) for inode in inodes]
        while waiting:
            inode, parent = waiting.pop()
            here = self.find(inode) if self.is_in(inode, parent) else None
            if here is None:
                continue
            yield inode
            waiting += [(below, inode) for below in here.directories().values()]

    def held_by(
        self, changed: set[int], *, with_doubtful: bool = True
    ) -> Iterator[int]:
        """Return the directories that are or hold one of these inodes, or doubtful."""
        wanted = changed | self._doubtful if with_doubtful else changed
        for inode, place in self._places.items():
            if inode in wanted or (
                changed and not changed.isdisjoint(inodes_of(self._data, place))
            ):
                yield inode

    def path_of(self, inode: int) -> str | None:
        """Return the path under which a directory was copied; None: not known."""
        names: list[str] = []
        root = self._identity.source_root
        while inode != root:
            here = self.find(inode)
            above = None if here is None else self.find(here.parent)
            if here is None or above is None or len(names) > len(self._places):
                return None
            try:
                names.append(above.names[above.inodes.index(inode)])
            except ValueError:
                return None
            inode = here.parent
        return "".join(f"/{name}" for name in reversed(names))

    def append(self) -> Writer:
        """Return what adds records."""
        return Writer(self.log)

    def reread(self) -> None:
        """Take in what was written since, to its end."""
        self._length = self.log.stat().st_size
        self._places, self._doubtful = {}, set()
        with self.log.open("rb") as file:
            self._scan(file.fileno())

    def count(self, length: int, *, complete: bool) -> None:
        """Let the first `length` bytes of the log count from now on; fsynced."""
        with self.log.open("rb") as file:
            os.fsync(file.fileno())
        head = {"schema": _SCHEMA, "version": _VERSION, **self._identity.written()}
        head |= {"number": self.number, "length": length, "complete": complete}
        head |= {"tables": self._tables}
        write_state(self._path, json.dumps(head) + "\n")

    def complete(self, write_tables: Callable[[Path], None] | None) -> None:
        """Let all of the log count, and what `write_tables` makes; no directory lacks.

        The log is written anew where most of it is out of date.
        """
        before, log = self.tables, self.log
        number = self._tables + 1
        if write_tables is not None:
            write_tables(self._table(number))
        self._tables = number if write_tables is not None else 0
        if self._took_back or self._length >= 2 * self._live + (1 << 20):
            self._write_anew()
        self.is_complete = True
        self.count(self._length, complete=True)
        for old in (before, log if log != self.log else None):
            if old is not None:
                old.unlink(missing_ok=True)

    def _write_anew(self) -> None:
        self.number += 1
        with self.log.open("wb") as file:
            for place in self._places.values():
                length = HEAD.unpack_from(self._data, place)[1]
                file.write(self._data[place : place + length])
        self._length = self._live


def _beside(head: Path, *patterns: str) -> Iterator[Path]:
    for pattern in patterns:
        yield from head.parent.glob(f"{glob.escape(head.name)}.{pattern}")


def _as_int(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0

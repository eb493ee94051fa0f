"""Makes room at a full destination: what the source has no more goes first.

A pass takes a name away where it comes to it, and that may be after it needs the room:
for the times of a directory, and for the ledger where it lies on the destination too.
"""

import os
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass

from zfs_root_migrate.copy.clearing import Clearing, Rules
from zfs_root_migrate.copy.ledger import Ledger
from zfs_root_migrate.copy.order import Tally
from zfs_root_migrate.copy.problems import GONE, NO_ROOM
from zfs_root_migrate.copy.sides import open_directory

# seconds until what was taken away must have become room: ZFS frees blocks at the end
# of a transaction group, every five seconds, and says no until then (dsl_dir.c)
FREED_WITHIN = 12.0
_LOOK_EVERY = 0.1
# in place of the inode of a directory on another file system
FOREIGN = -1
# times 256 bytes
_ENOUGH = 256
_NAMELESS = os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC


@dataclass(slots=True)
class _Place:
    """A directory of the source: what it must be, and whether the ledger knows it."""

    path: str
    inode: int
    is_known: bool


class Room:
    """Takes away what a pass would take away, and copies nothing."""

    def __init__(
        self,
        source: int,
        destination: int,
        rules: Rules,
        ledger: Ledger | None,
        tally: Tally,
    ) -> None:
        """Both trees are open; what is removed is counted in the tally of the pass.

        The ledger is one that is only read: there may be no room to open it otherwise.
        """
        self._source, self._destination = source, destination
        self._device = os.fstat(source).st_dev
        self._tally = tally
        self._rules = rules
        # what is not removed is noted by the pass that follows
        self._clearing = Clearing(rules, self._removed, lambda _path, _what: None)
        self._ledger = ledger
        # directories that go whole, by what holds them; and what is known of them: the
        # inode of the holder, and their own by name
        self._trees: list[tuple[str, list[str]]] = []
        self._beliefs: list[tuple[int, dict[str, int]]] = []

    def make(self) -> bool:
        """Remove files, then whole directories, and wait until there is room.

        Returns whether there is room now that something was removed, here or by the
        pass before. Raises OSError where the destination cannot be written to for
        another reason.
        """
        root = os.fstat(self._source).st_ino
        places = [_Place("", root, self._ledger is not None)]
        while places:
            places += self._clear_files(places.pop())
        if self._ledger is not None and self._beliefs:
            self._wait()
            self._take_back(self._ledger)
        for path, names in self._trees:
            self._clear_trees(path, names)
        return self._tally.removed > 0 and self._wait()

    def _clear_files(self, place: _Place) -> list[_Place]:
        """Clear one directory of files; return the directories below it that stay."""
        with ExitStack() as stack:
            both = self._look_into(place, stack)
            return [] if both is None else self._clear(place, *both)

    def _look_into(
        self, place: _Place, stack: ExitStack
    ) -> tuple[dict[str, int | None], int] | None:
        """Return the names of the source and the open directory of the destination.

        With each name goes the inode of a directory, 0 for what is none, and FOREIGN.
        """
        try:
            old = open_directory(self._source, place.path)
            stack.callback(os.close, old)
            with os.scandir(old) as entries:
                now = {entry.name: self._inode(entry) for entry in entries}
        except OSError:
            # unreadable or gone, which is not the same as empty
            return None
        before = os.fstat(old)
        if (before.st_dev, before.st_ino) != (self._device, place.inode):
            # of another file system, or another one has its name now
            return None
        try:
            new = open_directory(self._destination, place.path)
        except OSError as error:
            if error.errno in GONE:
                return None
            raise
        stack.callback(os.close, new)
        return now, new

    def _clear(
        self, place: _Place, now: dict[str, int | None], new: int
    ) -> list[_Place]:
        path, known = place.path, self._known_below(place)
        skipped = self._rules.skipped.get(path, frozenset())
        below, gone = [], []
        for name, is_directory in self._clearing.names(new, skipped).items():
            inode = now.get(name)
            if not is_directory:
                if inode != 0:
                    self._clearing.take_away(new, name, path, is_directory=False)
            elif inode == FOREIGN:
                # another file system is mounted there: what is in it is not ours
                continue
            elif inode and known.get(name, inode) == inode:
                below.append(_Place(f"{path}/{name}", inode, name in known))
            else:
                gone.append(name)
        if gone:
            self._trees.append((path, gone))
        beliefs = {name: known[name] for name in gone if name in known}
        if beliefs:
            self._beliefs.append((place.inode, beliefs))
        return below

    def _inode(self, entry: "os.DirEntry[str]") -> int | None:
        """Return the inode of a directory; None where it has gone.

        Not what its parent says: the two differ where file systems overlap.
        """
        if not entry.is_dir(follow_symlinks=False):
            return 0
        try:
            found = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None
        return found.st_ino if found.st_dev == self._device else FOREIGN

    def _known_below(self, place: _Place) -> dict[str, int]:
        """Return the directories that the ledger takes to be in this one, by name."""
        if self._ledger is None or not place.is_known:
            return {}
        here = self._ledger.find(place.inode)
        if here is None:
            return {}
        return {
            name: inode
            for name, inode in here.directories().items()
            if self._ledger.is_in(inode, place.inode)
        }

    def _take_back(self, ledger: Ledger) -> None:
        """Take back what is known of directories that go, as they may come back."""
        try:
            with closing(ledger.append()) as writer:
                writer.take_back(
                    inode
                    for parent, known in self._beliefs
                    for inode in ledger.below(known.values(), parent)
                )
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            # better nothing is known than something untrue
            ledger.forget()

    def _clear_trees(self, path: str, names: list[str]) -> None:
        folder = open_directory(self._destination, path)
        try:
            for name in names:
                self._clearing.take_away(folder, name, path, is_directory=True)
        finally:
            os.close(folder)

    def _removed(self) -> None:
        self._tally.removed += 1

    def _wait(self) -> bool:
        """Wait until what was removed has become room, by writing a nameless file."""
        end = time.monotonic() + FREED_WITHIN
        while not self._has_room():
            if not self._tally.removed or time.monotonic() > end:
                return False
            time.sleep(_LOOK_EVERY)
        return True

    def _has_room(self) -> bool:
        try:
            probe = os.open(".", _NAMELESS, 0o600, dir_fd=self._destination)
            try:
                os.write(probe, bytes(range(256)) * _ENOUGH)
            finally:
                os.close(probe)
        except OSError as error:
            return error.errno not in NO_ROOM
        return True

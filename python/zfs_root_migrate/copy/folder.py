"""Brings one directory up to date; those below it become tasks of their own."""

import os
from collections.abc import Callable
from contextlib import suppress

from zfs_root_migrate.copy.attributes import make_plain
from zfs_root_migrate.copy.beliefs import Beliefs
from zfs_root_migrate.copy.clearing import Clearing
from zfs_root_migrate.copy.listing import DIRECTORY, DOUBTFUL, Listing, Place
from zfs_root_migrate.copy.names import Names, Visit
from zfs_root_migrate.copy.order import Tally
from zfs_root_migrate.copy.problems import GONE
from zfs_root_migrate.copy.sides import (
    FRESH,
    KNOWN,
    MADE,
    Sides,
    Task,
    open_directory,
)
from zfs_root_migrate.copy.writer import Writer

# names between two looks at the clock
OFTEN = 16


class Folders:
    """Visits directories, one after the other."""

    def __init__(
        self,
        sides: Sides,
        tally: Tally,
        writer: Writer | None,
        names: Names,
        tick: Callable[[], None],
    ) -> None:
        """`tick` is called often; it may raise to stop."""
        self._sides = sides
        self._tally = tally
        self._writer = writer
        self._beliefs = Beliefs(sides, writer)
        self._one = names
        self._tick = tick
        self._clearing = Clearing(sides.rules, self._removed, self._not_removed)
        # f_fsid by device: what a file system is called also after the next mount
        self._systems: dict[int, int] = {}

    def visit(self, task: Task) -> None:
        """Bring a directory up to date."""
        path, inode, parent, known = task
        try:
            old = open_directory(self._sides.source, path)
        except OSError as error:
            self._unreadable(task, error)
            return
        try:
            before = os.fstat(old)
            if before.st_ino != inode and before.st_dev == self._sides.device:
                # another directory has its name now; whoever finds that name takes it
                self._tally.vanished += 1
                self._missed(parent)
                return
            try:
                new = open_directory(self._sides.destination, path)
            except OSError as error:
                if error.errno not in GONE:
                    raise
                # its parent has been taken away: it was moved while we came here
                self._tally.changed_meanwhile += 1
                self._missed(parent)
                return
            try:
                place = self._place(new, path)
                self._visit_both(Visit(path, parent, known, old, new, before, place))
            finally:
                os.close(new)
        finally:
            os.close(old)

    def _missed(self, parent: int) -> None:
        """Have the next pass look at what holds a directory that was not there.

        It may come back with all that is above it, and then nothing tells of it.
        """
        self._one.found.missed.append(parent)

    def _place(self, new: int, path: str) -> Place:
        """Return which directory this is; note each file system, as all are synced."""
        now = os.fstat(new)
        system = self._systems.get(now.st_dev)
        if system is None:
            system = self._systems[now.st_dev] = os.fstatvfs(new).f_fsid
            self._one.found.devices.append((now.st_dev, path))
        return system, now.st_ino

    def _visit_both(self, here: Visit) -> None:
        self._tally.directories += 1
        if here.before.st_dev != self._sides.device:
            # another file system is mounted here: what is in it is not ours
            self._finish(here)
            return
        then = self._beliefs.of(here)
        if then is not None and then.ctime == here.before.st_ctime_ns:
            self._same_names(here, then)
        else:
            self._names(here, then)

    # a directory in which no name has come or gone

    def _same_names(self, here: Visit, then: Listing) -> None:
        changed, below, tally = self._sides.changed, self._sides.descends, self._tally
        stale: list[int] = []
        dir_fd = here.old
        rows = zip(then.names, then.inodes, then.ctimes, then.kinds, strict=True)
        for number, (name, inode, ctime, kind) in enumerate(rows):
            if kind == DIRECTORY:
                if below:
                    self._below(here, name, inode, KNOWN)
                continue
            tally.files += 1
            if changed is None or inode in changed or ctime == DOUBTFUL:
                try:
                    now = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
                except OSError as error:
                    self._one.source_failed(f"{here.path}/{name}", error)
                    stale.append(number)
                    continue
                if now.st_ctime_ns != ctime or now.st_ino != inode:
                    stale.append(number)
                    continue
            tally.unchanged += 1
        if stale:
            self._renew(here, then, stale)

    def _renew(self, here: Visit, then: Listing, stale: list[int]) -> None:
        """Copy some of the names again, and remember them anew."""
        make_plain(here.new)
        for number in stale:
            name = then.names[number]
            done = self._one.bring_again(here, name)
            if done is None:
                then.ctimes[number] = DOUBTFUL
                # its directory must be read again
                then.ctime = DOUBTFUL
            else:
                then.inodes[number], then.ctimes[number], then.kinds[number] = done
        self._finish(here)
        self._remember(here, then)

    # a directory that is read anew

    def _names(self, here: Visit, then: Listing | None) -> None:
        known: dict[str, tuple[int, int, int]] = {}
        if then is not None:
            rows = zip(then.inodes, then.ctimes, then.kinds, strict=True)
            known = dict(zip(then.names, rows, strict=True))
        skipped = self._sides.rules.skipped.get(here.path, ())
        there: dict[str, int] = {}
        if here.known != MADE:
            there = self._clearing.names(here.new, skipped)
            make_plain(here.new)
        now = Listing(
            here.before.st_ino,
            here.parent,
            self._sides.trusted(here.before),
            here.place,
        )
        if here.path in self._sides.rules.leads:
            now.ctime = DOUBTFUL
        try:
            entries = list(os.scandir(here.old))
        except OSError as error:
            task = (here.path, here.before.st_ino, here.parent, here.known)
            self._unreadable(task, error)
            return
        self._beliefs.take_back(here, known, entries, there)
        if there:
            for name in there.keys() - {entry.name for entry in entries}:
                self._clearing.take_away(
                    here.new, name, here.path, is_directory=bool(there[name])
                )
        for number, entry in enumerate(entries):
            if not number % OFTEN:
                self._tick()
            if entry.name not in skipped:
                self._entry(here, entry, known, there, now)
        self._finish(here)
        self._remember(here, now)

    def _entry(
        self,
        here: Visit,
        entry: "os.DirEntry[str]",
        known: dict[str, tuple[int, int, int]],
        there: dict[str, int],
        now: Listing,
    ) -> None:
        if entry.is_dir(follow_symlinks=False):
            self._directory(here, entry, known, there, now)
            return
        name = entry.name
        self._tally.files += 1
        is_there = name in there
        if is_there:
            was = known.get(name)
            if there[name]:
                self._clearing.take_away(here.new, name, here.path, is_directory=True)
                is_there = False
            elif was is not None and self._is_as_it_was(here, name, was):
                self._tally.unchanged += 1
                now.add(name, *was)
                return
        is_file = entry.is_file(follow_symlinks=False)
        done = self._one.bring(here, name, is_there=is_there, is_file=is_file)
        if done is None:
            now.ctime = DOUBTFUL
        else:
            now.add(name, done[0], done[1], done[2])

    def _is_as_it_was(self, here: Visit, name: str, was: tuple[int, int, int]) -> bool:
        with suppress(OSError):
            stat_now = os.stat(name, dir_fd=here.old, follow_symlinks=False)
            return (stat_now.st_ino, stat_now.st_ctime_ns) == was[:2]
        return False

    def _directory(
        self,
        here: Visit,
        entry: "os.DirEntry[str]",
        known: dict[str, tuple[int, int, int]],
        at_destination: dict[str, int],
        now: Listing,
    ) -> None:
        """See that a directory is there; what is in it is looked at later."""
        name = entry.name
        there = at_destination.get(name)
        # not what the directory says: the two differ where file systems overlap
        inode = self._inode(here, entry)
        if not inode or not self._make_directory(here, name, there):
            return
        now.add(name, inode, 1, DIRECTORY)
        how = FRESH if there else MADE
        if there and self._beliefs.is_known(here, inode, known.get(name)):
            how = KNOWN
        else:
            self._beliefs.take_back_one(inode)
        if how != KNOWN or self._beliefs.must_visit(here, inode, there or 0):
            self._below(here, name, inode, how)

    def _inode(self, here: Visit, entry: "os.DirEntry[str]") -> int:
        try:
            return entry.stat(follow_symlinks=False).st_ino
        except OSError as error:
            self._one.source_failed(f"{here.path}/{entry.name}", error)
            return 0

    def _make_directory(self, here: Visit, name: str, there: int | None) -> bool:
        """See that the directory is there at the destination."""
        if there:
            return True
        if there is not None:
            self._clearing.take_away(here.new, name, here.path, is_directory=False)
        os.mkdir(name, 0o700, dir_fd=here.new)
        return True

    def _below(self, here: Visit, name: str, inode: int, known: int) -> None:
        task = (f"{here.path}/{name}", inode, here.before.st_ino, known)
        self._one.found.tasks.append(task)

    # the directory itself

    def _finish(self, here: Visit) -> None:
        """Give the directory its own owner, mode, attributes, times and flags."""
        self._one.entries.finish(
            *(here.old, here.new, here.before, self._one.lost(here.path)),
            made=here.known == MADE,
        )

    def _remember(self, here: Visit, now: Listing) -> None:
        if self._writer is not None:
            self._writer.write(now.encode())

    def _removed(self) -> None:
        self._tally.removed += 1
        self._tick()

    def _not_removed(self, path: str, what: str) -> None:
        self._one.found.problems.append((path, what, False))

    def _unreadable(self, task: Task, error: OSError) -> None:
        """Note a directory that could not be read, and have the next pass try again."""
        path, inode, parent, _ = task
        self._one.source_failed(path, error)
        if error.errno in GONE:
            self._missed(parent)
        elif self._writer is not None:
            listing = Listing(inode, parent, DOUBTFUL)
            self._writer.write(listing.encode())

"""Brings one directory up to date; those below it become tasks of their own."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from zfs_root_migrate.copy.attributes import make_plain
from zfs_root_migrate.copy.clearing import Clearing, Rules
from zfs_root_migrate.copy.entry import Entries, remove
from zfs_root_migrate.copy.ledger import DOUBTFUL, Ledger, Listing, Writer, void
from zfs_root_migrate.copy.order import Tally
from zfs_root_migrate.copy.problems import FATAL, GONE, ChangedError, SourceError
from zfs_root_migrate.syscalls import open_below

_DIRECTORY = stat.S_IFDIR >> 12
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# what the kernel takes in one call (PATH_MAX)
_LONG = 3000

# how much is known of a directory at the destination
MADE = 0  # it was made just now and is empty
FRESH = 1  # it may hold anything
KNOWN = 2  # it is as the ledger says

# path, inode, the parent's inode, how much is known
Task = tuple[str, int, int, int]
# inode, how many names it has, device of the destination, directory, name
Link = tuple[int, int, int, str, str]


@dataclass(slots=True)
class Sides:
    """The two trees, and what is common to all their directories.

    Files with a change time from `barrier` (Unix time in ns) on may have been written
    to after they were read, without their change time moving again.
    """

    source: int
    destination: int
    device: int
    barrier: int
    rules: Rules
    ledger: Ledger | None
    # inodes that are looked at in a directory whose own names have not changed; None:
    # all of them
    changed: set[int] | None
    descends: bool


@dataclass(slots=True)
class Found:
    """What visits have come upon, to be handed on."""

    tasks: list[Task] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    # path and what about it; True for an error
    problems: list[tuple[str, str, bool]] = field(default_factory=list)
    # directory and name of what was copied, where that is to be verified
    copied: list[tuple[str, str]] = field(default_factory=list)
    # file systems of the destination, and a directory on each
    devices: list[tuple[int, str]] = field(default_factory=list)


def open_directory(top: int, path: str) -> int:
    """Open a directory below a top, following no link at its end."""
    if len(path) > _LONG:
        return open_below(top, os.fsencode(path))
    if not path:
        return os.open(".", _OPEN, dir_fd=top)
    try:
        return os.open(path[1:], _OPEN | os.O_NOATIME, dir_fd=top)
    except PermissionError:
        return os.open(path[1:], _OPEN, dir_fd=top)


class Folders:
    """Visits directories, one after the other."""

    def __init__(
        self, sides: Sides, tally: Tally, writer: Writer | None, tick: Callable[[], None]
    ) -> None:
        """`tick` is called often; it may raise to stop."""
        self._sides = sides
        self._tally = tally
        self._writer = writer
        self._tick = tick
        self._entries = Entries(self._wrote)
        self._clearing = Clearing(sides.rules, self._removed, self._not_removed)
        self._devices: set[int] = set()
        self.remembers_copies = False
        self.found = Found()

    @property
    def entries(self) -> Entries:
        """What copies single files."""
        return self._entries

    @property
    def sides(self) -> Sides:
        """The two trees."""
        return self._sides

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
                return
            with self._destination(path) as new:
                if new is not None:
                    self._visit_both(_Visit(self, path, parent, known, old, new, before))
        finally:
            os.close(old)

    @contextmanager
    def _destination(self, path: str) -> Iterator[int | None]:
        try:
            new = open_directory(self._sides.destination, path)
        except OSError as error:
            if error.errno not in GONE:
                raise
            # its parent has been taken away: it was moved while we came here
            self._tally.changed_meanwhile += 1
            yield None
            return
        try:
            device = os.fstat(new).st_dev
            if device not in self._devices:
                self._devices.add(device)
                self.found.devices.append((device, path))
            yield new
        finally:
            os.close(new)

    def _visit_both(self, here: "_Visit") -> None:
        self._tally.directories += 1
        if here.before.st_dev != self._sides.device:
            # another file system is mounted here: what is in it is not ours
            self._finish(here)
            return
        ledger = self._sides.ledger
        then = None
        if ledger is not None and here.known == KNOWN:
            then = ledger.find(here.before.st_ino)
        if then is not None and then.ctime == here.before.st_ctime_ns:
            self._same_names(here, then)
        else:
            self._names(here, then)

    # a directory in which no name has come or gone

    def _same_names(self, here: "_Visit", then: Listing) -> None:
        changed, below, tally = self._sides.changed, self._sides.descends, self._tally
        stale: list[int] = []
        dir_fd = here.old
        rows = zip(then.names, then.inodes, then.ctimes, then.kinds, strict=True)
        for number, (name, inode, ctime, kind) in enumerate(rows):
            if kind == _DIRECTORY:
                if below:
                    self._below(here, name, inode, KNOWN)
                continue
            tally.files += 1
            if changed is None or inode in changed or ctime == DOUBTFUL:
                try:
                    now = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
                except OSError as error:
                    self._source_failed(f"{here.path}/{name}", error)
                    stale.append(number)
                    continue
                if now.st_ctime_ns != ctime or now.st_ino != inode:
                    stale.append(number)
                    continue
            tally.unchanged += 1
        if stale:
            self._renew(here, then, stale)

    def _renew(self, here: "_Visit", then: Listing, stale: list[int]) -> None:
        """Copy some of the names again, and remember them anew."""
        make_plain(here.new)
        for number in stale:
            name = then.names[number]
            done = self._bring(here, name, is_there=True)
            if done is None:
                then.ctimes[number] = DOUBTFUL
                # its directory must be read again
                then.ctime = DOUBTFUL
            else:
                then.inodes[number], then.ctimes[number], then.kinds[number] = done
        self._finish(here)
        self._remember(here, then)

    # a directory that is read anew

    def _names(self, here: "_Visit", then: Listing | None) -> None:
        known: dict[str, tuple[int, int]] = {}
        if then is not None:
            known = dict(
                zip(then.names, zip(then.inodes, then.ctimes, strict=True), strict=True)
            )
        skipped = self._sides.rules.skipped.get(here.path, ())
        there: dict[str, bool] = {}
        if here.known != MADE:
            there = self._clearing.names(here.new, skipped)
            make_plain(here.new)
        now = Listing(here.before.st_ino, here.parent, self.trusted(here.before))
        if here.path in self._sides.rules.leads:
            now.ctime = DOUBTFUL
        try:
            entries = list(os.scandir(here.old))
        except OSError as error:
            task = (here.path, here.before.st_ino, here.parent, here.known)
            self._unreadable(task, error)
            return
        for name in there.keys() - {entry.name for entry in entries}:
            self._clearing.take_away(here.new, name, here.path, is_directory=there[name])
        for entry in entries:
            if entry.name not in skipped:
                self._entry(here, entry, known, there, now)
        self._finish(here)
        self._remember(here, now)

    def _entry(
        self,
        here: "_Visit",
        entry: "os.DirEntry[str]",
        known: dict[str, tuple[int, int]],
        there: dict[str, bool],
        now: Listing,
    ) -> None:
        name, was = entry.name, known.get(entry.name)
        is_there = name in there
        if entry.is_dir(follow_symlinks=False):
            inode = entry.inode()
            if self._make_directory(here, name, there.get(name)):
                is_known = was is not None and was[0] == inode and is_there
                how = KNOWN if is_known else FRESH if is_there else MADE
                now.add(name, inode, 1, _DIRECTORY)
                if how != KNOWN or self._sides.descends:
                    self._below(here, name, inode, how)
            return
        self._tally.files += 1
        if was is not None and is_there and not there[name]:
            with suppress(OSError):
                stat_now = os.stat(name, dir_fd=here.old, follow_symlinks=False)
                if (stat_now.st_ino, stat_now.st_ctime_ns) == was:
                    self._tally.unchanged += 1
                    now.add(name, *was, stat_now.st_mode >> 12)
                    return
        if there.get(name):
            self._clearing.take_away(here.new, name, here.path, is_directory=True)
            is_there = False
        done = self._bring(here, name, is_there=is_there, entry=entry)
        if done is None:
            now.ctime = DOUBTFUL
        else:
            now.add(name, *done)

    def _make_directory(self, here: "_Visit", name: str, there: bool | None) -> bool:
        """See that the directory is there at the destination."""
        if there:
            return True
        if there is False:
            self._clearing.take_away(here.new, name, here.path, is_directory=False)
        os.mkdir(name, 0o700, dir_fd=here.new)
        return True

    def _below(self, here: "_Visit", name: str, inode: int, known: int) -> None:
        ledger = self._sides.ledger
        if known != KNOWN and ledger is not None and inode in ledger and self._writer:
            # what was said of it holds for the place that it had before: should this
            # pass not come to it, the next one must not believe that
            self._writer.write(void(inode))
        task = (f"{here.path}/{name}", inode, here.before.st_ino, known)
        self.found.tasks.append(task)

    # single names

    def _bring(
        self,
        here: "_Visit",
        name: str,
        *,
        is_there: bool,
        entry: "os.DirEntry[str] | None" = None,
    ) -> tuple[int, int, int] | None:
        """Copy a name; return inode, change time and kind, or None where it is gone."""
        self._tick()
        path = f"{here.path}/{name}"

        try:
            if entry is not None:
                is_file = entry.is_file(follow_symlinks=False)
            else:
                mode = os.stat(name, dir_fd=here.old, follow_symlinks=False).st_mode
                is_file = stat.S_ISREG(mode)
            bring = self._regular if is_file else self._other
            before = bring(here, name, self.lost(path), is_there=is_there)
        except ChangedError:
            self.changed()
            return None
        except (SourceError, OSError) as failure:
            self.not_brought(path, failure)
            return None
        kind = before.st_mode >> 12
        if before.st_nlink > 1:
            # its names are made together, when all are known
            where = (os.fstat(here.new).st_dev, here.path, name)
            self.found.links.append((before.st_ino, before.st_nlink, *where))
            return before.st_ino, DOUBTFUL, kind
        self.copied(here.path, name, is_file=is_file)
        return before.st_ino, self.trusted(before), kind

    def copied(self, path: str, name: str, *, is_file: bool) -> None:
        """Count a name that was made, and keep it where it is to be verified."""
        self._tally.copied += 1
        if self.remembers_copies and is_file:
            self.found.copied.append((path, name))

    def not_brought(self, path: str, failure: OSError | SourceError) -> None:
        """Note a name that was not made, unless that is normal."""
        error = failure.error if isinstance(failure, SourceError) else failure
        if error.errno in GONE:
            self._tally.vanished += 1
        elif error.errno in FATAL and failure is error:
            raise error
        else:
            side = "" if failure is error else "reading: "
            self.found.problems.append((path, f"{side}{error.strerror}", True))

    def changed(self) -> None:
        """Count a name that is something else now than it was a moment ago."""
        self._tally.changed_meanwhile += 1

    def _regular(
        self, here: "_Visit", name: str, lost: Callable[[str], None], *, is_there: bool
    ) -> os.stat_result:
        old, before = self._entries.open(here.old, name)
        try:
            if before.st_nlink == 1:
                if is_there:
                    remove(here.new, name)
                self._entries.regular(old, before, here.new, name, lost)
        finally:
            os.close(old)
        return before

    def _other(
        self, here: "_Visit", name: str, lost: Callable[[str], None], *, is_there: bool
    ) -> os.stat_result:
        before = os.stat(name, dir_fd=here.old, follow_symlinks=False)
        if before.st_nlink > 1 and not stat.S_ISDIR(before.st_mode):
            return before
        if is_there:
            remove(here.new, name)
        return self._entries.other(here.old, here.new, name, lost)

    # the directory itself

    def _finish(self, here: "_Visit") -> None:
        """Give the directory its own owner, mode, attributes, times and flags."""
        finish(
            self._entries,
            *(here.old, here.new, here.before, self.lost(here.path)),
            made=here.known == MADE,
        )

    def lost(self, path: str) -> Callable[[str], None]:
        """Return what notes that something of a path could not be kept."""

        def not_kept(what: str) -> None:
            self.found.problems.append((path or "/", what, False))

        return not_kept

    def _remember(self, here: "_Visit", now: Listing) -> None:
        if self._writer is not None:
            self._writer.write(now.encode())

    def trusted(self, before: os.stat_result) -> int:
        """Return the change time, or 0 where it may not move with the next write."""
        ctime = before.st_ctime_ns
        return ctime if ctime < self._sides.barrier else DOUBTFUL

    def _wrote(self, count: int) -> None:
        self._tally.bytes += count
        self._tick()

    def _removed(self) -> None:
        self._tally.removed += 1
        self._tick()

    def _not_removed(self, path: str, what: str) -> None:
        self.found.problems.append((path, what, False))

    def _unreadable(self, task: Task, error: OSError) -> None:
        """Note a directory that could not be read, and have the next pass try again."""
        path, inode, parent, _ = task
        self._source_failed(path, error)
        if error.errno not in GONE and self._writer is not None:
            self._writer.write(Listing(inode, parent, DOUBTFUL).encode())

    def _source_failed(self, path: str, error: OSError) -> None:
        if error.errno in GONE:
            self._tally.vanished += 1
        else:
            self.found.problems.append((path or "/", str(error.strerror), True))


@dataclass(slots=True)
class _Visit:
    """One directory, open on both sides."""

    owner: Folders
    path: str
    parent: int
    known: int
    old: int
    new: int
    before: os.stat_result


def finish(
    entries: Entries,
    old: int,
    new: int,
    before: os.stat_result,
    lost: Callable[[str], None],
    *,
    made: bool,
) -> None:
    """Give a directory whose content is complete all that it has besides."""
    entries.attributes.carry(old, new, before, lost, made=made)
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    entries.attributes.carry_flags(old, new, lost)



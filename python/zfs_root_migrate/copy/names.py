"""Brings single names of a directory over."""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass

from zfs_root_migrate.copy.entry import Entries, remove
from zfs_root_migrate.copy.listing import DOUBTFUL
from zfs_root_migrate.copy.order import Tally
from zfs_root_migrate.copy.problems import FATAL, GONE, ChangedError, SourceError
from zfs_root_migrate.copy.sides import Found, Sides


@dataclass(slots=True)
class Visit:
    """One directory, open on both sides; `known` is how much is known of it."""

    path: str
    parent: int
    known: int
    old: int
    new: int
    before: os.stat_result


class Names:
    """Copies names, and notes what came of each."""

    def __init__(self, sides: Sides, tally: Tally, tick: Callable[[], None]) -> None:
        """`tick` is called often; it may raise to stop."""
        self._sides = sides
        self._tally = tally
        self._tick = tick
        self.entries = Entries(self._wrote)
        self.remembers_copies = False
        self.found = Found()

    def bring(
        self,
        here: Visit,
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
        return before.st_ino, self._sides.trusted(before), kind

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
        self, here: Visit, name: str, lost: Callable[[str], None], *, is_there: bool
    ) -> os.stat_result:
        old, before = self.entries.open(here.old, name)
        try:
            if before.st_nlink == 1:
                make = self.entries.replace if is_there else self.entries.regular
                make(old, before, here.new, name, lost)
                self.entries.give_flags(old, here.new, name, lost)
        finally:
            os.close(old)
        return before

    def _other(
        self, here: Visit, name: str, lost: Callable[[str], None], *, is_there: bool
    ) -> os.stat_result:
        before = os.stat(name, dir_fd=here.old, follow_symlinks=False)
        if before.st_nlink > 1 and not stat.S_ISDIR(before.st_mode):
            return before
        if is_there:
            remove(here.new, name)
        return self.entries.other(here.old, here.new, name, lost)

    def lost(self, path: str) -> Callable[[str], None]:
        """Return what notes that something of a path could not be kept."""

        def not_kept(what: str) -> None:
            self.found.problems.append((path or "/", what, False))

        return not_kept

    def source_failed(self, path: str, error: OSError) -> None:
        """Note what could not be read; what is gone is normal."""
        self.not_brought(path or "/", SourceError(error))

    def _wrote(self, count: int) -> None:
        self._tally.bytes += count
        self._tick()

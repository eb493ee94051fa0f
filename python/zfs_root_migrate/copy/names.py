"""Brings single names of a directory over."""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass

from zfs_root_migrate.copy.entry import SMALL, Entries, remove
from zfs_root_migrate.copy.listing import DOUBTFUL, Place
from zfs_root_migrate.copy.order import Tally
from zfs_root_migrate.copy.problems import FATAL, GONE, ChangedError, SourceError
from zfs_root_migrate.copy.sides import Found, Sides


@dataclass(slots=True)
class Visit:
    """One directory, open on both sides; `known` is how much is known of it.

    `before` is what it was like at the source, `place` which one it is at the
    destination.
    """

    path: str
    parent: int
    known: int
    old: int
    new: int
    before: os.stat_result
    place: Place


class Names:
    """Copies names, and notes what came of each."""

    def __init__(self, sides: Sides, tally: Tally, tick: Callable[[], None]) -> None:
        """`tick` is called often; it may raise to stop."""
        self._sides = sides
        self._tally = tally
        self._tick = tick
        self.entries = Entries(self._wrote, sides.settled)
        self.remembers_copies = False
        self.found = Found()
        # the name that is being copied, for what cannot be kept of it
        self._at: tuple[Visit, str] | None = None
        self._lost = self._not_kept

    def bring(
        self, here: Visit, name: str, *, is_there: bool, is_file: bool
    ) -> tuple[int, int, int] | None:
        """Copy a name; return inode, change time and kind, or None where it is gone."""
        self._at = (here, name)
        try:
            if is_file:
                entries = self.entries
                before, ctime = entries.file(
                    here.old, here.new, name, self._lost, is_there=is_there
                )
            else:
                before = self._other(here, name, is_there=is_there)
                ctime = self._sides.trusted(before)
        except ChangedError:
            self.changed()
            return None
        except (SourceError, OSError) as failure:
            self.not_brought(f"{here.path}/{name}", failure)
            return None
        inode, kind = before.st_ino, before.st_mode >> 12
        if before.st_nlink > 1:
            # its names are made together, when all are known
            where = (os.fstat(here.new).st_dev, here.path, name)
            self.found.links.append((inode, before.st_nlink, *where))
            return inode, DOUBTFUL, kind
        self.copied(here.path, name, is_file=is_file)
        return inode, ctime, kind

    def bring_again(self, here: Visit, name: str) -> tuple[int, int, int] | None:
        """The same for a name that was copied before, of whatever kind it is now."""
        try:
            mode = os.stat(name, dir_fd=here.old, follow_symlinks=False).st_mode
        except OSError as error:
            self.source_failed(f"{here.path}/{name}", error)
            return None
        self._tick()
        return self.bring(here, name, is_there=True, is_file=stat.S_ISREG(mode))

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

    def _other(self, here: Visit, name: str, *, is_there: bool) -> os.stat_result:
        before = os.stat(name, dir_fd=here.old, follow_symlinks=False)
        if before.st_nlink > 1 and not stat.S_ISDIR(before.st_mode):
            return before
        if is_there:
            remove(here.new, name)
        return self.entries.other(here.old, here.new, name, self._lost)

    def _not_kept(self, what: str) -> None:
        assert self._at is not None
        here, name = self._at
        self.lost(f"{here.path}/{name}")(what)

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
        if count > SMALL:
            # a small file comes to a tick of its own soon enough
            self._tick()

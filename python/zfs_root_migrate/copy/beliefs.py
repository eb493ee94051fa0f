"""What is believed of directories because the ledger says it, and when it no longer is.

What a record says is of one directory of the destination. It is believed where that is
the one which stands there, and where the directory above is believed to hold it. It is
taken back before the destination is changed, or before a later record would have it
believed of something else.
"""

import os
from contextlib import suppress

from zfs_root_migrate.copy.listing import DIRECTORY, Listing, void
from zfs_root_migrate.copy.names import Visit
from zfs_root_migrate.copy.sides import FRESH, KNOWN, Sides
from zfs_root_migrate.copy.writer import Writer

# inode, change time and kind
Row = tuple[int, int, int]


class Beliefs:
    """Tells what is believed, for one worker."""

    def __init__(self, sides: Sides, writer: Writer | None) -> None:
        """Without a ledger there is no writer, and nothing is believed."""
        self._ledger = sides.ledger
        self._descends = sides.descends
        self._writer = writer

    def of(self, here: Visit) -> Listing | None:
        """Return what is known of a directory; it is FRESH from now on if nothing."""
        if self._ledger is None or here.known != KNOWN:
            return None
        inode = here.before.st_ino
        if self._ledger.is_at(inode, here.parent, here.place):
            return self._ledger.find(inode)
        # it was copied, but not to here
        here.known = FRESH
        return None

    def is_known(self, here: Visit, inode: int, was: Row | None) -> bool:
        """Tell whether a directory was in this one when it was copied."""
        return (
            self._ledger is not None
            # its number may have been a file's before
            and was is not None
            and (was[0], was[2]) == (inode, DIRECTORY)
            and self._ledger.is_in(inode, here.before.st_ino)
        )

    def must_visit(self, here: Visit, inode: int, there: int) -> bool:
        """Tell whether to look at one that is known, or if it was copied to here.

        `there` is what the destination says is its inode.
        """
        if self._ledger is None or self._descends:
            return True
        # where another file system is mounted the visit finds out
        return not self._ledger.is_at(inode, here.before.st_ino, (here.place[0], there))

    def take_back_one(self, inode: int) -> None:
        """Take back what is said of a directory that was copied to another place.

        This is written before the record of the one that it is in now. Should the pass
        not come to it, the next one must not believe that it is here as it was there.
        """
        if self._writer and self._ledger is not None and inode in self._ledger:
            self._writer.write(void(inode))

    def take_back(
        self,
        here: Visit,
        known: dict[str, Row],
        entries: "list[os.DirEntry[str]]",
        there: dict[str, int],
    ) -> None:
        """Take back what is said of directories that do not stay where they are."""
        if self._ledger is None or self._writer is None:
            return
        gone = {name: was[0] for name, was in known.items() if was[2] == DIRECTORY}
        for entry in entries if gone else ():
            name = entry.name
            if name in gone and there.get(name) and gone[name] == _inode_now(entry):
                del gone[name]
        below = self._ledger.below(gone.values(), here.before.st_ino)
        self._writer.take_back(below)


def _inode_now(entry: "os.DirEntry[str]") -> int:
    """Return a directory's own inode; 0 where it is none, or gone."""
    with suppress(OSError):
        if entry.is_dir(follow_symlinks=False):
            return entry.stat(follow_symlinks=False).st_ino
    return 0

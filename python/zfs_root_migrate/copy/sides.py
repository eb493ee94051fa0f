"""Both trees of a pass, what is known of them, and what visits come upon."""

import os
from dataclasses import dataclass, field

from zfs_root_migrate.copy.clearing import Rules
from zfs_root_migrate.copy.ledger import Ledger
from zfs_root_migrate.copy.listing import DOUBTFUL
from zfs_root_migrate.syscalls import may_be_written, open_below

# how much is known of a directory at the destination
MADE = 0  # it was made just now and is empty
FRESH = 1  # it may hold anything
KNOWN = 2  # it is as the ledger says

# ns; a call of write(2) that goes on for longer is one of 2 GiB, the most there is, at
# less than 4 MB/s
LONGEST_WRITE = 600 * 10**9

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

    def trusted(self, before: os.stat_result) -> int:
        """Return the change time, or 0 where it may not move with the next write."""
        ctime = before.st_ctime_ns
        return ctime if ctime < self.barrier else DOUBTFUL

    def settled(
        self, file: int, before: os.stat_result
    ) -> tuple[os.stat_result, int]:
        """Return the same for an open file that is about to be read, and its stat.

        write(2) sets the change time when it begins, and puts the data there after
        that, for as long as it takes: a file that was changed a while ago and that
        somebody has open for writing is as doubtful as one that is changed now.
        """
        ctime = before.st_ctime_ns
        if ctime < self.barrier - LONGEST_WRITE:
            return before, ctime
        if ctime >= self.barrier or may_be_written(file):
            return before, DOUBTFUL
        # who wrote may have gone since it was looked at, and no write sets this back
        now = os.fstat(file)
        return now, self.trusted(now)


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
    # inodes of directories below which something was not there when it was looked for
    missed: list[int] = field(default_factory=list)


def open_directory(top: int, path: str) -> int:
    """Open a directory below a top, following no link at its end or on the way."""
    name = os.fsencode(path)
    try:
        return open_below(top, name, os.O_NOATIME)
    except PermissionError:
        # not ours: then its access time changes
        return open_below(top, name)

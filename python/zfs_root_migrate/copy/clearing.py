"""Takes away what the source does not have, and nothing else."""

import errno
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from zfs_root_migrate.copy.attributes import make_plain
from zfs_root_migrate.copy.entry import remove

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is left alone: names by directory, and the directories that lead there.

    Something else writes to those, so every pass puts their times right.
    """

    skipped: Mapping[str, frozenset[str]]
    leads: frozenset[str]


def make_rules(exclude: tuple[str, ...]) -> Rules:
    """Return the rules for paths with a leading slash.

    >>> sorted(make_rules(("/etc/zfs/zpool.cache",)).leads)
    ['', '/etc', '/etc/zfs']
    """
    skipped: dict[str, set[str]] = {}
    leads = set()
    for path in exclude:
        parent, _, name = path.rpartition("/")
        skipped.setdefault(parent, set()).add(name)
        leads |= {parent, ""}
        while parent:
            parent = parent.rpartition("/")[0]
            leads.add(parent)
    return Rules(
        skipped={parent: frozenset(names) for parent, names in skipped.items()},
        leads=frozenset(leads),
    )


class Clearing:
    """Removes files and whole trees at the destination."""

    def __init__(
        self,
        rules: Rules,
        removed: Callable[[], None],
        not_removed: Callable[[str, str], None],
    ) -> None:
        """`removed` is told of every name, `not_removed` of path and reason."""
        self._rules = rules
        self._removed = removed
        self._not_removed = not_removed

    def names(self, folder: int, skipped: Collection[str]) -> dict[str, int]:
        """Return what is there, but for what is left alone.

        With each name goes the inode of a directory, 0 for what is none. Where another
        file system is mounted it is that of the directory below the mount.
        """
        with os.scandir(folder) as entries:
            return {
                entry.name: entry.is_dir(follow_symlinks=False) and entry.inode()
                for entry in entries
                if entry.name not in skipped
            }

    def take_away(
        self, folder: int, name: str, path: str, *, is_directory: bool
    ) -> None:
        """Take away a name that the source has not, with all that is below it."""
        make_plain(folder)
        if not is_directory:
            remove(folder, name)
            self._removed()
            return
        self._take_tree(folder, name, f"{path}/{name}")

    def _take_tree(self, folder: int, name: str, path: str) -> None:
        """Remove a directory; one descriptor at a time, however deep it is."""
        device = os.fstat(folder).st_dev
        here = os.open(name, _OPEN, dir_fd=folder)
        # what stays at each depth: places of others, and what leads to them
        stays: list[set[str]] = [set()]
        names, paths = [name], [path]
        try:
            while names:
                if os.fstat(here).st_dev != device:
                    below = None
                    stays[-1].add("")
                else:
                    below = self._empty(here, paths[-1], stays[-1])
                if below is not None:
                    deeper = os.open(below, _OPEN, dir_fd=here)
                    os.close(here)
                    here = deeper
                    names.append(below)
                    paths.append(f"{paths[-1]}/{below}")
                    stays.append(set())
                    continue
                above = os.open("..", _OPEN, dir_fd=here) if len(names) > 1 else folder
                os.close(here)
                here = above
                self._remove_directory(here, names.pop(), paths.pop(), stays)
        finally:
            if here != folder:
                os.close(here)

    def _empty(self, here: int, path: str, stays: set[str]) -> str | None:
        """Remove the files of a directory; return one below it that is to go first."""
        make_plain(here)
        skipped = self._rules.skipped.get(path, frozenset())
        with os.scandir(here) as entries:
            for entry in entries:
                if entry.name in skipped:
                    stays.add(entry.name)
                elif entry.is_dir(follow_symlinks=False):
                    if entry.name not in stays:
                        return entry.name
                else:
                    remove(here, entry.name)
                    self._removed()
        return None

    def _remove_directory(
        self, folder: int, name: str, path: str, stays: list[set[str]]
    ) -> None:
        if stays.pop():
            if stays:
                stays[-1].add(name)
            return
        try:
            os.rmdir(name, dir_fd=folder)
        except OSError as error:
            if error.errno not in (errno.EBUSY, errno.ENOTEMPTY):
                raise
            self._not_removed(path, f"it was not removed: {error.strerror}")
            if stays:
                stays[-1].add(name)
        else:
            self._removed()

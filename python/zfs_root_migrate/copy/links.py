"""Hard links: each file is copied once, and its other names are made from that."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from zfs_root_migrate.copy.attributes import make_plain
from zfs_root_migrate.copy.entry import remove
from zfs_root_migrate.copy.ledger import Ledger
from zfs_root_migrate.copy.listing import DOUBTFUL
from zfs_root_migrate.copy.names import Names
from zfs_root_migrate.copy.problems import GONE, ChangedError, SourceError
from zfs_root_migrate.copy.sides import Link, Sides, open_directory

T = TypeVar("T")
# inode, and for each name its directory and itself
Group = tuple[int, list[tuple[str, str]]]
# what a group came to: inode, its change time or 0, names
Made = tuple[int, int, list[tuple[str, str]]]


def gather(
    links: Iterable[Link], *, split: bool, refuse: Callable[[str, str], None]
) -> list[Group]:
    """Put the names of each file together, by file system of the destination.

    A link cannot lead from one file system to another (EXDEV). Where the names of a
    file would, `refuse` is told of each, and none is made; with `split` each side
    becomes a file of its own, and `refuse` is told all the same.
    """
    # there can be millions, so most have no more than their list of names
    groups: dict[tuple[int, int], list[tuple[str, str]]] = {}
    first: dict[int, int] = {}
    torn: dict[int, dict[int, None]] = {}
    for inode, _, device, path, name in links:
        groups.setdefault((inode, device), []).append((path, name))
        if first.setdefault(inode, device) != device:
            torn.setdefault(inode, {first[inode]: None})[device] = None
    for inode, devices in torn.items():
        every = sum(len(groups[inode, device]) for device in devices)
        for device in devices:
            names = groups[inode, device]
            others = every - len(names)
            for path, name in names:
                refuse(f"{path}/{name}", f"hard link to {others} names elsewhere")
            if not split:
                del groups[inode, device]
    return [(inode, sorted(set(names))) for (inode, _), names in groups.items()]


def drain(items: list[T]) -> Iterator[T]:
    """Give out what is in a list, which gets shorter: there can be millions."""
    items.reverse()
    while items:
        yield items.pop()


def find_others(
    links: Iterable[Link], ledger: Ledger, device_of: Callable[[str], int | None]
) -> list[Link]:
    """Return names of the same files that have not come up, from the ledger.

    A directory that was moved brings the names in it up, and not those elsewhere.
    `device_of` tells on which file system of the destination a directory is. One that
    is not there has gone since the ledger was written: it is not another file system.
    """
    seen: dict[int, set[tuple[str, str]]] = {}
    count = {}
    for inode, names, _, path, name in links:
        seen.setdefault(inode, set()).add((path, name))
        count[inode] = names
    lacking = {inode for inode, names in seen.items() if len(names) < count[inode]}
    found: list[Link] = []
    for holder in ledger.held_by(lacking, with_doubtful=False) if lacking else ():
        here, where = ledger.find(holder), ledger.path_of(holder)
        if here is None or where is None:
            continue
        device = device_of(where)
        if device is None:
            continue
        for name, inode in zip(here.names, here.inodes, strict=True):
            if inode in lacking and (where, name) not in seen[inode]:
                found.append((inode, count[inode], device, where, name))
    return found


class Linker:
    """Makes groups of names, in directories that are there already."""

    def __init__(self, sides: Sides, names: Names) -> None:
        """Share what copies single files."""
        self._one = names
        self._sides = sides

    def make(self, group: Group) -> Made:
        """Copy a file once and give it all its names.

        The change time counts only where all names were made, and are as many: a
        directory that was met at two places has its names in the group twice, and in
        place of one of them another may be missing that nobody has looked for.
        """
        inode, names = group
        ctime, first = 0, ""
        here = -1
        done: list[tuple[str, str]] = []
        places: set[tuple[int, str]] = set()
        try:
            for path, name in names:
                try:
                    if not first:
                        ctime, here, holder = self._copy(inode, path, name)
                        first = name
                    else:
                        holder = self._link(inode, here, first, path, name)
                except ChangedError:
                    self._one.changed()
                except (SourceError, OSError) as failure:
                    self._one.not_brought(f"{path}/{name}", failure)
                else:
                    done.append((path, name))
                    places.add((holder, name))
            if done:
                self._give_flags(inode, here, first, *done[0])
        finally:
            if here >= 0:
                os.close(here)
        return inode, ctime if len(places) == len(names) else DOUBTFUL, done

    def _give_flags(
        self, inode: int, new: int, made: str, path: str, name: str
    ) -> None:
        """Set what chattr(1) has set, now that all names are there."""
        try:
            old = open_directory(self._sides.source, path)
            try:
                file, before, _ = self._one.entries.open(old, name)
            finally:
                os.close(old)
        except (SourceError, ChangedError, OSError):
            # a device, or gone since: its change time says so to the next pass
            return
        try:
            if before.st_ino == inode:
                lost = self._one.lost(f"{path}/{name}")
                self._one.entries.give_flags(file, new, made, lost)
        finally:
            os.close(file)

    def _copy(self, inode: int, path: str, name: str) -> tuple[int, int, int]:
        """Copy the first name.

        Returns change time, its open directory, and the inode of the source's.
        """
        old = open_directory(self._sides.source, path)
        try:
            holder = os.fstat(old).st_ino
            new = open_directory(self._sides.destination, path)
            try:
                make_plain(new)
                before, ctime = self._first(inode, old, new, path, name)
            except BaseException:
                os.close(new)
                raise
        finally:
            os.close(old)
        self._one.copied(path, name, is_file=stat.S_ISREG(before.st_mode))
        return ctime, new, holder

    def _first(
        self, inode: int, old: int, new: int, path: str, name: str
    ) -> tuple[os.stat_result, int]:
        """Copy one name, which must still be of the same file.

        Returns what was copied, and its change time as far as that counts.
        """
        entries, lost = self._one.entries, self._one.lost(f"{path}/{name}")
        now = _same(inode, os.stat(name, dir_fd=old, follow_symlinks=False))
        if not stat.S_ISREG(now.st_mode):
            remove(new, name)
            made = entries.other(old, new, name, lost)
            return made, self._sides.trusted(made)
        file, before, ctime = entries.open(old, name)
        try:
            _same(inode, before)
            entries.replace(file, before, new, name, lost)
        finally:
            os.close(file)
        return before, ctime

    def _link(self, inode: int, first: int, made: str, path: str, name: str) -> int:
        """Make another name; return the inode of its directory in the source."""
        old = open_directory(self._sides.source, path)
        try:
            holder = os.fstat(old).st_ino
            _same(inode, os.stat(name, dir_fd=old, follow_symlinks=False))
        finally:
            os.close(old)
        new = open_directory(self._sides.destination, path)
        try:
            make_plain(new)
            remove(new, name)
            os.link(made, name, src_dir_fd=first, dst_dir_fd=new, follow_symlinks=False)
        finally:
            os.close(new)
        self._one.copied(path, name, is_file=False)
        return holder

    def finish(self, path: str) -> None:
        """Put the times of a directory right, after names were made in it."""
        try:
            old = open_directory(self._sides.source, path)
        except OSError as error:
            if error.errno in GONE:
                return
            raise
        try:
            new = open_directory(self._sides.destination, path)
            try:
                lost = self._one.lost(path)
                self._one.entries.finish(old, new, os.fstat(old), lost, made=False)
            finally:
                os.close(new)
        finally:
            os.close(old)


def _same(inode: int, now: os.stat_result) -> os.stat_result:
    if now.st_ino != inode:
        raise ChangedError
    return now

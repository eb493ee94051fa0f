"""Goes through two trees together, all of them or one share. Read-only.

Every name below the source must be at the destination with the same kind, owner, mode,
modification time in nanoseconds, content or link text, device number and extended
attributes (ACLs and capabilities are among them), and names that share an inode must do
so on both sides. What the running system changed after the copy is counted apart.
"""

import hashlib
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from zfs_root_migrate.comparison_files import (
    attributes,
    both_open,
    by_name,
    changed,
    same_content,
    unlike_metadata,
    unreadable,
)
from zfs_root_migrate.step import CopyTree
from zfs_root_migrate.syscalls import open_below

EVERY = 200
UNLIKE_ATTRIBUTES = "extended attributes or ACL"
UNLIKE_LINKS = "not the same hard link group"
Inode = tuple[int, int]
# the new inode, and one of the names
Linked = tuple[Inode, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One path that differs, and in what."""

    path: str
    what: str

    def __str__(self) -> str:
        """Return one line, with odd bytes of the name made visible."""
        return f"{self.path!r}: {self.what}"


@dataclass(slots=True)
class Findings:
    """What was found in trees, or in parts of them.

    `names` is the sum of a number for every name with kind, owner, mode, size and time.
    """

    files: int = 0
    bytes: int = 0
    names: int = 0
    differences: list[Difference] = field(default_factory=list)
    changed_since: list[str] = field(default_factory=list)

    def add(self, other: "Findings") -> None:
        """Add what was found elsewhere."""
        self.files += other.files
        self.bytes += other.bytes
        self.names += other.names
        self.differences += other.differences
        self.changed_since += other.changed_since


@dataclass(slots=True)
class Found(Findings):
    """What one walk has found."""

    # by the old inode, of files with several names
    groups: dict[Inode, Linked] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What counts: changes at or after `since` are the running system's (Unix times).

    Files with an inode that was not changed since `contents_since` are not read.
    """

    since: float
    contents_since: float


class Walk:
    """One comparison of a source with a destination, or share `number` of `shares`.

    A share is a part of the directories, with what each has in it. Which, only the path
    tells: several processes need not know of each other to leave nothing out, whatever
    the running system does meanwhile.
    """

    def __init__(
        self,
        tree: CopyTree,
        terms: Terms,
        tick: Callable[[Found], None],
        *,
        number: int = 0,
        shares: int = 1,
    ) -> None:
        """`tick` is called now and then with what was found so far."""
        self.found = Found()
        self._tree = tree
        self._excluded = frozenset(os.fsencode(path) for path in tree.exclude)
        self._kept = frozenset(
            parent
            for path in self._excluded
            for n in range(1, path.count(b"/"))
            for parent in [b"/".join(path.split(b"/")[: n + 1])]
        )
        # where the new root has a file of its own, the directory has another time
        self._own = frozenset(path.rpartition(b"/")[0] for path in self._excluded)
        self._terms = terms
        self._tick = tick
        self._share = number, shares
        self._origins: dict[Inode, Inode] = {}
        # directories that are still to be looked at
        self._waiting = [b""]

    def compare(self) -> None:
        """Compare one directory after the other.

        None is kept open while another is looked at, so that depth costs neither
        descriptors nor stack.
        """
        flags = os.O_RDONLY | os.O_DIRECTORY
        old = os.open(self._tree.source, flags)
        try:
            new = os.open(self._tree.destination, flags)
            try:
                if self._is_ours(b""):
                    self._top(old, new)
                while self._waiting:
                    self._open(self._waiting.pop(), old, new)
            finally:
                os.close(new)
        finally:
            os.close(old)

    def differs(self, path: bytes, what: str, changed: float | None) -> None:
        """Count a difference, or a change that the running system made since.

        `changed` is when the old inode was changed last, None where it is gone: not the
        modification time, which anybody can set to the future.
        """
        shown = self._tree.destination + os.fsdecode(path)
        if changed is None or changed >= self._terms.since:
            self.found.changed_since.append(shown)
        else:
            self.found.differences.append(Difference(path=shown, what=what))

    def _is_ours(self, path: bytes) -> bool:
        number, shares = self._share
        return shares == 1 or zlib.crc32(path) % shares == number

    def _top(self, old: int, new: int) -> None:
        timed = b"" not in self._own
        before = os.fstat(old)
        for what in unlike_metadata(before, os.fstat(new), timed=timed):
            self.differs(b"/", what, before.st_ctime)

    def _open(self, path: bytes, old: int, new: int) -> None:
        is_ours = self._is_ours(path)
        try:
            old_dir = open_below(old, path)
        except (FileNotFoundError, NotADirectoryError):
            # it went away, or became something else, since its parent was read
            if is_ours:
                self.found.changed_since.append(os.fsdecode(path))
            return
        except OSError as error:
            raise unreadable(self._tree.source + os.fsdecode(path), error) from error
        try:
            if not is_ours:
                self._descend(path, old_dir)
                return
            try:
                new_dir = open_below(new, path)
            except (FileNotFoundError, NotADirectoryError):
                # whose share the directory above is, says so
                return
            try:
                self._directory(path, old_dir, new_dir)
            finally:
                os.close(new_dir)
        finally:
            os.close(old_dir)

    def _descend(self, path: bytes, old: int) -> None:
        """Find the directories in one that is in another share."""
        with os.scandir(old) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    below = path + b"/" + os.fsencode(entry.name)
                    if below not in self._excluded:
                        self._waiting.append(below)

    def _directory(self, path: bytes, old: int, new: int) -> None:
        try:
            if attributes(old) != attributes(new):
                ctime = os.fstat(old).st_ctime
                self.differs(path or b"/", UNLIKE_ATTRIBUTES, ctime)
        except OSError as error:
            raise unreadable(self._tree.source + os.fsdecode(path), error) from error
        names = {os.fsencode(n) for n in os.listdir(old)}
        there = {os.fsencode(n) for n in os.listdir(new)}
        for name in sorted(names | there):
            below = path + b"/" + name
            if below in self._excluded:
                continue
            if name not in there:
                self.differs(below, "missing on the new root", changed(old, name))
            elif name not in names:
                if below not in self._kept:
                    what, ctime = "only on the new root", os.fstat(old).st_ctime
                    self.differs(below, what, ctime)
            else:
                self._entry(below, old, new, name)

    def _entry(self, path: bytes, old: int, new: int, name: bytes) -> None:
        try:
            before = os.stat(name, dir_fd=old, follow_symlinks=False)
            now = os.stat(name, dir_fd=new, follow_symlinks=False)
        except FileNotFoundError:
            self.found.changed_since.append(os.fsdecode(path))
            return
        self.found.files += 1
        row = (path, *now[:1], *now[4:7], now.st_mtime_ns)
        digest = hashlib.sha256(repr(row).encode()).digest()
        self.found.names += int.from_bytes(digest, "big")
        if self.found.files % EVERY == 0:
            self._tick(self.found)
        try:
            for what in self._unlike(path, before, now, (old, new), name):
                self.differs(path, what, changed(old, name))
        except OSError as error:
            raise unreadable(self._tree.destination + os.fsdecode(path), error) from (
                error
            )
        if stat.S_ISDIR(before.st_mode) and stat.S_ISDIR(now.st_mode):
            self._waiting.append(path)

    def _unlike(
        self,
        path: bytes,
        before: os.stat_result,
        now: os.stat_result,
        folders: tuple[int, int],
        name: bytes,
    ) -> Iterator[str]:
        """Name what differs; a directory's attributes are looked at when it is open."""
        if stat.S_IFMT(before.st_mode) != stat.S_IFMT(now.st_mode):
            yield "another kind of file"
            return
        yield from unlike_metadata(before, now, timed=path not in self._own)
        if stat.S_ISDIR(before.st_mode):
            return
        # of a file with several names, one is read
        key = self._key(before, now)
        is_known = before.st_nlink > 1 and key in self.found.groups
        yield from self._unlike_links(path, before, now)
        if is_known:
            return
        if stat.S_ISREG(before.st_mode):
            yield from self._unlike_file(before, now, folders, name)
            return
        if stat.S_ISLNK(before.st_mode):
            one, two = (os.readlink(name, dir_fd=folder) for folder in folders)
            if one != two:
                yield "link text"
        yield from _unlike_attributes(folders, name)

    def _key(self, before: os.stat_result, now: os.stat_result) -> Inode:
        """Return what tells an old file from others: one for each side of a split."""
        side = now.st_dev if self._tree.split_links else 0
        return (side, before.st_ino)

    def _unlike_links(
        self, path: bytes, before: os.stat_result, now: os.stat_result
    ) -> Iterator[str]:
        if before.st_nlink < 2 and now.st_nlink < 2:
            return
        key, value = self._key(before, now), (now.st_dev, now.st_ino)
        known = (
            self.found.groups.setdefault(key, (value, path))[0],
            self._origins.setdefault(value, key),
        )
        if known != (value, key):
            yield UNLIKE_LINKS

    def _unlike_file(
        self,
        before: os.stat_result,
        now: os.stat_result,
        folders: tuple[int, int],
        name: bytes,
    ) -> Iterator[str]:
        size = before.st_size
        if size != now.st_size:
            yield f"size {now.st_size} instead of {size}"
        elif size and before.st_ctime >= self._terms.contents_since:
            self.found.bytes += size
            with both_open(*folders, name) as files:
                if files is None or not same_content(*files, size):
                    yield "content"
                if files is not None and attributes(files[0]) != attributes(files[1]):
                    yield UNLIKE_ATTRIBUTES
            return
        yield from _unlike_attributes(folders, name)


def _unlike_attributes(folders: tuple[int, int], name: bytes) -> Iterator[str]:
    one, two = (attributes(by_name(folder, name)) for folder in folders)
    if one != two:
        yield UNLIKE_ATTRIBUTES

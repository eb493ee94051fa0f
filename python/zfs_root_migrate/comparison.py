"""Compares two trees by reading both, sharing nothing with the copier. Read-only.

Every name below the source must be at the destination with the same kind, owner, mode,
modification time in nanoseconds, content or link text, device number and extended
attributes (ACLs and capabilities are among them), and names that share an inode must do
so on both sides. What the running system changed after the copy is counted apart.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zfs_root_migrate.comparison_files import (
    attributes,
    same_content,
    unlike_metadata,
    unreadable,
)
from zfs_root_migrate.step import CopyTree
from zfs_root_migrate.syscalls import open_below

if TYPE_CHECKING:
    from zfs_root_migrate.world import Progress

# file systems stamp with the time of the last timer tick, and clocks are set
SLACK = 2.0
EVERY = 200
UNLIKE_ATTRIBUTES = "extended attributes or ACL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One path that differs, and in what."""

    path: str
    what: str

    def __str__(self) -> str:
        """Return one line, with odd bytes of the name made visible."""
        return f"{self.path!r}: {self.what}"


@dataclass(slots=True)
class Comparison:
    """What a comparison found."""

    files: int = 0
    bytes: int = 0
    # every name with kind, owner, mode, size and time, in the order of the walk
    names: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    differences: list[Difference] = field(default_factory=list)
    changed_since: list[str] = field(default_factory=list)

    @property
    def manifest(self) -> str:
        """Return one number for all that was compared but the content."""
        return self.names.hexdigest()

    def summary(self) -> str:
        """Return one line for people."""
        return (
            f"{self.files} files and {self.bytes} bytes compared, "
            f"{len(self.differences)} differ, {len(self.changed_since)} were changed "
            "on the running system since they were copied"
        )

    def report(self) -> str:
        """Return the whole list."""
        lines = [self.summary()]
        lines += [f"differs: {difference}" for difference in self.differences]
        lines += [f"changed since: {path!r}" for path in self.changed_since]
        return "\n".join(lines) + "\n"


def compare_all(
    pairs: tuple[CopyTree, ...],
    *,
    since: float,
    progress: "Progress",
    contents_since: float = 0.0,
) -> Comparison:
    """Compare each pair; `since` is the Unix time at which the last copy began.

    Files with an inode that was not changed since `contents_since` are not read.
    """
    result = Comparison()
    times = (since - SLACK, contents_since - SLACK)
    for tree in pairs:
        progress.tree_begins(tree)
        _Walk(tree, times, result, progress).compare()
    return result


class _Walk:
    """One comparison of a source with a destination."""

    def __init__(
        self,
        tree: CopyTree,
        times: tuple[float, float],
        result: Comparison,
        progress: "Progress",
    ) -> None:
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
        self._since, self._contents_since = times
        self._result = result
        self._progress = progress
        # inodes with several names: the old one's new one, and the other way
        self._groups: dict[tuple[int, int], tuple[int, int]] = {}
        self._origins: dict[tuple[int, int], tuple[int, int]] = {}
        self._begun = (result.bytes, result.files)
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
                self._top(old, new)
                while self._waiting:
                    self._open(self._waiting.pop(), old, new)
            finally:
                os.close(new)
        finally:
            os.close(old)

    def _directory(self, path: bytes, old: int, new: int) -> None:
        names = {os.fsencode(n) for n in os.listdir(old)}
        there = {os.fsencode(n) for n in os.listdir(new)}
        for name in sorted(names | there):
            below = path + b"/" + name
            if below in self._excluded:
                continue
            if name not in there:
                self._differs(below, "missing on the new root", old, name)
            elif name not in names:
                if below not in self._kept:
                    self._differs(below, "only on the new root", old, None)
            else:
                self._entry(below, old, new, name)

    def _entry(self, path: bytes, old: int, new: int, name: bytes) -> None:
        try:
            before = os.stat(name, dir_fd=old, follow_symlinks=False)
            now = os.stat(name, dir_fd=new, follow_symlinks=False)
        except FileNotFoundError:
            self._result.changed_since.append(os.fsdecode(path))
            return
        self._result.files += 1
        row = (path, *now[:1], *now[4:7], now.st_mtime_ns)
        self._result.names.update(repr(row).encode())
        if self._result.files % EVERY == 0:
            self._tell()
        timed = path not in self._own
        try:
            for what in self._unlike(before, now, old, new, name, timed=timed):
                self._differs(path, what, old, name)
        except OSError as error:
            raise unreadable(self._tree.destination + os.fsdecode(path), error) from (
                error
            )
        if stat.S_ISDIR(before.st_mode) and stat.S_ISDIR(now.st_mode):
            self._waiting.append(path)

    def _tell(self) -> None:
        size, files = self._begun
        self._progress.advance(
            bytes_done=self._result.bytes - size, files_done=self._result.files - files
        )

    def _open(self, path: bytes, old: int, new: int) -> None:
        try:
            old_dir = open_below(old, path)
        except (FileNotFoundError, NotADirectoryError):
            # it went away, or became something else, since its parent was read
            self._result.changed_since.append(os.fsdecode(path))
            return
        except OSError as error:
            raise unreadable(self._tree.source + os.fsdecode(path), error) from error
        try:
            new_dir = open_below(new, path)
            try:
                self._directory(path, old_dir, new_dir)
            finally:
                os.close(new_dir)
        finally:
            os.close(old_dir)

    def _unlike(
        self,
        before: os.stat_result,
        now: os.stat_result,
        old: int,
        new: int,
        name: bytes,
        *,
        timed: bool,
    ) -> Iterator[str]:
        if stat.S_IFMT(before.st_mode) != stat.S_IFMT(now.st_mode):
            yield "another kind of file"
            return
        yield from unlike_metadata(before, now, timed=timed)
        first = before.st_nlink < 2 or (before.st_dev, before.st_ino) not in (
            self._groups
        )
        if not stat.S_ISDIR(before.st_mode):
            yield from self._unlike_links(before, now)
        if stat.S_ISREG(before.st_mode) and first:
            yield from self._unlike_content(before, now, old, new, name)
        elif stat.S_ISLNK(before.st_mode) and (
            os.readlink(name, dir_fd=old) != os.readlink(name, dir_fd=new)
        ):
            yield "link text"
        if first and attributes(old, name) != attributes(new, name):
            yield UNLIKE_ATTRIBUTES

    def _unlike_links(
        self, before: os.stat_result, now: os.stat_result
    ) -> Iterator[str]:
        if before.st_nlink < 2 and now.st_nlink < 2:
            return
        key, value = (before.st_dev, before.st_ino), (now.st_dev, now.st_ino)
        known = (
            self._groups.setdefault(key, value),
            self._origins.setdefault(value, key),
        )
        if known != (value, key):
            yield "not the same hard link group"

    def _unlike_content(
        self,
        before: os.stat_result,
        now: os.stat_result,
        old: int,
        new: int,
        name: bytes,
    ) -> Iterator[str]:
        if before.st_size != now.st_size:
            yield f"size {now.st_size} instead of {before.st_size}"
            return
        if before.st_ctime < self._contents_since:
            return
        self._result.bytes += before.st_size
        if before.st_size and not same_content(old, new, name, before.st_size):
            yield "content"

    def _top(self, old: int, new: int) -> None:
        timed = b"" not in self._own
        for what in unlike_metadata(os.fstat(old), os.fstat(new), timed=timed):
            self._differs(b"/", what, old, None)
        if attributes(old, b".") != attributes(new, b"."):
            self._differs(b"/", UNLIKE_ATTRIBUTES, old, None)

    def _differs(self, path: bytes, what: str, folder: int, name: bytes | None) -> None:
        """Count a difference, or a change that the running system made since."""
        text = os.fsdecode(path)
        shown = self._tree.destination + text
        try:
            seen = (
                os.fstat(folder)
                if name is None
                else os.stat(name, dir_fd=folder, follow_symlinks=False)
            )
            # not the modification time, which anybody can set to the future
            changed = seen.st_ctime >= self._since
        except FileNotFoundError:
            changed = True
        if changed:
            self._result.changed_since.append(shown)
        else:
            self._result.differences.append(Difference(path=shown, what=what))

"""Goes through one tree, name by name. Part of the rim.

Nothing is written and no file is opened, only directories. One file system at a time,
symbolic links are never followed, and what vanishes meanwhile is no error.
"""

import errno
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from zfs_root_migrate import syscalls
from zfs_root_migrate.facts.tree import Walk
from zfs_root_migrate.model import Marked

LIST_MAX = 1000
# so that one attribute of very many files does not crowd out another of a few
MARKS_MAX = 200
NAME_MAX = 255
TELL_EVERY = 2000

_CASEFOLD, _PROJECT = 1 << 40, 1 << 41
_MARKS = {
    syscalls.ATTR_COMPRESSED: "compressed",
    syscalls.ATTR_IMMUTABLE: "immutable",
    syscalls.ATTR_APPEND: "append-only",
    syscalls.ATTR_ENCRYPTED: "encrypted",
    syscalls.ATTR_VERITY: "verity",
    syscalls.ATTR_DAX: "dax",
    _CASEFOLD: "casefold",
    _PROJECT: "project",
}
_MARKED = sum(_MARKS)
# what a directory hands down to what is made in it: told once, of the uppermost
_INHERITED = (
    syscalls.ATTR_COMPRESSED
    | syscalls.ATTR_ENCRYPTED
    | syscalls.ATTR_DAX
    | _CASEFOLD
    | _PROJECT
)
# ZFS has them as well. Values over 64K cannot be: no Linux file system has them
_TAKEN = ("user.", "trusted.", "security.", "system.posix_acl_")
# written by the kernel; a system that measures its files may refuse them to everyone
_REFUSED = ("security.ima", "security.evm")
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE)
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True)
class _Directory:
    """A directory that is being walked through; `place` is an index of places."""

    descriptor: int
    path: bytes
    traits: int
    place: int
    below: list[tuple[bytes, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Met:
    """A name of a file that has several."""

    path: bytes
    inode: int
    links: int
    place: int


@dataclass(slots=True)
class Seen:
    """What the walks have met so far."""

    tick: Callable[[int], None]
    files: int = 0
    directories: int = 0
    marks: Counter[str] = field(default_factory=Counter)
    marked: list[Marked] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    unreadable_found: int = 0

    def mark(self, path: bytes, attribute: str) -> None:
        """Count an attribute, and keep the path while there are few."""
        self.marks[attribute] += 1
        if self.marks[attribute] <= MARKS_MAX and len(self.marked) < LIST_MAX:
            self.marked.append(Marked(path=os.fsdecode(path), attribute=attribute))

    def fail(self, path: bytes, reason: str) -> None:
        """Count a directory that could not be looked into."""
        self.unreadable_found += 1
        if len(self.unreadable) < LIST_MAX:
            self.unreadable.append(f"{os.fsdecode(path)}: {reason}")

    def count(self) -> None:
        """Count a file, and tell of it now and then."""
        self.files += 1
        if self.files % TELL_EVERY == 0:
            self.tick(self.files)


class Walker:
    """Goes through one tree and counts what it meets."""

    def __init__(self, walk: Walk, seen: Seen) -> None:
        """Nothing is opened yet."""
        self._walk = walk
        self._seen = seen
        self._statx = syscalls.Statx()
        self._shown = os.fsencode(walk.shown.rstrip("/"))
        self._places = {os.fsencode(p): n for n, p in enumerate(walk.places, 1)}
        self._skipped: dict[bytes, set[bytes]] = {}
        for path in walk.exclude:
            parent, _, name = os.fsencode(path).rpartition(b"/")
            self._skipped.setdefault(parent, set()).add(name)
        self._device = (0, 0)

    def names(self) -> Iterator[Met]:
        """Walk, and return the names of files that have more than one."""
        stack: list[_Directory] = []
        try:
            stack += self._begin()
            if stack:
                yield from self._entries(stack[-1])
            while stack:
                here = stack[-1]
                if here.below:
                    deeper = self._descend(here, *here.below.pop())
                    if deeper is not None:
                        stack.append(deeper)
                        yield from self._entries(deeper)
                else:
                    os.close(stack.pop().descriptor)
        finally:
            for here in stack:
                os.close(here.descriptor)

    def _begin(self) -> Iterator[_Directory]:
        """Open the directory to begin at, where that is possible."""
        walk = self._walk
        alone = syscalls.open_alone(walk.top)
        try:
            base = os.open(walk.top, os.O_PATH) if alone is None else alone
            try:
                if alone is None and walk.hidden:
                    raise PermissionError(errno.EPERM, "hidden below a mount")
                top = os.open(walk.inside.lstrip("/") or ".", _OPEN, dir_fd=base)
            finally:
                os.close(base)
        except OSError as error:
            self._seen.fail(self._shown or b"/", error.strerror or str(error))
            return
        found = os.fstat(top)
        self._device = (os.major(found.st_dev), os.minor(found.st_dev))
        above = _Directory(-1, b"", 0, self._place_above())
        yield self._enter(above, top, b"", self._statx(top, b".")[0])

    def _place_above(self) -> int:
        """Return the place that the top lies in, if it is none itself."""
        path = self._shown
        while path and path not in self._places:
            path = path.rpartition(b"/")[0]
        return self._places.get(path, 0)

    def _descend(
        self, parent: _Directory, name: bytes, attributes: int
    ) -> _Directory | None:
        path = parent.path + b"/" + name
        try:
            descriptor = _open_directory(name, parent.descriptor)
        except OSError as error:
            self._failed(path, error)
            return None
        return self._enter(parent, descriptor, path, attributes)

    def _enter(
        self, parent: _Directory, descriptor: int, path: bytes, attributes: int
    ) -> _Directory:
        """Count an open directory, and tell what it has that ZFS has not."""
        traits = attributes & _MARKED
        if syscalls.chattr_flags(descriptor) & syscalls.FLAG_CASEFOLD:
            traits |= _CASEFOLD
        if syscalls.project(descriptor):
            traits |= _PROJECT
        self._seen.directories += 1
        self._mark(path, traits & ~(parent.traits & _INHERITED))
        self._look_at_xattrs(descriptor, b".", path)
        place = self._places.get(self._shown + path, parent.place)
        return _Directory(descriptor, path, traits, place)

    def _entries(self, here: _Directory) -> Iterator[Met]:
        """Look at every name in a directory; those of directories are kept for later.

        The names are read piece by piece: there may be millions in one directory.
        """
        skipped = self._skipped.get(here.path, ())
        try:
            with os.scandir(here.descriptor) as entries:
                for entry in entries:
                    name = os.fsencode(entry.name)
                    if name not in skipped:
                        met = self._entry(here, name)
                        if met is not None:
                            yield met
        except OSError as error:
            self._failed(here.path, error)

    def _entry(self, here: _Directory, name: bytes) -> Met | None:
        """Count a name, and return it where its file has others."""
        try:
            attributes, links, mode, inode, *device = self._statx(here.descriptor, name)
        except OSError as error:
            if error.errno in _GONE:
                return None
            raise
        if attributes & syscalls.ATTR_MOUNT_ROOT or tuple(device) != self._device:
            # another file system, or a bind mount: looked at by its own walk, if at all
            return None
        path = here.path + b"/" + name
        if len(name) > NAME_MAX:
            self._seen.mark(self._shown + path, "long-name")
        # told once, of the uppermost
        if len(path) > self._walk.room >= len(here.path):
            self._seen.mark(self._shown + path, "long-path")
        if stat.S_ISDIR(mode):
            here.below.append((name, attributes))
            return None
        self._seen.count()
        if attributes & _MARKED:
            self._mark(path, attributes & ~(here.traits & _INHERITED))
        if not stat.S_ISLNK(mode):
            self._look_at_xattrs(here.descriptor, name, path)
        if links < 2:
            return None
        return Met(self._shown + path, inode, links, here.place)

    def _mark(self, path: bytes, traits: int) -> None:
        for trait, name in _MARKS.items() if traits & _MARKED else ():
            if traits & trait:
                self._seen.mark(self._shown + path or b"/", name)

    def _look_at_xattrs(self, folder: int, name: bytes, path: bytes) -> None:
        # listxattr takes no dir_fd; through /proc no path is longer than a name
        try:
            names = os.listxattr(
                b"/proc/self/fd/%d/%s" % (folder, name), follow_symlinks=False
            )
        except OSError:
            # none here, or the file has just gone
            return
        for xattr in names:
            if xattr in _REFUSED or not xattr.startswith(_TAKEN):
                self._seen.mark(self._shown + path or b"/", f"xattr {xattr}")

    def _failed(self, path: bytes, error: OSError) -> None:
        if error.errno not in _GONE:
            reason = error.strerror or str(error)
            self._seen.fail(self._shown + path or b"/", reason)


def _open_directory(name: bytes, folder: int) -> int:
    """Open a directory without changing its access time, where that is allowed."""
    try:
        return os.open(name, _OPEN | os.O_NOATIME, dir_fd=folder)
    except PermissionError:
        return os.open(name, _OPEN, dir_fd=folder)

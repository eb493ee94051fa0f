#!/usr/bin/python3
"""Writes down all that a tree is, and compares two such lists.

    manifest.py scan ROOT [--one-file-system] [--flags iad] [--exclude PATH ...] > A
    manifest.py compare A B [--ignore FIELD ...] [--exclude PATH ...]

One JSON object a line, sorted by path.  Not compared: the sizes of directories, times
of access and change, numbers of blocks.  A file that is half holes in A must be so in
B; the other way round is no difference, as ZFS makes holes of zeros by itself.
Flags (chattr) are looked at where letters are given: not every file system has all.
A tree may be of any depth.
Standard library only, one file, and no code of what it is to judge.
"""

import argparse
import base64
import contextlib
import fcntl
import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

Entry = dict[str, Any]
# ZFS's record: a hole smaller than this may be lost without anybody's fault
RECORD = 128 * 1024
# smaller files are not looked at for holes
SPARSE_FROM = 64 * 1024
CHUNK = 1024 * 1024
# bytes of a path that are given to the kernel at once: longer than any name, shorter
# than PATH_MAX
PIECE = 3000
# include/uapi/linux/fs.h; the ioctl's number is that of a machine of 64 bits
GET_FLAGS = 0x80086601
FLAGS = {"i": 0x10, "a": 0x20, "d": 0x40, "A": 0x80, "S": 0x8, "D": 0x10000}
TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}
SHOWN = 240
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@dataclass
class Scan:
    """A walk over a tree; names are kept as the bytes they are.

    One directory is open at a time, so depth costs neither descriptors nor stack.
    """

    excluded: frozenset[bytes] = frozenset()
    one_file_system: bool = False
    flags: str = ""
    entries: list[tuple[bytes, Entry]] = field(default_factory=list)
    _groups: dict[tuple[int, int], list[int]] = field(default_factory=dict)

    def run(self, root: Path) -> Iterator[Entry]:
        """Yield an entry for everything in the tree, sorted by path."""
        top = os.open(root, DIRECTORY)
        try:
            status = os.fstat(top)
            entry = _common(status)
            entry["xattrs"] = _xattrs(b"/proc/self/fd/%d" % top, follow=True)
            if self.flags:
                entry["flags"] = _flags(top, b".", self.flags)
            self.entries.append((b".", entry))
            waiting = self._directory(top, b"", status.st_dev)
            while waiting:
                waiting += self._below(top, waiting.pop(), status.st_dev)
        finally:
            os.close(top)
        self._name_groups()
        for path, entry in sorted(self.entries, key=lambda pair: pair[0]):
            yield {**_encode_path(path), **entry}

    def _below(self, top: int, path: bytes, device: int) -> list[bytes]:
        try:
            descriptor = _open_below(top, path)
        except OSError as error:
            self.entries.append((path, {"error": str(error.strerror)}))
            return []
        try:
            return self._directory(descriptor, path + b"/", device)
        finally:
            os.close(descriptor)

    def _directory(self, descriptor: int, prefix: bytes, device: int) -> list[bytes]:
        """Take down what is in a directory; return the directories to look into."""
        found: list[bytes] = []
        for name in sorted(os.fsencode(name) for name in os.listdir(descriptor)):
            path = prefix + name
            if path in self.excluded:
                continue
            try:
                if self._one(descriptor, name, path, device):
                    found.append(path)
            except OSError as error:
                self.entries.append((path, {"error": str(error.strerror)}))
        return found

    def _one(self, parent: int, name: bytes, path: bytes, device: int) -> bool:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        entry = _common(status)
        entry["xattrs"] = _xattrs(b"/proc/self/fd/%d/" % parent + name, follow=False)
        if stat.S_ISREG(status.st_mode):
            entry |= _content(parent, name, status.st_size)
        elif stat.S_ISLNK(status.st_mode):
            entry["target"] = _text(os.readlink(name, dir_fd=parent))
        if self.flags and entry["type"] in {"file", "directory"}:
            entry["flags"] = _flags(parent, name, self.flags)
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            identity = (status.st_dev, status.st_ino)
            self._groups.setdefault(identity, []).append(len(self.entries))
        self.entries.append((path, entry))
        crosses = self.one_file_system and status.st_dev != device
        return stat.S_ISDIR(status.st_mode) and not crosses

    def _name_groups(self) -> None:
        """Name each group of hard links after the first of its paths."""
        for numbers in self._groups.values():
            if len(numbers) == 1:
                continue  # the others lie outside of what is looked at
            first = min(self.entries[number][0] for number in numbers)
            for number in numbers:
                self.entries[number][1]["links"] = _text(first)


def _open_below(top: int, path: bytes) -> int:
    """Open a directory by a path of any length, piece by piece."""
    here, rest = os.dup(top), path
    while rest:
        end = rest.rfind(b"/", 0, PIECE) if len(rest) > PIECE else len(rest)
        try:
            below = os.open(rest[:end], DIRECTORY, dir_fd=here)
        finally:
            os.close(here)
        here, rest = below, rest[end + 1 :]
    return here


def _flags(parent: int, name: bytes, letters: str) -> str:
    """Return which of the letters of chattr(1) are set."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOATIME
    descriptor = os.open(name, flags, dir_fd=parent)
    found = bytearray(8)
    try:
        # a file system without flags has none set
        with contextlib.suppress(OSError):
            fcntl.ioctl(descriptor, GET_FLAGS, found)
    finally:
        os.close(descriptor)
    number = int.from_bytes(found[:4], sys.byteorder)
    return "".join(letter for letter in letters if number & FLAGS[letter])


def _common(status: os.stat_result) -> Entry:
    kind = TYPES[stat.S_IFMT(status.st_mode)]
    entry: Entry = {
        "type": kind,
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
        "uid": status.st_uid,
        "gid": status.st_gid,
        "mtime_ns": status.st_mtime_ns,
    }
    if kind in {"file", "symlink"}:
        entry["size"] = status.st_size
    if kind in {"char", "block"}:
        entry["rdev"] = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    return entry


def _content(parent: int, name: bytes, size: int) -> Entry:
    # O_NOATIME: looking at a file must not change it
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOATIME
    descriptor = os.open(name, flags, dir_fd=parent)
    hasher = hashlib.sha256()
    try:
        with open(descriptor, "rb", buffering=0, closefd=False) as stream:
            while chunk := stream.read(CHUNK):
                hasher.update(chunk)
        entry: Entry = {"sha256": hasher.hexdigest()}
        if size >= SPARSE_FROM:
            entry["holes"] = count_holes(_extents(descriptor, size), size)
    finally:
        os.close(descriptor)
    return entry


def _extents(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each stretch of data."""
    end = 0
    while end < size:
        try:
            begin = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError:  # ENXIO: no data from here on
            return
        end = os.lseek(descriptor, begin, os.SEEK_HOLE)
        yield begin, end


def count_holes(extents: Iterable[tuple[int, int]], size: int) -> int:
    """Return how many bytes lie in whole records without any data.

    >>> count_holes([(0, 4096)], 4 * RECORD) == 3 * RECORD
    True
    >>> count_holes([], 10)
    10
    """
    used: set[int] = set()
    for begin, end in extents:
        used.update(range(begin // RECORD, (end - 1) // RECORD + 1))
    records = -(-size // RECORD)
    free = [number for number in range(records) if number not in used]
    return sum(min(RECORD, size - number * RECORD) for number in free)


def _xattrs(path: bytes, *, follow: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in sorted(os.listxattr(path, follow_symlinks=follow)):
        value = os.getxattr(path, name, follow_symlinks=follow)
        found[name] = value.hex()
    return found


def _text(raw: bytes) -> str:
    """Return bytes as text that is JSON's whatever they are.

    >>> _text(b"caf\\xe9")
    'base64:Y2Fm6Q=='
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(raw).decode()
    return text


def _encode_path(path: bytes) -> Entry:
    try:
        return {"path": path.decode()}
    except UnicodeDecodeError:
        return {"path_base64": base64.b64encode(path).decode()}


def entry_path(entry: Mapping[str, Any]) -> bytes:
    """Return the path an entry is about."""
    if "path" in entry:
        return str(entry["path"]).encode()
    return base64.b64decode(entry["path_base64"])


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs at a path: which field, and what it is on both sides."""

    path: bytes
    field: str
    before: object
    after: object

    def __str__(self) -> str:
        """Return one line, whatever the path is made of."""
        shown = ascii(os.fsdecode(self.path))
        return f"{shown}: {self.field}: {self.before!r} -> {self.after!r}"[:SHOWN]


def compare(
    before: Iterable[Entry],
    after: Iterable[Entry],
    *,
    ignore: Iterable[str] = (),
    exclude: Iterable[bytes] = (),
) -> list[Difference]:
    """Return all differences between two scans."""
    ignored, prefixes = frozenset(ignore), tuple(exclude)
    old = {path: e for e in before if not _excluded(path := entry_path(e), prefixes)}
    new = {path: e for e in after if not _excluded(path := entry_path(e), prefixes)}
    found: list[Difference] = []
    for path in sorted(old.keys() | new.keys()):
        if path not in new:
            found.append(Difference(path, "missing", old[path].get("type"), None))
        elif path not in old:
            found.append(Difference(path, "added", None, new[path].get("type")))
        else:
            found += _compare_one(path, old[path], new[path], ignored)
    return found


def _excluded(path: bytes, prefixes: Iterable[bytes]) -> bool:
    return any(path == p or path.startswith(p + b"/") for p in prefixes)


def _compare_one(
    path: bytes, old: Entry, new: Entry, ignored: frozenset[str]
) -> Iterator[Difference]:
    left_out = ignored | {"path", "path_base64", "holes", "xattrs"}
    for name in sorted((old.keys() | new.keys()) - left_out):
        if old.get(name) != new.get(name):
            yield Difference(path, name, old.get(name), new.get(name))
    if "xattrs" not in ignored:
        yield from _compare_xattrs(path, old.get("xattrs", {}), new.get("xattrs", {}))
    size = old.get("size", 0)
    if "holes" in old.keys() - ignored and size == new.get("size"):
        lost = 2 * old["holes"] >= size > 2 * new.get("holes", 0)
        if lost:
            yield Difference(path, "holes", old["holes"], new.get("holes", 0))


def _compare_xattrs(
    path: bytes, old: Mapping[str, str], new: Mapping[str, str]
) -> Iterator[Difference]:
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield Difference(path, f"xattr {name}", old.get(name), new.get(name))


def read(stream: TextIO) -> Iterator[Entry]:
    """Read what `scan` wrote."""
    return (json.loads(line) for line in stream if line.strip())


def _paths(given: Iterable[str]) -> frozenset[bytes]:
    return frozenset(os.fsencode(path.strip("/")) for path in given)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="write down a tree, compare trees")
    verbs = parser.add_subparsers(dest="verb", required=True)
    scan = verbs.add_parser("scan")
    scan.add_argument("root", type=Path)
    scan.add_argument("--one-file-system", action="store_true")
    scan.add_argument("--flags", default="", metavar="LETTERS")
    scan.add_argument("--exclude", nargs="+", action="extend", default=[])
    both = verbs.add_parser("compare")
    both.add_argument("before", type=Path)
    both.add_argument("after", type=Path)
    both.add_argument("--ignore", nargs="+", action="extend", default=[])
    both.add_argument("--exclude", nargs="+", action="extend", default=[])
    options = parser.parse_args()
    if options.verb == "scan":
        walk = Scan(_paths(options.exclude), options.one_file_system, options.flags)
        for entry in walk.run(options.root):
            sys.stdout.write(json.dumps(entry, sort_keys=True) + "\n")
        return 0
    with options.before.open() as before, options.after.open() as after:
        found = compare(
            read(before),
            read(after),
            ignore=options.ignore,
            exclude=_paths(options.exclude),
        )
    for difference in found:
        sys.stdout.write(f"{difference}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""What is remembered of one directory, and the record that it is kept in."""

import mmap
import os
import re
import stat
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

HEAD = struct.Struct("<4sIQQqQQIIII")
MAGIC = b"dir3"
# ends a record: one that was written in part has something else there
END = b"3rid"
DOUBTFUL = 0
# what `kinds` has for a directory
DIRECTORY = stat.S_IFDIR >> 12

# a directory of the destination: f_fsid of its file system (statvfs(3)), and its inode
Place = tuple[int, int]
NOWHERE: Place = (0, 0)


@dataclass(slots=True)
class Listing:
    """One directory as it was copied: names with inode, change time (ns) and kind.

    `kinds` are the file type bits of the mode, shifted to one byte each. `ctime` is the
    directory's own, `parent` is the inode of the directory that held it then, and
    `place` is what it was copied to: what is said here is of that, and of no other
    directory of the destination that stands where this one is to be.
    """

    inode: int
    parent: int
    ctime: int
    place: Place = NOWHERE
    names: list[str] = field(default_factory=list)
    inodes: "array[int]" = field(default_factory=lambda: array("Q"))
    ctimes: "array[int]" = field(default_factory=lambda: array("q"))
    kinds: bytearray = field(default_factory=bytearray)

    def add(self, name: str, inode: int, ctime: int, kind: int) -> None:
        """Add a name."""
        self.names.append(name)
        self.inodes.append(inode)
        self.ctimes.append(ctime)
        self.kinds.append(kind)

    def directories(self) -> dict[str, int]:
        """Return the inodes of the directories in it, by name."""
        rows = zip(self.names, self.inodes, self.kinds, strict=True)
        return {name: inode for name, inode, kind in rows if kind == DIRECTORY}

    def encode(self) -> bytes:
        """Return the record."""
        names = os.fsencode("\0".join(self.names))
        count = len(self.names)
        doubtful = self.ctimes.count(DOUBTFUL) + (self.ctime == DOUBTFUL)
        length = HEAD.size + 17 * count + len(names) + len(END)
        return b"".join(
            (
                HEAD.pack(
                    *(MAGIC, length, self.inode, self.parent, self.ctime),
                    *(*self.place, count, len(names), doubtful, 0),
                ),
                self.inodes.tobytes(),
                self.ctimes.tobytes(),
                self.kinds,
                names,
                END,
            )
        )


def void(inode: int) -> bytes:
    """Return the record that takes back what earlier ones say of a directory."""
    length = HEAD.size + len(END)
    return HEAD.pack(MAGIC, length, inode, 0, DOUBTFUL, *NOWHERE, 0, 0, 0, 1) + END


_FIXED = void(0)
_VOID = re.compile(re.escape(_FIXED[:8]) + b"(.{8})" + re.escape(_FIXED[16:]), re.S)


def voids(data: mmap.mmap | bytes, place: int) -> Iterator[int]:
    """Return the inodes of all such records from a place on, whatever lies between."""
    for found in _VOID.finditer(data, place):
        yield int.from_bytes(found[1], "little")


def decode(data: mmap.mmap | bytes, at: int) -> Listing:
    """Return the record at an offset."""
    head = HEAD.unpack_from(data, at)
    _, length, inode, parent, ctime, system, number, count, size, _, _ = head
    start = at + HEAD.size
    inodes, ctimes = array("Q"), array("q")
    inodes.frombytes(data[start : start + 8 * count])
    ctimes.frombytes(data[start + 8 * count : start + 16 * count])
    kinds = bytearray(data[start + 16 * count : start + 17 * count])
    end = at + length - len(END)
    blob = data[end - size : end]
    names = os.fsdecode(blob).split("\0") if count else []
    place = (system, number)
    return Listing(inode, parent, ctime, place, names, inodes, ctimes, kinds)


def inodes_of(data: mmap.mmap | bytes, at: int) -> "array[int]":
    """Return only the inodes of the record at an offset."""
    count = HEAD.unpack_from(data, at)[7]
    start = at + HEAD.size
    found = array("Q")
    found.frombytes(data[start : start + 8 * count])
    return found

"""The inode tables of ext2, ext3 and ext4, read from the device that is mounted.

The kernel keeps them in the device's own cache and changes them there at once, so they
are as good as stat(2) for every inode, at a hundredth of the cost. The layout is from
the kernel's Documentation/filesystems/ext4. The walk is the oracle: what differs from
the last time is only where to look.
"""

import os
import struct
from array import array
from collections.abc import Iterator
from pathlib import Path

_SUPER = 1024
_MAGIC = 0xEF53
_META_BG = 0x10
_64BIT = 0x80
# bg_flags: no inode of the group was ever used
_UNUSED = 0x1
# words of an inode: mode and owner, ctime, ctime's nanoseconds
_MODE, _CTIME, _EXTRA = 0, 3, 33
_SMALL_INODE = 128
_FIELDS = 3
_LENGTHS = struct.Struct("<Q")
# the first inode of a group has this number in it, counted from one
_FIRST = 1


class Geometry:
    """Where a file system's inodes lie."""

    def __init__(self, device: int) -> None:
        """Read the superblock; raises ValueError where this is no such file system."""
        head = os.pread(device, 1024, _SUPER)
        if len(head) < 1024 or _u16(head, 0x38) != _MAGIC:
            raise ValueError("no ext2, ext3 or ext4")
        incompatible = _u32(head, 0x60)
        if incompatible & _META_BG:
            raise ValueError("descriptors lie scattered (meta_bg)")
        self.block = 1024 << _u32(head, 0x18)
        self.per_group = _u32(head, 0x28)
        revision = _u32(head, 0x4C)
        self.inode_size = _u16(head, 0x58) if revision else _SMALL_INODE
        self._wide = bool(incompatible & _64BIT)
        self._stride = (_u16(head, 0xFE) if self._wide else 0) or 32
        self._first_block = _u32(head, 0x14)
        self.inodes = _u32(head, 0x0)
        if not self.per_group or self.inode_size % 4 or not self.inodes:
            raise ValueError("the superblock is damaged")
        # unused inodes are told apart only where groups have checksums
        self._lazy = bool(_u32(head, 0x64) & 0x410)

    def groups(self, device: int) -> Iterator[tuple[int, int]]:
        """Return for each group where its table begins and how many inodes it has."""
        count = -(-self.inodes // self.per_group)
        start = (self._first_block + 1) * self.block
        rows = os.pread(device, count * self._stride, start)
        if len(rows) < count * self._stride:
            raise ValueError("the group descriptors cannot be read")
        for number in range(count):
            row = rows[number * self._stride : (number + 1) * self._stride]
            table, unused = _u32(row, 0x8), _u16(row, 0x1C)
            if self._wide and self._stride >= 64:
                table |= _u32(row, 0x28) << 32
                unused |= _u16(row, 0x32) << 16
            if not self._lazy:
                unused = 0
            elif _u16(row, 0x12) & _UNUSED:
                unused = self.per_group
            yield table * self.block, max(0, self.per_group - unused)


def _u16(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 2], "little")


def _u32(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 4], "little")


class Tables:
    """What the tables say at one time: for each group, mode and change time."""

    def __init__(self, per_group: int, rows: list[bytes]) -> None:
        """Hold the rows of all groups; 12 bytes for each inode that was ever used."""
        self.per_group = per_group
        self.rows = rows

    @classmethod
    def read(cls, device: int, barrier: int) -> "Tables":
        """Read all tables; raises OSError or ValueError where that cannot be.

        What has a change time from `barrier` (Unix time, ns) on counts as different
        the next time.
        """
        where = Geometry(device)
        words = where.inode_size // 4
        since = barrier // 10**9
        if not 0 < since < 1 << 31:
            raise ValueError("the clock is out of the range of these time stamps")
        rows = []
        for start, count in where.groups(device):
            size = count * where.inode_size
            data = os.pread(device, size, start) if size else b""
            if len(data) < size:
                raise ValueError("an inode table cannot be read")
            rows.append(_row(memoryview(data).cast("I"), words, since) if data else b"")
        return cls(where.per_group, rows)

    def differ(self, before: "Tables") -> set[int]:
        """Return the inodes that are not as they were."""
        if before.per_group != self.per_group:
            raise ValueError("another file system")
        found: set[int] = set()
        for group, now in enumerate(self.rows):
            then = before.rows[group] if group < len(before.rows) else b""
            if now != then:
                first = group * self.per_group + _FIRST
                found.update(first + number for number in _different(now, then))
        return found

    def write(self, path: Path) -> None:
        """Write them to a file, whole or not at all."""
        part = path.with_name(f"{path.name}.part")
        with part.open("wb") as file:
            file.write(_LENGTHS.pack(self.per_group))
            for row in self.rows:
                file.write(_LENGTHS.pack(len(row)))
                file.write(row)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Tables | None":
        """Read what `write` has written; None where there is nothing of use."""
        try:
            data = path.read_bytes()
        except OSError:
            return None
        rows, place = [], _LENGTHS.size
        while place + _LENGTHS.size <= len(data):
            (length,) = _LENGTHS.unpack_from(data, place)
            place += _LENGTHS.size
            rows.append(data[place : place + length])
            place += length
        if place != len(data):
            return None
        return cls(_LENGTHS.unpack_from(data)[0], rows)


def _row(table: "memoryview[int]", words: int, since: int) -> bytes:
    """Return modes, change times and their nanoseconds, one after the other."""
    modes = table[_MODE::words].tobytes()
    extra = table[_EXTRA::words].tobytes() if words > _EXTRA else bytes(len(modes))
    times = array("i", table[_CTIME::words].tobytes())
    if max(times) >= since:
        for number, time in enumerate(times):
            if time >= since:
                # no inode in use has it
                times[number] = -1
    return modes + times.tobytes() + extra


def _different(now: bytes, then: bytes) -> Iterator[int]:
    """Return the places in a group at which two rows differ."""
    new, old = _columns(now), _columns(then)
    common = min(len(new[0]), len(old[0]))
    yield from range(common, len(new[0]))
    for one, other in zip(new, old, strict=True):
        if one[:common] != other[:common]:
            pairs = zip(one, other, strict=False)
            yield from (n for n, (a, b) in enumerate(pairs) if a != b)


def _columns(row: bytes) -> "list[array[int]]":
    size = len(row) // _FIELDS
    return [array("I", row[n * size : (n + 1) * size]) for n in range(_FIELDS)]


def open_device(number: int) -> int:
    """Open the block device with this number for reading; raises OSError."""
    path = f"/dev/block/{os.major(number)}:{os.minor(number)}"
    if not os.path.exists(path):  # noqa: PTH110 - a name, not a file of ours
        with open(f"/sys/dev/block/{path[11:]}/uevent", encoding="ascii") as file:  # noqa: PTH123
            names = dict(line.strip().partition("=")[::2] for line in file)
        path = f"/dev/{names['DEVNAME']}"
    device = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    if os.fstat(device).st_rdev != number:
        os.close(device)
        raise OSError(6, "another device", path)
    return device

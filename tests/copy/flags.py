"""The flags of chattr(1), by descriptor. Standard library only."""

import fcntl
import os
import sys
from pathlib import Path

# include/uapi/linux/fs.h; the numbers of a machine of 64 bits
GET, SET = 0x80086601, 0x40086602
IMMUTABLE, APPEND, NODUMP, NOATIME = 0x10, 0x20, 0x40, 0x80
SYNC, DIRSYNC = 0x8, 0x10000


def get(path: Path | bytes) -> int:
    """Return the flags of a file or directory."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        return _get(descriptor)
    finally:
        os.close(descriptor)


def change(path: Path | bytes, *, add: int = 0, remove: int = 0) -> None:
    """Set some flags and clear others; raise OSError where there are none."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        wanted = (_get(descriptor) | add) & ~remove
        fcntl.ioctl(descriptor, SET, wanted.to_bytes(8, sys.byteorder))
    finally:
        os.close(descriptor)


def _get(descriptor: int) -> int:
    data = bytearray(8)
    fcntl.ioctl(descriptor, GET, data)
    return int.from_bytes(data[:4], sys.byteorder)

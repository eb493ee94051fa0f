"""System calls that Python does not have. Part of the rim.

Files are asked for their attributes, a file system is shown without what is mounted
upon it, to this process alone, and the copier sets the flags of its copies.
"""

import contextlib
import ctypes
import errno
import fcntl
import functools
import os
import struct

# bytes; longer than any name, shorter than PATH_MAX
PIECE = 3000
# include/uapi/linux/stat.h
ATTR_COMPRESSED = 0x4
ATTR_IMMUTABLE = 0x10
ATTR_APPEND = 0x20
ATTR_ENCRYPTED = 0x800
ATTR_MOUNT_ROOT = 0x2000
ATTR_VERITY = 0x100000
ATTR_DAX = 0x200000
_STATX_TYPE, _STATX_NLINK, _STATX_INO = 0x1, 0x4, 0x100
_AT_SYMLINK_NOFOLLOW, _AT_NO_AUTOMOUNT = 0x100, 0x800
_STATX = struct.Struct("=8xQI8xH2xQ96xII112x")
# include/uapi/linux/fs.h; the numbers of a machine of 64 bits
FLAG_CASEFOLD = 0x40000000
# what a user sets by chattr(1); the rest is the file system's own business
FLAG_LETTERS = {
    0x4: "c",
    0x8: "S",
    0x10: "i",
    0x20: "a",
    0x40: "d",
    0x80: "A",
    0x4000: "j",
    0x8000: "t",
    0x10000: "D",
    0x20000: "T",
    0x800000: "C",
    0x20000000: "P",
    0x40000000: "F",
}
FLAGS_OF_USERS = sum(FLAG_LETTERS)
# immutable and append-only
FLAGS_THAT_FORBID = 0x30
_FS_IOC_GETFLAGS = 0x80086601
_FS_IOC_SETFLAGS = 0x40086602
_FS_IOC_FSGETXATTR = 0x801C581F
# asked of every file that is copied: one buffer for all of them
_flags = bytearray(8)
_flags_seen = memoryview(_flags).cast("I")
_FSXATTR = struct.Struct("=12xI12x")
# include/uapi/linux/fcntl.h, fs.h
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
# include/uapi/linux/mount.h; one number on every machine
_SYS_OPEN_TREE = 428
_OPEN_TREE_CLONE = 1
# include/uapi/linux/openat2.h; one number on every machine
_SYS_OPENAT2 = 437
_RESOLVE_NO_SYMLINKS = 0x04
_OPEN_HOW = struct.Struct("=QQQ")

_libc = ctypes.CDLL(None, use_errno=True)
_openat2 = _libc["syscall"]
_openat2.argtypes = (
    *(ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t),
)
_openat2.restype = ctypes.c_long


class Statx:
    """Asks for attributes, kind, links and inode of names in a directory.

    One object serves a whole walk: it has one buffer, filled again and again.
    """

    def __init__(self) -> None:
        """Get the buffer ready."""
        self._buffer = ctypes.create_string_buffer(_STATX.size)
        self._call = _libc.statx
        self._call.argtypes = (
            *(ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint),
            ctypes.c_void_p,
        )

    def __call__(
        self, directory: int, name: bytes
    ) -> tuple[int, int, int, int, int, int]:
        """Return attributes, links, mode, inode, and the device's major and minor.

        Links are not followed, and nothing is mounted for the question.
        """
        flags = _AT_SYMLINK_NOFOLLOW | _AT_NO_AUTOMOUNT
        mask = _STATX_TYPE | _STATX_NLINK | _STATX_INO
        if self._call(directory, name, flags, mask, self._buffer):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        attributes, links, mode, inode, major, minor = _STATX.unpack(self._buffer)
        return attributes, links, mode, inode, major, minor


def chattr_flags(descriptor: int) -> int:
    """Return the flags that chattr(1) sets on an open directory; 0 where none can be.

    A file system without them, such as vfat, says so.
    """
    return get_flags(descriptor) or 0


def get_flags(descriptor: int) -> int | None:
    """Return the flags of chattr(1), or None where the file system has none."""
    try:
        fcntl.ioctl(descriptor, _FS_IOC_GETFLAGS, _flags)
    except OSError:
        return None
    return _flags_seen[0]


def add_flags(descriptor: int, flags: int) -> int:
    """Set flags, each that the file system takes; return all that are set then.

    Asked for at once, one that is not taken has all refused, so the second try is one
    by one.
    """
    here = get_flags(descriptor)
    if here is None:
        return 0
    if not _set_flags(descriptor, here | flags):
        for flag in FLAG_LETTERS:
            if flags & flag and _set_flags(descriptor, here | flag):
                here |= flag
    return get_flags(descriptor) or 0


def clear_flags(descriptor: int, flags: int) -> None:
    """Take flags away; where that is refused, at least those that forbid to write."""
    here = get_flags(descriptor)
    if (
        here is not None
        and here & flags
        and not _set_flags(descriptor, here & ~flags)
        and here & FLAGS_THAT_FORBID
    ):
        _set_flags(descriptor, here & ~FLAGS_THAT_FORBID)


def _set_flags(descriptor: int, flags: int) -> bool:
    try:
        fcntl.ioctl(descriptor, _FS_IOC_SETFLAGS, flags.to_bytes(8, "little"))
    except OSError:
        return False
    return True


def sync_file_system(descriptor: int) -> None:
    """Write all that is not yet on the disk of one file system, syncfs(2)."""
    if _libc.syncfs(ctypes.c_int(descriptor)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def may_be_written(descriptor: int) -> bool:
    """Tell whether somebody may have a file open for writing, or map it so.

    The descriptor is one for reading only. A lease is given where nobody has, and only
    then (fcntl(2), F_SETLEASE); where there are none, as to another user's file, that
    is not known. It is given back at once: whoever opens the file between the two waits
    that long, and the kernel says so by SIGIO, which the caller must ignore.
    """
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError:
        return True
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def project(descriptor: int) -> int:
    """Return the project (quota) of an open directory, 0 where it has none."""
    data = bytearray(_FSXATTR.size)
    with contextlib.suppress(OSError):
        fcntl.ioctl(descriptor, _FS_IOC_FSGETXATTR, data)
    return int(_FSXATTR.unpack(data)[0])


def open_alone(path: str) -> int | None:
    """Open the top of what is mounted at a path, without what is mounted upon it.

    The descriptor leads to a mount that has no place in the system and is gone with it
    (open_tree(2), Linux 5.2). None: not allowed, or the kernel does not know the call.
    """
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC
    found = _libc.syscall(
        ctypes.c_long(_SYS_OPEN_TREE),
        ctypes.c_int(-100),
        ctypes.c_char_p(os.fsencode(path)),
        ctypes.c_uint(flags),
    )
    return int(found) if found >= 0 else None


def open_below(top: int, path: bytes, flags: int = 0) -> int:
    """Open a directory below another; no symbolic link on the way is followed.

    `path` begins with a slash, or is empty for the directory itself; it may be longer
    than what the kernel takes at a time (PATH_MAX). `flags` are those of open(2), in
    addition. NotADirectoryError: there is a link, or something else, in its place.

    A tree that is at work can turn a directory into a link at any time, and one that
    leads out of the copy leads into the running system: openat2(2), RESOLVE_NO_SYMLINKS
    (Linux 5.6). Where that call is not known, or forbidden, one name is opened after
    the other.
    """
    flags |= os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    knows = _has_openat2()
    if knows and len(path) <= PIECE:
        return _open_no_link(top, path[1:] or b".", flags)
    here, rest = -1, path[1:] or b"."
    while rest:
        piece, rest = _first_piece(rest, PIECE if knows else 1)
        above = here
        folder = top if above < 0 else above
        try:
            if knows:
                here = _open_no_link(folder, piece, flags)
            else:
                here = os.open(piece, flags, dir_fd=folder)
        finally:
            if above >= 0:
                os.close(above)
    return here


def _first_piece(path: bytes, most: int) -> tuple[bytes, bytes]:
    """Split a path before a slash: at least a name, and else at most so many bytes."""
    if len(path) <= most:
        return path, b""
    end = path.rfind(b"/", 0, most)
    if end < 0:
        end = path.find(b"/")
    return (path, b"") if end < 0 else (path[:end], path[end + 1 :])


def _open_no_link(folder: int, path: bytes, flags: int) -> int:
    how = _OPEN_HOW.pack(flags, 0, _RESOLVE_NO_SYMLINKS)
    found: int = _openat2(_SYS_OPENAT2, folder, path, how, _OPEN_HOW.size)
    if found < 0:
        number = ctypes.get_errno()
        # as open(2) calls a link that was to be a directory
        number = errno.ENOTDIR if number == errno.ELOOP else number
        raise OSError(number, os.strerror(number), path)
    return found


@functools.cache
def _has_openat2() -> bool:
    how = _OPEN_HOW.pack(os.O_PATH | os.O_CLOEXEC, 0, _RESOLVE_NO_SYMLINKS)
    found: int = _openat2(_SYS_OPENAT2, _AT_FDCWD, b"/", how, _OPEN_HOW.size)
    if found >= 0:
        os.close(found)
    return found >= 0


def exchange(first: str, second: str) -> None:
    """Let two names change places at once, or raise OSError: renameat2(2)."""
    call = getattr(_libc, "renameat2", None)
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), first)
    names = (os.fsencode(first), os.fsencode(second))
    if call(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), first)

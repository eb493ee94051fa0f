"""What two files of the same name have in common, asked of both. Read-only."""

import errno
import os
import stat
from collections.abc import Iterator

from zfs_root_migrate.errors import StepFailedError

CHUNK = 1 << 20
# without attributes: a file system that has none, a name that has just gone
_NO_ATTRIBUTES = (errno.ENOTSUP, errno.ENOENT, errno.ENODATA)


def unreadable(path: str, error: OSError) -> StepFailedError:
    """Say which file could not be read, and what that may mean."""
    return StepFailedError(
        f"cannot compare {path!r}: {error.strerror}",
        resolution="an input/output error means that a disk cannot be read: look at "
        "dmesg and smartctl before anything else; a backup comes first",
    )


def unlike_metadata(
    before: os.stat_result, now: os.stat_result, *, timed: bool = True
) -> Iterator[str]:
    """Name what differs in owner, mode, time (where `timed`) and device number."""
    if (before.st_uid, before.st_gid) != (now.st_uid, now.st_gid):
        yield f"owner {now.st_uid}:{now.st_gid}, was {before.st_uid}:{before.st_gid}"
    if stat.S_IMODE(before.st_mode) != stat.S_IMODE(now.st_mode):
        yield (
            f"mode {stat.S_IMODE(now.st_mode):o}, was {stat.S_IMODE(before.st_mode):o}"
        )
    if timed and before.st_mtime_ns != now.st_mtime_ns:
        yield f"modified {now.st_mtime_ns} ns, was {before.st_mtime_ns}"
    if before.st_rdev != now.st_rdev:
        yield "device number"


def attributes(folder: int, name: bytes) -> dict[str, bytes]:
    """Return the extended attributes, ACLs among them."""
    # listxattr takes no dir_fd; through /proc no path is longer than a name
    path = b"/proc/self/fd/%d/%s" % (folder, name)
    try:
        return {
            key: os.getxattr(path, key, follow_symlinks=False)
            for key in os.listxattr(path, follow_symlinks=False)
        }
    except OSError as error:
        if error.errno in _NO_ATTRIBUTES:
            return {}
        raise


def same_content(old: int, new: int, name: bytes, size: int) -> bool:
    """Read a file of this size in both directories and compare."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NOATIME
    try:
        one = os.open(name, flags, dir_fd=old)
    except FileNotFoundError:
        return False
    try:
        two = os.open(name, flags, dir_fd=new)
        try:
            place = 0
            while place < size:
                chunk = os.pread(one, CHUNK, place)
                if chunk != os.pread(two, CHUNK, place) or not chunk:
                    return False
                place += len(chunk)
            return True
        finally:
            os.close(two)
    finally:
        os.close(one)

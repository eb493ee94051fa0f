"""What two files of the same name have in common, asked of both. Read-only."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from zfs_root_migrate.errors import StepFailedError
from zfs_root_migrate.syscalls import open_below

# smaller than what malloc(3) asks the kernel for anew each time
CHUNK = 100 << 10
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


def by_name(folder: int, name: bytes) -> bytes:
    """Return a path for calls that take no dir_fd; none on it is longer than a name."""
    return b"/proc/self/fd/%d/%s" % (folder, name)


def attributes(place: int | bytes) -> dict[str, bytes]:
    """Return the extended attributes, ACLs among them; a path is not followed."""
    follow = isinstance(place, int)
    try:
        return {
            key: os.getxattr(place, key, follow_symlinks=follow)
            for key in os.listxattr(place, follow_symlinks=follow)
        }
    except OSError as error:
        if error.errno in _NO_ATTRIBUTES:
            return {}
        raise


@contextmanager
def both_open(old: int, new: int, name: bytes) -> Iterator[tuple[int, int] | None]:
    """Open a file in both directories; None where the old one has just gone."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NOATIME
    try:
        one = os.open(name, flags, dir_fd=old)
    except FileNotFoundError:
        yield None
        return
    try:
        two = os.open(name, flags, dir_fd=new)
        try:
            yield one, two
        finally:
            os.close(two)
    finally:
        os.close(one)


def same_content(one: int, two: int, size: int) -> bool:
    """Read two open files of this size and compare."""
    place = 0
    while place < size:
        count = min(CHUNK, size - place)
        chunk = os.pread(one, count, place)
        if chunk != os.pread(two, count, place) or not chunk:
            return False
        place += len(chunk)
    return True


def changed(folder: int, name: bytes) -> float | None:
    """Return when a name's inode was changed last, None where it is gone."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_ctime
    except FileNotFoundError:
        return None


def changed_at(top: str, path: bytes) -> float | None:
    """Return when a name below `top` was changed last, None where it is gone."""
    parent, _, name = path.rpartition(b"/")
    try:
        base = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
        try:
            folder = open_below(base, parent)
        finally:
            os.close(base)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return changed(folder, name)
    finally:
        os.close(folder)

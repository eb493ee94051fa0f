"""Copies one file that is no directory, and removes what is in the way."""

import errno
import os
import stat
import zlib
from collections.abc import Callable

from zfs_root_migrate import syscalls
from zfs_root_migrate.copy.attributes import Attributes, NotKept, by_name
from zfs_root_migrate.copy.problems import GONE, ChangedError, SourceError

# read and written in one go up to here; above, the kernel moves the bytes
SMALL = 64 << 10
CHUNK = 4 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_BLOCK = 512
Settled = Callable[[int, os.stat_result], tuple[os.stat_result, int]]


class Entries:
    """Copies names from one open directory to another."""

    def __init__(self, tick: Callable[[int], None], settled: Settled) -> None:
        """`tick` is told of bytes that were written; it may raise to stop.

        `settled` is that of both sides.
        """
        self._tick = tick
        self._settled = settled
        self._attributes = Attributes()
        self._read = _READ | os.O_NOATIME

    def open(self, folder: int, name: str) -> tuple[int, os.stat_result, int]:
        """Open a regular file of the source and look at it, in this order.

        Returns the change time that counts besides.
        """
        try:
            try:
                old = os.open(name, self._read, dir_fd=folder)
            except PermissionError:
                # not ours: then its access time changes
                old = os.open(name, _READ, dir_fd=folder)
            before = os.fstat(old)
        except OSError as error:
            raise SourceError(error) from error
        if not stat.S_ISREG(before.st_mode):
            os.close(old)
            raise ChangedError
        return old, *self._settled(old, before)

    def file(
        self, old: int, new: int, name: str, lost: NotKept, *, is_there: bool
    ) -> tuple[os.stat_result, int]:
        """Copy a regular file; one that has several names is only looked at.

        Returns what was copied, and its change time as far as that counts.
        """
        file, before, ctime = self.open(old, name)
        try:
            if before.st_nlink == 1:
                if is_there:
                    self.replace(file, before, new, name, lost)
                else:
                    self.regular(file, before, new, name, lost)
                self.give_flags(file, new, name, lost)
        finally:
            os.close(file)
        return before, ctime

    def regular(
        self, old: int, before: os.stat_result, folder: int, name: str, lost: NotKept
    ) -> None:
        """Make the file `name` from the open `old`; half a file is taken away again.

        Flags come after this, as a file that may not be changed gets no other names.
        """
        new = os.open(name, _MAKE, before.st_mode & 0o777, dir_fd=folder)
        try:
            try:
                self._content(old, new, before)
                self._attributes.carry_to_file(old, new, before, lost)
                os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
            finally:
                os.close(new)
        except BaseException:
            os.unlink(name, dir_fd=folder)
            raise

    def replace(
        self, old: int, before: os.stat_result, folder: int, name: str, lost: NotKept
    ) -> None:
        """Make `name` anew where something is; that goes when the new file is whole.

        The new one has a name of its own until then, the same each time: what a kill
        leaves is found by the next pass, which makes this file anew. Not O_TMPFILE:
        to give such a file its name, ZFS waits for a transaction group (zfs_link).
        """
        part = part_of(name)
        try:
            self.regular(old, before, folder, part, lost)
        except FileExistsError:
            remove(folder, part)
            self.regular(old, before, folder, part, lost)
        try:
            os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
        except PermissionError:
            # chattr(1) protects what is there
            remove(folder, name)
            os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)

    def give_flags(self, old: int, folder: int, name: str, lost: NotKept) -> None:
        """Give a file that has all its names what chattr(1) has set on the old one."""
        if not self._attributes.flags(old):
            return
        new = os.open(name, _READ, dir_fd=folder)
        try:
            self._attributes.carry_flags(old, new, lost)
        finally:
            os.close(new)

    def _content(self, old: int, new: int, before: os.stat_result) -> None:
        size = before.st_size
        if before.st_blocks * _BLOCK < size:
            self._sparse(old, new, size)
        elif size > SMALL:
            self._range(old, new, 0, size)
        elif size:
            try:
                data = os.read(old, size)
            except OSError as error:
                raise SourceError(error) from error
            done = os.write(new, data)
            if done < len(data):
                _write(new, memoryview(data)[done:])
            self._tick(len(data))

    def _sparse(self, old: int, new: int, size: int) -> None:
        """Copy what is between the holes, lseek(2)."""
        place = 0
        while place < size:
            try:
                place = os.lseek(old, place, os.SEEK_DATA)
                end = min(os.lseek(old, place, os.SEEK_HOLE), size)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    break
                raise SourceError(error) from error
            self._range(old, new, place, end)
            place = end
        os.ftruncate(new, size)

    def _range(self, old: int, new: int, place: int, end: int) -> None:
        os.lseek(new, place, os.SEEK_SET)
        by_kernel = True
        while place < end:
            count = min(CHUNK, end - place)
            if by_kernel:
                try:
                    done = os.sendfile(new, old, place, count)
                except OSError as error:
                    if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EIO):
                        raise
                    # not for these file systems; or the question is which side failed
                    by_kernel = False
                    continue
            else:
                done = _by_hand(old, new, place, count)
            if not done:
                # it became shorter; the next pass sees that
                return
            place += done
            self._tick(done)

    def other(self, old: int, new: int, name: str, lost: NotKept) -> os.stat_result:
        """Make a link, device, fifo or socket; return what it was made from."""
        try:
            before = os.stat(name, dir_fd=old, follow_symlinks=False)
            is_link = stat.S_ISLNK(before.st_mode)
            text = os.readlink(name, dir_fd=old) if is_link else ""
        except OSError as error:
            raise SourceError(error) from error
        if stat.S_ISREG(before.st_mode) or stat.S_ISDIR(before.st_mode):
            raise ChangedError
        if is_link:
            os.symlink(text, name, dir_fd=new)
        else:
            os.mknod(name, before.st_mode, before.st_rdev, dir_fd=new)
        try:
            self._attributes.carry(
                by_name(old, name), by_name(new, name), before, lost, made=True
            )
            times = (before.st_atime_ns, before.st_mtime_ns)
            os.utime(name, ns=times, dir_fd=new, follow_symlinks=False)
        except BaseException:
            os.unlink(name, dir_fd=new)
            raise
        return before

    def finish(
        self, old: int, new: int, before: os.stat_result, lost: NotKept, *, made: bool
    ) -> None:
        """Give a directory whose content is complete all that it has besides."""
        self._attributes.carry(old, new, before, lost, made=made)
        os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
        self._attributes.carry_flags(old, new, lost)


def part_of(name: str) -> str:
    """Return the name that a file has until it is whole."""
    return f".zfs-root-migrate.{zlib.crc32(os.fsencode(name)):08x}"


def _write(new: int, left: "memoryview[int]") -> None:
    """Write all of it; a full disk says so when it is asked for the rest."""
    while left:
        left = left[os.write(new, left) :]


def _by_hand(old: int, new: int, place: int, count: int) -> int:
    try:
        data = os.pread(old, min(count, SMALL), place)
    except OSError as error:
        raise SourceError(error) from error
    _write(new, memoryview(data))
    return len(data)


def remove(folder: int, name: str) -> None:
    """Take away a name that is no directory, also where chattr(1) protects it."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
    except PermissionError:
        _unprotect(folder, name)
        os.unlink(name, dir_fd=folder)


def _unprotect(folder: int, name: str) -> None:
    for place in (name, "."):
        try:
            found = os.open(place, _READ, dir_fd=folder)
        except OSError as error:
            if error.errno in GONE:
                continue
            raise
        try:
            syscalls.clear_flags(found, syscalls.FLAGS_THAT_FORBID)
        finally:
            os.close(found)

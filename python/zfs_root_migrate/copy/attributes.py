"""Owner, mode, extended attributes, times and flags of one file or directory."""

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress

from zfs_root_migrate import syscalls
from zfs_root_migrate.copy.problems import REFUSED

DEFAULT_ACL = "system.posix_acl_default"
ACCESS_ACL = "system.posix_acl_access"
_SPECIAL = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX
_NONE = (errno.ENOTSUP, errno.ENODATA)
# a descriptor, or a path below /proc/self/fd that ends in a name
Place = int | str

NotKept = Callable[[str], None]


def by_name(folder: int, name: str) -> str:
    """Return a path for calls that take no dir_fd; none on it is longer than a name."""
    return f"/proc/self/fd/{folder}/{name}"


class Attributes:
    """Carries what stands beside the content from one file to another."""

    def __init__(self) -> None:
        """Look at what this process may do."""
        self._uid, self._gid = os.geteuid(), os.getegid()
        # files on which chattr(1) did nothing cost one question each, and no more
        self._asks_flags = True

    def carry(
        self,
        old: Place,
        new: Place,
        before: os.stat_result,
        not_kept: NotKept,
        *,
        made: bool,
    ) -> None:
        """Give `new` what `old` has but for times and flags.

        `made`: it was made just now, by this process, with these permissions in a
        directory without a default ACL, so most of it is so already.
        """
        uid, gid = before.st_uid, before.st_gid
        if not made or uid != self._uid or gid != self._gid:
            try:
                os.chown(new, uid, gid, follow_symlinks=isinstance(new, int))
            except OSError as error:
                _refused(error, not_kept, f"owner {uid}:{gid}")
        mode = before.st_mode
        has_acl = self._xattrs(old, new, not_kept, fresh=made)
        # directories are made closed
        is_right = made and not (has_acl or mode & _SPECIAL or stat.S_ISDIR(mode))
        # after the owner, which takes setuid away, and after the ACL, whose mask it is
        if not (is_right or stat.S_ISLNK(mode)):
            try:
                os.chmod(new, stat.S_IMODE(mode))  # noqa: PTH101 - a descriptor
            except OSError as error:
                _refused(error, not_kept, f"mode {stat.S_IMODE(mode):o}")

    def carry_to_file(
        self, old: int, new: int, before: os.stat_result, not_kept: NotKept
    ) -> None:
        """The same for a regular file that was made just now; most have nothing."""
        if (
            before.st_uid != self._uid
            or before.st_gid != self._gid
            or before.st_mode & _SPECIAL
            or _has_xattrs(old)
        ):
            self.carry(old, new, before, not_kept, made=True)

    def _xattrs(
        self, old: Place, new: Place, not_kept: NotKept, *, fresh: bool
    ) -> bool:
        """Copy all attributes; tell whether an access ACL is among them."""
        follow = isinstance(old, int)
        try:
            names = os.listxattr(old, follow_symlinks=follow)
        except OSError as error:
            if error.errno not in _NONE:
                raise
            names = []
        if not fresh:
            _remove_others(new, names)
        for name in names:
            try:
                value = os.getxattr(old, name, follow_symlinks=follow)
            except OSError as error:
                if error.errno != errno.ENODATA:
                    _refused(error, not_kept, f"attribute {name}")
                continue
            try:
                os.setxattr(new, name, value, follow_symlinks=follow)
            except OSError as error:
                _refused(error, not_kept, f"attribute {name}")
        return ACCESS_ACL in names

    def carry_flags(self, old: int, new: int, not_kept: NotKept) -> None:
        """Give `new` the flags of chattr(1) that `old` has; the last thing of all."""
        wanted = self.flags(old)
        if wanted:
            lost = wanted & ~syscalls.add_flags(new, wanted)
            for flag, letter in syscalls.FLAG_LETTERS.items():
                if lost & flag:
                    not_kept(f"flag {letter} of chattr")

    def flags(self, old: int) -> int:
        """Return the flags that a user has set."""
        flags = syscalls.get_flags(old) if self._asks_flags else 0
        if flags is None:
            # a file system without flags has none on any file
            self._asks_flags, flags = False, 0
        return flags & syscalls.FLAGS_OF_USERS


def _has_xattrs(old: int) -> bool:
    try:
        return bool(os.listxattr(old))
    except OSError:
        # who asks for their values says why there are none
        return True


def _remove_others(new: Place, names: list[str]) -> None:
    follow = isinstance(new, int)
    try:
        there = os.listxattr(new, follow_symlinks=follow)
    except OSError:
        return
    for name in there:
        if name not in names:
            # security labels come by themselves and cannot always be taken away
            with suppress(OSError):
                os.removexattr(new, name, follow_symlinks=follow)


def _refused(error: OSError, not_kept: NotKept, what: str) -> None:
    """Report what the destination does not take; anything else is an error."""
    if error.errno not in REFUSED:
        raise error
    not_kept(f"{what}: {error.strerror}")


def make_plain(folder: int) -> None:
    """Have nothing handed down to what is made in an existing directory.

    Its own ACL, mode and flags come last, when its content is complete.
    """
    syscalls.clear_flags(folder, syscalls.FLAGS_OF_USERS)
    with suppress(OSError):
        os.removexattr(folder, DEFAULT_ACL)
    mode = os.fstat(folder).st_mode
    if mode & stat.S_ISGID:
        os.fchmod(folder, stat.S_IMODE(mode) & ~stat.S_ISGID)

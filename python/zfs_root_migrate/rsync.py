"""Makes one tree equal to another, with rsync. Part of the rim.

It keeps content, owner, mode, nanosecond times, hard links, ACLs, extended attributes
and sparseness; flags of chattr(1) it does not.
"""

import re
import time
from typing import TYPE_CHECKING

from zfs_root_migrate import runner
from zfs_root_migrate.errors import StepFailedError
from zfs_root_migrate.step import CopyTree

if TYPE_CHECKING:
    from zfs_root_migrate.world import Progress

# 24: a file vanished while it was being copied, which is normal on a live system. 23,
# "partial transfer", is not: rsync then also leaves deletions out.
VANISHED = 24
# seconds between two looks at how far it is
EVERY = 0.25
OPTIONS = (
    "-aHAX",
    "--numeric-ids",
    # what goes makes room for what comes: people free room by deleting at the source
    "--delete-before",
    # compares times to the nanosecond; by default rsync does so to the second, and a
    # rewrite of equal size within one second is missed
    "--modify-window=-1",
    # every file is read back and compared by code of our own; sums of rsync's own would
    # only check the pipe between its processes, and cost a fifth of the time
    "--checksum-choice=none",
    "--no-human-readable",
    "--outbuf=L",
    "--info=progress2,name0",
    # a line for everything that is changed: they are counted
    "--out-format=%i",
)
_CHANGE = re.compile(r"^[<>ch.*][fdLDSd]\S{9}|^\*deleting")
_PROGRESS = re.compile(r"^\s*(\d[\d,]*)\s+\d+%.*?(?:(?:ir|to)-chk=(\d+)/(\d+))?\)?$")


def command(tree: CopyTree) -> tuple[str, ...]:
    """Return the rsync command for a tree."""
    return (
        "rsync",
        *OPTIONS,
        *(("--sparse",) if tree.sparse else ()),
        *(f"--exclude={escape(path)}" for path in tree.exclude),
        f"{tree.source}/",
        f"{tree.destination}/",
    )


def escape(path: str) -> str:
    r"""Return the pattern that matches just this path, rsync(1) FILTER RULES.

    A backslash counts as an escape only in a pattern that has a wildcard.

    >>> escape("/a[b]")
    '/a\\[b]'
    """
    if re.search(r"[*?\[]", path):
        return re.sub(r"([*?\[\\])", r"\\\1", path)
    return path


def copy(tree: CopyTree, progress: "Progress") -> int:
    """Copy, and tell how it goes; return how many names were changed.

    Raises StepFailedError with rsync's own words.
    """
    argv = command(tree)
    progress.command(runner.shell_text(argv))
    listener = _Listener(progress)
    status = runner.stream(argv, listener.hear)
    listener.look()
    errors = listener.errors
    if status not in (0, VANISHED):
        raise StepFailedError(
            f"copying to {tree.destination} failed (rsync status {status})",
            details="\n".join(errors),
            resolution=_resolution(errors),
        )
    return listener.changes


class _Listener:
    """Hears what rsync says: how far it is, and what it complains of."""

    def __init__(self, progress: "Progress") -> None:
        self.errors: list[str] = []
        self.changes = 0
        self._progress = progress
        self._files = 0
        self._last = ""
        self._looked = 0.0

    def hear(self, line: str, is_error: bool) -> None:
        """Take in a line; one of progress comes for every file, and few are read."""
        if is_error:
            self.errors.append(line)
            del self.errors[:-15]
            self._progress.said(line)
            return
        soon = time.monotonic() - self._looked < EVERY
        if soon and line.startswith(" ") and "%" in line:
            self._last = line
        elif _CHANGE.match(line):
            self.changes += 1
        elif _PROGRESS.match(line):
            self._last = line
            self.look()
        else:
            self._progress.said(line)

    def look(self) -> None:
        """Tell what the last line of progress means."""
        seen = _PROGRESS.match(self._last)
        if seen is None:
            return
        self._last, self._looked = "", time.monotonic()
        if seen[3]:
            # only lines that end a file have the count
            self._files = int(seen[3]) - int(seen[2])
        done = int(seen[1].replace(",", ""))
        self._progress.advance(bytes_done=done, files_done=self._files)


FULL = (
    "the new pool is full. Free space on the running system (clean /var/tmp, "
    "distfiles) and `zfs-root-migrate run` goes on; or go back with `undo` and exclude "
    "something (`set exclude PATH`) or take a larger disk"
)
DYING = (
    "a disk cannot be read or written: look at dmesg and smartctl before anything "
    "else; a backup comes first"
)


def _resolution(errors: list[str]) -> str:
    text = "\n".join(errors)
    if "No space left on device" in text or "Disk quota exceeded" in text:
        return FULL
    if "Input/output error" in text:
        return DYING
    return "mend what rsync complains of; `zfs-root-migrate run` goes on from there"

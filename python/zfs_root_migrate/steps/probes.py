"""Probes and guarded commands that several steps share."""

import hashlib
import re
from collections.abc import Iterable

from zfs_root_migrate.layout import DiskLayout
from zfs_root_migrate.step import Probe, Run

NOT = False


def is_mounted(path: str, *, holds: bool = True) -> Probe:
    """Something is mounted exactly here, in the tool's own namespace."""
    return Probe(argv=("mountpoint", "-q", path), holds=holds)


def are_mounted(paths: Iterable[str]) -> Probe:
    """Something is mounted at each of these, by proc_pid_mountinfo(5)."""
    return Probe(
        argv=("cat", "/proc/self/mountinfo"),
        matches=tuple(rf"^(?:\S+ ){{4}}{re.escape(_in_table(p))} " for p in paths),
    )


def are_read_only(paths: Iterable[str]) -> Probe:
    """What is mounted at each of these takes no writes, wherever else it is mounted.

    The options after the source are those of the file system, not of the one mount.
    """
    return Probe(
        argv=("cat", "/proc/self/mountinfo"),
        matches=tuple(
            rf"^(?:\S+ ){{4}}{re.escape(_in_table(p))} .* - \S+ \S+ ro\b" for p in paths
        ),
    )


def _in_table(path: str) -> str:
    # what would break the table's lines: show_mountinfo in fs/proc_namespace.c
    return "".join(f"\\{ord(c):03o}" if c in " \t\n\\" else c for c in path)


def is_imported(pool: str, *, holds: bool = True) -> Probe:
    """The pool is imported."""
    return Probe(argv=("zpool", "list", "-H", "-o", "name", pool), holds=holds)


def exists(path: str, *, holds: bool = True) -> Probe:
    """The path exists; a link that leads nowhere does not count."""
    return Probe(argv=("test", "-e", path), holds=holds)


def links_to(path: str, target: str) -> Probe:
    """The path is a symbolic link with this very text."""
    return Probe(argv=("readlink", path), matches=(f"^{re.escape(target)}$",))


def has_table(disk: DiskLayout) -> Probe:
    """The disk carries exactly the table of the layout."""
    lines = [f"^label-id: {disk.table_uuid}$"]
    for part in disk.partitions:
        start, size = part.start // disk.sector, part.size // disk.sector
        lines.append(
            rf" start= *{start}, size= *{size}, type={part.type_code}, "
            rf"uuid={part.uuid}\b"
        )
    return Probe(
        argv=("sfdisk", "--dump", disk.path),
        matches=tuple(f"(?i){line}" for line in lines),
    )


def is_blank(device: str, *, holds: bool = True) -> Probe:
    """No signature of any kind on the device itself."""
    return Probe(
        argv=("wipefs", "--no-act", "--noheadings", device),
        absent=(r"\S",),
        holds=holds,
    )


def property_is(dataset: str, name: str, value: str) -> Probe:
    """A property of a dataset has this value."""
    return Probe(
        argv=("zfs", "get", "-H", "-o", "value", name, dataset),
        matches=(f"^{re.escape(value)}$",),
    )


def freshly(device: str, *argv: str) -> tuple[str, ...]:
    """Return the command with the device as its last word, read from the disk itself.

    Each block device has a page cache of its own: what was written through the array or
    the whole disk may not show on the partition (blockdev(8), --flushbufs).
    """
    return ("sh", "-ec", 'blockdev --flushbufs "$0"; exec "$@" "$0"', device, *argv)


def digest(content: str) -> str:
    """Return what sha256sum says of a file with this content."""
    return hashlib.sha256(content.encode("utf-8", "surrogateescape")).hexdigest()


def has_content(path: str, content: str) -> Probe:
    """The file has exactly this content."""
    return Probe(argv=("sha256sum", "-b", path), matches=(f"^{digest(content)} ",))


def make_directory(*paths: str) -> Run:
    """Make directories and their parents."""
    return Run(argv=("mkdir", "-p", *paths))


SETTLE = Run(argv=("udevadm", "settle", "--timeout=60"))

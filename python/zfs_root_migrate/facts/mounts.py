"""Mounted file systems, fstab and swap, from the kernel's own tables.

/proc/self/mountinfo is read as it is: it is what findmnt reads, and it cannot hang on a
dead network server. Sizes are asked of local file systems only, for the same reason.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from zfs_root_migrate.model import FstabLine, Mount, Swap
from zfs_root_migrate.reader import Reader

STATFS = ("stat", "-f", "-c", "%S %b %f %c %d %n")
# a run of them is decoded as one: several bytes may be one character
_OCTAL = re.compile(r"(?:\\[0-3][0-7]{2})+")


@dataclass(frozen=True, slots=True, kw_only=True)
class MountRow:
    """A line of mountinfo with what tells whether the mount can be reached."""

    id: int
    parent: int
    number: str
    mount: Mount


def gather_mounts(reader: Reader, numbers: Mapping[str, str]) -> tuple[Mount, ...]:
    """Return all mounts in the kernel's order.

    `device` is the name of the block device, as lsblk has it. Sizes are there for what
    lies on a device and can be reached.
    """
    rows = parse_mountinfo(reader.read("/proc/self/mountinfo") or "")
    mounts = [replace(r.mount, device=_device(reader, r, numbers)) for r in rows]
    hidden = find_hidden(rows)
    asked = [
        mount.target
        for row, mount in zip(rows, mounts, strict=True)
        if (mount.device or mount.fs_type == "zfs") and row.id not in hidden
    ]
    sizes = _statfs(reader, asked)
    return tuple(
        sizes[mount.target](mount)
        if mount.target in sizes and row.id not in hidden
        else mount
        for row, mount in zip(rows, mounts, strict=True)
    )


def parse_mountinfo(text: str) -> list[MountRow]:
    """Read /proc/self/mountinfo, see proc_pid_mountinfo(5)."""
    rows = []
    for line in text.split("\n"):
        before, separator, after = line.partition(" - ")
        left, right = before.split(" "), after.split(" ")
        numbers = left[0].isdecimal() and left[1:2] and left[1].isdecimal()
        if not separator or len(left) < 6 or len(right) < 3 or not numbers:
            continue
        mount = Mount(
            target=unescape(left[4]),
            source=unescape(right[1]),
            fs_type=right[0],
            options=_options(left[5], unescape(right[2])),
            root=unescape(left[3]),
        )
        rows.append(
            MountRow(id=int(left[0]), parent=int(left[1]), number=left[2], mount=mount)
        )
    return rows


def unescape(text: str) -> str:
    r"""Undo the octal escapes of fstab and the kernel's tables.

    >>> unescape(r"/mnt/a\040b")
    '/mnt/a b'
    """
    return _OCTAL.sub(lambda found: _decode(found[0]), text)


def _decode(escapes: str) -> str:
    data = bytes(int(digits, 8) for digits in escapes.split("\\")[1:])
    return data.decode("utf-8", "surrogateescape")


def _options(mount: str, file_system: str) -> str:
    # the mount's own come first and win: a read-only bind mount of a writable file
    # system is "ro" on the left and "rw" on the right
    own = mount.split(",")
    rest = [o for o in file_system.split(",") if o not in (*own, "ro", "rw")]
    return ",".join((*own, *rest))


def _device(reader: Reader, row: MountRow, numbers: Mapping[str, str]) -> str | None:
    if row.number in numbers:
        return numbers[row.number]
    # btrfs has device numbers of its own making; its source is the real device
    if row.mount.source.startswith("/dev/"):
        path = reader.resolve(row.mount.source) or ""
        name = path.removeprefix("/dev/")
        return name if name in numbers.values() else None
    return None


def find_hidden(rows: Iterable[MountRow]) -> frozenset[int]:
    """Return the ids of the mounts that another one covers.

    A mount on a directory covers what its own parent has mounted below that directory,
    with all that stands on it; a mount on another's root covers that one alone. The
    order of the lines says nothing: an initramfs moves mounts about.
    """
    by_id = {row.id: row for row in rows}
    places: dict[int, set[str]] = {}
    for row in by_id.values():
        places.setdefault(row.parent, set()).add(row.mount.target)
    covered = {i for i, row in by_id.items() if _is_covered(row, by_id, places)}
    roots = {i for i, row in by_id.items() if row.mount.target in places.get(i, ())}
    return frozenset(covered | roots)


def _is_covered(
    row: MountRow, by_id: Mapping[int, MountRow], places: Mapping[int, set[str]]
) -> bool:
    seen: set[int] = set()
    here: MountRow | None = row
    while here is not None and here.id not in seen:
        if places[here.parent].intersection(_above(here.mount.target)):
            return True
        seen.add(here.id)
        here = by_id.get(here.parent)
    return False


def _above(path: str) -> Iterator[str]:
    while path not in ("/", ""):
        path = path.rpartition("/")[0] or "/"
        yield path


@dataclass(frozen=True, slots=True)
class Sizes:
    """What statfs(2) says of a file system; None where the number means nothing."""

    size: int
    used: int
    files: int | None

    def __call__(self, mount: Mount) -> Mount:
        """Return the mount with these numbers."""
        return replace(mount, size=self.size, used=self.used, files=self.files)


def _statfs(reader: Reader, targets: Iterable[str]) -> dict[str, Sizes]:
    # one run for all; a path that cannot be asked only misses in the output
    paths = tuple(dict.fromkeys(path for path in targets if "\n" not in path))
    return parse_statfs(reader.query(*STATFS, *paths).stdout) if paths else {}


def parse_statfs(text: str) -> dict[str, Sizes]:
    """Read the lines of STATFS into the numbers for each path.

    Inodes are counted only where the file system has a fixed number of them.
    """
    found = {}
    for line in text.split("\n"):
        words = line.split(" ", 5)
        if len(words) == 6 and all(word.isdecimal() for word in words[:5]):
            block, blocks, free, inodes, unused = (int(word) for word in words[:5])
            found[words[5]] = Sizes(
                size=block * blocks,
                used=block * (blocks - free),
                files=inodes - unused if inodes else None,
            )
    return found


def parse_fstab(text: str) -> tuple[FstabLine, ...]:
    """Read /etc/fstab as mount(8) does; lines that it would reject are left out."""
    return tuple(line for raw in text.split("\n") for line in _fstab_line(raw))


def _fstab_line(raw: str) -> Iterator[FstabLine]:
    # only blanks and tabs part the fields: other white space belongs to a name
    words = [word for word in re.split(r"[ \t]+", raw.strip(" \t\r")) if word]
    if len(words) < 3 or words[0].startswith("#"):
        return
    numbers = [int(word) if word.isdecimal() else 0 for word in words[4:6]]
    freq, passno = (*numbers, 0, 0)[:2]
    yield FstabLine(
        spec=unescape(words[0]),
        file=unescape(words[1]),
        fs_type=words[2],
        options=unescape(words[3]) if len(words) > 3 else "defaults",
        freq=freq,
        passno=passno,
    )


def parse_swaps(text: str) -> tuple[Swap, ...]:
    r"""Read /proc/swaps, whose sizes are in KiB.

    >>> parse_swaps("Filename Type Size Used Priority\n/dev/vda3 partition 8 0 -2\n")
    (Swap(path='/dev/vda3', is_file=False, size=8192),)
    """
    return tuple(
        Swap(
            path=unescape(words[0]),
            is_file=words[1] == "file",
            size=int(words[2]) * 1024,
        )
        for line in text.split("\n")[1:]
        if len(words := line.split()) >= 5 and words[2].isdecimal()
    )

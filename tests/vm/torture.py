#!/usr/bin/python3
"""Builds a tree with everything that a copy of a file system can get wrong.

    torture.py ROOT [--seed N] [--small]

The same seed gives the same tree: names, content, owners, times.  Standard library
only, one file, run as root.  What the kernel refuses is reported, not fatal.
"""

import argparse
import os
import random
import stat
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

MIB = 1024 * 1024
FIRST_SECOND = 1_600_000_000
ODD_NAMES = (
    b"latin1-\xe9\xff",
    b"only-\xfe",
    b"new\nline",
    b"tab\tin",
    b"-dash",
    b"--delete",
    b"trailing space ",
    b" leading space",
    b"back\\slash",
    b"\"double\" and 'single'",
    b"glob-*?[a-z]{x,y}",
    b"$(touch x)`;&|<>!",
    b"#hash",
    b"~",
    b"...",
    b".hidden",
    b"carriage\rreturn",
    b"escape\x1b[31m",
    b"\x01\x7f",
    b"%s%n%d",
    b"n" * 255,
    "ü".encode() * 127,
    "caf\u00e9".encode(),  # composed
    "cafe\u0301".encode(),  # decomposed: another name, until something normalizes
    "\u65e5\u672c\u8a9e \U0001f427".encode(),
)
MODES = (0o0000, 0o0111, 0o0200, 0o0444, 0o0777, 0o4755, 0o2755, 0o6711, 0o1644, 0o7777)
OWNERS = ((1000, 1000), (65534, 65534), (1234567, 7654321), (4294967294, 4294967293))
SIZES = (0, 1, 511, 4095, 4096, 4097, 128 * 1024 - 1, 128 * 1024, 128 * 1024 + 1)
# seconds, nanoseconds: what 32 bits, signs and fractions can spoil
TIMES = (
    (0, 0),
    (0, 1),
    (1_234_567_890, 123_456_789),
    (1_234_567_890, 999_999_999),
    (-1, 0),
    (-86_400 * 365, 500_000_000),
    (-2_147_483_648, 0),  # 1901, the first second that ext4 knows
    (2_147_483_647, 999_999_999),
    (2_147_483_648, 1),  # 2038
    (4_294_967_296, 5),  # 2106
    (15_032_385_535, 0),  # 2446, the last
)
# struct vfs_cap_data, revision 2, effective: cap_net_raw permitted
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)
USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 1, 2, 4, 8, 16, 32
NOBODY = 0xFFFFFFFF


def acl(*entries: tuple[int, int, int]) -> bytes:
    """Return an ACL as the kernel takes it: tag, permissions, id of each entry."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries)


ACL = acl(
    (USER_OBJ, 6, NOBODY),
    (USER, 7, 1000),
    (USER, 4, 4_000_000_000),
    (GROUP_OBJ, 4, NOBODY),
    (GROUP, 5, 250),
    (MASK, 7, NOBODY),
    (OTHER, 0, NOBODY),
)


@dataclass
class Builder:
    """Builds one tree; remembers the times to set when all is there."""

    root: Path
    seed: int
    small: bool
    refused: list[str] = field(default_factory=list)
    times: dict[Path, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin the sequence of random numbers."""
        self.random = random.Random(self.seed)

    def build(self) -> None:
        """Build the tree."""
        self.root.mkdir(parents=True)
        parts: list[Callable[[Path], None]] = [
            self.names,
            self.modes,
            self.owners,
            self.sizes,
            self.holes,
            self.links,
            self.symlinks,
            self.special,
            self.attributes,
            self.acls,
            self.dates,
            self.directories,
        ]
        for part in parts:
            place = self.root / part.__name__
            place.mkdir()
            part(place)
        self.set_times()

    def file(self, path: Path, content: bytes | None = None) -> Path:
        """Make a file, by default a small one of random content."""
        if content is None:
            content = self.random.randbytes(self.random.randrange(1, 2000))
        path.write_bytes(content)
        return path

    def try_to(self, what: str, action: Callable[[], None]) -> None:
        """Do what the kernel may refuse."""
        try:
            action()
        except OSError as error:
            self.refused.append(f"{what}: {error.strerror}")

    def xattr(self, path: Path, name: str, value: bytes) -> None:
        """Set an extended attribute of the path itself."""
        self.try_to(
            f"{name} on {path}",
            lambda: os.setxattr(path, name, value, follow_symlinks=False),
        )

    def names(self, place: Path) -> None:
        """Make names that break quoting, encoding and option parsing."""
        for name in ODD_NAMES:
            self.file(place / os.fsdecode(name), name)
        below = place / os.fsdecode(b"directory \xe9\n\t*")
        below.mkdir()
        self.file(below / os.fsdecode(b"in it\\"))

    def modes(self, place: Path) -> None:
        """Make files and directories of every odd mode."""
        for mode in MODES:
            self.file(place / f"file-{mode:04o}").chmod(mode)
            directory = place / f"directory-{mode:04o}"
            directory.mkdir()
            self.file(directory / "inside")
            directory.chmod(mode)

    def owners(self, place: Path) -> None:
        """Make files whose owners no passwd file knows."""
        for uid, gid in OWNERS:
            path = self.file(place / f"{uid}-{gid}")
            os.chown(path, uid, gid)
            # a copier that changes the owner last loses setuid
            path.chmod(0o4750)
            link = place / f"link-{uid}"
            link.symlink_to("nowhere")
            os.chown(link, uid, gid, follow_symlinks=False)

    def sizes(self, place: Path) -> None:
        """Make files around the sizes of blocks and records."""
        for size in (*SIZES, *(() if self.small else (MIB, 3 * MIB + 17))):
            self.file(place / f"{size}-bytes", self.random.randbytes(size))
        self.file(place / "zeros-but-no-hole", bytes(64 * 1024))
        self.file(place / "compressible", b"gentoo\n" * 30_000)

    def holes(self, place: Path) -> None:
        """Make sparse files."""
        unit = 64 * 1024 if self.small else 512 * 1024
        layouts = {
            "start": "..XX",
            "middle": "X..X",
            "end": "X...",
            "nothing-else": "....",
            "many": "X.X.X.X.X.X.X.X.",
            "mostly": ".......X........",
        }
        for name, layout in layouts.items():
            with (place / name).open("wb") as stream:
                for number, kind in enumerate(layout):
                    if kind == "X":
                        stream.seek(number * unit)
                        stream.write(self.random.randbytes(unit // 4))
                stream.truncate(len(layout) * unit)
        with (place / "odd-end").open("wb") as stream:
            stream.truncate(unit * 2 + 1)

    def links(self, place: Path) -> None:
        """Make hard links within a directory, across directories, on all types."""
        for name in ("a", "b/c"):
            (place / name).mkdir(parents=True)
        for number in range(5 if self.small else 40):
            first = self.file(place / f"a/file-{number}")
            (place / f"a/again-{number}").hardlink_to(first)
            (place / f"b/c/far-{number}").hardlink_to(first)
        os.mkfifo(place / "a/fifo")
        os.mknod(place / "a/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        (place / "a/symlink").symlink_to("file-0")
        for name in ("fifo", "null", "symlink"):
            source, target = place / "a" / name, place / "b" / name
            os.link(source, target, follow_symlinks=False)

    def symlinks(self, place: Path) -> None:
        """Make symlinks: long, dangling, to themselves, with odd targets."""
        targets = {
            "short": b"x",
            "sixty": b"s" * 60,
            "long": b"/".join([b"l" * 200] * 15),
            "longest": b"e" * 4000,
            "dangling": b"does/not/exist",
            "itself": b"itself",
            "up": b"../../..",
            "absolute": b"/etc/passwd",
            "odd": b"n\xe9w\nline ",
            "slash": b"target/",
            "dot": b".",
        }
        for name, target in targets.items():
            link, text = place / name, os.fsdecode(target)
            # xfs takes 1024 bytes
            self.try_to(f"symlink {name}", partial(link.symlink_to, text))
        self.xattr(place / "dangling", "trusted.on-a-link", b"value")

    def special(self, place: Path) -> None:
        """Make device nodes, a fifo and sockets; none of them may be opened."""
        os.mkfifo(place / "fifo", 0o640)
        for name, kind, major, minor in (
            ("char", stat.S_IFCHR, 1, 3),
            ("char-large", stat.S_IFCHR, 240, 1_000_000),
            ("block", stat.S_IFBLK, 7, 200),
            ("block-large", stat.S_IFBLK, 4000, 3),
        ):
            # xfs has room for smaller numbers only
            make = partial(os.mknod, place / name, kind | 0o600)
            self.try_to(name, partial(make, os.makedev(major, minor)))
        os.mknod(place / "socket", stat.S_IFSOCK | 0o755)
        os.chown(place / "socket", 1000, 250)
        self.xattr(place / "fifo", "trusted.on-a-fifo", b"value")

    def attributes(self, place: Path) -> None:
        """Set extended attributes: user, trusted, security; empty, long, binary."""
        path = self.file(place / "many")
        for number in range(20):
            self.xattr(path, f"user.number-{number}", str(number).encode())
        values = {"empty": b"", "zero": b"\0", "binary": bytes(range(256))}
        for name, value in values.items():
            self.xattr(self.file(place / name), f"user.{name}", value)
        self.xattr(self.file(place / "long"), "user.long", b"v" * 3000)
        self.xattr(self.file(place / "name"), "user." + "n" * 200, b"1")
        self.xattr(self.file(place / "trusted"), "trusted.torture", b"1")
        self.xattr(self.file(place / "security"), "security.torture", b"1")
        capable = self.file(place / "capability")
        capable.chmod(0o755)
        self.xattr(capable, "security.capability", CAPABILITY)
        directory = place / "directory"
        directory.mkdir()
        self.xattr(directory, "user.on-a-directory", b"1")
        self.xattr(directory, "trusted.on-a-directory", b"1")
        read_only = self.file(place / "read-only")
        self.xattr(read_only, "user.on-a-read-only-file", b"1")
        read_only.chmod(0o400)

    def acls(self, place: Path) -> None:
        """Set access and default ACLs."""
        self.xattr(self.file(place / "file"), "system.posix_acl_access", ACL)
        directory = place / "directory"
        directory.mkdir()
        self.xattr(directory, "system.posix_acl_access", ACL)
        self.xattr(directory, "system.posix_acl_default", ACL)
        # these two inherit
        self.file(directory / "file")
        (directory / "directory").mkdir()
        plain = place / "default-only"
        plain.mkdir()
        self.xattr(plain, "system.posix_acl_default", ACL)

    def dates(self, place: Path) -> None:
        """Make files, symlinks and directories of odd times."""
        for number, (seconds, nanoseconds) in enumerate(TIMES):
            time = seconds * 10**9 + nanoseconds
            self.times[self.file(place / f"file-{number}")] = time
            link, directory = place / f"link-{number}", place / f"directory-{number}"
            link.symlink_to("x")
            directory.mkdir()
            self.times[link] = self.times[directory] = time

    def directories(self, place: Path) -> None:
        """Make empty, deep and full directories."""
        (place / "empty").mkdir()
        deep = place
        for level in range(10 if self.small else 80):
            deep /= f"level-{level}-of-a-deep-tree"
        deep.mkdir(parents=True)
        self.file(deep / "bottom")
        full = place / "full"
        full.mkdir()
        for number in range(10 if self.small else 150):
            self.file(full / f"{number:03d}", str(number).encode())

    def set_times(self) -> None:
        """Set every time, of the deepest first: what is made later changes them."""
        paths = [self.root, *sorted(self.root.rglob("*"))]
        for path in reversed(paths):
            chosen = (FIRST_SECOND + self.random.randrange(10**7)) * 10**9
            chosen += self.random.randrange(10**9)
            time = self.times.get(path, chosen)
            os.utime(path, ns=(time, time), follow_symlinks=False)


def build(root: Path, *, seed: int, small: bool = False) -> list[str]:
    """Build a tree; return what the kernel refused."""
    builder = Builder(root, seed, small)
    builder.build()
    return builder.refused


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="build a tree that is hard to copy")
    parser.add_argument("root", type=Path)
    parser.add_argument("--seed", type=int, default=2011)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    for line in build(options.root, seed=options.seed, small=options.small):
        sys.stderr.write(f"refused: {line}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

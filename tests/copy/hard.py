#!/usr/bin/python3
"""Builds the torture tree, and what only a copier by descriptors can take.

    python -m tests.copy.hard ROOT [--seed N] [--small] [--crowd N] [--plain]

To the guest's torture tree it adds link farms, chains longer than PATH_MAX, a crowded
directory, larger files around the sizes at which a copier changes its ways, and flags.
The same seed gives the same names and content.  `plain` leaves out what rsync cannot
keep: chains and flags.
"""

import argparse
import os
import random
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.copy import flags
from tests.vm import torture

KIB = 1024
# bytes around which a copier may go another way
LARGE = (256 * KIB - 1, 256 * KIB, 256 * KIB + 1, 1024 * KIB, 5 * 1024 * KIB + 13)
WIDE_LEVELS, DEEP_LEVELS = 30, 1500
FLAGGED = {
    "immutable": flags.IMMUTABLE,
    "append-only": flags.APPEND,
    "no-dump": flags.NODUMP,
    "no-atime": flags.NOATIME,
    "immutable-and-no-dump": flags.IMMUTABLE | flags.NODUMP,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How much of everything a tree shall have."""

    seed: int = 2011
    small: bool = False
    crowd: int = 2000
    plain: bool = False


def build(root: Path, wanted: Wanted) -> list[str]:
    """Build a tree; return what the kernel refused."""
    refused = torture.build(root, seed=wanted.seed, small=wanted.small)
    chance = random.Random(wanted.seed)
    _farm(root / "farm", chance, 60 if wanted.small else 300)
    _crowd(root / "crowd", wanted.crowd)
    _large(root / "large", chance)
    _special_links(root / "special-links")
    if not wanted.plain:
        (root / "chains").mkdir()
        chain(root / "chains", "w" * 250, WIDE_LEVELS)
        chain(root / "chains", "deep", 100 if wanted.small else DEEP_LEVELS)
        refused += _flagged(root / "flags")
    return refused


def _farm(place: Path, chance: random.Random, groups: int) -> None:
    """Make groups of hard links, of two to nine names over several directories."""
    folders = [place / f"{number}/inner" for number in range(8)]
    for folder in folders:
        folder.mkdir(parents=True)
    for number in range(groups):
        first = chance.choice(folders) / f"group-{number}-0"
        first.write_bytes(chance.randbytes(chance.randrange(3000)))
        for name in range(1, chance.randrange(2, 10)):
            other = chance.choice((*folders, place)) / f"group-{number}-{name}"
            other.hardlink_to(first)
        os.chown(first, number, number + 1)
        first.chmod(chance.choice((0o600, 0o4711, 0o2755)))
        os.utime(first, ns=(0, 10**18 + number))


def _crowd(place: Path, names: int) -> None:
    """Make a directory with very many names, a few of them linked or not empty."""
    place.mkdir()
    folder = os.open(place, os.O_RDONLY)
    for number in range(names):
        name = f"name-{number:06d}"
        if number % 50 == 49:
            os.link(
                f"name-{number - 1:06d}", name, src_dir_fd=folder, dst_dir_fd=folder
            )
            continue
        file = os.open(name, os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=folder)
        if number % 10 == 0:
            os.write(file, name.encode())
        os.close(file)
    os.close(folder)


def _large(place: Path, chance: random.Random) -> None:
    """Make files around the sizes at which a copier changes its ways; with holes."""
    place.mkdir()
    for size in LARGE:
        (place / f"{size}-bytes").write_bytes(chance.randbytes(size))
    for name, data in (("first", 0), ("last", 64), ("middle", 31)):
        with (place / f"hole-but-for-the-{name}").open("wb") as stream:
            stream.seek(data * 1024 * KIB)
            stream.write(chance.randbytes(4096 if name != "last" else 77))
            if name != "last":
                stream.truncate(64 * 1024 * KIB + 5)


def _special_links(place: Path) -> None:
    """Make devices, fifos, sockets and symlinks of two names in two directories."""
    for name in ("one", "two"):
        (place / name).mkdir(parents=True)
    one = place / "one"
    os.mknod(one / "device", stat.S_IFBLK | 0o640, os.makedev(259, 70_000))
    os.mknod(one / "socket", stat.S_IFSOCK | 0o700)
    os.mkfifo(one / "fifo", 0o622)
    (one / "symlink").symlink_to("nowhere")
    for number, path in enumerate(sorted(one.iterdir())):
        os.chown(path, 1000 + number, 250, follow_symlinks=False)
        os.link(path, place / "two" / path.name, follow_symlinks=False)
        os.utime(path, ns=(0, -(10**9) + number), follow_symlinks=False)


def chain(place: Path, name: str, levels: int) -> None:
    """Make directories in each other, with something at the bottom and half-way."""
    here = os.open(place, os.O_RDONLY)
    for level in range(levels):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
        if level in (levels // 2, levels - 1):
            file = os.open("file", os.O_CREAT | os.O_WRONLY, 0o640, dir_fd=here)
            os.write(file, name.encode())
            os.setxattr(file, "trusted.level", str(level).encode())
            os.close(file)
            os.symlink("file", "symlink", dir_fd=here)
            os.link("file", "again", src_dir_fd=here, dst_dir_fd=here)
    os.close(here)


def _flagged(place: Path) -> list[str]:
    """Set flags on files, on linked files, and on directories with something inside."""
    refused: list[str] = []
    for name, wanted in FLAGGED.items():
        folder = place / name
        folder.mkdir(parents=True)
        (folder / "inside").write_text(name)
        (folder / "below").mkdir()
        file = place / f"{name}-file"
        file.write_text(name)
        file.chmod(0o4755)
        os.setxattr(file, "user.flagged", b"1")
        (place / f"{name}-again").hardlink_to(file)
        for path in (file, folder):
            try:
                flags.change(path, add=wanted)
            except OSError as error:
                refused.append(f"{name} on {path}: {error.strerror}")
    return refused


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="build a tree that is hard to copy")
    parser.add_argument("root", type=Path)
    parser.add_argument("--seed", type=int, default=2011)
    parser.add_argument("--crowd", type=int, default=2000)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--plain", action="store_true")
    options = parser.parse_args()
    wanted = Wanted(
        seed=options.seed,
        small=options.small,
        crowd=options.crowd,
        plain=options.plain,
    )
    for line in build(options.root, wanted):
        sys.stderr.write(f"refused: {line}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

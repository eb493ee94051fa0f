"""The trees that the copy is timed on, and the changes between its passes."""

import math
import os
import random
from dataclasses import dataclass
from pathlib import Path

from tests.copy.changes import KINDS
from tests.copy.changes.tree import Tree
from tests.copy.mutate import REFUSED

KIB, MIB = 1024, 1024**2
# sizes of the files below / of a system: half are below 3 KB, a few are very large
MEDIAN, SPREAD, LARGEST = 3000, 2.06, 64 * MIB
POOL = 8 * MIB
HIDDEN = 12
CHANGES = ("rewrite", "append", "mode", "set_attribute", "new_file", "delete", "move")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How large a tree is."""

    directories: int
    files: int
    symlinks: int
    links: int
    sparse_files: int
    sparse_size: int

    @property
    def room(self) -> int:
        """Return a size of a file system in which it has room, twice over."""
        return 512 * MIB + self.files * 100 * KIB


# 65,000 entries, 1.4 GB, like a part of a Gentoo root
MIDDLE = Shape(
    directories=6500,
    files=53_000,
    symlinks=5000,
    links=500,
    sparse_files=20,
    sparse_size=1024 * MIB,
)
# a quarter of it, for a guest: one of emulated processors has a disk of 6 GB
QUARTER = Shape(
    directories=1600,
    files=13_000,
    symlinks=1250,
    links=125,
    sparse_files=4,
    sparse_size=256 * MIB,
)
SMALL = Shape(
    directories=400,
    files=3300,
    symlinks=250,
    links=50,
    sparse_files=4,
    sparse_size=256 * MIB,
)


def build(root: Path, shape: Shape, seed: int) -> None:
    """Build a tree like a system's."""
    chance = random.Random(seed)
    pool = chance.randbytes(POOL)
    root.mkdir()
    folders = [root]
    for number in range(shape.directories):
        # most are near the top, some are deep
        folder = folders[int(len(folders) * chance.random() ** 2)] / f"dir-{number}"
        folder.mkdir()
        folders.append(folder)
    files: list[Path] = []
    for number in range(shape.files):
        path = chance.choice(folders) / f"file-{number}.{chance.choice('chopy')}"
        _write(path, chance, pool)
        path.chmod(0o755 if number % 9 == 0 else 0o644)
        files.append(path)
    for number in range(shape.symlinks):
        link = chance.choice(folders) / f"link-{number}.so"
        link.symlink_to(f"../target-{number}")
    for number in range(shape.links):
        link = chance.choice(folders) / f"hard-{number}"
        link.hardlink_to(chance.choice(files))
    for path in (*files, *reversed(folders)):
        time = 1_600_000_000 * 10**9 + chance.randrange(10**17)
        os.utime(path, ns=(time, time))


def _write(path: Path, chance: random.Random, pool: bytes) -> None:
    size = min(LARGEST, int(chance.lognormvariate(math.log(MEDIAN), SPREAD)))
    begin = chance.randrange(POOL // 2)
    with path.open("wb") as stream:
        while size > 0:
            piece = pool[begin : begin + size]
            stream.write(piece)
            size -= len(piece)


def build_sparse(root: Path, shape: Shape, seed: int) -> None:
    """Make large files with 16 MB of data in all, like lastlog and images of disks."""
    chance = random.Random(seed)
    pieces = 16 * MIB // shape.sparse_files // (64 * KIB)
    for number in range(shape.sparse_files):
        with (root / f"image-{number}").open("wb") as stream:
            for _ in range(pieces):
                stream.seek(chance.randrange(shape.sparse_size // MIB) * MIB)
                stream.write(chance.randbytes(64 * KIB))
            stream.truncate(shape.sparse_size)


def change(root: Path, seed: int) -> frozenset[bytes]:
    """Change one file in a hundred; return those whose change rsync cannot see.

    These are rewritten with size and time put back.
    """
    tree = Tree(root, random.Random(seed))
    tree.list()
    for number in range(len(tree.files) // 100):
        _try(CHANGES[number % len(CHANGES)], tree)
    tree.list()
    before = {path: path.stat().st_ctime_ns for path in tree.files}
    for _ in range(HIDDEN):
        _try("hidden_rewrite", tree)
    return frozenset(
        os.fsencode(path.relative_to(root))
        for path, time in before.items()
        if path.stat().st_ctime_ns != time
    )


def _try(kind: str, tree: Tree) -> None:
    try:
        KINDS[kind](tree)
    except REFUSED:
        # it chose what an earlier change has taken away
        return

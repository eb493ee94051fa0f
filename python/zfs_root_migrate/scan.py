"""Looks through all that will be copied for what cannot be. Part of the rim.

Memory does not grow with the number of files, but for those that have several names.
"""

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from zfs_root_migrate.facts.tree import Walk
from zfs_root_migrate.model import LinkGroup, Tree
from zfs_root_migrate.walker import LIST_MAX, Met, Seen, Walker

NAMES_MAX = 30
# a path of PATH_MAX has half as many directories as bytes; others can be deeper
DEEPEST = 1 << 16


def scan(walks: tuple[Walk, ...], tick: Callable[[int], None]) -> Tree:
    """Walk through all trees; `tick` is told now and then how many files were met.

    A second time through a tree is needed only where hard links are split: which names
    belong together is not kept of files that have all their names in one place.
    """
    seen, found = Seen(tick), 0
    groups: list[LinkGroup] = []
    with _many_descriptors():
        for walk in walks:
            split = _split_inodes(Walker(walk, seen).names())
            found += len(split)
            kept = set(sorted(split)[: LIST_MAX - len(groups)])
            if kept:
                again = Walker(walk, Seen(tick, files=seen.files)).names()
                groups += _gather(again, kept)
    return Tree(
        files=seen.files,
        directories=seen.directories,
        links=tuple(groups),
        links_found=found,
        marked=tuple(seen.marked),
        marked_found=seen.marks.total(),
        unreadable=tuple(seen.unreadable),
        unreadable_found=seen.unreadable_found,
    )


def _split_inodes(names: Iterator[Met]) -> set[int]:
    """Return the inodes whose names lie in different places.

    A number for each file whose other names have not come up yet: its first name's
    place, and how many names are still to come.
    """
    open_files: dict[int, int] = {}
    split: set[int] = set()
    for met in names:
        if met.inode in split:
            continue
        known = open_files.pop(met.inode, (met.place << 32) | met.links)
        if known >> 32 != met.place:
            split.add(met.inode)
        elif known & 0xFFFFFFFF > 1:
            open_files[met.inode] = known - 1
    return split


def _gather(names: Iterator[Met], wanted: set[int]) -> Iterator[LinkGroup]:
    """Return all names of some inodes, cut at NAMES_MAX but with one of each place."""
    found: dict[int, list[Met]] = {}
    for met in names:
        if met.inode in wanted:
            kept = found.setdefault(met.inode, [])
            if len(kept) < NAMES_MAX or met.place not in {m.place for m in kept}:
                kept.append(met)
    for kept in found.values():
        paths = tuple(sorted(os.fsdecode(met.path) for met in kept))
        yield LinkGroup(paths=paths, links=kept[0].links)


@contextmanager
def _many_descriptors() -> Iterator[None]:
    """Allow as many open directories as are below each other, within reason.

    What is deeper is named as a directory that could not be looked into.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DEEPEST if hard == resource.RLIM_INFINITY else min(DEEPEST, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

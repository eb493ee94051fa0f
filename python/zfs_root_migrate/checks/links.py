"""Check of hard links: names of one file that would lie in different datasets."""

from collections.abc import Iterator
from dataclasses import replace

from zfs_root_migrate import topology
from zfs_root_migrate.config import Config
from zfs_root_migrate.datasets import LAYOUTS
from zfs_root_migrate.finding import Finding, Severity
from zfs_root_migrate.layout import Layout, design
from zfs_root_migrate.model import Copier, Facts, Tree
from zfs_root_migrate.quoting import more, quote, show_name

# how many are named, and for how many the commands are written out
SHOWN = 5
TYPED = 20
LOOK_AGAIN = ("Then look again:", "  zfs-root-migrate check --scan")


class HardLinksSplit(Finding):
    """A file has names in directories that become different datasets.

    All names of a hard link are in one file system. /usr/local, /home, /var and others
    become datasets, each a file system of its own, and link(2) between two of them
    fails with EXDEV. The copy would fail for each such file, after hours of copying.
    Before that, one side has to become a file of its own, or a layout be chosen in
    which both are in one dataset, or the copier be allowed to make files of their own
    of them (`set split-links yes`).

    The commands of the remedy copy the file beside its name, with owner, mode, times,
    ACLs and attributes, and put the copy in its place at once. A program that has the
    file open keeps the old one. From then on the sides are independent: what is written
    to one no longer shows in the other.
    """

    key = "hard-links-split"
    severity = Severity.INHIBITOR
    title = "hard links between different datasets"


class HardLinksMadeApart(Finding):
    """A file has names in directories that become different datasets, as you wish.

    By the setting `split-links`, the names in each dataset become a file of their own
    when they are copied. Each has the content, owner, mode, times and attributes of the
    old file; what is written to one later no longer shows in the others. The report of
    the copy names all of them.
    """

    key = "hard-links-made-apart"
    severity = Severity.INFO
    title = "hard links become files of their own"


def check_links(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look for files that cannot keep all their names."""
    if facts.tree is not None:
        yield from _links(facts, config, facts.tree)


def split_groups(
    config: Config, layout: Layout, tree: Tree
) -> tuple[dict[str, list[str]], ...]:
    """Return the files whose names lie in several datasets: paths by mount point."""
    points = {"/", "/boot", *(str(dataset.mountpoint) for dataset in layout.mounts)}
    made = []
    for group in tree.links:
        places: dict[str, list[str]] = {}
        for path in group.paths:
            if not topology.is_excluded(path, config.exclude):
                places.setdefault(_holder(points, path), []).append(path)
        if len(places) > 1:
            made.append(places)
    return tuple(made)


def _holder(points: set[str], path: str) -> str:
    """Return the mount point that a path is below: the nearest above it.

    >>> _holder({"/", "/usr", "/usr/local"}, "/usr/local/bin/a")
    '/usr/local'
    """
    while path and path not in points:
        path = path.rpartition("/")[0]
    return path or "/"


def _links(facts: Facts, config: Config, tree: Tree) -> Iterator[Finding]:
    groups = split_groups(config, design(config, facts), tree)
    unlisted = tree.links_found - len(tree.links)
    if not groups and unlisted <= 0:
        return
    first = "; ".join(
        " = ".join(show_name(paths[0]) for paths in places.values())
        for places in groups[:SHOWN]
    )
    rest = more(len(groups) - SHOWN + max(unlisted, 0))
    seen = f"{first}{rest}" if first else f"{unlisted} files that were not listed"
    if config.splits_links:
        yield HardLinksMadeApart(
            seen=seen,
            why="They take more room, and no longer change together.",
            remedy=(),
        )
        return
    yield HardLinksSplit(
        seen=seen,
        why="No hard link can cross datasets (EXDEV); the copy would fail.",
        remedy=(
            *_together(facts, config, tree),
            *_separate(groups),
            *_apart(config),
            *LOOK_AGAIN,
        ),
    )


def _together(facts: Facts, config: Config, tree: Tree) -> Iterator[str]:
    """Name a layout in which nothing is split, if there is one."""
    for name in LAYOUTS:
        other = replace(config, layout=name)
        whole = tree.links_found <= len(tree.links)
        if whole and not split_groups(other, design(other, facts), tree):
            yield "Choose a layout that keeps them together:"
            yield f"  zfs-root-migrate set layout {name}"
            yield "Or keep the layout and make the names files of their own:"
            return


def _apart(config: Config) -> Iterator[str]:
    """Name the setting that has the copier do it, where it is the one who can."""
    if config.copier is Copier.OWN:
        yield "Or have each side become a file of its own in the new root:"
        yield "  zfs-root-migrate set split-links yes"


def _separate(groups: tuple[dict[str, list[str]], ...]) -> Iterator[str]:
    """Write the commands that make each dataset's names a file of their own.

    The dataset with the most names keeps the file.
    """
    if groups:
        yield "Each of these makes one name a file of its own:"
    for places in groups[:TYPED]:
        _, *others = sorted(places.values(), key=lambda paths: (-len(paths), paths))
        for path, *same in others:
            name, own = quote(path), quote(path + ".own")
            yield f"  cp -a -- {name} {own} && mv -- {own} {name}"
            for other in same:
                yield f"  ln -f -- {name} {quote(other)}"
    if len(groups) > TYPED:
        yield f"The other {len(groups) - TYPED} come up when these are done."

"""Cases of what lies in the trees that are copied, and of trees that do not run."""

from dataclasses import replace
from typing import Any

from tests.unit.checks.case import Case, ready
from tests.unit.checks.machines import CONFIG, Change, all_of, system
from zfs_root_migrate.model import Copier, LinkGroup, Marked, Tree

MANY = 30


def walked(**changes: Any) -> Change:  # noqa: ANN401
    """Return what a walk has met, and nothing else."""
    tree = Tree(files=9, directories=3, **changes)
    return lambda facts: replace(facts, tree=tree)


def linked(*groups: tuple[str, ...], more: int = 0) -> Change:
    """Give files several names."""
    links = tuple(LinkGroup(paths=paths, links=len(paths)) for paths in groups)
    return walked(links=links, links_found=len(links) + more)


def marked(attribute: str, *paths: str) -> Change:
    """Give files an attribute."""
    marks = tuple(Marked(path=path, attribute=attribute) for path in paths)
    return walked(marked=marks, marked_found=len(marks))


def unreadable(*texts: str) -> Change:
    """Let directories be closed."""
    return walked(unreadable=texts, unreadable_found=len(texts))


RSYNC = replace(CONFIG, copier=Copier.RSYNC)
elsewhere: Change = lambda facts: replace(facts, elsewhere="/mnt/gentoo")  # noqa: E731

CASES = (
    Case(
        key="tree-not-scanned",
        change=lambda facts: replace(facts, tree=None),
    ),
    Case(
        key="tree-unreadable",
        change=unreadable("/srv/broken: Input/output error"),
        mend=walked(),
    ),
    Case(
        key="tree-partly-scanned",
        change=all_of(system(is_root=False), unreadable("/root: Permission denied")),
        mend=ready,
        note="not root",
    ),
    Case(
        key="tree-partly-scanned",
        change=all_of(elsewhere, unreadable("/x\n: Permission denied")),
        mend=walked(),
        note="elsewhere",
    ),
    Case(
        key="tree-partly-scanned",
        change=all_of(elsewhere, walked(mounted=("/boot", "/home/a b"))),
        mend=walked(),
        note="file systems mounted elsewhere",
    ),
    Case(
        key="hard-links-split",
        change=linked(("/home/larry/a", "/root/a")),
    ),
    Case(
        key="hard-links-split",
        change=linked(("/usr/bin/x", "/usr/local/bin/x", "/usr/local/bin/y'\n\udcff")),
        note="odd names",
    ),
    Case(
        key="hard-links-split",
        change=linked(("/etc/a", "/var/a")),
        note="another layout keeps them together",
    ),
    Case(
        key="hard-links-split",
        change=linked(*((f"/home/{n}", f"/root/{n}") for n in range(MANY))),
        note="many",
    ),
    Case(
        key="hard-links-split",
        change=linked(("/root/a", "/root/b"), more=5),
        note="more than a report can list",
    ),
    Case(
        key="hard-links-split",
        change=linked(("/boot/vmlinuz", "/usr/src/linux/vmlinuz")),
        note="/boot is a file system of its own",
    ),
    Case(
        key="hard-links-split",
        change=linked(("/home/larry/a", "/root/a")),
        config=replace(RSYNC, split_links=True),
        note="rsync cannot",
    ),
    Case(
        key="hard-links-made-apart",
        change=linked(("/home/larry/a", "/root/a")),
        config=replace(CONFIG, split_links=True),
        mend=walked(),
    ),
    Case(
        key="files-encrypted",
        change=marked("encrypted", "/home/larry/secret place", "/home/moe"),
    ),
    Case(
        key="path-too-long",
        change=marked("long-path", "/tmp" + "/a" * 2050),
        config=RSYNC,
    ),
    Case(
        key="path-too-long",
        change=marked("long-name", "/boot/efi/" + "é" * 200),
        mend=walked(),
        note="name",
    ),
    Case(
        key="flags-lost",
        change=marked("immutable", "/etc/resolv.conf", "/mnt/a b"),
        config=RSYNC,
        gone=False,
    ),
    Case(
        key="flags-lost",
        change=marked("append-only", "/var/log/messages"),
        config=RSYNC,
        gone=False,
        note="append-only",
    ),
    *(
        Case(
            key="attributes-lost",
            change=marked(kind, "/srv/x"),
            gone=False,
            note=kind,
        )
        for kind in (
            *("compressed", "verity", "casefold", "project", "dax"),
            *("xattr system.odd", "xattr security.ima"),
        )
    ),
    Case(key="not-looked-at", change=elsewhere, gone=False),
)

CLEAN = {
    "long paths and flags, which the tool's own copier keeps": (
        walked(
            marked=(
                Marked(path="/tmp" + "/a" * 2050, attribute="long-path"),
                Marked(path="/etc/resolv.conf", attribute="immutable"),
                Marked(path="/var/log/messages", attribute="append-only"),
            ),
            marked_found=3,
        ),
        CONFIG,
    ),
    "hard links within one dataset": (
        linked(("/usr/bin/a", "/usr/libexec/a"), ("/home/a/x", "/home/b/x")),
        CONFIG,
    ),
    "hard links into what is left out": (
        linked(("/home/a", "/root/a")),
        replace(CONFIG, exclude=("/home",)),
    ),
}

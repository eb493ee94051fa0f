"""Checks of the files themselves: what a walk through all that is copied has met."""

from collections.abc import Iterable, Iterator

from zfs_root_migrate import topology
from zfs_root_migrate.checks.links import LOOK_AGAIN, SHOWN, TYPED
from zfs_root_migrate.config import Config
from zfs_root_migrate.finding import Finding, Severity
from zfs_root_migrate.model import Copier, Facts, Tree
from zfs_root_migrate.quoting import more, quote, show_name

_FLAGS = {"immutable": "+i", "append-only": "+a"}


class TreeNotScanned(Finding):
    """The files that would be copied were not looked at one by one.

    Walking through a whole system takes longer than the rest of the check: about ten
    seconds for a million files once they are in memory, more from a rotating disk.
    `check --scan` does it, and `run` does it in any case, before it writes anything. It
    looks for what a copy to ZFS would lose or stumble over: hard links between what
    will be different datasets, encrypted files, attributes that ZFS does not have,
    paths that are too long, directories that cannot be read.
    """

    key = "tree-not-scanned"
    severity = Severity.INFO
    title = "the files were not looked at one by one"


class TreePartlyScanned(Finding):
    """Some directories were not looked into, for lack of rights or of a machine.

    Only root can look into every directory and below what is mounted upon another one.
    What lies there is not known. In a tree elsewhere (`check --root DIR`) only the file
    system of DIR itself is walked through, not those that are mounted below it, as it
    does not tell which of them belong to it; they are named.
    """

    key = "tree-partly-scanned"
    severity = Severity.INFO
    title = "not every directory was looked into"


class TreeUnreadable(Finding):
    """A directory that is to be copied cannot be read, even by root.

    Often the file system or the disk is damaged; a mount that hangs (FUSE) is another
    cause. The copier would name the directory, copy the rest and fail: a copy that
    lacks something is never taken for a whole one.
    """

    key = "tree-unreadable"
    severity = Severity.INHIBITOR
    title = "a directory cannot be read"


class FilesEncrypted(Finding):
    """Files or directories are encrypted by their file system (fscrypt).

    With the key loaded, the copy would lie on the new disk in clear text; without it,
    files cannot be opened and the copy fails. The pool that would be made is not
    encrypted, so the choice is yours: take the data out of the copy, or decrypt it
    knowingly.
    """

    key = "files-encrypted"
    severity = Severity.INHIBITOR
    title = "encrypted files would lie in clear text"


class PathTooLong(Finding):
    """A name is too long to be copied, or a path is too long for rsync.

    Names have at most 255 bytes in ZFS; VFAT can have longer ones.

    Paths may be as long as they like for the tool's own copier, which opens one
    directory after the other. rsync opens files by whole paths of at most 4095 bytes
    (PATH_MAX), and reaches them below a directory of the copy's. Deeper files can be
    made by walking into the directories one by one, and programs that run away do so.
    With `copier = "rsync"` they are refused: rsync would end with status 23.
    """

    key = "path-too-long"
    severity = Severity.INHIBITOR
    title = "a path or a name is too long to be copied"


class FlagsLost(Finding):
    """Files are immutable or append-only (chattr +i, +a), which rsync does not keep.

    ZFS has both flags, and the tool's own copier sets them again. With
    `copier = "rsync"` they are not carried over: on the new root the files
    are as writable as their modes allow. Mount points are often made immutable so that
    nothing is written below them while nothing is mounted. Set the flags again once the
    new root runs.
    """

    key = "flags-lost"
    severity = Severity.WARNING
    title = "rsync does not keep immutable and append-only flags"


class AttributesLost(Finding):
    """Files have attributes that ZFS does not have.

    compressed: stored in clear, and compressed by ZFS in its own way; they may take
    more space than now. verity: the content is copied, its sealed digest is not, so it
    can be changed. casefold: names differ by upper and lower case on ZFS; programs that
    rely on a directory that ignores it (Wine, Steam) no longer find their files.
    project: project quotas are not carried over; ZFS has its own (zfs-project(8)).
    dax: has no meaning on ZFS. xattr: an extended attribute that ZFS does not take
    (system.*), or that a kernel which measures files may refuse (security.ima).
    """

    key = "attributes-lost"
    severity = Severity.WARNING
    title = "attributes that do not get across"


def check_tree(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at what the walk has met, if there was one."""
    tree = facts.tree
    if tree is None:
        yield TreeNotScanned(
            seen="not looked for: hard links between datasets, encrypted files, "
            "attributes and paths that cannot be copied, directories that cannot be "
            "read",
            why="It takes longer than the rest; `run` does it before it writes.",
            remedy=("Walk through all of it now:", _scan(facts)),
        )
        return
    yield from _mounted(facts, tree)
    yield from _unreadable(facts, tree)
    yield from _marks(config, tree)


def _scan(facts: Facts) -> str:
    root = f"--root {quote(facts.elsewhere)} " if facts.elsewhere is not None else ""
    return f"  zfs-root-migrate check {root}--scan"


def _mounted(facts: Facts, tree: Tree) -> Iterator[Finding]:
    if tree.mounted:
        yield TreePartlyScanned(
            seen="other file systems are mounted at " + _named(list(tree.mounted)),
            why="What lies in them was not looked at.",
            remedy=(
                "Those that would be copied are looked at where that system runs:",
                "  zfs-root-migrate check --scan",
            ),
        )


def _unreadable(facts: Facts, tree: Tree) -> Iterator[Finding]:
    if not tree.unreadable_found:
        return
    names = tree.unreadable[:SHOWN] or ("directories that were not listed",)
    seen = "; ".join(map(show_name, names)) + more(tree.unreadable_found - SHOWN)
    if facts.elsewhere is not None or not facts.system.is_root:
        yield TreePartlyScanned(
            seen=seen,
            why="What lies there is not known.",
            remedy=("Look again as root:", _scan(facts)),
        )
    else:
        yield TreeUnreadable(
            seen=seen,
            why="What cannot be read cannot be copied, and the copy would fail.",
            remedy=(
                "See what the kernel says of it, and mend the file system from a "
                "rescue system if it is damaged:",
                "  dmesg",
                "Or leave the directory out with `zfs-root-migrate set exclude`.",
                *LOOK_AGAIN,
            ),
        )


def _marks(config: Config, tree: Tree) -> Iterator[Finding]:
    found: dict[str, list[str]] = {}
    for mark in tree.marked:
        if not topology.is_excluded(mark.path, config.exclude):
            found.setdefault(mark.attribute, []).append(mark.path)
    if encrypted := found.pop("encrypted", []):
        yield FilesEncrypted(
            seen=_named(encrypted),
            why="The pool is not encrypted: they would lie there for all to read.",
            remedy=(
                "Leave them out of the copy:",
                _exclude(config, encrypted),
                "Or copy them to a directory that is not encrypted, and remove them.",
            ),
        )
    names, paths = found.pop("long-name", []), found.pop("long-path", [])
    flags = {kind: found.pop(kind) for kind in _FLAGS if kind in found}
    if config.copier is Copier.OWN:
        # it opens one directory after the other, and sets the flags again
        paths, flags = [], {}
    if names or paths:
        yield _too_long(names, paths)
    if flags:
        yield FlagsLost(
            seen="; ".join(f"{kind}: {_named(p)}" for kind, p in flags.items()),
            why="On the new root they can be changed as their modes allow.",
            remedy=(
                "Let the tool's own copier do it, which keeps them:",
                "  zfs-root-migrate set copier own",
                "Or set them again once the new root runs:",
                *(
                    f"  chattr {_FLAGS[kind]} -- {' '.join(map(quote, paths[:TYPED]))}"
                    for kind, paths in flags.items()
                ),
            ),
        )
    if found:
        yield AttributesLost(
            seen="; ".join(f"{show_name(k)}: {_named(p)}" for k, p in found.items()),
            why="ZFS does not have them; the files are copied without.",
            remedy=(
                "See what each means for you, and leave out what must not lose it:",
                "  zfs-root-migrate check --explain attributes-lost",
            ),
        )


def _too_long(names: list[str], paths: list[str]) -> Finding:
    own = (
        "Let the tool's own copier do it, for which no path is too long:",
        "  zfs-root-migrate set copier own",
        "Or, if a program made them by mistake, remove them.",
    )
    shorter = (
        "Give what is wanted a shorter name and remove the rest; most often a program",
        "made them by mistake.",
    )
    return PathTooLong(
        seen=_named([path[-60:] for path in (*names, *paths)]),
        why="ZFS takes names of 255 bytes at most."
        if names
        else "rsync would end with status 23 and the copy not come to its end.",
        remedy=(*(shorter if names else own), *LOOK_AGAIN),
    )


def _exclude(config: Config, paths: Iterable[str]) -> str:
    names = dict.fromkeys((*config.exclude, *paths))
    return f"  zfs-root-migrate set exclude {' '.join(map(quote, names))}"


def _named(paths: list[str]) -> str:
    return ", ".join(map(show_name, paths[:SHOWN])) + more(len(paths) - SHOWN)

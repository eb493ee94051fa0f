"""Our own files in Portage's configuration: what is in them, and how they are known.

A file carries what wrote it, how to take it away, what was in its place before, and a
hash of the rest: so nothing else has to be remembered in order to go back, and a file
that a person has changed since is seen to be that. Pure: text in, text out.
"""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

from zfs_root_migrate.errors import MigrateError
from zfs_root_migrate.paths import OWN_NAME
from zfs_root_migrate.quoting import quote
from zfs_root_migrate.wishes import Topic, Wish

_HEAD = """\
# Written by `zfs-root-migrate check --fix`, for a root on ZFS.
# To take it away: zfs-root-migrate undo
# Put lines of your own elsewhere: once changed, this file is left alone.
"""
_MARK = re.compile(r"# before: (new|directory|file)\n# sha256: ([0-9a-f]{64})\n")


class Origin(StrEnum):
    """What lay in the place of the directory before we wrote."""

    NEW = "new"
    DIRECTORY = "directory"
    FILE = "file"


class SpotKind(StrEnum):
    """What lies there now; a link to a directory is as good as one."""

    ABSENT = "absent"
    DIRECTORY = "directory"
    FILE = "file"
    LINK_TO_FILE = "link to a file"
    NOTHING_GOOD = "neither a file nor a directory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A place of Portage's configuration as it is now.

    `real` is where it really is, where `path` is a link; `own` is the text of the file
    with our name in it, None where there is none.
    """

    topic: Topic
    path: str
    kind: SpotKind
    real: str
    own: str | None = None

    @property
    def file(self) -> str:
        """The file that is ours."""
        return f"{self.real}/{OWN_NAME}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What one of our files says; `intact` is false where somebody has changed it."""

    origin: Origin
    body: str
    intact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One file to be written: all of its text, and the lines that are new in it."""

    spot: Spot
    text: str
    added: tuple[str, ...]

    @property
    def origin(self) -> Origin:
        """What lay in the place before we ever wrote there."""
        own = parse(self.text)
        assert own is not None
        return own.origin


def compose(origin: Origin, body: str) -> str:
    """Return the text of a file.

    >>> own = parse(compose(Origin.NEW, "sys-fs/zfs rootfs\\n"))
    >>> own.origin.value, own.body, own.intact
    ('new', 'sys-fs/zfs rootfs\\n', True)
    """
    return f"{_HEAD}# before: {origin}\n# sha256: {_digest(body)}\n{body}"


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode("utf-8", "surrogateescape")).hexdigest()


def parse(text: str) -> Own | None:
    """Read a file; None where it is not one of ours.

    >>> parse("sys-fs/zfs rootfs\\n") is None
    True
    """
    if not text.startswith(_HEAD):
        return None
    mark = _MARK.match(text, len(_HEAD))
    if mark is None:
        return Own(origin=Origin.DIRECTORY, body="", intact=False)
    body = text[mark.end() :]
    return Own(origin=Origin(mark[1]), body=body, intact=mark[2] == _digest(body))


def lines_of(body: str) -> tuple[str, ...]:
    """Return the lines that mean something."""
    stripped = (line.strip() for line in body.splitlines())
    return tuple(line for line in stripped if line and line[0] != "#")


def changes(wanted: tuple[Wish, ...], spots: tuple[Spot, ...]) -> tuple[Change, ...]:
    """Return what has to be written, or say which place cannot be used."""
    found = [_change(spot, wanted) for spot in spots]
    return tuple(change for change in found if change is not None)


def _change(spot: Spot, wanted: tuple[Wish, ...]) -> Change | None:
    own = parse(spot.own) if spot.own is not None else None
    there = lines_of(own.body) if own else ()
    new = [w for w in wanted if w.topic is spot.topic and w.line not in there]
    if not new:
        return None
    if spot.kind is SpotKind.NOTHING_GOOD:
        raise MigrateError(f"{spot.path} is {spot.kind}; nothing was written")
    if spot.own is not None and own is None:
        raise MigrateError(f"{spot.file} is not ours; nothing was written")
    if own is not None and not own.intact:
        raise MigrateError(f"{spot.file} was changed by hand; nothing was written")
    body = own.body if own else ""
    for wish in new:
        body += f"\n# {wish.why}\n{wish.line}\n"
    return Change(
        spot=spot,
        text=compose(own.origin if own else _ORIGINS[spot.kind], body),
        added=tuple(wish.line for wish in new),
    )


_ORIGINS = {
    SpotKind.ABSENT: Origin.NEW,
    SpotKind.DIRECTORY: Origin.DIRECTORY,
    SpotKind.FILE: Origin.FILE,
    SpotKind.LINK_TO_FILE: Origin.FILE,
}


def typed(wanted: tuple[Wish, ...], spots: tuple[Spot, ...]) -> tuple[str, ...]:
    """Return the commands that add the lines by hand, as the places are now."""
    found = []
    for wish in wanted:
        (spot,) = (s for s in spots if s.topic is wish.topic)
        name = wish.package.rpartition("/")[2]
        file = f"{spot.path}/{name}" if spot.kind is SpotKind.DIRECTORY else spot.path
        found.append(f"echo {quote(wish.line)} >> {quote(file)}")
    return tuple(found)


def remark(spot: Spot, *, done: bool = False) -> str:
    """Say what becomes of a place, where that is not plain; else nothing."""
    if spot.kind in (SpotKind.FILE, SpotKind.LINK_TO_FILE):
        what = "file" if spot.kind is SpotKind.FILE else "link"
        was, becomes = ("was", "is now") if done else ("is", "becomes")
        return (
            f"{spot.path} {was} a single {what}. It {becomes} a directory of that "
            f"name, and the {what} stays as it is, in there: {spot.path}/{spot.topic}"
        )
    if spot.real != spot.path:
        return f"{spot.path} is a link: the file is in {spot.real}."
    return ""

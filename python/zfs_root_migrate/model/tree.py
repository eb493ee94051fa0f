"""What lies in the trees that are copied, where they were walked through."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkGroup:
    """One file with several names, in directories that may become several datasets.

    `paths` are all names that were met; `links` is how many the file has.
    """

    paths: tuple[str, ...]
    links: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A file with an attribute that ZFS does not have: `compressed`, `encrypted`..."""

    path: str
    attribute: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What a walk through all that is copied has met.

    Lists are cut at a thousand; the numbers beside them are not. `unreadable` are the
    directories that could not be walked into, each with the reason. `mounted` are the
    file systems mounted in a tree elsewhere: they were not looked at.
    """

    files: int
    directories: int
    links: tuple[LinkGroup, ...] = ()
    links_found: int = 0
    marked: tuple[Marked, ...] = ()
    marked_found: int = 0
    unreadable: tuple[str, ...] = ()
    unreadable_found: int = 0
    mounted: tuple[str, ...] = ()

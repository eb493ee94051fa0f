"""The lines that Portage's configuration needs, and the one `emerge` line after them.

Pure: what the migration lacks is turned into lines for package.accept_keywords,
package.license and package.use. `check --fix` writes them, and the remedies of findings
show the same ones for those who write themselves.
"""

from dataclasses import dataclass
from enum import StrEnum

from zfs_root_migrate.config import Config
from zfs_root_migrate.model import Ebuild, Facts, PlaceKind
from zfs_root_migrate.needs import GRUB, INSTALLKERNEL, Need, find_need, needs
from zfs_root_migrate.paths import PORTAGE
from zfs_root_migrate.quoting import quote
from zfs_root_migrate.zfs_versions import KMOD, ZFS

FIX = "zfs-root-migrate check --fix"
FIX_ASK = f"{FIX} --ask"


class Topic(StrEnum):
    """The parts of Portage's configuration that lines are written to."""

    KEYWORDS = "package.accept_keywords"
    LICENCE = "package.license"
    USE = "package.use"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One line, and why it is wanted."""

    topic: Topic
    package: str
    line: str
    why: str


def wishes(facts: Facts, config: Config) -> tuple[Wish, ...]:
    """Return the lines that are wanted on this machine and not in force."""
    every = [w for need in needs(facts, config) for w in wishes_of(need)]
    # a line is one line, whatever a recorded machine calls its packages
    found = [w for w in every if w.line.isprintable()]
    return tuple(sorted(dict.fromkeys(found), key=lambda w: list(Topic).index(w.topic)))


def wishes_of(need: Need) -> tuple[Wish, ...]:
    """Return the lines that one package wants; none where lines would not do."""
    if not need.acceptable:
        return ()
    found = []
    if (need.missing or need.rebuild) and need.ebuild:
        found += _accepting(need.package, need.ebuild)
    if need.lacks:
        found.append(use_wish(need.package, need.lacks))
    return tuple(found)


def use_wish(package: str, flags: tuple[str, ...]) -> Wish:
    """Return the line that switches USE flags of a package on."""
    return Wish(
        topic=Topic.USE,
        package=package,
        line=f"{package} {' '.join(flags)}",
        why=_USE.get(package, "the migration needs it"),
    )


_USE = {
    ZFS: "ZFS has to work from an initramfs, and to follow kernel updates",
    KMOD: "the module has to be in the initramfs, and to follow updates",
    GRUB: "the boot loader is made for this machine's firmware",
    INSTALLKERNEL: "each new kernel gets an initramfs and a menu entry",
}


def _accepting(package: str, ebuild: Ebuild) -> list[Wish]:
    """Return the lines without which Portage refuses this very version."""
    found = []
    if ebuild.keyword:
        found.append(
            Wish(
                topic=Topic.KEYWORDS,
                package=package,
                line=f"={ebuild.cpv} {ebuild.keyword}",
                why="needed for a root on ZFS and not marked stable",
            )
        )
    if ebuild.licences:
        found.append(
            Wish(
                topic=Topic.LICENCE,
                package=package,
                line=f"={ebuild.cpv} {' '.join(ebuild.licences)}",
                why="needed for a root on ZFS and not among ACCEPT_LICENSE",
            )
        )
    return found


def emerge_words(facts: Facts, config: Config) -> tuple[str, ...]:
    """Return the packages to name to `emerge`; none where nothing is to be built."""
    return tuple(
        need.atom
        for need in needs(facts, config)
        if need.acceptable and (need.rebuild or (need.missing and not need.dependency))
    )


def emerge_line(atoms: tuple[str, ...]) -> str:
    """Return what to type to install packages.

    Without --oneshot: what is not recorded in the world file is removed again by
    `emerge --depclean`, and with ZFS the way to start the system.
    """
    return f"emerge --ask {' '.join(map(quote, atoms))}"


def place_of(facts: Facts, topic: Topic) -> tuple[str, PlaceKind]:
    """Return where a part of the configuration lies and what is there."""
    for place in facts.portage.places:
        if place.path.rpartition("/")[2] == topic:
            return place.path, place.kind
    return f"{PORTAGE}/{topic}", PlaceKind.DIRECTORY


def by_hand(facts: Facts, wanted: tuple[Wish, ...]) -> tuple[str, ...]:
    """Return the commands that add lines where this machine keeps them."""
    found = []
    for wish in wanted:
        path, kind = place_of(facts, wish.topic)
        name = wish.package.rpartition("/")[2]
        file = f"{path}/{name}" if kind is PlaceKind.DIRECTORY else path
        found.append(f"  echo {quote(wish.line)} >> {quote(file)}")
    return tuple(found)


def together(facts: Facts, config: Config, need: Need) -> tuple[Wish, ...]:
    """Return the lines for a package and for what comes along as its dependency."""
    return tuple(
        wish
        for other in needs(facts, config)
        if other == need or (other.dependency and need.package == ZFS)
        for wish in wishes_of(other)
    )


def install_remedy(facts: Facts, config: Config, package: str) -> tuple[str, ...]:
    """Say how a package is installed here, whatever stands in the way."""
    need = find_need(facts, config, package) or Need(package=package)
    if not need.acceptable:
        return (
            "Portage has no version of it that would do. Why that is so, and what to",
            "do about it, is said by another finding.",
        )
    lines = together(facts, config, need)
    if not lines:
        return (_head(facts, need), f"  {emerge_line((need.atom,))}")
    named = [_FINDINGS[topic] for topic in dict.fromkeys(w.topic for w in lines)]
    return (
        *by_fix(
            facts,
            f"Portage needs a few lines first ({', '.join(named)}).",
            "This writes them, and asks whether to install:",
            f"  {FIX_ASK}",
        ),
        *by_hand(facts, lines),
        f"  {emerge_line((need.atom,))}",
    )


# the finding that says more about a kind of line
_FINDINGS = {
    Topic.KEYWORDS: "see package-keyword",
    Topic.LICENCE: "see package-licence",
    Topic.USE: "USE flags",
}


def _head(facts: Facts, need: Need) -> str:
    if not need.rebuild:
        return "Install it:"
    package = facts.portage.package(need.package)
    there = {one.cpv for one in package.installed} if package else set()
    same = need.ebuild is None or need.ebuild.cpv in there
    return "Build it again:" if same else "Update it:"


def by_fix(facts: Facts, *lines: str) -> tuple[str, ...]:
    """Introduce lines to be typed by those that let `check --fix` do it.

    It writes to the running machine; in a tree elsewhere there is only the other way.
    """
    if facts.elsewhere is not None:
        return ("In that tree, by hand:",)
    return (*lines, "Or by hand:")

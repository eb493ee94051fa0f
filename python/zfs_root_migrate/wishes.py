"""The lines that Portage's configuration needs, and the one `emerge` line after them.

Pure: what the migration lacks is turned into lines for package.accept_keywords,
package.license and package.use. `check --fix` writes them, and the remedies of findings
show the same ones for those who write themselves.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from zfs_root_migrate.config import Config
from zfs_root_migrate.model import Ebuild, Facts, PlaceKind
from zfs_root_migrate.needs import (
    DIST_KERNELS,
    DRACUT,
    GRUB,
    INSTALLKERNEL,
    MDADM,
    SIGN,
    Need,
    find_need,
    needs,
    zfs_flags,
)
from zfs_root_migrate.paths import PORTAGE
from zfs_root_migrate.quoting import quote
from zfs_root_migrate.zfs_versions import KMOD, ZFS

FIX = "zfs-root-migrate check --fix"
FIX_ASK = f"{FIX} --ask"
# what the new system cannot start without, and nothing else may depend on
KEPT = (ZFS, MDADM, GRUB, DRACUT)
_KEPT = re.compile(rf"=?({'|'.join(map(re.escape, KEPT))})(-\d.*)?")


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
        why=_USE.get(package, "the migration needs it")
        + ("; this kernel loads signed modules only" if SIGN in flags else ""),
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


def emerge_runs(atoms: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Return the words after `emerge`, for each time that it has to be run.

    What is not recorded in the world file is removed again by `emerge --depclean`, and
    with ZFS the way to start the system; so KEPT is recorded. Dependencies and what the
    profile brings do not belong there: --oneshot.

    >>> emerge_runs(("sys-fs/zfs", "net-misc/rsync", "=sys-boot/grub-2.12-r8"))
    (('sys-fs/zfs', '=sys-boot/grub-2.12-r8'), ('--oneshot', 'net-misc/rsync'))
    >>> emerge_runs(("=sys-fs/zfs-kmod-2.3.8",))
    (('--oneshot', '=sys-fs/zfs-kmod-2.3.8'),)
    """
    kept = tuple(atom for atom in atoms if _KEPT.fullmatch(atom))
    others = tuple(atom for atom in atoms if atom not in kept)
    runs = (kept, ("--oneshot", *others) if others else ())
    return tuple(words for words in runs if words)


def emerge_line(atoms: tuple[str, ...], ask: str = "--ask") -> str:
    """Return what to type to install packages, in one line."""
    runs = (("emerge", ask, *words) for words in emerge_runs(atoms))
    return " && ".join(" ".join(map(quote, words)) for words in runs)


def find_place(facts: Facts, name: str) -> tuple[str, PlaceKind | None]:
    """Return where a part of the configuration lies, and what is there if known."""
    for place in facts.portage.places:
        if place.path.rpartition("/")[2] == name:
            return place.path, place.kind
    return f"{PORTAGE}/{name}", None


def place_of(facts: Facts, topic: Topic) -> tuple[str, PlaceKind]:
    """Return where lines are written to; a directory, where nobody knows."""
    path, kind = find_place(facts, topic)
    return path, kind or PlaceKind.DIRECTORY


def by_hand(facts: Facts, wanted: tuple[Wish, ...]) -> tuple[str, ...]:
    """Return the commands that add lines where this machine keeps them."""
    found = [
        command
        for wish in wanted
        for command in append(
            facts, wish.topic, wish.package.rpartition("/")[2], wish.line
        )
    ]
    return tuple(dict.fromkeys(found))


def append(facts: Facts, place: str, name: str, line: str) -> tuple[str, ...]:
    """Return the commands that add a line to package.mask or its like.

    Into the file `name` where that is a directory; a single file may be made by it.
    """
    path, kind = find_place(facts, place)
    single = kind in (PlaceKind.FILE, PlaceKind.ABSENT)
    echo = f"  echo {quote(line)} >> {quote(path if single else f'{path}/{name}')}"
    return (echo,) if kind else (f"  mkdir -p {quote(path)}", echo)


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
    signed = package in (ZFS, KMOD) and SIGN in zfs_flags(facts)
    key = signing_key(facts) if signed else ()
    if not lines:
        return (
            *key,
            f"{deed(facts, need).capitalize()}:",
            f"  {emerge_line((need.atom,))}",
        )
    named = [_FINDINGS[topic] for topic in dict.fromkeys(w.topic for w in lines)]
    return (
        *key,
        *by_fix(
            facts,
            f"Portage needs a few lines first ({', '.join(named)}).",
            f"This writes them, and asks whether to {deed(facts, need)}:",
            f"  {FIX_ASK}",
        ),
        *by_hand(facts, lines),
        f"  {emerge_line((need.atom,))}",
    )


def signing_key(facts: Facts) -> tuple[str, ...]:
    """Say which key Portage signs with, and what to do where nobody has that."""
    mine = [k for k in facts.boot.kernels if k.release == facts.judged_kernel]
    key = (mine[0].option("MODULE_SIG_KEY") if mine else None) or ""
    path = "certs/signing_key.pem" if key in ("", "n") else key
    binary = facts.portage.package(DIST_KERNELS[1])
    own = (
        "The key of sys-kernel/gentoo-kernel-bin is not here: where that one runs, use",
        "sys-kernel/gentoo-kernel, or a kernel that knows a key of your own.",
    )
    return (
        "This kernel loads signed modules only. The module is signed with the key that",
        f"MODULES_SIGN_KEY names in make.conf, else with {quote(path)} of",
        "the sources in /usr/src/linux; the kernel must know that key.",
        *(own if binary and binary.installed else ()),
    )


# the finding that says more about a kind of line
_FINDINGS = {
    Topic.KEYWORDS: "see package-keyword",
    Topic.LICENCE: "see package-licence",
    Topic.USE: "USE flags",
}


def deed(facts: Facts, need: Need) -> str:
    """Say what `emerge` will do to a package."""
    if not need.rebuild:
        return "install it"
    package = facts.portage.package(need.package)
    there = {one.cpv for one in package.installed} if package else set()
    same = need.ebuild is None or need.ebuild.cpv in there
    return "build it again" if same else "update it"


def by_fix(facts: Facts, *lines: str) -> tuple[str, ...]:
    """Introduce lines to be typed by those that let `check --fix` do it.

    It writes to the running machine; in a tree elsewhere there is only the other way.
    """
    if facts.elsewhere is not None:
        return ("In that tree, by hand:",)
    return (*lines, "Or by hand:")

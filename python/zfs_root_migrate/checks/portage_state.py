"""Checks of what Portage says of itself, and of what it has not finished."""

from collections.abc import Iterator, Sequence

from zfs_root_migrate.checks.system import is_foreign, lacks_emerge
from zfs_root_migrate.config import Config
from zfs_root_migrate.finding import Finding, Severity
from zfs_root_migrate.model import Facts
from zfs_root_migrate.quoting import more, quote, show_name

# so many of a list are named
SHOWN = 5
# what is said of a field of PortageFacts that is null
_UNKNOWN = {
    "version": "its version",
    "profile": "the profile",
    "profile_deprecated": "whether the profile is deprecated",
    "repository": "the place of the ebuild repository",
    "distdir": "the place of distfiles",
    "pkgdir": "the place of binary packages",
    "resumes": "whether an emerge was interrupted",
    "merging": "whether a merge was cut short",
    "at_work": "whether a merge is going on",
    "updates": "whether configuration files wait",
    "preserved": "whether libraries are preserved",
}


class PortageUnknown(Finding):
    """Portage could not be asked, or not about everything.

    Where it keeps its repository, distfiles and binary packages decides where their
    datasets are mounted; the usual places are assumed. Which packages could be
    installed is not known. A Python update that is half done is a common cause, or a
    profile that is not there any more.
    """

    key = "portage-unknown"
    severity = Severity.WARNING
    title = "Portage could not be asked"


class PortageFactsUnknown(Finding):
    """Portage answered, but something about it is not known.

    Some of its files can be read by root only. What is not known is not guessed; the
    checks that need it could not be made.
    """

    key = "portage-facts-unknown"
    severity = Severity.INFO
    title = "not everything about Portage is known"


class PortageAtWork(Finding):
    """A package is being merged now.

    Files change while they are copied: the new root would get some of the old package
    and some of the new one. Portage's database is among what changes.
    """

    key = "portage-at-work"
    severity = Severity.INHIBITOR
    title = "Portage is at work"


class PortageInterrupted(Finding):
    """An `emerge` was interrupted, and `--resume` would go on with it.

    The system is between two states: a library may be new while programs are still the
    old ones. It would be copied like that.
    """

    key = "portage-interrupted"
    severity = Severity.WARNING
    title = "an emerge was interrupted"


class PortageMergeCut(Finding):
    """A merge into the file system was cut short.

    Below /var/db/pkg is a directory -MERGING-*, which Portage leaves behind when it is
    killed, or the power fails, while it copies a package's files into the system: they
    are partly there and belong to no package.
    """

    key = "portage-merge-cut"
    severity = Severity.WARNING
    title = "a package is only partly installed"


class ConfigUpdatesWaiting(Finding):
    """New versions of configuration files wait to be merged.

    Portage does not overwrite files below CONFIG_PROTECT; it puts ._cfg0000_* beside
    them, for dispatch-conf or etc-update. A service whose configuration is older than
    its program may not start at the next boot, and the migration ends with one.
    """

    key = "config-updates-waiting"
    severity = Severity.WARNING
    title = "configuration files wait to be updated"


class LibrariesPreserved(Finding):
    """Portage keeps old libraries for packages that need a rebuild.

    They work, and they are copied. After the rebuild Portage removes them (FEATURES
    preserve-libs).
    """

    key = "libraries-preserved"
    severity = Severity.INFO
    title = "old libraries are kept for some packages"


class ProfileDeprecated(Finding):
    """The profile is deprecated.

    Gentoo will remove it one day; until then everything works, also after the
    migration. The change to 23.0 rebuilds much of the system and has a news item of its
    own: do it well before the migration or well after it, not during it.
    """

    key = "profile-deprecated"
    severity = Severity.INFO
    title = "the profile is deprecated"


def check_portage(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at whether Portage answered."""
    portage = facts.portage
    if portage.reason is not None:
        if is_foreign(facts):
            return
        yield PortageUnknown(
            seen=show_name(portage.reason),
            why="Where it keeps its files is assumed, not known, and so is what it "
            "would install.",
            remedy=(
                "There is no emerge either. How to get Portage back:",
                "https://wiki.gentoo.org/wiki/Project:Portage/Fixing_broken_portage",
            )
            if lacks_emerge(facts)
            else ("See what it says itself, and mend that:", "  emerge --info"),
        )
        return
    missing = [_UNKNOWN[name] for name in _UNKNOWN if getattr(portage, name) is None]
    silent = [f"{p.name} ({p.reason})" for p in portage.packages if p.reason]
    if silent:
        missing.append(f"what could be installed of {shorten(silent)}")
    if missing:
        yield PortageFactsUnknown(
            seen="not known: " + ", ".join(missing),
            why="What depends on it could not be checked.",
            remedy=()
            if facts.system.is_root
            else ("Look again as root:", "  zfs-root-migrate check"),
        )


def check_merges(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look for merges that are going on or were not finished."""
    portage = facts.portage
    if portage.at_work:
        yield PortageAtWork(
            seen=f"at work: {shorten(portage.at_work)}",
            why="Files would change while they are copied.",
            remedy=(
                "Let it come to its end, or stop it, then look again:",
                "  zfs-root-migrate check",
            ),
        )
        # what looks unfinished may be what is at work
        return
    if portage.merging:
        yield _merge_cut(portage.merging)
    if portage.resumes:
        yield PortageInterrupted(
            seen=f"left to be merged: {shorten(portage.resumes)}",
            why="Packages that belong together may be of different versions.",
            remedy=(
                "Go on with it:",
                "  emerge --resume",
                "Or forget it, where it was meant to be left:",
                "  emaint --fix cleanresume",
            ),
        )


def _merge_cut(packages: tuple[str, ...]) -> Finding:
    atoms = " ".join(quote(f"={cpv}") for cpv in packages)
    return PortageMergeCut(
        seen=f"begun and not finished: {shorten(packages)}",
        why="Some of its files are missing or of another version.",
        remedy=(
            "Install what was cut short once more; Portage then clears up:",
            f"  emerge --ask --oneshot {atoms}",
        ),
    )


def check_leftovers(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look for what updates have left to be done."""
    portage = facts.portage
    if portage.updates:
        yield ConfigUpdatesWaiting(
            seen=f"{len(portage.updates)} waiting: {shorten(portage.updates)}",
            why="A service may not start at the next boot.",
            remedy=("Look at each and decide:", "  dispatch-conf"),
        )
    if portage.preserved:
        yield LibrariesPreserved(
            seen=f"kept: {shorten(portage.preserved)}",
            why="They work, and are copied as they are.",
            remedy=("To be rid of them:", "  emerge --ask @preserved-rebuild"),
        )
    if portage.profile_deprecated:
        yield ProfileDeprecated(
            seen=f"the profile is {portage.profile or 'not known by name'}",
            why="Everything works until Gentoo removes it.",
            remedy=(
                "Nothing needs to be done now. Later, by the news item about it:",
                "  eselect news list",
                "  eselect profile list",
            ),
        )


def shorten(names: Sequence[str]) -> str:
    """Name the first few of a list, and how many more there are.

    >>> shorten(["a", "b"]), shorten([str(n) for n in range(8)])
    ('a, b', '0, 1, 2, 3, 4 and 3 more')
    """
    first = ", ".join(show_name(name) for name in names[:SHOWN])
    return first + more(len(names) - SHOWN)

"""What Portage knows and keeps: packages, its configuration, and what is left over."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """One installed package, as Portage's database has it.

    `linux_min` and `linux_max` are the oldest and the newest kernel that it was made
    for (major.minor, as in META's Linux-Minimum and Linux-Maximum), for the packages
    that carry the ZFS module; else None, as where they are not known.
    """

    cpv: str
    slot: str = "0"
    repository: str | None = None
    use: tuple[str, ...] = ()
    iuse: tuple[str, ...] = ()
    linux_min: str | None = None
    linux_max: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ebuild:
    """One version that a repository offers.

    `obstacles` are Portage's own words for why it would not install it (none: it
    would). `keyword` is what package.accept_keywords would have to accept, `licences`
    what package.license would. `use` are the flags that would be on, of `iuse`.
    `kernel_below` is the X.Y of a dependency `<virtual/dist-kernel-X.Y`.
    """

    cpv: str
    slot: str = "0"
    repository: str | None = None
    obstacles: tuple[str, ...] = ()
    keyword: str | None = None
    licences: tuple[str, ...] = ()
    masked: bool = False
    live: bool = False
    use: tuple[str, ...] = ()
    iuse: tuple[str, ...] = ()
    linux_min: str | None = None
    linux_max: str | None = None
    kernel_below: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What is installed of a package, and what could be.

    `candidate` is the cpv that Portage would install now. `ebuilds` go from the oldest
    to the newest: all of them for the packages that carry the ZFS module, else the
    candidate and the newest one that is no live ebuild. `reason` tells why Portage
    could not say what could be installed.
    """

    name: str
    installed: tuple[Installed, ...] = ()
    candidate: str | None = None
    ebuilds: tuple[Ebuild, ...] = ()
    reason: str | None = None


class PlaceKind(StrEnum):
    """What lies at a place of Portage's configuration."""

    ABSENT = "absent"
    FILE = "file"
    DIRECTORY = "directory"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigPlace:
    """A place below /etc/portage: package.use and its like."""

    path: str
    kind: PlaceKind


@dataclass(frozen=True, slots=True, kw_only=True)
class PortageFacts:
    """What Portage says of itself; reason tells why it could not be asked.

    `resumes` are the packages of an interrupted `emerge` that `emerge --resume` would
    go on with, `merging` those whose merge into the file system was cut short,
    `at_work` the merges that are going on now. `updates` are configuration files that
    wait for dispatch-conf or etc-update, `preserved` libraries kept for packages that
    need a rebuild. None: not known.
    """

    reason: str | None = None
    version: str | None = None
    profile: str | None = None
    profile_deprecated: bool | None = None
    repository: str | None = None
    distdir: str | None = None
    pkgdir: str | None = None
    tmpdir: str | None = None
    arch: str | None = None
    accept_keywords: tuple[str, ...] = ()
    packages: tuple[Package, ...] = ()
    places: tuple[ConfigPlace, ...] = ()
    resumes: tuple[str, ...] | None = None
    merging: tuple[str, ...] | None = None
    at_work: tuple[str, ...] | None = None
    updates: tuple[str, ...] | None = None
    preserved: tuple[str, ...] | None = None

    def package(self, name: str) -> Package | None:
        """Return what is known of a package, or None where Portage was not asked."""
        for package in self.packages:
            if package.name == name:
                return package
        return None

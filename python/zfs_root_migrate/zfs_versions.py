"""Versions of ZFS: which corrupt files, which kernel each was made for, which to take.

The kernel's limit is written with the package that carries the module: sys-fs/zfs from
2.4 on, sys-fs/zfs-kmod before that. What is not known is None, never a guess.
"""

import re
from dataclasses import dataclass

from zfs_root_migrate.model import Ebuild, Facts, Installed, PortageFacts

Version = tuple[int, ...]
ZFS, KMOD = "sys-fs/zfs", "sys-fs/zfs-kmod"
# from here on sys-fs/zfs has the module itself (USE flag modules)
WITH_MODULE: Version = (2, 4)

# first version with the fault, first version without it, for each branch: zeros are
# read where data was (openzfs/zfs#15526, #15933)
CORRUPTING: tuple[tuple[Version, Version], ...] = (
    ((2, 1, 4), (2, 1, 14)),
    ((2, 2, 0), (2, 2, 2)),
)

# newest kernel by released version that Gentoo did not have yet in August 2026
# (Linux-Maximum in META); for whoever has to wait for one
UPSTREAM = {"2.3.9": "7.2", "2.4.4": "7.2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The version to install: the programs, and before 2.4 the module beside them."""

    zfs: Ebuild
    kmod: Ebuild | None = None

    @property
    def ebuilds(self) -> tuple[Ebuild, ...]:
        """All that has to be installed."""
        return (self.zfs, self.kmod) if self.kmod else (self.zfs,)

    @property
    def obstacles(self) -> tuple[str, ...]:
        """What Portage has against one of them."""
        return tuple(o for ebuild in self.ebuilds for o in ebuild.obstacles)


def read_version(text: str | None) -> Version | None:
    """Return the upstream part of a version.

    >>> read_version("2.3.9-r1-gentoo"), read_version("zfs-kmod-2.2.0-rc4")
    ((2, 3, 9), (2, 2, 0))
    """
    found = re.search(r"(?<![\d.])(\d{1,9})\.(\d{1,9})\.(\d{1,9})", text or "")
    return tuple(int(number) for number in found.groups()) if found else None


def is_corrupting(version: Version) -> bool:
    """Tell whether a version of ZFS is one of those that corrupt files.

    >>> is_corrupting((2, 1, 13)), is_corrupting((2, 1, 14)), is_corrupting((2, 3, 0))
    (True, False, False)
    """
    return any(first <= version < mended for first, mended in CORRUPTING)


def kernel_line(text: str | None) -> Version | None:
    """Return the part of a kernel's release that a limit is compared with.

    >>> kernel_line("7.0.12-gentoo-dist"), kernel_line("7.0"), kernel_line("next")
    ((7, 0), (7, 0), None)
    """
    found = re.match(r"(\d{1,9})\.(\d{1,9})(?!\d)", text or "")
    return (int(found[1]), int(found[2])) if found else None


def fits(carrier: Ebuild | Installed, release: str | None) -> bool | None:
    """Tell whether a package with the module is made for a kernel; None: not known.

    >>> zfs = Installed(cpv="sys-fs/zfs-2.4.3", linux_min="4.18", linux_max="7.0")
    >>> fits(zfs, "7.0.12-gentoo"), fits(zfs, "7.1.0"), fits(zfs, "4.14.336")
    (True, False, False)
    """
    return False if is_too_old(carrier, release) else reaches(carrier, release)


def is_too_old(carrier: Ebuild | Installed, release: str | None) -> bool:
    """Tell whether a kernel is known to be older than any the package is made for.

    >>> is_too_old(Ebuild(cpv="sys-fs/zfs-2.4.3", linux_min="4.18"), "4.14.336")
    True
    """
    line, oldest = kernel_line(release), kernel_line(carrier.linux_min)
    return line is not None and oldest is not None and line < oldest


def reaches(carrier: Ebuild | Installed, release: str | None) -> bool | None:
    """Tell whether a package goes up to a kernel, however old; None: not known.

    >>> reaches(Ebuild(cpv="sys-fs/zfs-2.4.3", kernel_below="7.1"), "7.1.0-gentoo")
    False
    """
    line, newest = kernel_line(release), kernel_line(carrier.linux_max)
    if line is None:
        return None
    if newest is not None:
        return line <= newest
    below = carrier.kernel_below if isinstance(carrier, Ebuild) else None
    end = kernel_line(below)
    return None if end is None else line < end


def newest_line(carrier: Ebuild | Installed) -> Version | None:
    """Return the newest kernel that a package with the module is made for.

    >>> newest_line(Ebuild(cpv="sys-fs/zfs-2.4.3", kernel_below="7.1"))
    (7, 0)
    """
    newest = kernel_line(carrier.linux_max)
    below = carrier.kernel_below if isinstance(carrier, Ebuild) else None
    end = kernel_line(below)
    if newest is None and end is not None and end[1] > 0:
        return (end[0], end[1] - 1)
    return newest


def version_of(cpv: str) -> str:
    """Return the version of a package, with its revision.

    >>> version_of("sys-fs/zfs-kmod-2.3.8-r1"), version_of("sys-fs/zfs-9999")
    ('2.3.8-r1', '9999')
    """
    found = re.search(r"-(\d[^-/]*(?:-r\d+)?)$", cpv)
    return found[1] if found else ""


def has_module(cpv: str) -> bool:
    """Tell whether this version of sys-fs/zfs carries the kernel module.

    >>> has_module("sys-fs/zfs-2.3.8"), has_module("sys-fs/zfs-2.4.0_rc2-r1")
    (False, True)
    >>> has_module("sys-fs/zfs-9999")
    True
    """
    found = re.match(r"(\d{1,9})(?:\.(\d{1,9}))?(?!\d)", version_of(cpv))
    return found is not None and (int(found[1]), int(found[2] or 0)) >= WITH_MODULE


def installed_carrier(portage: PortageFacts) -> Installed | None:
    """Return the installed package that the module is in; None where none is known."""
    for name in (ZFS, KMOD):
        package = portage.package(name)
        for one in package.installed if package else ():
            if name == KMOD or has_module(one.cpv):
                return one
    return None


def choices(portage: PortageFacts) -> tuple[Choice, ...]:
    """Return what could be installed as released, the oldest first.

    Live ebuilds are not among them, nor candidates for a release, nor versions that
    corrupt files, nor those whose module is not in any repository.
    """
    zfs, kmod = portage.package(ZFS), portage.package(KMOD)
    # revisions of programs and module are counted apart: the newest one is taken, of
    # those that Portage installs as they are if there is one
    modules = sorted(kmod.ebuilds if kmod else (), key=lambda e: not e.obstacles)
    partners = {_plain(e.cpv): e for e in modules if not e.live}
    found = []
    for ebuild in zfs.ebuilds if zfs else ():
        version = read_version(version_of(ebuild.cpv))
        if ebuild.live or "_" in version_of(ebuild.cpv) or version is None:
            continue
        if is_corrupting(version):
            continue
        if has_module(ebuild.cpv):
            found.append(Choice(zfs=ebuild))
        elif partner := partners.get(_plain(ebuild.cpv)):
            found.append(Choice(zfs=ebuild, kmod=partner))
    return tuple(found)


def _plain(cpv: str) -> str:
    return re.sub(r"-r\d+$", "", version_of(cpv))


def made_for(choice: Choice, release: str | None) -> bool | None:
    """Tell whether a version is made for a kernel; None: not known."""
    return fits(choice.kmod or choice.zfs, release)


def choose_zfs(facts: Facts) -> Choice | None:
    """Return the version to install for the kernel that runs; None: there is none.

    What Portage installs as it is comes first; then what only a licence or the keyword
    of the testing branch keeps back; of equals the newest. Where the limit of none of
    them is known, it does not decide.
    """
    every = tuple(c for c in choices(facts.portage) if _rank(c) is not None)
    release = facts.judged_kernel
    known = [c for c in every if made_for(c, release)]
    if not known:
        known = [c for c in every if made_for(c, release) is None]
    return max(enumerate(known), key=_preference, default=(0, None))[1]


def _preference(numbered: tuple[int, Choice]) -> tuple[int, int]:
    number, choice = numbered
    return -(_rank(choice) or 0), number


def _rank(choice: Choice) -> int | None:
    """Return how far from installable it is, None where no line would help."""
    ranks = [_obstacle(ebuild) for ebuild in choice.ebuilds]
    return None if None in ranks else max(r for r in ranks if r is not None)


def _obstacle(ebuild: Ebuild) -> int | None:
    if not ebuild.obstacles:
        return 0
    if not can_be_accepted(ebuild):
        return None
    return 2 if ebuild.keyword else 1


def can_be_accepted(ebuild: Ebuild) -> bool:
    """Tell whether a keyword and licences are all that keep a version back."""
    asked = bool(ebuild.keyword) + bool(ebuild.licences)
    tested = ebuild.keyword is None or ebuild.keyword.startswith("~")
    return not ebuild.masked and tested and len(ebuild.obstacles) <= asked

"""What Portage answers on a described system.

`tests/portage/test_described.py` writes such systems and sees that Portage itself
answers just this.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from tests.portage.gentoo import ARCH, EBUILDS, Ebuild, kernels, package_of, zfs
from tests.portage.tree import PROFILE, PROFILE_MASK, PROFILE_USE
from zfs_root_migrate.portage_query.query_files import MODULES, PACKAGES, PLACES

INSTALLED = (
    *("net-misc/rsync-3.4.1-r2", "sys-apps/coreutils-9.9-r1", "sys-apps/kmod-34.2"),
    *("sys-apps/diffutils-3.12", "sys-fs/e2fsprogs-1.47.3"),
    *("sys-apps/util-linux-2.41.3", "sys-boot/grub-2.12-r8"),
    *("sys-fs/mdadm-4.4-r1", "sys-fs/zfs-2.3.6", "sys-fs/zfs-kmod-2.3.6"),
    *("sys-kernel/dracut-110-r5", "sys-kernel/installkernel-68"),
    *("sys-kernel/gentoo-kernel-6.12.58", "virtual/dist-kernel-6.12.58"),
)


@dataclass(frozen=True, kw_only=True)
class Gentoo:
    """A system as Portage sees it; `use` is on everywhere, besides the profile's.

    `kind` is what package.use and its like are, `updates` None where whoever asks may
    not look into all directories.
    """

    installed: tuple[str, ...] = INSTALLED
    use: tuple[str, ...] = ("dist-kernel", "dracut", "grub")
    platforms: tuple[str, ...] = ("pc",)
    profile: str = PROFILE
    repository: str = "/var/db/repos/gentoo"
    distdir: str = "/var/cache/distfiles"
    pkgdir: str = "/var/cache/binpkgs"
    tmpdir: str = "/var/tmp"
    version: str = "3.0.79"
    kind: str = "directory"
    updates: tuple[str, ...] | None = ()

    @property
    def ebuilds(self) -> tuple[Ebuild, ...]:
        """Return what is installed."""
        cpvs = {f"sys-apps/portage-{self.version}", *self.installed}
        return tuple(_ebuild(cpv) for cpv in sorted(cpvs))

    def flags(self, ebuild: Ebuild) -> tuple[list[str], list[str]]:
        """Return the flags that are on, and all."""
        on = {*PROFILE_USE, *self.use, *(f"grub_platforms_{p}" for p in self.platforms)}
        words = [w for w in ebuild.iuse.split() if not w.startswith("python_targets_")]
        names = {word.lstrip("+") for word in words}
        on |= {word[1:] for word in words if word.startswith("+")}
        return sorted((on & names) - set(PROFILE_MASK)), sorted(names)


def answer(gentoo: Gentoo) -> str:
    """Print what the question to Portage answers."""
    return f"\n{json.dumps(fields(gentoo))}\n"


def fields(gentoo: Gentoo) -> dict[str, object]:
    """Return the fields of the answer."""
    return {
        "packages": [_package(gentoo, name) for name in PACKAGES],
        "places": [{"path": f"/etc/portage/{n}", "kind": gentoo.kind} for n in PLACES],
        "resumes": [],
        "merging": [],
        "at_work": [],
        "updates": None if gentoo.updates is None else list(gentoo.updates),
        "preserved": [],
        "version": gentoo.version,
        "profile": gentoo.profile,
        "profile_deprecated": False,
        "repository": gentoo.repository,
        "distdir": gentoo.distdir,
        "pkgdir": gentoo.pkgdir,
        "tmpdir": gentoo.tmpdir,
        "arch": ARCH,
        "accept_keywords": [ARCH],
    }


def _ebuild(cpv: str) -> Ebuild:
    """Return what a package was made from, which may be in no repository any more."""
    name = package_of(cpv)
    version = cpv[len(name) + 1 :]
    former: tuple[Ebuild, ...] = ()
    if name in MODULES:
        former = zfs(version)
    if name.startswith(("sys-kernel/gentoo-", "virtual/")):
        former = kernels(version)
    for ebuild in (*EBUILDS, *former):
        if ebuild.cpv == cpv:
            return ebuild
    known = next((e for e in EBUILDS if package_of(e.cpv) == name), Ebuild(cpv=cpv))
    return replace(known, cpv=cpv)


def _package(gentoo: Gentoo, name: str) -> dict[str, object]:
    ebuilds = [e for e in EBUILDS if package_of(e.cpv) == name]
    ebuilds.sort(key=_version)
    visible = [e for e in ebuilds if _keyword(e) is None]
    released = [e for e in ebuilds if "live" not in e.properties]
    told = ebuilds if name in MODULES else [*visible[-1:], *released[-1:]]
    return {
        "name": name,
        "installed": list(_installed(gentoo, name)),
        "candidate": visible[-1].cpv if visible else None,
        "ebuilds": [_offer(gentoo, e) for e in ebuilds if e in told],
    }


def _version(ebuild: Ebuild) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", ebuild.cpv)]


def _keyword(ebuild: Ebuild) -> str | None:
    words = ebuild.keywords.split()
    if ARCH in words:
        return None
    return f"~{ARCH}" if f"~{ARCH}" in words else "missing"


def _installed(gentoo: Gentoo, name: str) -> Iterator[dict[str, object]]:
    for ebuild in sorted(gentoo.ebuilds, key=_version):
        if package_of(ebuild.cpv) == name:
            use, iuse = gentoo.flags(ebuild)
            yield {
                "cpv": ebuild.cpv,
                "slot": ebuild.slot,
                "repository": "gentoo",
                "use": use,
                "iuse": iuse,
                "linux_min": ebuild.kernel_min or None,
                "linux_max": ebuild.kernel_max or None,
            }


def _offer(gentoo: Gentoo, ebuild: Ebuild) -> dict[str, object]:
    keyword = _keyword(ebuild)
    live = "live" in ebuild.properties
    use, iuse = gentoo.flags(ebuild)
    below = re.search(r"<virtual/dist-kernel-(\S+)", ebuild.rdepend)
    return {
        "cpv": ebuild.cpv,
        "slot": ebuild.slot,
        "repository": "gentoo",
        "obstacles": [f"{keyword} keyword"] if keyword else [],
        "keyword": "**" if keyword == "missing" else keyword,
        "licences": [],
        "masked": False,
        "live": live,
        "use": use,
        "iuse": iuse,
        "linux_min": ebuild.kernel_min or None,
        "linux_max": None if live else ebuild.kernel_max or None,
        "kernel_below": below[1] if below else None,
    }


def without(*names: str, packages: Iterable[str] = INSTALLED) -> tuple[str, ...]:
    """Return the packages but those that are named."""
    return tuple(cpv for cpv in packages if package_of(cpv) not in names)

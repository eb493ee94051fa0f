"""What Portage does to a machine, as far as its facts show it.

Lines in package.use and its like change what the ebuilds would be; `emerge` installs
the version that it is told, or the candidate, and fails where Portage would refuse.
"""

from collections.abc import Callable
from dataclasses import replace

from tests.unit.checks.machines import (
    Change,
    base,
    boot,
    kernel,
    package,
    portage,
    system,
)
from zfs_root_migrate.checks.system import TOOL_ATOMS
from zfs_root_migrate.config import Config
from zfs_root_migrate.model import Ebuild, Facts, Generator, Installed, Package
from zfs_root_migrate.zfs_versions import (
    KMOD,
    ZFS,
    fits,
    has_module,
    installed_carrier,
    kernel_line,
    version_of,
)

WHOLE = {
    "sys-boot/grub": ("grub-install", "grub-mkconfig"),
    "sys-fs/zfs": ("zfs", "zpool"),
    "sys-kernel/dracut": ("dracut",),
}
PLATFORMS = {
    "grub_platforms_pc": "i386-pc",
    "grub_platforms_efi-64": "x86_64-efi",
}
# what the name of a kernel's release ends with
KERNELS = {
    "sys-kernel/gentoo-kernel": "-gentoo-dist",
    "sys-kernel/gentoo-kernel-bin": "-gentoo-dist",
    "sys-kernel/gentoo-sources": "-gentoo",
}


class Merges:
    """A machine, its settings, and what Portage does to it."""

    def __init__(self, facts: Facts, config: Config) -> None:
        """Begin with the machine as it was found."""
        self.facts, self.config = facts, config
        self.text = ""
        self.installed_kernel: list[str] = []

    def change(self, *changes: Change) -> None:
        """Make changes to the facts."""
        for change in changes:
            self.facts = change(self.facts)

    def sync(self) -> None:
        """Bring the repositories to the state that the ready machine has."""
        for new in base().portage.packages:
            if new.ebuilds:
                self.change(
                    package(new.name, ebuilds=new.ebuilds, candidate=new.candidate)
                )

    def add_line(self, place: str, line: str) -> None:
        """Do what a line in one of Portage's files does to the ebuilds."""
        atom, *words = line.split()
        cpv = atom.lstrip(">=")
        for one in self.facts.portage.packages:
            if one.name in (cpv, _name(cpv)):
                change = _LINES[place]
                ebuilds = tuple(
                    change(e, words) if _matches(atom, e.cpv) else e
                    for e in one.ebuilds
                )
                self.change(
                    package(
                        one.name,
                        ebuilds=ebuilds,
                        candidate=_candidate(one, ebuilds, atom, place),
                    )
                )

    def emerge(self, words: list[str]) -> None:
        """Install what is named, in its order."""
        if {"--pretend", "--info"} & set(words):
            return
        if "--resume" in words:
            self.change(portage(resumes=()))
        for atom in (word for word in words if not word.startswith("--")):
            if atom == "@module-rebuild":
                self._build_module()
            elif atom == "@preserved-rebuild":
                self.change(portage(preserved=()))
            else:
                self._install(atom, anew="--noconfmem" in words)

    def _install(self, atom: str, *, anew: bool) -> None:
        name = _name(atom[1:]) if atom.startswith("=") else atom
        known = self.facts.portage.package(name)
        ebuild = None
        if known is not None and self.facts.portage.reason is None:
            ebuild = _find(known, atom)
            self._put(known, ebuild)
        self._effects(name, ebuild, anew=anew)
        left = tuple(c for c in self.facts.portage.merging or () if atom != f"={c}")
        self.change(portage(merging=left))

    def _put(self, known: Package, ebuild: Ebuild) -> None:
        version = version_of(ebuild.cpv)
        kmod = self.facts.portage.package(KMOD)
        if known.name == ZFS and kmod and not has_module(ebuild.cpv):
            plain = version.partition("-r")[0]
            there = [*kmod.ebuilds, *map(_as_ebuild, kmod.installed)]
            fitting = [e for e in there if version_of(e.cpv).startswith(plain)]
            visible = [e for e in fitting if not e.obstacles]
            assert visible, f"Portage would refuse {KMOD}, which {ebuild.cpv} needs"
            self._put(kmod, visible[0])
        elif known.name == ZFS:
            self.change(package(KMOD, installed=()))
        new = Installed(
            cpv=ebuild.cpv,
            slot=ebuild.slot,
            use=ebuild.use,
            iuse=ebuild.iuse,
            linux_min=ebuild.linux_min,
            linux_max=ebuild.linux_max,
        )
        beside = known.installed if known.name in KERNELS else ()
        others = tuple(one for one in beside if one.cpv != new.cpv)
        self.change(package(known.name, installed=(*others, new)))

    def _effects(self, name: str, ebuild: Ebuild | None, *, anew: bool) -> None:
        tools = {tool for tool, atom in TOOL_ATOMS.items() if atom == name}
        tools |= set(WHOLE.get(name, ()))
        self.change(
            system(
                tools=tuple(
                    replace(t, path=f"/sbin/{t.name}") if t.name in tools else t
                    for t in self.facts.system.tools
                )
            )
        )
        if name == "sys-kernel/dracut":
            others = set(self.facts.boot.generators) | {Generator.DRACUT}
            self.change(boot(generators=tuple(sorted(others))))
        elif name == "sys-boot/grub":
            self._install_grub(ebuild, anew=anew)
        elif name in (ZFS, KMOD):
            self._install_zfs(name, ebuild)
        elif name in KERNELS:
            self._install_kernel(name, ebuild)

    def _install_grub(self, ebuild: Ebuild | None, *, anew: bool) -> None:
        flags = ebuild.use if ebuild else ()
        made = tuple(PLATFORMS[flag] for flag in flags if flag in PLATFORMS)
        default = "" if anew else self.facts.boot.grub_default
        # where none is set the ebuild lets GRUB guess
        self.change(boot(grub_platforms=made or ("i386-pc",), grub_default=default))

    def _install_zfs(self, name: str, ebuild: Ebuild | None) -> None:
        version = version_of(ebuild.cpv) if ebuild else "2.3.4"
        if name == ZFS:
            known = (*self.facts.system.services, "zfs-import", "zfs-mount")
            self.change(system(zfs_userland=version, services=known))
        if ebuild is None or installed_carrier(self.facts.portage) is not None:
            self._build_module()

    def _build_module(self) -> None:
        """Build the module as the ebuild does: for what /usr/src/linux leads to."""
        facts, release = self.facts, self.facts.boot.sources_release
        carrier = installed_carrier(facts.portage)
        if carrier and has_module(carrier.cpv) and "modules" not in carrier.use:
            return
        assert facts.boot.sources_built, "there are no sources to build for"
        fitting = carrier is None or fits(carrier, release)
        assert fitting is not False, f"{carrier} would refuse {release}"
        version = version_of(carrier.cpv) if carrier else facts.system.zfs_userland
        self.change(
            boot(
                kernels=tuple(
                    replace(
                        k,
                        zfs_module=f"/lib/modules/{release}/extra/zfs.ko",
                        zfs_version=version,
                        zfs_signed=bool(carrier and "modules-sign" in carrier.use),
                    )
                    if k.release == release
                    else k
                    for k in facts.boot.kernels
                )
            )
        )

    def _install_kernel(self, name: str, ebuild: Ebuild | None) -> None:
        assert ebuild is not None
        release = version_of(ebuild.cpv).partition("-r")[0] + KERNELS[name]
        new = replace(kernel(release), zfs_module=None, zfs_version=None)
        others = [k for k in self.facts.boot.kernels if k.release != release]
        self.change(
            boot(
                kernels=(*others, new),
                sources=f"/usr/src/linux-{release}",
                sources_release=release,
                sources_built=True,
            )
        )
        self.installed_kernel.append(release)


def load_module(facts: Facts) -> Facts:
    """Load the module of the kernel that runs."""
    running = facts.judged_kernel
    (mine,) = (k for k in facts.boot.kernels if k.release == running)
    assert mine.zfs_module, "modprobe would find no module"
    carrier = installed_carrier(facts.portage)
    built = version_of(carrier.cpv) if carrier else None
    return system(zfs_module=mine.zfs_version or built)(facts)


def _name(cpv: str) -> str:
    version = version_of(cpv)
    return cpv.removesuffix(f"-{version}") if version else cpv


def _matches(atom: str, cpv: str) -> bool:
    if atom.startswith(">="):
        least, mine = kernel_line(version_of(atom)), kernel_line(version_of(cpv))
        assert least, atom
        return mine is not None and mine >= least
    return not atom.startswith("=") or atom == f"={cpv}"


def _accept_keyword(ebuild: Ebuild, words: list[str]) -> Ebuild:
    assert ebuild.keyword in (None, *words)
    left = tuple(o for o in ebuild.obstacles if not o.endswith(" keyword"))
    return replace(ebuild, obstacles=left, keyword=None)


def _accept_licences(ebuild: Ebuild, words: list[str]) -> Ebuild:
    assert set(words) >= set(ebuild.licences)
    left = tuple(o for o in ebuild.obstacles if not o.endswith(" license(s)"))
    return replace(ebuild, obstacles=left, licences=())


def _use(ebuild: Ebuild, words: list[str]) -> Ebuild:
    known = {flag.lstrip("+-") for flag in ebuild.iuse}
    return replace(ebuild, use=tuple(sorted({*ebuild.use, *words} & known)))


def _mask(ebuild: Ebuild, _words: list[str]) -> Ebuild:
    obstacles = (*ebuild.obstacles, "package.mask")
    return replace(ebuild, obstacles=obstacles, masked=True)


_LINES: dict[str, Callable[[Ebuild, list[str]], Ebuild]] = {
    "package.accept_keywords": _accept_keyword,
    "package.license": _accept_licences,
    "package.mask": _mask,
    "package.use": _use,
}


def _candidate(
    known: Package, ebuilds: tuple[Ebuild, ...], atom: str, place: str
) -> str | None:
    """Return what Portage would take now, as it would: the newest that it may."""
    visible = [e.cpv for e in ebuilds if not e.obstacles]
    if known.candidate and known.candidate not in {e.cpv for e in ebuilds}:
        # its ebuild is not among those that the case tells of
        masked = place == "package.mask" and _matches(atom, known.candidate)
        return (visible or [None])[-1] if masked else known.candidate
    return (visible or [None])[-1]


def _find(known: Package, atom: str) -> Ebuild:
    """Return the ebuild that `emerge` takes, or fail where it takes none."""
    wanted = atom[1:] if atom.startswith("=") else known.candidate
    assert wanted, f"Portage would refuse {atom}: there is no candidate"
    for ebuild in known.ebuilds:
        if ebuild.cpv == wanted:
            why = ", ".join(ebuild.obstacles)
            assert not why, f"Portage would refuse {atom}: {why}"
            return ebuild
    there = {one.cpv: one for one in known.installed}
    if wanted in there:
        return _as_ebuild(there[wanted])
    assert wanted == known.candidate, f"there is no {wanted}"
    return Ebuild(cpv=wanted)


def _as_ebuild(installed: Installed) -> Ebuild:
    return Ebuild(
        cpv=installed.cpv,
        use=installed.use,
        iuse=installed.iuse,
        linux_min=installed.linux_min,
        linux_max=installed.linux_max,
    )

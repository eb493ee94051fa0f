"""What the migration needs of Portage on this machine, and what of it is lacking.

A `Need` is one package: whether it is there, what would be installed, and which USE
flags it must have. The checks tell of needs, `check --fix` writes what they ask for:
both from here, so that a remedy and what is written cannot differ.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from zfs_root_migrate.basics import BASICS, lacking_basics
from zfs_root_migrate.config import Config
from zfs_root_migrate.model import (
    Copier,
    Ebuild,
    Facts,
    Firmware,
    Generator,
    Installed,
    Package,
)
from zfs_root_migrate.zfs_versions import (
    KMOD,
    ZFS,
    Choice,
    can_be_accepted,
    choices,
    choose_zfs,
    fits,
    has_module,
    installed_carrier,
    is_corrupting,
    made_for,
    read_version,
    version_of,
)

MDADM, GRUB, DRACUT = "sys-fs/mdadm", "sys-boot/grub", "sys-kernel/dracut"
RSYNC, INSTALLKERNEL = "net-misc/rsync", "sys-kernel/installkernel"
DIST_KERNELS = ("sys-kernel/gentoo-kernel", "sys-kernel/gentoo-kernel-bin")
# the USE flag with which linux-mod-r1.eclass signs modules
SIGN = "modules-sign"
# GRUB's directory for a firmware, and what Gentoo's GRUB_PLATFORMS calls it
GRUB_PLATFORMS = {
    Firmware.BIOS: ("i386-pc", "pc"),
    Firmware.UEFI: ("x86_64-efi", "efi-64"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One package that is missing, or to be rebuilt, or would be built wrongly.

    `ebuild` is the version to install, None where there is none that would do; `asked`
    tells whether Portage could say. `lacks` are the USE flags that it must have and
    would not have as Portage is configured now. A `dependency` comes with another need.
    """

    package: str
    dependency: bool = False
    missing: bool = False
    rebuild: bool = False
    asked: bool = False
    ebuild: Ebuild | None = None
    candidate: str | None = None
    lacks: tuple[str, ...] = ()

    @property
    def atom(self) -> str:
        """What `emerge` is told; the exact version where it would take another."""
        if self.ebuild is None or self.ebuild.cpv == self.candidate:
            return self.package
        return f"={self.ebuild.cpv}"

    @property
    def acceptable(self) -> bool:
        """Whether it can be installed, with lines in Portage's configuration at most.

        Where Portage could not be asked there is nothing that speaks against it.
        """
        if self.ebuild is None:
            return not self.asked
        return can_be_accepted(self.ebuild)


def needs(facts: Facts, config: Config) -> tuple[Need, ...]:
    """Return what is needed and lacking, or would be lacking after a rebuild."""
    found = [
        *_zfs(facts),
        _tool(facts, MDADM, "mdadm"),
        _grub(facts),
        _dracut(facts),
        *([_tool(facts, RSYNC, "rsync")] if config.copier is Copier.RSYNC else ()),
        _installkernel(facts),
        *(_tool(facts, name, *BASICS[name]) for name in lacking_basics(facts)),
    ]
    return tuple(n for n in found if n.missing or n.rebuild or n.lacks)


def find_need(facts: Facts, config: Config, package: str) -> Need | None:
    """Return what is lacking of one package, None where nothing is."""
    return next((n for n in needs(facts, config) if n.package == package), None)


def uses_dist_kernel(facts: Facts) -> bool:
    """Tell whether a distribution kernel is installed or runs.

    Its updates build modules and initramfs anew, for packages with USE dist-kernel.
    """
    known = (facts.portage.package(name) for name in DIST_KERNELS)
    installed = any(package and package.installed for package in known)
    return installed or facts.judged_kernel.endswith("-dist")


def has_tools(facts: Facts, *names: str) -> bool:
    """Tell whether all of these programs are there."""
    there = {tool.name for tool in facts.system.tools if tool.path}
    return there.issuperset(names)


def is_asked(facts: Facts, package: Package | None) -> bool:
    """Tell whether Portage could say which versions there are."""
    if package is None or package.reason or facts.portage.reason:
        return False
    # facts of an older version of this tool have no ebuilds
    return bool(package.ebuilds) or not package.installed


def offered(package: Package | None) -> Ebuild | None:
    """Return the version that Portage would install, or could with the fewest words."""
    if package is None or not package.ebuilds:
        return None
    for ebuild in package.ebuilds:
        if ebuild.cpv == package.candidate:
            return ebuild
    good = [e for e in package.ebuilds if can_be_accepted(e) and not e.live]
    return (good or package.ebuilds)[-1]


def _tool(facts: Facts, name: str, *tools: str) -> Need:
    package = facts.portage.package(name)
    return Need(
        package=name,
        missing=not has_tools(facts, *tools),
        ebuild=offered(package),
        asked=is_asked(facts, package),
        candidate=package.candidate if package else None,
    )


def _dracut(facts: Facts) -> Need:
    """The generator that this version makes the new root's initramfs with."""
    package = facts.portage.package(DRACUT)
    return Need(
        package=DRACUT,
        missing=Generator.DRACUT not in facts.boot.generators,
        ebuild=offered(package),
        asked=is_asked(facts, package),
        candidate=package.candidate if package else None,
    )


def _grub(facts: Facts) -> Need:
    platform = grub_platform(facts)
    package = facts.portage.package(GRUB)
    missing = not has_tools(facts, "grub-install", "grub-mkconfig")
    wanted = (f"grub_platforms_{platform[1]}",) if platform else ()
    if platform and platform[1] == "pc" and not _platforms(offered(package)):
        # the ebuild lets configure guess where none is set, and it guesses i386-pc
        wanted = ()
    there = platform is None or platform[0] in facts.boot.grub_platforms
    return Need(
        package=GRUB,
        missing=missing,
        rebuild=not missing and not there,
        ebuild=offered(package),
        asked=is_asked(facts, package),
        candidate=package.candidate if package else None,
        lacks=_lacks(offered(package), wanted),
    )


def grub_platform(facts: Facts) -> tuple[str, str] | None:
    """Return GRUB's directory for this firmware, and its name in GRUB_PLATFORMS.

    None where the firmware is not known: which one a tree will meet that does not run
    is not, either.
    """
    return GRUB_PLATFORMS.get(facts.boot.firmware) if facts.elsewhere is None else None


def _platforms(ebuild: Ebuild | None) -> list[str]:
    flags = ebuild.use if ebuild else ()
    return [flag for flag in flags if flag.startswith("grub_platforms_")]


def _installkernel(facts: Facts) -> Need:
    """It makes the initramfs and GRUB's menu for each kernel installed from now on."""
    package = facts.portage.package(INSTALLKERNEL)
    if package is None or not package.installed:
        return Need(package=INSTALLKERNEL)
    now, ebuild = package.installed[-1], offered(package)
    # dracut and ugrd exclude each other (REQUIRED_USE); ugrd knows ZFS too
    wanted = ("grub",) if "ugrd" in now.use else ("dracut", "grub")
    return Need(
        package=INSTALLKERNEL,
        rebuild=bool(_lacks(now, wanted)),
        asked=is_asked(facts, package),
        ebuild=ebuild,
        candidate=package.candidate,
        lacks=_lacks(ebuild or now, wanted),
    )


def _lacks(of: Ebuild | Installed | None, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Return the flags that are off, of those that this version has."""
    if of is None:
        return ()
    known = {flag.lstrip("+-") for flag in of.iuse}
    return tuple(flag for flag in wanted if flag in known and flag not in of.use)


def _zfs(facts: Facts) -> Iterator[Need]:
    """The programs, and where these are older than 2.4 the module's package."""
    package, kmod = facts.portage.package(ZFS), facts.portage.package(KMOD)
    missing = not has_tools(facts, "zfs", "zpool")
    wanted = zfs_flags(facts)
    installed = package.installed[-1] if package and package.installed else None
    replace = missing or not _serves(facts, installed)
    chosen = _to_install(facts) if replace else _same_version(facts, installed)
    zfs = chosen.zfs if chosen else None
    yield Need(
        package=ZFS,
        missing=missing,
        rebuild=not missing
        and (bool(chosen) if replace else bool(_lacks(installed, wanted))),
        ebuild=zfs,
        asked=is_asked(facts, package),
        candidate=package.candidate if package else None,
        lacks=_lacks(zfs or (None if replace else installed), wanted),
    )
    old = kmod.installed[-1] if kmod and kmod.installed else None
    module = chosen.kmod if chosen else None
    if module is not None or (old and installed and not has_module(installed.cpv)):
        yield Need(
            package=KMOD,
            dependency=replace,
            missing=replace and module is not None and not _is(old, module),
            rebuild=not replace and bool(_lacks(old, wanted)),
            asked=is_asked(facts, kmod),
            ebuild=module,
            candidate=kmod.candidate if kmod else None,
            lacks=_lacks(module or (None if replace else old), wanted),
        )


def _is(installed: Installed | None, ebuild: Ebuild) -> bool:
    return installed is not None and installed.cpv == ebuild.cpv


def zfs_flags(facts: Facts) -> tuple[str, ...]:
    """Return the USE flags that ZFS must have, whichever of its packages has them.

    A module that is loaded and lies in no package was built into the kernel: then
    nothing is asked about modules.
    """
    running = facts.judged_kernel
    mine = [k for k in facts.boot.kernels if k.release == running]
    if facts.system.zfs_module and mine and mine[0].zfs_module is None:
        return ("rootfs",)
    dist = ("dist-kernel",) if uses_dist_kernel(facts) else ()
    carrier = installed_carrier(facts.portage)
    by_portage = carrier is not None and SIGN in carrier.use
    bare = not mine or mine[0].zfs_module is None or mine[0].zfs_signed is False
    # a module that was signed in another way needs no flag
    sign = (SIGN,) if facts.wants_signatures and (bare or by_portage) else ()
    return ("rootfs", "initramfs", "modules", *dist, *sign)


def _serves(facts: Facts, installed: Installed | None) -> bool:
    """Tell whether the installed ZFS can stay: it is not known to be unfit."""
    if installed is None:
        return True
    version = read_version(version_of(installed.cpv))
    if version is not None and is_corrupting(version):
        return False
    running = facts.judged_kernel
    works = any(k.zfs_module for k in facts.boot.kernels if k.release == running)
    carrier: Installed | None = installed
    if not has_module(installed.cpv):
        kmod = facts.portage.package(KMOD)
        carrier = kmod.installed[-1] if kmod and kmod.installed else None
    return works or carrier is None or fits(carrier, running) is not False


def _to_install(facts: Facts) -> Choice | None:
    """Return the version to choose, else one that fits the kernel and is refused."""
    running = facts.judged_kernel
    every = choices(facts.portage)
    fitting = [c for c in every if made_for(c, running) is not False]
    return choose_zfs(facts) or (fitting[-1] if fitting else None)


def _same_version(facts: Facts, installed: Installed | None) -> Choice | None:
    """Return what a rebuild would take: the installed version, else the one to choose.

    A live version is rebuilt as such: somebody wanted it.
    """
    package, kmod = facts.portage.package(ZFS), facts.portage.package(KMOD)
    if package is None or installed is None:
        return None
    same = _find(package, lambda e: e.cpv == installed.cpv)
    if same is None:
        return _to_install(facts)
    if has_module(same.cpv):
        return Choice(zfs=same)
    old = kmod.installed[-1].cpv if kmod and kmod.installed else None
    return Choice(zfs=same, kmod=_find(kmod, lambda e: e.cpv == old))


def _find(package: Package | None, fits_in: Callable[[Ebuild], bool]) -> Ebuild | None:
    return next((e for e in (package.ebuilds if package else ()) if fits_in(e)), None)

"""Checks of the USE flags that ZFS was built with."""

import shlex
from collections.abc import Iterator

from zfs_root_migrate.checks.kernel import running_kernel
from zfs_root_migrate.checks.support import lacks_fitting_zfs
from zfs_root_migrate.config import Config
from zfs_root_migrate.finding import Finding, Severity
from zfs_root_migrate.model import Facts, Installed
from zfs_root_migrate.needs import uses_dist_kernel
from zfs_root_migrate.wishes import (
    FIX_ASK,
    Topic,
    Wish,
    by_fix,
    by_hand,
    emerge_line,
    install_remedy,
)
from zfs_root_migrate.zfs_versions import KMOD, ZFS, installed_carrier


class ZfsUseModules(Finding):
    """sys-fs/zfs was built with USE=-modules: the programs alone, without the module.

    From 2.4 on the kernel module is a part of sys-fs/zfs, and the flag decides whether
    it is built. It is on unless somebody has switched it off.
    """

    key = "zfs-use-modules"
    severity = Severity.INHIBITOR
    title = "ZFS was built without its kernel module"


class ZfsUseInitramfs(Finding):
    """The ZFS module was built with USE=-initramfs.

    linux-mod-r1.eclass then installs a file in dracut.conf.d that keeps the modules out
    of every initramfs, so the new system's could not mount its root
    (openzfs/zfs#14309).
    """

    key = "zfs-use-initramfs"
    severity = Severity.INHIBITOR
    title = "the ZFS module is kept out of the initramfs"


class ZfsUseRootfs(Finding):
    """sys-fs/zfs was built with USE=-rootfs.

    With that flag, which is the default, the package depends on what an initramfs with
    ZFS needs, and its ebuild refuses a kernel without initramfs or devtmpfs. Without it
    an update may leave the machine with a kernel that cannot start it.
    """

    key = "zfs-use-rootfs"
    severity = Severity.WARNING
    title = "ZFS was built without support for a root on it"


class ZfsUseDistKernel(Finding):
    """A distribution kernel is installed, and ZFS was built with USE=-dist-kernel.

    With the flag, Portage builds the module and the initramfs again for each update of
    the kernel. Without it the next kernel starts without ZFS, and does not find its
    root. The ebuilds advise to set it for all packages.
    """

    key = "zfs-use-dist-kernel"
    severity = Severity.WARNING
    title = "a kernel update would not build ZFS again"


class ZfsUseDistKernelCap(Finding):
    """A distribution kernel is installed, and ZFS was built with USE=-dist-kernel-cap.

    With both flags dist-kernel and dist-kernel-cap, Portage keeps back kernels that
    this ZFS is not made for. Without the second one a kernel can be installed for which
    no module can be built.
    """

    key = "zfs-use-dist-kernel-cap"
    severity = Severity.WARNING
    title = "nothing keeps kernels back that ZFS does not support"


def lacks_modules(facts: Facts) -> bool:
    """Tell whether the module is missing because ZFS was built without it."""
    carrier, kernel = installed_carrier(facts.portage), running_kernel(facts)
    return (
        carrier is not None
        and is_off(carrier, "modules")
        and kernel is not None
        and kernel.zfs_module is None
        and facts.system.zfs_module is None
    )


def is_off(package: Installed, flag: str) -> bool:
    """Tell whether a package has a USE flag and was built without it.

    >>> is_off(Installed(cpv="sys-fs/zfs-2.4.3", iuse=("+rootfs", "nls")), "rootfs")
    True
    """
    known = {name.lstrip("+-") for name in package.iuse}
    return flag in known and flag not in package.use


def name_of(package: Installed) -> str:
    """Return which of the two packages it is."""
    return KMOD if package.cpv.startswith(f"{KMOD}-") else ZFS


def check_zfs_use(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at the flags of the programs and of the module, wherever it is."""
    package, carrier = facts.portage.package(ZFS), installed_carrier(facts.portage)
    installed = package.installed[-1] if package and package.installed else None
    if lacks_fitting_zfs(facts):
        return
    if lacks_modules(facts):
        yield ZfsUseModules(
            seen=f"{ZFS} has USE=-modules, and there is no zfs.ko",
            why="The pool could neither be made nor be mounted at boot.",
            remedy=install_remedy(facts, config, ZFS),
        )
    elif carrier and is_off(carrier, "initramfs"):
        yield ZfsUseInitramfs(
            seen=f"{carrier.cpv} has USE=-initramfs",
            why="The new system could not mount its root at boot (zfs#14309).",
            remedy=install_remedy(facts, config, name_of(carrier)),
        )
    if installed and is_off(installed, "rootfs"):
        yield ZfsUseRootfs(
            seen=f"{installed.cpv} has USE=-rootfs",
            why="Updates would not see to it that the initramfs works with ZFS.",
            remedy=install_remedy(facts, config, ZFS),
        )
    if uses_dist_kernel(facts):
        yield from _dist_kernel(facts, config, installed, carrier)


def _dist_kernel(
    facts: Facts,
    config: Config,
    installed: Installed | None,
    carrier: Installed | None,
) -> Iterator[Finding]:
    both = dict.fromkeys(p for p in (installed, carrier) if p is not None)
    off = [package for package in both if is_off(package, "dist-kernel")]
    if off:
        yield ZfsUseDistKernel(
            seen=" and ".join(p.cpv for p in off) + " with USE=-dist-kernel",
            why="After the next kernel update the root would not be found.",
            remedy=install_remedy(facts, config, name_of(off[0]))
            if len(off) == 1
            else _both(facts, off),
        )
    if carrier and is_off(carrier, "dist-kernel-cap"):
        name = name_of(carrier)
        yield ZfsUseDistKernelCap(
            seen=f"{carrier.cpv} has USE=-dist-kernel-cap",
            why="A kernel update may bring one that has no ZFS module.",
            remedy=(
                "Switch it on, unless the kernel is kept back in another way:",
                *by_hand(facts, (use_wish(name, "dist-kernel-cap"),)),
                f"  {emerge_line((name,))}",
            ),
        )


def _both(facts: Facts, packages: list[Installed]) -> tuple[str, ...]:
    lines = tuple(use_wish(name_of(package), "dist-kernel") for package in packages)
    # the very versions: programs and module have to stay the same
    atoms = [f"={package.cpv}" for package in packages]
    return (
        *by_fix(
            facts,
            "This writes what is needed, and asks whether to build them again:",
            f"  {FIX_ASK}",
        ),
        *by_hand(facts, lines),
        f"  emerge --ask --oneshot {shlex.join(atoms)}",
    )


def use_wish(package: str, flag: str) -> Wish:
    """Return the line that switches a flag on."""
    line = f"{package} {flag}"
    return Wish(topic=Topic.USE, package=package, line=line, why="see the finding")

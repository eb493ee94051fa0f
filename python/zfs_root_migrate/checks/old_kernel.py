"""Check of the oldest kernel that ZFS is made for; the newest is support.py's."""

from collections.abc import Iterator

from zfs_root_migrate.checks.kernel import running_kernel, runs
from zfs_root_migrate.checks.support import kernel_packages, show_line
from zfs_root_migrate.config import Config
from zfs_root_migrate.finding import Finding, Severity
from zfs_root_migrate.model import Ebuild, Facts, Installed, release_key
from zfs_root_migrate.needs import has_tools
from zfs_root_migrate.wishes import install_remedy
from zfs_root_migrate.zfs_versions import (
    ZFS,
    can_be_accepted,
    choices,
    choose_zfs,
    fits,
    installed_carrier,
    is_too_old,
    kernel_line,
    made_for,
)


class KernelTooOld(Finding):
    """The kernel that runs is older than ZFS supports, so there is no module for it.

    Each version of ZFS is made for kernels from a certain one on, `Linux-Minimum` in
    its file META: 4.18 for 2.2 and later, 3.10 for 2.1. The ebuild stops with an older
    kernel (linux-mod-r1.eclass), and so does the configure script.
    """

    key = "kernel-too-old"
    severity = Severity.INHIBITOR
    title = "the running kernel is older than ZFS supports"


def check_old_kernel(facts: Facts, config: Config) -> Iterator[Finding]:
    """Compare the kernel with the oldest one that ZFS is made for."""
    carrier = _carrier(facts)
    kernel = running_kernel(facts)
    built = kernel is not None and kernel.zfs_module is not None
    if carrier is None or not is_too_old(carrier, facts.judged_kernel) or built:
        return
    since = show_line(kernel_line(carrier.linux_min) or ())
    yield KernelTooOld(
        seen=f"{runs(facts)}; {carrier.cpv} is made for kernels from {since} on",
        why="There is no ZFS module for this kernel, and none can be built.",
        remedy=_older_zfs(facts, config) or _newer_kernel(facts, carrier, since),
    )


def _carrier(facts: Facts) -> Ebuild | Installed | None:
    """Return what has the module, or would have: of all that could be the newest."""
    if has_tools(facts, "zfs", "zpool"):
        return installed_carrier(facts.portage)
    if choose_zfs(facts) is not None:
        return None
    every = (c for c in choices(facts.portage) if all(map(can_be_accepted, c.ebuilds)))
    return next((c.kmod or c.zfs for c in reversed(tuple(every))), None)


def _older_zfs(facts: Facts, config: Config) -> tuple[str, ...]:
    """Say how to get a ZFS that is made for this kernel, where there is one."""
    chosen = choose_zfs(facts)
    if chosen is None or made_for(chosen, facts.judged_kernel) is not True:
        return ()
    return (
        f"Use an older ZFS: {chosen.zfs.cpv} is made for this kernel.",
        *install_remedy(facts, config, ZFS),
    )


def _newer_kernel(
    facts: Facts, carrier: Ebuild | Installed, since: str
) -> tuple[str, ...]:
    there = [
        k.release
        for k in facts.boot.kernels
        if k.image is not None and fits(carrier, k.release)
    ]
    if there:
        best = max(there, key=release_key)
        return (
            f"Start {best}, which is installed: choose it in the boot menu.",
            "  reboot",
        )
    package = kernel_packages(facts)[0]
    build = ("Build and install that one as usual, then:",)
    return (
        f"Install a kernel from {since} on, and start it:",
        f"  emerge --ask {package}",
        *(build if package.endswith("-sources") else ()),
        "  reboot",
    )

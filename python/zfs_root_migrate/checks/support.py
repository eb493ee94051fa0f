"""Checks of the kernels that ZFS is made for: the running one and those to come."""

from collections.abc import Iterator

from zfs_root_migrate.checks.kernel import running_kernel, runs
from zfs_root_migrate.config import Config
from zfs_root_migrate.finding import Finding, Severity
from zfs_root_migrate.model import Ebuild, Facts, Installed, release_key
from zfs_root_migrate.needs import DIST_KERNELS, has_tools
from zfs_root_migrate.wishes import append, install_remedy
from zfs_root_migrate.zfs_versions import (
    UPSTREAM,
    ZFS,
    Version,
    can_be_accepted,
    choices,
    choose_zfs,
    fits,
    installed_carrier,
    kernel_line,
    made_for,
    newest_line,
    reaches,
    version_of,
)

KERNELS = (*DIST_KERNELS, "sys-kernel/gentoo-sources")
MASK = "package.mask"


class KernelTooNew(Finding):
    """The kernel that runs is newer than ZFS supports, so there is no module for it.

    Each version of ZFS is made for kernels up to a certain one, `Linux-Maximum` in its
    file META; of 7.0, every 7.0.x will do. The ebuild stops with a newer kernel, and so
    does the configure script by itself: it calls such a build experimental and warns of
    the loss of data. Gentoo has kernels weeks before a ZFS that supports them, so on
    the testing branch this is nothing unusual.
    """

    key = "kernel-too-new"
    severity = Severity.INHIBITOR
    title = "the running kernel is newer than ZFS supports"


class KernelBeyondRange(Finding):
    """ZFS was built for the running kernel although it does not support it.

    Somebody has set ZFS_KERNEL_COMPAT_OVERRIDE or built ZFS by hand. OpenZFS calls that
    experimental and warns of the loss of data.
    """

    key = "kernel-beyond-range"
    severity = Severity.WARNING
    title = "ZFS was built for a kernel that it does not support"


class NextKernelTooNew(Finding):
    """A newer kernel is waiting that the installed ZFS does not support.

    It is installed already or /usr/src/linux leads to it. The boot menu offers the
    newest kernel first: the machine would start with one that has no ZFS module, and
    not find its root. Mask such kernels until there is a ZFS for them.
    """

    key = "next-kernel-too-new"
    severity = Severity.WARNING
    title = "the next kernel would have no ZFS"


class KernelUpdateTooNew(Finding):
    """The next update brings a kernel that the installed ZFS does not support.

    Portage does not know that the two belong together, unless ZFS has USE="dist-kernel
    dist-kernel-cap" and the kernel is a distribution kernel.
    """

    key = "kernel-update-too-new"
    severity = Severity.WARNING
    title = "an update would bring a kernel without ZFS"


class ZfsRangeUnknown(Finding):
    """Up to which kernel the installed ZFS goes is not known.

    It stands in the file META in /usr/share/doc, and in Portage's database. Where ZFS
    was not installed by Portage, or documentation is not installed and the version is a
    live one, neither tells.
    """

    key = "zfs-range-unknown"
    severity = Severity.INFO
    title = "which kernels ZFS supports is not known"


def check_support(facts: Facts, config: Config) -> Iterator[Finding]:
    """Compare the kernels with what ZFS is made for."""
    if not has_tools(facts, "zfs", "zpool"):
        yield from _not_installed(facts)
        return
    carrier, release = installed_carrier(facts.portage), facts.judged_kernel
    if carrier is None or reaches(carrier, release) is None:
        package = facts.portage.package(ZFS)
        # where its module is a package that is missing, another finding says so
        if release and (carrier or not (package and package.installed)):
            yield _range_unknown(facts, carrier)
        return
    if not reaches(carrier, release):
        yield _too_new(facts, config, carrier)
    yield from _later_kernels(facts, carrier)


def explains_missing_module(facts: Facts) -> bool:
    """Tell whether kernel-too-new or kernel-too-old says why there is no module."""
    carrier = installed_carrier(facts.portage)
    return carrier is not None and fits(carrier, facts.judged_kernel) is False


def lacks_fitting_zfs(facts: Facts) -> bool:
    """Tell whether the installed ZFS has to be replaced, as it has no module here."""
    kernel = running_kernel(facts)
    built = kernel is not None and kernel.zfs_module is not None
    return not built and not facts.system.zfs_module and explains_missing_module(facts)


def _not_installed(facts: Facts) -> Iterator[Finding]:
    """Look at what could be installed: is any of it made for this kernel?"""
    chosen = choose_zfs(facts)
    if chosen is not None:
        # the ebuild looks at /usr/src/linux, whatever runs
        yield from _later_kernels(facts, chosen.kmod or chosen.zfs)
        return
    every = [c for c in choices(facts.portage) if all(map(can_be_accepted, c.ebuilds))]
    lines = {line: c for c in every if (line := newest_line(c.kmod or c.zfs))}
    mine = kernel_line(facts.judged_kernel)
    # what is older than all of them is another check's
    if lines and mine and max(lines) < mine:
        best = max(lines)
        yield KernelTooNew(
            seen=f"{runs(facts)}; the newest one that any ZFS in the repositories is "
            f"made for is {show_line(best)} ({lines[best].zfs.cpv})",
            why="Portage would refuse to build ZFS for this kernel.",
            remedy=_other_kernel(facts, best),
        )


def _range_unknown(facts: Facts, carrier: Installed | None) -> Finding:
    what = carrier.cpv if carrier else "a ZFS that Portage has not installed"
    return ZfsRangeUnknown(
        seen=f"up to which kernel {what} goes is not known",
        why=f"Whether it is made for {facts.judged_kernel} could not be checked.",
        remedy=(
            "Look for Linux-Maximum in the file META of its sources, and keep newer",
            "kernels away.",
        ),
    )


def _too_new(facts: Facts, config: Config, carrier: Installed) -> Finding:
    kernel = running_kernel(facts)
    limit = kernel_line(carrier.linux_max) or ()
    built = kernel is not None and kernel.zfs_module is not None
    kind = KernelBeyondRange if built else KernelTooNew
    return kind(
        seen=f"{runs(facts)}; {carrier.cpv} is made for kernels up to "
        f"{show_line(limit)}",
        why="OpenZFS calls this experimental and warns of the loss of data."
        if built
        else "There is no ZFS module for this kernel, and none can be built.",
        remedy=_newer_zfs(facts, config) or _other_kernel(facts, limit),
    )


def _newer_zfs(facts: Facts, config: Config) -> tuple[str, ...]:
    """Say how to get a ZFS that is made for this kernel, where there is one."""
    chosen, release = choose_zfs(facts), facts.judged_kernel
    if chosen is None or made_for(chosen, release) is not True:
        return ()
    limit = newest_line(chosen.kmod or chosen.zfs) or ()
    return (
        f"Update ZFS: {chosen.zfs.cpv} is made for kernels up to {show_line(limit)}.",
        *install_remedy(facts, config, ZFS),
    )


def show_line(line: Version) -> str:
    """Write what a kernel's release is compared with."""
    return ".".join(map(str, line))


def _after(line: Version) -> str:
    """Return the first kernel that is too new: after 7.0 comes 7.1."""
    return show_line((*line[:-1], line[-1] + 1))


def _other_kernel(facts: Facts, limit: Version) -> tuple[str, ...]:
    """Say which kernel to use, and which ZFS to wait for."""
    there = [
        k.release
        for k in facts.boot.kernels
        if k.image is not None and (line := kernel_line(k.release)) and line <= limit
    ]
    there.sort(key=release_key)
    if there:
        ways = (
            f"Start {there[-1]}, which is installed: choose it in the boot menu.",
            "Make /usr/src/linux its sources, and keep newer ones away until ZFS has",
            "caught up:",
            *mask(facts, limit),
            "  eselect kernel list",
            "  reboot",
        )
    else:
        package = kernel_packages(facts)[0]
        build = ("Build and install that one as usual, then:",)
        ways = (
            f"Install a kernel up to {show_line(limit)} and start that one. This keeps",
            "newer ones away until ZFS has caught up:",
            *mask(facts, limit),
            f"  emerge --ask {package}",
            *(build if package.endswith("-sources") else ()),
            "  reboot",
        )
    return (*ways, *_wait(facts))


def _wait(facts: Facts) -> tuple[str, ...]:
    """Name what is masked and would do, else what to wait for, where it is known."""
    release = facts.judged_kernel
    for choice in reversed(choices(facts.portage)):
        if made_for(choice, release):
            return (
                f"Or use {choice.zfs.cpv}, which supports this kernel but is kept back",
                "by Portage: see package-masked.",
            )
    wanted = kernel_line(release) or ()
    out = [v for v, most in UPSTREAM.items() if (kernel_line(most) or ()) >= wanted]
    what = (
        f"sys-fs/zfs {' or '.join(out)}, which support {show_line(wanted)}"
        if out
        else f"a ZFS that supports {show_line(wanted)}; none is known here"
    )
    return (
        f"Or wait for {what}. To look again:",
        "  emaint sync --auto",
        "  zfs-root-migrate check",
    )


def kernel_packages(facts: Facts) -> tuple[str, ...]:
    """Return the packages that this machine has its kernels from."""
    known = (facts.portage.package(name) for name in KERNELS)
    found = tuple(p.name for p in known if p is not None and p.installed)
    return found or KERNELS[:1]


def mask(facts: Facts, limit: Version) -> tuple[str, ...]:
    """Return the commands that keep kernels back which are newer than a limit."""
    lines = (f">={name}-{_after(limit)}" for name in kernel_packages(facts))
    added = [c for line in lines for c in append(facts, MASK, "zfs", line)]
    return tuple(dict.fromkeys(added))


_OLDER_SOURCES = (
    "Choose older sources:",
    "  eselect kernel list",
    "  eselect kernel set NUMBER",
)


def _later_kernels(facts: Facts, carrier: Ebuild | Installed) -> Iterator[Finding]:
    """Look at the kernels that will run after this one."""
    boot, mine = facts.boot, release_key(facts.judged_kernel)
    there = [
        f"{kernel.release} is installed"
        for kernel in boot.kernels
        if release_key(kernel.release) > mine
        and kernel.zfs_module is None
        and reaches(carrier, kernel.release) is False
    ]
    made = boot.sources_release or ""
    chosen = release_key(made) > mine and reaches(carrier, made) is False
    sources = [f"/usr/src/linux is {made}"] if chosen else []
    limit = newest_line(carrier) or ()
    if there or chosen:
        seen = "; ".join((*there, *sources))
        yield NextKernelTooNew(
            seen=f"{seen}; {carrier.cpv} goes up to {show_line(limit)}",
            why="No ZFS is built for it, and it would not find the new root at boot.",
            remedy=(
                "Keep such kernels away until there is a ZFS for them:",
                *mask(facts, limit),
                *(("Remove the one that is installed.",) if there else ()),
                *(_OLDER_SOURCES if chosen else ()),
            ),
        )
    else:
        yield from _update(facts, carrier, limit)


def _update(
    facts: Facts, carrier: Ebuild | Installed, limit: Version
) -> Iterator[Finding]:
    """Look at the kernels that Portage would install."""
    capped = {"dist-kernel", "dist-kernel-cap"} <= set(carrier.use)
    coming = []
    for name in KERNELS:
        package = facts.portage.package(name)
        if package is None or not package.installed or package.candidate is None:
            continue
        version = version_of(package.candidate)
        held = capped and name in DIST_KERNELS
        if reaches(carrier, version) is False and not held:
            coming.append(package.candidate)
    if coming:
        yield KernelUpdateTooNew(
            seen=f"Portage would install {' and '.join(coming)}; {carrier.cpv} goes up "
            f"to {show_line(limit)}",
            why="ZFS cannot be built for that kernel, and the root would not be found.",
            remedy=(
                "Keep such kernels away until there is a ZFS for them:",
                *mask(facts, limit),
            ),
        )

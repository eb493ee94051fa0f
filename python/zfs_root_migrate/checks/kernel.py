"""Checks of the kernels: the one that runs, the others, and their sources."""

import re
from collections.abc import Iterator

from zfs_root_migrate.config import Config
from zfs_root_migrate.finding import Finding, Severity
from zfs_root_migrate.model import Facts, Kernel
from zfs_root_migrate.zfs_versions import installed_carrier, reaches


class BootNotMounted(Finding):
    """/boot has a line in /etc/fstab but is not mounted.

    On Gentoo it is often `noauto`. The kernel that runs would not be found and not be
    copied, and a new one would land in the directory below the mount point, where the
    boot loader does not look.
    """

    key = "boot-not-mounted"
    severity = Severity.INHIBITOR
    title = "/boot is not mounted"


class KernelNotInstalled(Finding):
    """The kernel that runs is not installed: no image in /boot, no /lib/modules.

    After a kernel update the old files are removed while the old kernel still runs. It
    could not be booted again, nor can modules be loaded for it.
    """

    key = "kernel-not-installed"
    severity = Severity.INHIBITOR
    title = "the running kernel is not installed any more"


class KernelNone(Finding):
    """No kernel is installed: none in /boot, none in /lib/modules.

    The new system starts with a kernel of this one. A tree that was just unpacked from
    a stage archive has none yet.
    """

    key = "kernel-none"
    severity = Severity.INHIBITOR
    title = "no kernel is installed"


class KernelImageMissing(Finding):
    """There is no image in /boot of the kernel that runs.

    The new system starts with this very kernel, because its ZFS module is known to
    work here.
    """

    key = "kernel-image-missing"
    severity = Severity.INHIBITOR
    title = "the running kernel has no image in /boot"


class KernelImageDiffers(Finding):
    """The image of the running kernel in /boot is of another build than what runs.

    Either it was built again since the machine was started, under the same name; or
    /boot is not what the boot loader reads: a kernel that was installed while /boot was
    not mounted lies below the mount point, and the old one is started with new modules.
    The new system starts with the image that is in /boot now.
    """

    key = "kernel-image-differs"
    severity = Severity.WARNING
    title = "the kernel in /boot is not the one that runs"


class KernelsWithoutZfs(Finding):
    """A kernel is installed that has no ZFS module.

    It starts the old root but not the new one. GRUB lists it all the same.
    """

    key = "kernels-without-zfs"
    severity = Severity.WARNING
    title = "a kernel has no ZFS module"


class Raid1Missing(Finding):
    """The kernel that runs has no raid1, built in or as a module.

    /boot is put on a software RAID1, so that either disk can start the system alone.
    """

    key = "raid1-missing"
    severity = Severity.INHIBITOR
    title = "the kernel has no RAID1"


class SourcesMissing(Finding):
    """/usr/src/linux does not lead to kernel sources.

    The ebuild of the ZFS module builds for what lies there, whichever kernel runs
    (linux-mod-r1.eclass, linux-info.eclass). Without sources no module is built.
    """

    key = "sources-missing"
    severity = Severity.WARNING
    title = "there are no kernel sources in /usr/src/linux"


class SourcesNotBuilt(Finding):
    """The kernel sources in /usr/src/linux were never built.

    To build a module takes Module.symvers, which only a full build of the kernel makes
    (`make modules_prepare` does not); linux-mod-r1.eclass stops where it is missing.
    """

    key = "sources-not-built"
    severity = Severity.WARNING
    title = "the kernel sources are not ready to build a module"


class SourcesDiffer(Finding):
    """/usr/src/linux leads to the sources of a kernel that is not the one that runs.

    Whatever builds the ZFS module, builds it for those sources: `@module-rebuild` would
    leave the kernel that the new system starts with as it is, without a word.
    """

    key = "sources-differ"
    severity = Severity.WARNING
    title = "/usr/src/linux is not the running kernel's"


def running_kernel(facts: Facts) -> Kernel | None:
    """Return the installed kernel that runs; of a tree elsewhere, the newest."""
    wanted = facts.judged_kernel
    return next((k for k in facts.boot.kernels if k.release == wanted), None)


def runs(facts: Facts) -> str:
    """Name the kernel that is judged, and why that one."""
    what = "runs" if facts.elsewhere is None else "is the newest kernel there"
    return f"{facts.judged_kernel} {what}"


def check_kernel(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at the kernels and at /boot."""
    kernel, release = running_kernel(facts), facts.judged_kernel
    unmounted = _boot_line(facts)
    if unmounted and facts.elsewhere is None:
        yield BootNotMounted(
            seen=f"/etc/fstab has {unmounted} for /boot, and nothing is mounted there",
            why="The kernel would not be copied, and the new system would not start.",
            remedy=("Mount it:", "  mount /boot"),
        )
    if not facts.boot.kernels:
        yield KernelNone(
            seen="neither /boot nor /lib/modules has a kernel",
            why="The new system would have none either.",
            remedy=("Install one:", "  emerge --ask sys-kernel/gentoo-kernel-bin"),
        )
        return
    if kernel is None:
        yield KernelNotInstalled(
            seen=f"{release or 'the running kernel'} is neither in /boot nor in "
            "/lib/modules",
            why="It could not be started again, and has no modules.",
            remedy=("Start a kernel that is installed:", "  reboot"),
        )
        return
    if kernel.image is None and not unmounted:
        yield _no_image(release)
    yield from _other_build(facts, kernel)
    if not kernel.raid1:
        yield _no_raid1(kernel)
    yield from _other_kernels(facts, kernel)


def _no_image(release: str) -> Finding:
    return KernelImageMissing(
        seen=f"no image of {release} is in /boot",
        why="The new system is to start with this kernel.",
        remedy=(
            "Mount /boot if it is a partition; else install the kernel again, or start",
            "one that is installed:",
            "  mount /boot",
            "  reboot",
        ),
    )


def _other_build(facts: Facts, kernel: Kernel) -> Iterator[Finding]:
    runs_now = build_of(facts.boot.running_version or "")
    in_boot = build_of(kernel.image_version or "")
    if runs_now and in_boot and runs_now != in_boot:
        yield KernelImageDiffers(
            seen=f"{kernel.image} is {' '.join(in_boot)}; {' '.join(runs_now)} runs",
            why="The new system would start with a kernel that was not tried here.",
            remedy=(
                "If it was built again since, start it; if this comes up again, see",
                "whether the boot loader reads another /boot:",
                "  reboot",
                "  findmnt /boot",
            ),
        )


def build_of(text: str) -> tuple[str, str] | None:
    """Return the release, and number and time of the build, from a kernel's own words.

    >>> build_of("Linux version 6.12.31 (root@x) (gcc 14) #2 SMP Mon Jun 2")
    ('6.12.31', '#2 SMP Mon Jun 2')
    >>> build_of("6.12.31 (root@x) #1 SMP Sun Jun 1"), build_of("")
    (('6.12.31', '#1 SMP Sun Jun 1'), None)
    """
    found = re.match(r"(?:Linux version )?(\S+) .*?(#\d.*)", text)
    return (found[1], found[2].strip()) if found else None


def _no_raid1(kernel: Kernel) -> Finding:
    if kernel.option("MD_RAID1") in ("m", "y"):
        return Raid1Missing(
            seen=f"{kernel.release} was made with RAID1, but raid1.ko is not there",
            why="/boot could not be on both disks.",
            remedy=(
                "Install the modules of this kernel again: make modules_install in its",
                "sources, or the package of the distribution kernel.",
            ),
        )
    return Raid1Missing(
        seen=f"{kernel.release} has no raid1 module and it is not built in",
        why="/boot could not be on both disks.",
        remedy=(
            "Set these in the kernel (Device Drivers, Multiple devices), build and",
            "install it, and start it:",
            "  CONFIG_BLK_DEV_MD=y",
            "  CONFIG_MD_RAID1=m",
        ),
    )


def _other_kernels(facts: Facts, running: Kernel) -> Iterator[Finding]:
    """Look at the kernels that could have a module; for newer ones see support.py."""
    carrier = installed_carrier(facts.portage)
    others = [
        kernel.release
        for kernel in facts.boot.kernels
        if kernel.zfs_module is None
        and kernel is not running
        and not (carrier and reaches(carrier, kernel.release) is False)
    ]
    if others and running.zfs_module is not None:
        yield KernelsWithoutZfs(
            seen="no ZFS module for " + ", ".join(others),
            why="They will not start the new root, though GRUB lists them.",
            remedy=(
                "Remove them if they are not needed; else make /usr/src/linux the",
                "sources of each in turn and build the module for it:",
                "  eselect kernel list",
                "  eselect kernel set NUMBER",
                "  emerge --ask --oneshot @module-rebuild",
            ),
        )


def _boot_line(facts: Facts) -> str | None:
    mounted = {mount.target for mount in facts.storage.mounts}
    lines = (line.spec for line in facts.storage.fstab if line.file == "/boot")
    return None if "/boot" in mounted else next(lines, None)


def check_kernel_sources(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at what the ZFS module would be built for."""
    boot = facts.boot
    if facts.portage.reason is not None:
        return
    if boot.sources_release is None:
        leads = f"leads to {boot.sources}, without sources" if boot.sources else None
        yield SourcesMissing(
            seen=f"/usr/src/linux {leads or 'is not there'}",
            why="The ZFS module could not be built again after an update.",
            remedy=(
                "Choose the sources of the running kernel; install them first if none",
                "are listed:",
                "  eselect kernel list",
                "  eselect kernel set NUMBER",
            ),
        )
    elif not boot.sources_built:
        yield SourcesNotBuilt(
            seen=f"{boot.sources} ({boot.sources_release}) has no Module.symvers",
            why="Portage stops when it is to build the ZFS module for them.",
            remedy=(
                "Build and install that kernel (make, make modules_install, make",
                "install), or choose sources that are built:",
                "  eselect kernel list",
                "  eselect kernel set NUMBER",
            ),
        )
    elif not _serve(facts, boot.sources_release):
        yield SourcesDiffer(
            seen=f"{boot.sources} makes {boot.sources_release}; {runs(facts)}",
            why="A ZFS module built now would not be the running kernel's.",
            remedy=(
                "Choose the running kernel's sources, or start the other kernel:",
                "  eselect kernel list",
                "  eselect kernel set NUMBER",
            ),
        )


def _serve(facts: Facts, release: str) -> bool:
    """Tell whether to build for these sources is no mistake.

    They are the running kernel's, or those of another kernel that has its module
    already; that ZFS is not made for them is another finding.
    """
    carrier = installed_carrier(facts.portage)
    ready = {k.release for k in facts.boot.kernels if k.zfs_module is not None}
    mine = facts.judged_kernel
    return (
        release == mine
        or (release in ready and mine in ready)
        or (carrier is not None and reaches(carrier, release) is False)
    )

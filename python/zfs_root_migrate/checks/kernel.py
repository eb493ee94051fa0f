"""Checks of the kernel: the one that runs, the others, /boot, and ZFS itself."""

import re
from collections.abc import Iterator

from zfs_root_migrate.config import Config
from zfs_root_migrate.finding import Finding, Severity
from zfs_root_migrate.model import Facts, Kernel

Version = tuple[int, ...]

# first version with the fault, first version without it, for each branch: zeros are
# read where data was (openzfs/zfs#15526, #15933)
CORRUPTING: tuple[tuple[Version, Version], ...] = (
    ((2, 1, 4), (2, 1, 14)),
    ((2, 2, 0), (2, 2, 2)),
)


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


class KernelImageMissing(Finding):
    """There is no image in /boot of the kernel that runs.

    The new system starts with this very kernel, because its ZFS module is known to
    work here.
    """

    key = "kernel-image-missing"
    severity = Severity.INHIBITOR
    title = "the running kernel has no image in /boot"


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


class ZfsMissing(Finding):
    """The ZFS programs are not installed.

    On Gentoo they are in sys-fs/zfs. From 2.4 on the kernel module is in it too (USE
    flag modules), before that it was sys-fs/zfs-kmod. USE rootfs, which is the default,
    makes sure that it works from an initramfs.
    """

    key = "zfs-missing"
    severity = Severity.INHIBITOR
    title = "ZFS is not installed"


class ZfsModuleMissing(Finding):
    """There is no ZFS module for the kernel that runs.

    A module works with one kernel only. After every new kernel it must be built again,
    for the sources that /usr/src/linux points to. A kernel that is newer than the
    installed ZFS supports cannot have one: see `Linux-Maximum` in the file META below
    /usr/share/doc/zfs-*.
    """

    key = "zfs-module-missing"
    severity = Severity.INHIBITOR
    title = "the running kernel has no ZFS module"


class ZfsVersionsDiffer(Finding):
    """The ZFS programs and the ZFS module are of different versions.

    Programs and module talk to one another in a way that is not kept stable. After an
    update the old module stays loaded until the next boot.
    """

    key = "zfs-versions-differ"
    severity = Severity.INHIBITOR
    title = "ZFS programs and module do not match"


class ZfsVersionUnknown(Finding):
    """The version of the ZFS programs or of the module could not be read.

    Some versions corrupt files while they are copied, so this is not left to chance.
    """

    key = "zfs-version-unknown"
    severity = Severity.INHIBITOR
    title = "the version of ZFS is not known"


class ZfsCorrupting(Finding):
    """This version of ZFS can silently corrupt files while they are copied.

    2.1.4 to 2.1.13, 2.2.0 and 2.2.1 read zeros where data was just written
    (openzfs/zfs#15526, #15933; first seen in Gentoo builds). 2.1.14 and 2.2.2 are
    mended.
    """

    key = "zfs-corrupting"
    severity = Severity.INHIBITOR
    title = "this version of ZFS corrupts files"


def running_kernel(facts: Facts) -> Kernel | None:
    """Return the installed kernel that runs."""
    for kernel in facts.boot.kernels:
        if kernel.release == facts.boot.running_kernel:
            return kernel
    return None


def check_kernel(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at the kernels and at /boot."""
    kernel, release = running_kernel(facts), facts.boot.running_kernel
    unmounted = _boot_line(facts)
    if unmounted:
        yield BootNotMounted(
            seen=f"/etc/fstab has {unmounted} for /boot, and nothing is mounted there",
            why="The kernel would not be copied, and the new system would not start.",
            remedy=("Mount it:", "  mount /boot"),
        )
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
    if not kernel.raid1:
        yield _no_raid1(release)
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


def _no_raid1(release: str) -> Finding:
    return Raid1Missing(
        seen=f"{release} has no raid1 module and it is not built in",
        why="/boot could not be on both disks.",
        remedy=(
            "Set these in the kernel (Device Drivers, Multiple devices), build and",
            "install it, and start it:",
            "  CONFIG_BLK_DEV_MD=y",
            "  CONFIG_MD_RAID1=m",
        ),
    )


def _other_kernels(facts: Facts, running: Kernel) -> Iterator[Finding]:
    others = [
        kernel.release
        for kernel in facts.boot.kernels
        if kernel.zfs_module is None and kernel is not running
    ]
    if others and running.zfs_module is not None:
        yield KernelsWithoutZfs(
            seen="no ZFS module for " + ", ".join(others),
            why="They will not start the new root, though GRUB lists them.",
            remedy=(
                "Remove them if they are not needed; else make /usr/src/linux the",
                "sources of each in turn and build the module for it:",
                "  eselect kernel list",
                "  emerge --ask --oneshot @module-rebuild",
            ),
        )


def _boot_line(facts: Facts) -> str | None:
    mounted = {mount.target for mount in facts.storage.mounts}
    lines = (line.spec for line in facts.storage.fstab if line.file == "/boot")
    return None if "/boot" in mounted else next(lines, None)


def check_zfs(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at the ZFS programs and at the module of the running kernel."""
    system, kernel = facts.system, running_kernel(facts)
    if not any(t.path for t in system.tools if t.name in ("zfs", "zpool")):
        yield ZfsMissing(
            seen="zfs and zpool are not found",
            why="There is no way to make a pool.",
            remedy=("Install it:", "  emerge --ask sys-fs/zfs"),
        )
        return
    if kernel and kernel.zfs_module is None and system.zfs_module is None:
        yield ZfsModuleMissing(
            seen=f"no zfs.ko was built for {facts.boot.running_kernel}",
            why="The pool could neither be made nor be mounted at boot.",
            remedy=(
                "Make /usr/src/linux the sources of the running kernel, then build the",
                "module for it:",
                "  eselect kernel list",
                "  emerge --ask --oneshot @module-rebuild",
                "  modprobe zfs",
            ),
        )
        return
    module = system.zfs_module or (kernel.zfs_version if kernel else None)
    yield from _versions(system.zfs_userland, module)


def _versions(userland: str | None, module: str | None) -> Iterator[Finding]:
    programs, loaded = read_version(userland), read_version(module)
    if programs is None or loaded is None:
        yield ZfsVersionUnknown(
            seen=f"programs: {userland or 'unknown'}, module: {module or 'unknown'}",
            why="Some versions corrupt files while they are copied (zfs#15526).",
            remedy=("See what they say themselves:", "  modprobe zfs", "  zfs version"),
        )
    elif programs != loaded:
        yield ZfsVersionsDiffer(
            seen=f"the programs are {userland}, the module is {module}",
            why="They do not understand each other for certain.",
            remedy=(
                "Build the module again, and start anew so that it is loaded:",
                "  emerge --ask --oneshot @module-rebuild",
                "  reboot",
            ),
        )
    for version in sorted({programs, loaded} - {None}, key=str):
        if version and is_corrupting(version):
            yield ZfsCorrupting(
                seen=f"ZFS is version {'.'.join(map(str, version))}",
                why="Files may be full of zeros after the copy (zfs#15526, #15933).",
                remedy=(
                    "Update it first, and start anew:",
                    "  emerge --ask --update sys-fs/zfs",
                    "  reboot",
                ),
            )


def read_version(text: str | None) -> Version | None:
    """Return the upstream part of a version.

    >>> read_version("2.3.9-r1-gentoo"), read_version("zfs-kmod-2.2.0-rc4")
    ((2, 3, 9), (2, 2, 0))
    """
    found = re.search(r"(?<![\d.])(\d+)\.(\d+)\.(\d+)", text or "")
    return tuple(int(number) for number in found.groups()) if found else None


def is_corrupting(version: Version) -> bool:
    """Tell whether a version of ZFS is one of those that corrupt files.

    >>> is_corrupting((2, 1, 13)), is_corrupting((2, 1, 14)), is_corrupting((2, 3, 0))
    (True, False, False)
    """
    return any(first <= version < mended for first, mended in CORRUPTING)

"""Checks of ZFS: its programs, its module, and the versions of both."""

from collections.abc import Iterator

from zfs_root_migrate.checks.kconfig import forbidding
from zfs_root_migrate.checks.kernel import running_kernel
from zfs_root_migrate.checks.support import explains_missing_module
from zfs_root_migrate.checks.zfs_use import lacks_modules
from zfs_root_migrate.config import Config
from zfs_root_migrate.finding import Finding, Severity
from zfs_root_migrate.model import Facts
from zfs_root_migrate.needs import has_tools
from zfs_root_migrate.wishes import install_remedy
from zfs_root_migrate.zfs_versions import (
    KMOD,
    ZFS,
    choose_zfs,
    installed_carrier,
    is_corrupting,
    read_version,
    version_of,
)

# what this tool was written for and is tried with; Gentoo's oldest is 2.1.16
OLDEST = (2, 1, 0)
SYNC = (
    "Portage knows no better version for this kernel. To look for newer ones:",
    "  emaint sync --auto",
    "  zfs-root-migrate check",
)


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
    installed ZFS supports cannot have one: that is the finding kernel-too-new.
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
    (openzfs/zfs#15526, #15933; first seen in Gentoo builds). 2.2.1 also fails to write
    to disks encrypted with LUKS (openzfs/zfs#15533). 2.1.14 and 2.2.2 are mended. The
    version that Portage would install is judged as well.
    """

    key = "zfs-corrupting"
    severity = Severity.INHIBITOR
    title = "this version of ZFS corrupts files"


class ZfsTooOld(Finding):
    """ZFS is older than 2.1.

    Nobody mends errors in it any more, and the commands of the plan were never tried
    with it. The oldest that Gentoo has is 2.1.16.
    """

    key = "zfs-too-old"
    severity = Severity.INHIBITOR
    title = "this version of ZFS is too old"


def check_zfs(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at the ZFS programs and at the module of the running kernel."""
    system, kernel = facts.system, running_kernel(facts)
    if not has_tools(facts, "zfs", "zpool"):
        yield ZfsMissing(
            seen="zfs and zpool are not found",
            why="There is no way to make a pool.",
            remedy=install_remedy(facts, config, ZFS),
        )
        yield from _candidate(facts, config)
        return
    if kernel and kernel.zfs_module is None and system.zfs_module is None:
        said = explains_missing_module(facts) or lacks_modules(facts)
        if not said and not forbidding(kernel):
            yield _no_module(facts, config)
        return
    module = system.zfs_module or (kernel.zfs_version if kernel else None)
    yield from _versions(facts, config, system.zfs_userland, module)


def _no_module(facts: Facts, config: Config) -> Finding:
    release = facts.judged_kernel
    package = facts.portage.package(ZFS)
    by_portage = package is not None and package.installed != ()
    if by_portage and installed_carrier(facts.portage) is None:
        return ZfsModuleMissing(
            seen=f"{KMOD}, which has the module of this ZFS, is not installed",
            why="The pool could neither be made nor be mounted at boot.",
            remedy=(*install_remedy(facts, config, KMOD), "  modprobe zfs"),
        )
    made = facts.boot.sources_release
    leads = f"; /usr/src/linux is {made}" if made not in (None, release) else ""
    return ZfsModuleMissing(
        seen=f"no zfs.ko was built for {release}{leads}",
        why="The pool could neither be made nor be mounted at boot.",
        remedy=(
            "Make /usr/src/linux the sources of the running kernel, then build the",
            "module for it:",
            "  eselect kernel list",
            "  eselect kernel set NUMBER",
            "  emerge --ask --oneshot @module-rebuild",
            "  modprobe zfs",
        ),
    )


def _candidate(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at the version that Portage would install if it were just told to."""
    package = facts.portage.package(ZFS)
    version = read_version(version_of((package and package.candidate) or ""))
    if version and is_corrupting(version):
        yield ZfsCorrupting(
            seen=f"Portage would install ZFS {'.'.join(map(str, version))}",
            why="Files may be full of zeros after the copy (zfs#15526, #15933).",
            remedy=install_remedy(facts, config, ZFS) if choose_zfs(facts) else SYNC,
        )


def _versions(
    facts: Facts, config: Config, userland: str | None, module: str | None
) -> Iterator[Finding]:
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
        name = ".".join(map(str, version or ()))
        if version and is_corrupting(version):
            yield ZfsCorrupting(
                seen=f"ZFS is version {name}",
                why="Files may be full of zeros after the copy (zfs#15526, #15933).",
                remedy=_update(facts, config),
            )
        elif version and version < OLDEST:
            yield ZfsTooOld(
                seen=f"ZFS is version {name}",
                why="The commands of the plan were never tried with it.",
                remedy=_update(facts, config),
            )


def _update(facts: Facts, config: Config) -> tuple[str, ...]:
    """Say how to get a better version: the candidate's, where that one is good."""
    package, chosen = facts.portage.package(ZFS), choose_zfs(facts)
    if package is None or (chosen and chosen.zfs.cpv == package.candidate):
        lines: tuple[str, ...] = (
            "Update it first:",
            "  emerge --ask --update sys-fs/zfs",
        )
    elif chosen:
        lines = install_remedy(facts, config, ZFS)
    else:
        return SYNC
    return (*lines, "Then start anew:", "  reboot")

"""Checks of the boot loader that runs now: can it start the new root just once?"""

from collections.abc import Iterator

from zfs_root_migrate import topology
from zfs_root_migrate.config import Config
from zfs_root_migrate.finding import Finding, Severity
from zfs_root_migrate.model import Facts, Loader, Mount

MIB = 1 << 20
# GRUB writes into the blocks of its grubenv without the file system's help
ONCE_TYPES = frozenset(("ext2", "ext3", "ext4", "vfat", "xfs"))
# a kernel of the distribution with its initramfs
NEXT_KERNEL = 96 * MIB


class LoaderUnknown(Finding):
    """Which boot loader has started the system is not known.

    GRUB is recognised by BOOT_IMAGE on the kernel's command line together with
    /boot/grub/grub.cfg, systemd-boot by what it tells the kernel. `run` installs GRUB
    on the new disk in any case and leaves the old disk's boot loader alone; start the
    new root from the new disk, by the firmware's menu.
    """

    key = "loader-unknown"
    severity = Severity.INFO
    title = "the present boot loader is not known"


class LoaderNotGrub(Finding):
    """The system was started by systemd-boot, not by GRUB.

    The new disk gets GRUB. The old disk's boot loader is left alone and does not list
    the new root.
    """

    key = "loader-not-grub"
    severity = Severity.INFO
    title = "the present boot loader is not GRUB"


class OneShotImpossible(Finding):
    """GRUB here cannot start an entry just once.

    `grub-reboot` writes the entry into grubenv, and GRUB takes it out again before it
    starts the kernel, so that the next start is an ordinary one. GRUB can only write to
    a plain partition with a file system that has no checksums: not on LVM, RAID or
    LUKS, not on btrfs or ZFS (GRUB manual, "Environment block"; Launchpad 1274320).
    There the entry would stay chosen. Pick the new root by hand in the boot menu
    instead; what is picked by hand is chosen once only.
    """

    key = "one-shot-impossible"
    severity = Severity.INFO
    title = "GRUB cannot start the new root just once"


class BootNearlyFull(Finding):
    """There is little space left on the present /boot.

    Another kernel with its initramfs will hardly fit. `run` puts nothing there; but
    where another finding asks for another kernel, make room first.
    """

    key = "boot-nearly-full"
    severity = Severity.INFO
    title = "the present /boot is nearly full"


def check_loader(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at the boot loader of the system that runs."""
    loader = facts.boot.loader
    if loader is Loader.UNKNOWN:
        yield LoaderUnknown(
            seen="neither the kernel command line nor /boot tells for certain",
            why="Whether it could start the new root just once cannot be said.",
            remedy=("Start the new root by the firmware's boot menu.",),
        )
    elif loader is not Loader.GRUB:
        yield LoaderNotGrub(
            seen=f"{loader} has started the system",
            why="Its menu will not list the new root.",
            remedy=("Start the new root by the firmware's boot menu.",),
        )
    else:
        yield from _once(facts)
    yield from _room(facts)


def _once(facts: Facts) -> Iterator[Finding]:
    mount = holding(facts, "/boot/grub")
    if mount is None:
        return
    layers = topology.layers(facts.storage, mount)
    stack = [f"{topology.show_name(d)} ({d.kind})" for d in layers if d.kind != "part"]
    if stack or mount.fs_type not in ONCE_TYPES:
        yield OneShotImpossible(
            seen=f"/boot/grub is on {' and '.join(stack) or mount.fs_type}",
            why="An entry chosen by grub-reboot would stay chosen, also when it fails.",
            remedy=("Choose the new root by hand in the boot menu.",),
        )


def holding(facts: Facts, path: str) -> Mount | None:
    """Return the mounted file system that a path is in."""
    found = None
    for mount in facts.storage.mounts:
        top = mount.target.rstrip("/")
        if f"{path}/".startswith(f"{top}/") and (
            found is None or len(mount.target) >= len(found.target)
        ):
            found = mount
    return found


def _room(facts: Facts) -> Iterator[Finding]:
    for mount in facts.storage.mounts:
        if mount.target != "/boot" or mount.size is None or mount.used is None:
            continue
        free = mount.size - mount.used
        if free < NEXT_KERNEL:
            yield BootNearlyFull(
                seen=f"{max(free, 0) // MIB} MiB of {mount.size // MIB} are free",
                why="Another kernel with its initramfs will hardly fit.",
                remedy=(
                    "See what is there, and remove kernels that are not needed:",
                    "  df /boot",
                ),
            )

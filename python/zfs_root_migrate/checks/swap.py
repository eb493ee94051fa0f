"""Checks of swap and of hibernation."""

import shlex
from collections.abc import Iterator

from zfs_root_migrate import layout, topology
from zfs_root_migrate.amounts import show_size
from zfs_root_migrate.config import Config
from zfs_root_migrate.devices import ZVOLS, is_zvol_swap
from zfs_root_migrate.finding import Finding, Severity
from zfs_root_migrate.model import Facts
from zfs_root_migrate.quoting import more, quote, show_name

# so many devices are named
SHOWN = 5


class HibernationImage(Finding):
    """A swap area holds the image of a hibernated system.

    A system that resumes from it believes that its file systems are as it left them.
    After a pool was imported in between, that destroys the pool (openzfs/zfs#260,
    #14118, #12842).
    """

    key = "hibernation-image"
    severity = Severity.INHIBITOR
    title = "a hibernated system is waiting in swap"


class HibernationUnknown(Finding):
    """Whether a hibernated system waits in swap could not be found out.

    Reading the swap areas takes root. Resuming after a pool was imported destroys the
    pool, so it is not left to chance.
    """

    key = "hibernation-unknown"
    severity = Severity.INHIBITOR
    title = "whether a hibernated system is in swap is not known"


class ResumeSet(Finding):
    """The kernel command line has resume=, so this machine hibernates.

    Do not hibernate with a pool imported in the initramfs: the pool is imported before
    the image is resumed, and is then lost (openzfs/zfs#260, #14118). The new system
    gets no resume= and is started with noresume.
    """

    key = "resume-set"
    severity = Severity.WARNING
    title = "the machine is set up to hibernate"


class SwapOnZvol(Finding):
    """Swap lies on a ZFS volume.

    When memory is short, writing there needs memory: the machine locks up
    (openzfs/zfs#7734, open), and a long copy makes memory short. The new system gets a
    swap partition, and the line of this one in /etc/fstab becomes a comment there.
    """

    key = "swap-on-zvol"
    severity = Severity.WARNING
    title = "swap on a ZFS volume"


class SwapFile(Finding):
    """A swap file is active. It is not copied; the new system has a swap partition.

    Swap files do not work on ZFS. What has no partition to go to is set by `swap-size`.
    """

    key = "swap-file"
    severity = Severity.INFO
    title = "the swap file is not copied"


class SwapDropped(Finding):
    """Swap is active now and the setting `swap-size` is 0: the new system has none."""

    key = "swap-dropped"
    severity = Severity.WARNING
    title = "the new system would have no swap"


def check_hibernation(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look for a hibernated system."""
    if facts.boot.resume_image:
        yield HibernationImage(
            seen="a swap area holds a hibernation image",
            why="Resuming it after the pool was imported destroys the pool (zfs#260).",
            remedy=(
                "Resume that system and shut it down. If the image is not wanted, make",
                "the swap area anew, with its old UUID:",
                *_make_swap(facts),
            ),
        )
    elif facts.boot.resume_image is None:
        yield HibernationUnknown(
            seen=_unread(facts),
            why="Resuming after the pool was imported destroys the pool (zfs#260).",
            remedy=_read_again(facts),
        )


def _unread(facts: Facts) -> str:
    if facts.system.is_root and facts.storage.unprobed:
        names = facts.storage.unprobed
        shown = ", ".join(map(show_name, names[:SHOWN])) + more(len(names) - SHOWN)
        return f"could not be read: {shown}"
    return "the disks could not be read"


def _read_again(facts: Facts) -> tuple[str, ...]:
    if not facts.system.is_root:
        return ("Look again as root:", "  zfs-root-migrate check")
    disks = topology.disks(facts.storage)
    names = facts.storage.unprobed or tuple(disk.name for disk in disks[:1])
    return (
        "Look again outside of a container, if this is one; else see what is wrong:",
        *(f"  wipefs --no-act {quote(f'/dev/{name}')}" for name in names[:SHOWN]),
    )


def check_resume(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look whether the machine is one that may hibernate."""
    words = facts.boot.cmdline.split()
    resume = [word for word in words if word.startswith("resume=")]
    if resume and "noresume" not in words:
        yield ResumeSet(
            seen=f"the kernel command line has {resume[-1]}",
            why="Hibernating with a pool imported loses the pool (zfs#14118).",
            remedy=(
                "Do not hibernate from now on. Take resume= out of GRUB_CMDLINE_LINUX",
                "in /etc/default/grub, then:",
                "  grub-mkconfig -o /boot/grub/grub.cfg",
                "  reboot",
            ),
        )


def _make_swap(facts: Facts) -> Iterator[str]:
    for device in facts.storage.devices:
        if device.fs_type == "swsuspend":
            uuid = f"--uuid {device.fs_uuid} " if device.fs_uuid else ""
            yield f"  mkswap {uuid}{shlex.quote(topology.stable_path(device))}"


def _zvol_lines(facts: Facts) -> Iterator[str]:
    found = [line.spec for line in facts.storage.fstab if is_zvol_swap(line)]
    if found:
        yield "For good, also take its line out of /etc/fstab: " + ", ".join(
            map(show_name, found)
        )


def check_swap(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at the active swap areas."""
    swaps = [swap for swap in facts.storage.swaps if "/zram" not in swap.path]
    for swap in swaps:
        if swap.path.startswith(ZVOLS):
            yield SwapOnZvol(
                seen=f"{swap.path} is active swap",
                why="It locks up when memory is short (zfs#7734).",
                remedy=(
                    "Turn it off until the migration is done:",
                    f"  swapoff {shlex.quote(swap.path)}",
                    *_zvol_lines(facts),
                ),
            )
        elif swap.is_file:
            yield SwapFile(
                seen=f"{swap.path} ({show_size(swap.size)}) is active swap",
                why="Swap files do not work on ZFS; there will be a partition.",
                remedy=(),
            )
    if swaps and layout.swap_size(config, facts) == 0:
        yield SwapDropped(
            seen="swap-size is 0, and "
            + show_size(sum(swap.size for swap in swaps))
            + " of swap are active now",
            why="The new system may run out of memory where this one does not.",
            remedy=("If that is not meant:", "  zfs-root-migrate set swap-size auto"),
        )

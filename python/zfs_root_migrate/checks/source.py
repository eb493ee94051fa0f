"""Checks of what is copied, what is not, and what that means for the old disk."""

import shlex
from collections.abc import Iterator

from zfs_root_migrate import topology
from zfs_root_migrate.amounts import show_size
from zfs_root_migrate.config import Config
from zfs_root_migrate.finding import LATER, Finding, Severity
from zfs_root_migrate.model import BlockDevice, Facts, FstabLine, Mount, Topology

VITAL = frozenset(
    ("/", "/bin", "/boot", "/etc", "/lib", "/lib64", "/root", "/sbin", "/usr", "/var")
)


class SourceFileSystem(Finding):
    """A file system of the old disk belongs to the system but cannot be copied.

    ext2, ext3, ext4, xfs and vfat can. Others (btrfs, f2fs, ntfs, ...) have attributes
    or snapshots that the copy would lose without a word. The file system can be left
    out by `zfs-root-migrate set exclude`; it then stays on the old disk, and is lost
    when that disk becomes the mirror.
    """

    key = "source-file-system"
    severity = Severity.INHIBITOR
    title = "a file system that cannot be copied"


class SourceStacked(Finding):
    """A file system that would be copied stands on LVM, LUKS or software RAID.

    Copied as it is, encrypted data would lie on the new disk in clear text, and the old
    disk could not be freed for the mirror.
    """

    key = "source-stacked"
    severity = Severity.INHIBITOR
    title = "a file system to copy stands on LVM, LUKS or md"


class SystemOnOtherDisk(Finding):
    """/usr or /var is on another disk than the root.

    File systems on other disks stay where they are. The new pool has datasets below
    /usr and /var, which are mounted first; the other disk's file system would be
    mounted over them and hide them.
    """

    key = "system-on-other-disk"
    severity = Severity.INHIBITOR
    title = "/usr or /var is on another disk than the root"


class ExcludeVital(Finding):
    """The setting `exclude` names a directory without which nothing boots.

    Paths below such a directory can be excluded (/var/tmp, /var/cache/distfiles), the
    directory itself cannot.
    """

    key = "exclude-vital"
    severity = Severity.INHIBITOR
    title = "a vital directory is excluded"


class OldDiskHasMore(Finding):
    """The old disk holds more than what is copied, and is to become the mirror.

    `run` leaves all of it alone. `mirror` overwrites the whole old disk, with every
    partition on it. Whatever is wanted must be copied elsewhere before that, or the
    old disk kept out of the pool.
    """

    key = "old-disk-has-more"
    severity = Severity.WARNING
    title = "the old disk holds something that is not copied"


class FstabNotMounted(Finding):
    """/etc/fstab names a file system of the old disk that is not mounted.

    It may be a part of the system (`noauto`, or a mount that failed): what is not
    mounted is not copied. Its line stays in the new system's fstab, and the mount fails
    there once the old disk is the mirror.
    """

    key = "fstab-not-mounted"
    severity = Severity.WARNING
    title = "a file system of the old disk is not mounted"


class MountStays(Finding):
    """A mounted file system stays where it is and is not copied.

    It is on another disk, on the network, on a CD, or in an image that is mounted
    (loop); its line in /etc/fstab is kept, so the new system mounts it as well. The
    image itself is copied where it is a file among what is copied.
    """

    key = "mount-stays"
    severity = Severity.INFO
    title = "a file system that stays where it is"


def check_sources(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at the file systems that are copied and at those that ought to be."""
    for mount in copied(facts, config):
        layers = topology.layers(facts.storage, mount)
        stack = [
            f"{topology.show_name(d)} ({d.kind})" for d in layers if d.kind != "part"
        ]
        if stack and mount.target != "/":
            yield SourceStacked(
                seen=f"{mount.target} is on {' and '.join(stack)}",
                why="Its data would end up unencrypted, or block the mirror later.",
                remedy=_leave_out(config, mount),
            )
    for mount in topology.uncopyable(facts.storage):
        named = mount.target == "/" and mount.fs_type in ("btrfs", "zfs")
        if not named and not topology.is_excluded(mount.target, config.exclude):
            yield SourceFileSystem(
                seen=f"{mount.target} ({mount.source}) is {mount.fs_type}",
                why="It is on the old disk and part of the system, as it is mounted.",
                remedy=_leave_out(config, mount),
            )


def _leave_out(config: Config, mount: Mount) -> tuple[str, ...]:
    if mount.target in VITAL:
        return (LATER,)
    names = shlex.join((*config.exclude, mount.target))
    return (
        "Save its data elsewhere, then leave it out:",
        f"  zfs-root-migrate set exclude {names}",
    )


def check_elsewhere(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at what stays behind: on other disks, and on the old one."""
    staying = [
        mount
        for mount, _ in topology.left_out(facts.storage)
        if topology.is_elsewhere(facts.storage, mount)
    ]
    for mount in staying:
        if mount.target in ("/usr", "/var"):
            yield SystemOnOtherDisk(
                seen=f"{mount.target} is on {mount.source}",
                why="It would be mounted over the new pool's datasets and hide them.",
                remedy=(f"Move {mount.target} to the root's disk first.",),
            )
    staying += [m for m, _ in topology.left_out(facts.storage) if _is_image(facts, m)]
    if staying:
        yield MountStays(
            seen=", ".join(f"{m.target} ({m.source})" for m in staying),
            why="It is not on the old disk; its line in fstab is kept.",
            remedy=(),
        )
    yield from _old_disk(facts, config)


def _is_image(facts: Facts, mount: Mount) -> bool:
    device = topology.find_device(facts.storage, mount.device or mount.source)
    return device is not None and device.kind in ("loop", "rom")


def _old_disk(facts: Facts, config: Config) -> Iterator[Finding]:
    storage = facts.storage
    waiting = {line.file: device for line, device in _unmounted(facts, config)}
    if waiting:
        yield FstabNotMounted(
            seen=", ".join(
                f"{p} ({d.name}) is not mounted" for p, d in waiting.items()
            ),
            why="What is not mounted is not copied, and its line would stay in fstab.",
            remedy=(
                "Mount what belongs to the system; take the other lines out of fstab:",
                *(f"  mount {shlex.quote(path)}" for path in waiting),
            ),
        )
    known = {device.name for device in waiting.values()} | _standing(facts, config)
    texts = [
        f"{topology.show_name(d)} ({d.fs_type}, {show_size(d.size)})"
        for disk in topology.old_disks(storage)
        for d in topology.stacked(storage, disk)
        if d.fs_type not in (None, "swap", "swsuspend") and d.name not in known
    ]
    if texts and joins(config):
        yield OldDiskHasMore(
            seen="not copied: " + ", ".join(texts),
            why="`mirror` overwrites the whole old disk, and this with it.",
            remedy=(
                "Save what you need elsewhere before `mirror`, or keep that disk out:",
                "  zfs-root-migrate set join-old-disk no",
            ),
        )


def _unmounted(facts: Facts, config: Config) -> Iterator[tuple[FstabLine, BlockDevice]]:
    # /boot has a finding of its own, an inhibitor
    old = set(topology.old_disks(facts.storage))
    mounted = {mount.target for mount in facts.storage.mounts} | {"/boot"}
    for line in facts.storage.fstab:
        device = topology.find_device(facts.storage, line.spec)
        if (
            device is not None
            and line.file.startswith("/")
            and line.file not in mounted
            and not topology.is_excluded(line.file, config.exclude)
            and old & set(topology.disk_below(facts.storage, device.name))
        ):
            yield line, device


def _standing(facts: Facts, config: Config) -> set[str]:
    boot = [line.spec for line in facts.storage.fstab if line.file == "/boot"]
    devices = [
        *(d for m in copied(facts, config) for d in topology.layers(facts.storage, m)),
        *(d for spec in boot if (d := topology.find_device(facts.storage, spec))),
    ]
    return {device.name for device in devices}


def check_exclude(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at what the user wants to leave out."""
    for path in config.exclude:
        if path in VITAL:
            rest = [other for other in config.exclude if other not in VITAL]
            yield ExcludeVital(
                seen=f"exclude names {path}",
                why="The new system would not boot, or would not know its packages.",
                remedy=(
                    "Name directories below it instead, or leave it away:",
                    "  " + shlex.join(("zfs-root-migrate", "set", "exclude", *rest)),
                ),
            )


def joins(config: Config) -> bool:
    """Tell whether the old disk is to become the mirror."""
    return config.topology is Topology.SINGLE and config.join_old_disk


def copied(facts: Facts, config: Config) -> tuple[Mount, ...]:
    """Return the mounts that are copied after the setting `exclude`."""
    return topology.source_mounts(facts.storage, config.exclude)

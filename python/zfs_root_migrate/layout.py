"""From wishes and facts to the wanted disks: partitions, array, pool, datasets.

`design` is a pure function. Every identifier that the new system will carry (partition
and file system UUIDs, the array's, the hostid) is derived here from the machine and its
disks, so a plan is complete before anything is done and the same each time it is made.
"""

import uuid
from dataclasses import dataclass
from enum import StrEnum

from zfs_root_migrate import topology
from zfs_root_migrate.config import Config
from zfs_root_migrate.datasets import LAYOUTS, Dataset, datasets
from zfs_root_migrate.model import BlockDevice, Facts, Mount, Topology

MIB = 1 << 20
SECTOR = 512
ALIGN = MIB
# what is left free at the end: the backup table, and room for a replacement disk that
# is a little smaller than its brother
TAIL = 8 * MIB
# of the pool, kept while an initramfs is made: a full pool must not be in the way
BUILD_ROOM = 256 * MIB
NAMESPACE = uuid.UUID("7be7df6a-8b57-5b0b-9a5c-3d6b0f3f1a52")
# 0 means "no hostid"; 0x00bab10c is what some installers write on every machine
# (openzfs/zfs#8059, zgenhostid(8))
BAD_HOSTIDS = (0, 0x00BAB10C)


class Role(StrEnum):
    """What a partition is for."""

    BIOS = "bios"
    BOOT = "boot"
    SWAP = "swap"
    ZFS = "zfs"


# GPT type codes, UEFI specification and sfdisk --list-types
PARTITION_TYPES = {
    Role.BIOS: "21686148-6449-6E6F-744E-656564454649",
    Role.BOOT: "A19D880F-05FC-4D3B-A006-743F0F84911E",
    Role.SWAP: "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F",
    Role.ZFS: "6A898CC3-1DD2-11B2-99A6-080020736631",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """One partition; start and size in bytes."""

    role: Role
    number: int
    start: int
    size: int
    uuid: str
    label: str
    path: str

    @property
    def type_code(self) -> str:
        """GPT partition type."""
        return PARTITION_TYPES[self.role]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskLayout:
    """A disk with the table it is to have; size in bytes."""

    path: str
    name: str
    serial: str | None
    model: str | None
    size: int
    sector: int
    table_uuid: str
    swap_uuid: str
    partitions: tuple[Partition, ...]

    def part(self, role: Role) -> Partition | None:
        """Return the partition of a role, or None where the disk has none."""
        return next((p for p in self.partitions if p.role is role), None)

    def part_path(self, role: Role) -> str:
        """Return the stable path of a partition that every disk has."""
        return next(p.path for p in self.partitions if p.role is role)


@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """The MD RAID1 under /boot."""

    uuid: str
    slots: int
    members: tuple[str, ...]
    fs_uuid: str
    name: str
    size: int

    @property
    def label(self) -> str:
        """Label of the file system; not "boot", which the old system's may be."""
        return f"{self.name}-boot"[:16]

    @property
    def path(self) -> str:
        """Path that udev gives the array whatever its number or name is."""
        return f"/dev/disk/by-id/md-uuid-{self.uuid}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """All that is to be made, and of what.

    `sources` are the file systems that are copied, / first; `old_disk` is how the old
    disk will join, if it will.
    """

    sources: tuple[Mount, ...]
    disks: tuple[DiskLayout, ...]
    old_disk: DiskLayout | None
    array: Array
    pool: str
    topology: Topology
    ashift: int
    autotrim: bool
    compression: str
    datasets: tuple[Dataset, ...]
    root: str
    hostid: str
    hostid_is_new: bool

    @property
    def vdevs(self) -> tuple[str, ...]:
        """Paths of the partitions that make the pool, as given to zpool create."""
        return tuple(disk.part_path(Role.ZFS) for disk in self.disks)

    @property
    def mounts(self) -> tuple[Dataset, ...]:
        """The datasets that are mounted, in the order of mounting."""
        mounted = [d for d in self.datasets if d.mountpoint is not None]
        return tuple(sorted(mounted, key=lambda d: str(d.mountpoint).split("/")))


def design(config: Config, facts: Facts) -> Layout:
    """Work out the wanted layout; the checks have found nothing against it."""
    targets = tuple(
        disk
        for name in config.target
        if (disk := topology.find_disk(facts.storage, name)) is not None
    )
    old = topology.old_disks(facts.storage)
    joins = config.topology is Topology.SINGLE and config.join_old_disk
    joining = old[:1] if joins else ()
    seed = _seed(config, facts, targets)
    everyone = (*targets, *joining)
    boot, swap = boot_size(config, facts), swap_size(config, facts)
    room = min((disk.size for disk in everyone), default=0)
    laid = tuple(
        _lay_out(disk, n, room=room, boot=boot, swap=swap, seed=seed, pool=config.pool)
        for n, disk in enumerate(everyone)
    )
    disks, rest = laid[: len(targets)], laid[len(targets) :]
    root, rules = LAYOUTS[config.layout]
    hostid = facts.boot.hostid
    return Layout(
        sources=topology.source_mounts(facts.storage, config.exclude),
        disks=disks,
        old_disk=rest[0] if rest else None,
        array=Array(
            uuid=_md_uuid(seed),
            slots=len(disks) + len(rest),
            members=tuple(disk.part_path(Role.BOOT) for disk in disks),
            fs_uuid=str(uuid.uuid5(seed, "boot")),
            name=config.pool,
            size=boot,
        ),
        pool=config.pool,
        topology=config.topology,
        ashift=max([12, *map(_shift, everyone)]),
        autotrim=all(disk.rotational is False for disk in everyone),
        compression=config.compression,
        datasets=datasets(
            config.pool,
            root,
            rules,
            facts,
            _staying(config, facts, joins=bool(joining)),
        ),
        root=f"{config.pool}/{root}",
        hostid=hostid or _new_hostid(seed),
        hostid_is_new=hostid is None,
    )


def _staying(config: Config, facts: Facts, *, joins: bool) -> frozenset[str]:
    """Return the mount points of file systems that the new system goes on using."""
    storage = facts.storage
    elsewhere = {m.target for m in storage.mounts if topology.is_elsewhere(storage, m)}
    return frozenset(elsewhere if joins else elsewhere | set(config.exclude))


def boot_size(config: Config, facts: Facts) -> int:
    """Size of /boot in bytes: the wish, else twice what is used now, at least 512M."""
    if config.boot_size is not None:
        return _round_up(config.boot_size)
    used = next((m.used for m in facts.storage.mounts if m.target == "/boot"), None)
    return max(512 * MIB, _round_up(2 * (used or 0)))


def swap_size(config: Config, facts: Facts) -> int:
    """Size of each swap partition in bytes: the wish, else what is active now."""
    if config.swap_size is not None:
        return _round_up(config.swap_size)
    return _round_up(
        sum(
            swap.size
            for swap in facts.storage.swaps
            # compressed memory, and swap on another pool, are not on the old disk
            if not swap.path.startswith(("/dev/zram", "/dev/zd"))
        )
    )


def pool_size(layout: Layout) -> int:
    """Bytes that the pool can hold, less what parity and mirrors take."""
    sizes = [p.size for d in layout.disks if (p := d.part(Role.ZFS)) is not None]
    if not sizes:
        return 0
    parity = {"raidz1": 1, "raidz2": 2, "raidz3": 3}.get(layout.topology)
    if layout.topology is Topology.MIRROR:
        return min(sizes)
    return min(sizes) * (len(sizes) - (parity or 0))


def _seed(config: Config, facts: Facts, targets: tuple[BlockDevice, ...]) -> uuid.UUID:
    root = topology.root_mount(facts.storage)
    device = root and topology.find_device(facts.storage, root.device or root.source)
    parts = [
        (device and device.fs_uuid) or "no-uuid",
        config.pool,
        *(disk.serial or disk.wwn or topology.stable_path(disk) for disk in targets),
    ]
    return uuid.uuid5(NAMESPACE, "\n".join(parts))


def _md_uuid(seed: uuid.UUID) -> str:
    digits = uuid.uuid5(seed, "array").hex
    return ":".join(digits[n : n + 8] for n in range(0, 32, 8))


def _new_hostid(seed: uuid.UUID) -> str:
    for attempt in range(8):
        number = uuid.uuid5(seed, f"hostid {attempt}").int & 0xFFFFFFFF
        if number not in BAD_HOSTIDS:
            return f"{number:08x}"
    raise AssertionError("eight digests in a row gave a bad hostid")


def _round_up(size: int) -> int:
    return -(-size // ALIGN) * ALIGN


def _lay_out(
    disk: BlockDevice,
    index: int,
    *,
    room: int,
    boot: int,
    swap: int,
    seed: uuid.UUID,
    pool: str,
) -> DiskLayout:
    """Cut a disk as if it were as small as the smallest one that takes part.

    The pool's partition then has one size everywhere, and an attach cannot fail with
    "device is too small" after everything else worked (openzfs/zfs#1208, #4740).
    """
    path = topology.stable_path(disk)
    end = (room - TAIL) // ALIGN * ALIGN
    sizes = [(Role.BIOS, MIB), (Role.BOOT, boot), (Role.SWAP, swap), (Role.ZFS, 0)]
    start = MIB
    made: list[Partition] = []
    for role, size in sizes:
        if role is Role.SWAP and not size:
            continue
        number, part_uuid = len(made) + 1, str(uuid.uuid5(seed, f"{index} {role}"))
        made.append(
            Partition(
                role=role,
                number=number,
                start=start,
                size=size or max(0, end - start),
                uuid=part_uuid,
                # no plain "boot" or "swap": the old system's fstab may go by PARTLABEL
                label=f"{pool}-{role}"[:36],
                path=_part_path(path, number, part_uuid),
            )
        )
        start += size
    return DiskLayout(
        path=path,
        name=disk.name,
        serial=disk.serial,
        model=disk.model,
        size=disk.size,
        # a disk of which it is not known is refused
        sector=disk.logical_sector or SECTOR,
        table_uuid=str(uuid.uuid5(seed, f"{index} table")),
        swap_uuid=str(uuid.uuid5(seed, f"{index} swap file system")),
        partitions=tuple(made),
    )


def _shift(disk: BlockDevice) -> int:
    return (disk.physical_sector or SECTOR).bit_length() - 1


def _part_path(disk: str, number: int, part_uuid: str) -> str:
    # kernel names change from boot to boot (sda is sdb tomorrow): never in a pool
    if disk.startswith("/dev/disk/"):
        return f"{disk}-part{number}"
    return f"/dev/disk/by-partuuid/{part_uuid}"

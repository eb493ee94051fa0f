"""Disks, partitions, mounts and pools."""

from dataclasses import dataclass
from enum import StrEnum


class Topology(StrEnum):
    """How the new disks make up the pool."""

    SINGLE = "single"
    MIRROR = "mirror"
    RAIDZ1 = "raidz1"
    RAIDZ2 = "raidz2"
    RAIDZ3 = "raidz3"

    @property
    def fewest_disks(self) -> int:
        """The number of new disks below which the topology makes no sense."""
        return {"single": 1, "mirror": 2, "raidz1": 3, "raidz2": 4, "raidz3": 5}[self]


class Copier(StrEnum):
    """What copies files: the tool's own code, or rsync."""

    OWN = "own"
    RSYNC = "rsync"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockDevice:
    """One row of lsblk: a disk, a partition or what is stacked upon them.

    Sizes of sectors, and what a disk is like, are None where lsblk does not tell.
    """

    name: str
    kind: str
    size: int
    parents: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    serial: str | None = None
    wwn: str | None = None
    model: str | None = None
    transport: str | None = None
    logical_sector: int | None = None
    physical_sector: int | None = None
    rotational: bool | None = None
    removable: bool | None = None
    read_only: bool | None = None
    table: str | None = None
    part_uuid: str | None = None
    part_type: str | None = None
    part_number: int | None = None
    fs_type: str | None = None
    fs_uuid: str | None = None
    fs_label: str | None = None

    @property
    def path(self) -> str:
        """Path under which the kernel shows it now; not stable over a boot."""
        return f"/dev/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What wipefs found on a device without touching it."""

    device: str
    kind: str
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One mounted file system, in the order of /proc/self/mountinfo."""

    target: str
    source: str
    fs_type: str
    options: str
    root: str = "/"
    device: str | None = None
    size: int | None = None
    used: int | None = None
    files: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FstabLine:
    """One entry of /etc/fstab."""

    spec: str
    file: str
    fs_type: str
    options: str
    freq: int = 0
    passno: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """One active swap area; a file or a device."""

    path: str
    is_file: bool
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A pool that is imported, or that could be."""

    name: str
    guid: str
    imported: bool
    health: str
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """Disks and what lies on them.

    `unprobed` names the devices that wipefs could not read although others could be.
    """

    devices: tuple[BlockDevice, ...]
    mounts: tuple[Mount, ...]
    fstab: tuple[FstabLine, ...]
    swaps: tuple[Swap, ...]
    signatures: tuple[Signature, ...] | None
    pools: tuple[Pool, ...] | None
    unprobed: tuple[str, ...] = ()

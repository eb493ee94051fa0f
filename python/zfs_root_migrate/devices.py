"""Block devices as the facts have them: finding one, and what stands upon what.

In the examples `storage` is one disk, vda, with /boot on vda2 and / on vda4.
"""

import re

from zfs_root_migrate.model import BlockDevice, FstabLine, Storage

# lsblk calls all of these "disk", but nobody can boot from them: memory, floppies, the
# hidden boot areas of eMMC, and zvols, which stand on a pool
_NO_CANDIDATE = re.compile(r"(ram|zram|loop|sr|fd|nbd|zd)\d|mmcblk\d+(boot|rpmb)")
# names that the kernel and udev give to ZFS volumes
ZVOLS = ("/dev/zd", "/dev/zvol/")
# what fstab and /dev/disk call a device besides its name, and the field that holds it
_TAGS = (
    ("UUID=", "/dev/disk/by-uuid/", "fs_uuid"),
    ("LABEL=", "/dev/disk/by-label/", "fs_label"),
    ("PARTUUID=", "/dev/disk/by-partuuid/", "part_uuid"),
)


def is_zvol_swap(line: FstabLine) -> bool:
    """Tell whether a line of fstab is of swap on a ZFS volume (openzfs/zfs#7734)."""
    return line.fs_type == "swap" and line.spec.startswith(ZVOLS)


def find_device(storage: Storage, text: str) -> BlockDevice | None:
    """Find a device by name, path, link or by what fstab may call it.

    >>> find_device(storage, "/dev/disk/by-id/virtio-DISKA-part2").name
    'vda2'
    >>> find_device(storage, "UUID=0b5e0000-0000-4000-8000-000000000002").name
    'vda2'
    """
    for device in storage.devices:
        if text in (device.name, device.path) or text in device.links:
            return device
    for tag, directory, field in _TAGS:
        if text.startswith((tag, directory)):
            value = text.removeprefix(tag).removeprefix(directory).strip('"')
            for device in storage.devices:
                if value and getattr(device, field) == value:
                    return device
    return None


def find_disk(storage: Storage, text: str) -> BlockDevice | None:
    """Find a whole disk by link, path, name or serial number.

    A serial that two disks share (cheap USB bridges do that) names neither.

    >>> find_disk(storage, "DISKA").name
    'vda'
    >>> find_disk(storage, "/dev/vda2") is None
    True
    """
    found = find_device(storage, text)
    if found is not None:
        return found if found in disks(storage) else None
    serials = [disk for disk in disks(storage) if text and disk.serial == text]
    return serials[0] if len(serials) == 1 else None


def disks(storage: Storage) -> tuple[BlockDevice, ...]:
    """Return the whole disks that a system can be put on."""
    return tuple(
        device
        for device in storage.devices
        if device.kind == "disk"
        and device.size
        and not _NO_CANDIDATE.match(device.name)
    )


def disk_below(storage: Storage, name: str) -> tuple[BlockDevice, ...]:
    """Return every whole disk that a device stands on.

    >>> [disk.name for disk in disk_below(storage, "vda4")]
    ['vda']
    """
    below = names_below(storage, name)
    return tuple(disk for disk in disks(storage) if disk.name in below)


def stacked(storage: Storage, disk: BlockDevice) -> tuple[BlockDevice, ...]:
    """Return everything that stands on a disk, without the disk itself.

    >>> [device.name for device in stacked(storage, find_disk(storage, "vda"))]
    ['vda1', 'vda2', 'vda3', 'vda4']
    """
    edges = [(parent, d.name) for d in storage.devices for parent in d.parents]
    above = _reach(storage, disk.name, edges) - {disk.name}
    return tuple(device for device in storage.devices if device.name in above)


def names_below(storage: Storage, name: str) -> set[str]:
    """Return the names of a device and of everything under it."""
    edges = [(d.name, parent) for d in storage.devices for parent in d.parents]
    return _reach(storage, name, edges)


def _reach(storage: Storage, text: str, edges: list[tuple[str, str]]) -> set[str]:
    start = find_device(storage, text)
    reached: set[str] = set()
    fresh = {start.name} if start else set()
    while fresh:
        reached |= fresh
        fresh = {there for here, there in edges if here in fresh} - reached
    return reached


def stable_path(device: BlockDevice) -> str:
    """Return the path that means the same device after a boot, where there is one."""
    return device.links[0] if device.links else device.path


def show_name(device: BlockDevice) -> str:
    """Write a device's name for people: dm-0 and md127 say nothing to them."""
    for link in device.links:
        for directory in ("/dev/mapper/", "/dev/md/"):
            if link.startswith(directory):
                return link.removeprefix(directory)
    return device.name

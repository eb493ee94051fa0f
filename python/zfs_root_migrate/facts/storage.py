"""Facts about storage: devices, mounts, fstab, swap, signatures and pools."""

from zfs_root_migrate.facts.devices import gather_devices, gather_signatures
from zfs_root_migrate.facts.mounts import gather_mounts, parse_fstab, parse_swaps
from zfs_root_migrate.facts.pools import gather_pools
from zfs_root_migrate.model import Storage
from zfs_root_migrate.reader import Reader


def gather_storage(reader: Reader, *, has_zpool: bool, is_root: bool) -> Storage:
    """Read the disks and what lies on them; signatures need root."""
    devices, numbers = gather_devices(reader)
    signatures, unprobed = gather_signatures(reader, devices) if is_root else (None, ())
    return Storage(
        devices=devices,
        mounts=gather_mounts(reader, numbers),
        fstab=parse_fstab(reader.read("/etc/fstab") or ""),
        swaps=parse_swaps(reader.read("/proc/swaps") or ""),
        signatures=signatures,
        unprobed=unprobed,
        pools=gather_pools(reader, devices, has_zpool=has_zpool, is_root=is_root),
    )

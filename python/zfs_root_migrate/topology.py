"""Questions about disks and mounts, answered from the facts alone.

Checks, layout and `list` ask the same ones, so that what is refused, what is planned
and what is shown can never differ. Nothing here reads the system; what the facts do
not know is left out of an answer, never made up.

In the examples `storage` is one disk, vda, with /boot on vda2 and / on vda4.
"""

from collections.abc import Iterable, Iterator

from zfs_root_migrate.amounts import show_size
from zfs_root_migrate.devices import (
    disk_below,
    disks,
    find_device,
    find_disk,
    names_below,
    show_name,
    stable_path,
    stacked,
)
from zfs_root_migrate.model import BlockDevice, Mount, Storage

__all__ = [
    "COPIED_TYPES",
    "LAYER_TYPES",
    "MEMORY_TYPES",
    "NETWORK_TYPES",
    "contents",
    "disk_below",
    "disks",
    "find_device",
    "find_disk",
    "is_blank",
    "is_elsewhere",
    "is_excluded",
    "is_probed",
    "layers",
    "left_out",
    "mount_disks",
    "old_disks",
    "root_mount",
    "show_name",
    "source_mounts",
    "stable_path",
    "stacked",
    "uncopyable",
    "uses",
]

COPIED_TYPES = frozenset(("ext2", "ext3", "ext4", "xfs", "vfat"))
NETWORK_TYPES = frozenset(
    {"9p", "afs", "ceph", "cifs", "fuse.ceph", "fuse.glusterfs", "fuse.rclone"}
    | {"fuse.sshfs", "glusterfs", "lustre", "nfs", "nfs4", "smb3", "virtiofs"}
)
MEMORY_TYPES = frozenset(("ramfs", "rootfs", "tmpfs"))
LAYER_TYPES = frozenset(("aufs", "mergerfs", "overlay", "unionfs"))

# wipefs names these for what `table` says already
_TABLE_SIGNATURES = frozenset(("gpt", "PMBR", "dos", "atari", "mac", "bsd", "sun"))


def layers(storage: Storage, mount: Mount) -> tuple[BlockDevice, ...]:
    """Return what a mount stands on, its partition included and the disks not.

    >>> [layer.name for layer in layers(storage, root_mount(storage))]
    ['vda4']
    """
    below = names_below(storage, mount.device or mount.source)
    whole = disks(storage)
    return tuple(d for d in storage.devices if d.name in below and d not in whole)


def root_mount(storage: Storage) -> Mount | None:
    """Return what is mounted on /: the last one, which lies on top."""
    roots = [mount for mount in storage.mounts if mount.target == "/"]
    return roots[-1] if roots else None


def mount_disks(storage: Storage, mount: Mount) -> tuple[BlockDevice, ...]:
    """Return the disks that a mounted file system lies on."""
    return disk_below(storage, mount.device or mount.source)


def old_disks(storage: Storage) -> tuple[BlockDevice, ...]:
    """Return the disks that the running root lies on."""
    root = root_mount(storage)
    return mount_disks(storage, root) if root else ()


def uses(storage: Storage, disk: BlockDevice) -> tuple[str, ...]:
    """Say why a disk is in use: mounts, swap, what holds it, imported pools.

    >>> uses(storage, find_disk(storage, "vda"))
    ('vda4 is mounted at /', 'vda2 is mounted at /boot', 'vda3 is active swap')
    """
    rows = {device.name: device for device in (disk, *stacked(storage, disk))}
    return tuple(
        dict.fromkeys(
            (
                *_mounted(storage, rows),
                *_swapping(storage, rows),
                *_holding(rows),
                *_pooled(storage, rows, imported=True),
            )
        )
    )


def _mounted(storage: Storage, rows: dict[str, BlockDevice]) -> Iterator[str]:
    for mount in storage.mounts:
        device = find_device(storage, mount.device or mount.source)
        if device and device.name in rows:
            yield f"{show_name(device)} is mounted at {mount.target}"


def _swapping(storage: Storage, rows: dict[str, BlockDevice]) -> Iterator[str]:
    for swap in storage.swaps:
        device = find_device(storage, swap.path)
        if device and device.name in rows and not swap.is_file:
            yield f"{show_name(device)} is active swap"


def _holding(rows: dict[str, BlockDevice]) -> Iterator[str]:
    for device in rows.values():
        if device.kind not in ("disk", "part"):
            parts = " and ".join(
                show_name(rows[n]) for n in device.parents if n in rows
            )
            yield f"{parts} is held by {show_name(device)} ({device.kind})"


def _pooled(
    storage: Storage, rows: dict[str, BlockDevice], *, imported: bool
) -> Iterator[str]:
    for pool in storage.pools or ():
        for path in pool.devices:
            device = find_device(storage, path)
            if device and device.name in rows and pool.imported == imported:
                state = "the imported pool" if imported else "a pool not imported,"
                yield f"{device.name} belongs to {state} {pool.name} ({pool.guid})"


def contents(storage: Storage, disk: BlockDevice) -> tuple[str, ...]:
    """Say what is on a disk: table, partitions, signatures, labels of pools.

    >>> contents(storage, find_disk(storage, "vda"))[:3]
    ('gpt partition table', 'partition vda1 (1M)', 'partition vda2 (512M): ext2')
    """
    rows = (disk, *stacked(storage, disk))
    texts = [f"{disk.table} partition table"] if disk.table else []
    for device in rows:
        texts += _content(device)
    texts += _signatures(storage, rows)
    texts += _pooled(storage, {d.name: d for d in rows}, imported=False)
    return tuple(dict.fromkeys(texts))


def _content(device: BlockDevice) -> Iterator[str]:
    what = device.fs_type or ""
    if what and device.fs_label:
        what += f" labelled {device.fs_label!r}"
    if device.kind == "disk":
        if what:
            yield f"{what} on the whole disk"
        return
    kind = "partition" if device.kind == "part" else device.kind
    yield f"{kind} {show_name(device)} ({show_size(device.size)})" + (
        what and f": {what}"
    )


def _signatures(storage: Storage, rows: Iterable[BlockDevice]) -> Iterator[str]:
    for signature in storage.signatures or ():
        device = find_device(storage, signature.device)
        if device is None or device not in rows:
            continue
        if device.table and signature.kind in _TABLE_SIGNATURES:
            continue
        if signature.kind != device.fs_type:
            yield f"{signature.kind} signature on {device.name}"


def is_blank(storage: Storage, disk: BlockDevice) -> bool:
    """Tell whether a disk is known to be empty; not known is not empty."""
    return is_probed(storage, disk) and not contents(storage, disk)


def is_probed(storage: Storage, disk: BlockDevice) -> bool:
    """Tell whether the signatures of a disk and all upon it could be read."""
    names = {device.name for device in (disk, *stacked(storage, disk))}
    return storage.signatures is not None and not names & set(storage.unprobed)


def source_mounts(storage: Storage, exclude: tuple[str, ...] = ()) -> tuple[Mount, ...]:
    """Return the mounts that are copied, those nearest to the root first.

    These are / whatever it is, and every file system of COPIED_TYPES on root's disk,
    each once. /boot is copied from whatever disk it is on: nothing boots without it.

    >>> [mount.target for mount in source_mounts(storage)]
    ['/', '/boot']
    >>> [mount.target for mount in source_mounts(storage, exclude=("/boot",))]
    ['/']
    """
    root = root_mount(storage)
    out = {id(mount) for mount, _ in left_out(storage, exclude)}
    copied = [mount for mount in storage.mounts if id(mount) not in out]
    return tuple(sorted(copied, key=lambda m: (m is not root, _depth(m), m.target)))


def _depth(mount: Mount) -> int:
    return mount.target.rstrip("/").count("/")


def left_out(
    storage: Storage, exclude: tuple[str, ...] = ()
) -> tuple[tuple[Mount, str], ...]:
    """Return every other mount with the reason why it is not copied.

    `exclude` is the setting: it takes out whole file systems mounted at or below one of
    its paths.
    """
    root = root_mount(storage)
    reasons = (
        (mount, _reason(storage, index, mount) or _unwanted(mount, exclude))
        for index, mount in enumerate(storage.mounts)
        if mount is not root
    )
    return tuple((mount, reason) for mount, reason in reasons if reason is not None)


def is_excluded(path: str, exclude: tuple[str, ...]) -> bool:
    """Tell whether a path is excluded, itself or by a directory above it.

    >>> is_excluded("/home/larry", ("/home",)), is_excluded("/homes", ("/home",))
    (True, False)
    """
    return any(path == e or path.startswith(e.rstrip("/") + "/") for e in exclude)


def _unwanted(mount: Mount, exclude: tuple[str, ...]) -> str | None:
    return "the setting `exclude`" if is_excluded(mount.target, exclude) else None


def uncopyable(storage: Storage) -> tuple[Mount, ...]:
    """Return the mounts that ought to be copied and are of a type that cannot be."""
    root = root_mount(storage)
    return tuple(
        mount
        for index, mount in enumerate(storage.mounts)
        if mount.fs_type not in COPIED_TYPES
        and (mount is root or _no_part(storage, index, mount) is None)
    )


def is_elsewhere(storage: Storage, mount: Mount) -> bool:
    """Tell whether a mount is on the network or on disks that are not root's."""
    below = mount_disks(storage, mount)
    return mount.fs_type in NETWORK_TYPES or (
        bool(below) and not set(below) & set(old_disks(storage))
    )


def _reason(storage: Storage, index: int, mount: Mount) -> str | None:
    reason = _no_part(storage, index, mount)
    if reason is None and mount.fs_type not in COPIED_TYPES:
        return f"{mount.fs_type} cannot be copied by this version"
    return reason


def _no_part(storage: Storage, index: int, mount: Mount) -> str | None:
    """Say why a mount is no part of the system on root's disk, if it is none."""
    return (
        _no_disk(mount)
        or _hidden(storage, index, mount)
        or _wrong_disk(storage, mount)
        or _shown_twice(storage, index, mount)
    )


def _no_disk(mount: Mount) -> str | None:
    kind = mount.fs_type
    if kind in MEMORY_TYPES:
        return "in memory, empty after every boot"
    if kind in NETWORK_TYPES:
        return "on the network: stays there and stays in fstab"
    if kind == "zfs":
        return "on ZFS already"
    if kind in LAYER_TYPES or kind.startswith("fuse."):
        return f"{kind}: shows what lies elsewhere"
    if mount.device is None and not mount.source.startswith("/"):
        return "made by the kernel at every boot"
    return None


def _hidden(storage: Storage, index: int, mount: Mount) -> str | None:
    # "/" counts only for itself: what the initramfs mounts and moves into the new
    # root (/dev, /proc, /run) stands before "/" in mountinfo and is not hidden
    for later in storage.mounts[index + 1 :]:
        if mount.target == later.target or (
            later.target != "/" and mount.target.startswith(later.target + "/")
        ):
            return f"hidden by a later mount on {later.target}"
    return None


def _wrong_disk(storage: Storage, mount: Mount) -> str | None:
    device = find_device(storage, mount.device or mount.source)
    if device is None:
        return f"{mount.source} is no known disk"
    if device.kind in ("loop", "rom"):
        return f"an image on {device.name}: the image is copied if it is a file"
    below = mount_disks(storage, mount)
    if (mount.target == "/boot" and below) or not is_elsewhere(storage, mount):
        return None
    names = ", ".join(disk.name for disk in below)
    return f"on another disk ({names}): stays there and stays in fstab"


def _shown_twice(storage: Storage, index: int, mount: Mount) -> str | None:
    root = root_mount(storage)
    for other in (root, *storage.mounts[:index]):
        if other is None or other is mount or other.root != "/":
            continue
        if (other.device or other.source) == (mount.device or mount.source):
            return f"shows a part of {other.target} again, which is copied"
    if mount.root != "/":
        return f"only {mount.root} of {mount.source} is mounted, not the whole of it"
    return None

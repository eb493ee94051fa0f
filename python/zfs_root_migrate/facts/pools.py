"""Pools: imported ones by zpool list, others by zpool import or by their labels.

No pool is ever imported and no kernel module loaded: every zpool command but --version
loads zfs.ko by itself, so none is run unless the module is there already.
"""

import re
from collections.abc import Iterable, Iterator

from zfs_root_migrate.model import BlockDevice, Pool
from zfs_root_migrate.reader import Reader

# One command for pools and their vdevs: rows of vdevs begin with a tab.
LIST = ("zpool", "list", "-HpPv", "-o", "name,guid,health")
# `zpool import` has no -P; the variable is in zpool(8) and does the same
IMPORT = ("env", "ZPOOL_VDEV_NAME_PATH=1", "zpool", "import")


def gather_pools(
    reader: Reader,
    devices: Iterable[BlockDevice],
    *,
    has_zpool: bool,
    is_root: bool,
) -> tuple[Pool, ...] | None:
    """Return imported and importable pools, or None where they cannot be known."""
    labels = tuple(labelled_pools(devices))
    readable = is_root or reader.resolve("/run/udev/data") is not None
    if not has_zpool or not readable:
        return None
    if reader.read("/sys/module/zfs/version") is None:
        return labels
    listed = reader.query(*LIST)
    if listed.status != 0:
        return None
    others = parse_import(reader.query(*IMPORT).stdout) if is_root else ()
    known = {pool.guid: pool for pool in (*labels, *others)}
    known |= {pool.guid: pool for pool in parse_list(listed.stdout)}
    return tuple(known.values())


def parse_list(text: str) -> tuple[Pool, ...]:
    r"""Read what LIST prints.

    >>> parse_list("rpool\t7\tONLINE\n\t/dev/disk/by-id/ata-X-part4\t-\tONLINE\n")[0]
    ... # doctest: +ELLIPSIS
    Pool(name='rpool', guid='7', ... devices=('/dev/disk/by-id/ata-X-part4',))
    """
    pools: list[tuple[list[str], list[str]]] = []
    for line in text.split("\n"):
        words = line.split("\t")
        if line.startswith("\t/") and pools:
            pools[-1][1].append(words[1])
        elif len(words) == 3 and words[1].isdecimal():
            pools.append((words, []))
    return tuple(
        Pool(name=name, guid=guid, imported=True, health=health, devices=(*paths,))
        for (name, guid, health), paths in pools
    )


def parse_import(text: str) -> tuple[Pool, ...]:
    """Read what `zpool import` without arguments prints about each pool.

    The fields are right-aligned to the colon, further right where a pool has a comment;
    the tree of vdevs is indented by a tab.
    """
    pools = []
    for part in re.split(r"(?m)^ *pool: ", text)[1:]:
        name = part.split("\n", 1)[0]
        guid = re.search(r"(?m)^ *id: (\d+)$", part)
        state = re.search(r"(?m)^ *state: (\S+)", part)
        if guid is None:
            continue
        tree = part.partition("config:\n")[2]
        pools.append(
            Pool(
                name=name,
                guid=guid[1],
                imported=False,
                health=state[1] if state else "UNKNOWN",
                devices=tuple(re.findall(r"(?m)^\t +(/\S+)", tree)),
            )
        )
    return tuple(pools)


def labelled_pools(devices: Iterable[BlockDevice]) -> Iterator[Pool]:
    """Return the pools whose labels lsblk shows: UUID is the guid, LABEL the name."""
    members: dict[str, list[BlockDevice]] = {}
    for device in devices:
        if device.fs_type == "zfs_member" and device.fs_uuid and device.fs_label:
            members.setdefault(device.fs_uuid, []).append(device)
    for guid, found in members.items():
        yield Pool(
            name=found[0].fs_label or "",
            guid=guid,
            imported=False,
            health="UNKNOWN",
            devices=tuple(d.links[0] if d.links else d.path for d in found),
        )

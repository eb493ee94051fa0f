"""Block devices as lsblk shows them, their stable links, and what wipefs finds.

Knows the JSON of util-linux 2.38 to 2.41: what is a boolean or a number in one version
is text in another, and a column may be missing. A value that cannot be read is None.
"""

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from zfs_root_migrate.model import BlockDevice, Signature
from zfs_root_migrate.reader import Reader

COLUMNS = (
    "NAME,KNAME,TYPE,SIZE,MAJ:MIN,SERIAL,WWN,MODEL,TRAN,LOG-SEC,PHY-SEC,ROTA,RM,RO,"
    "PTTYPE,PARTUUID,PARTTYPE,FSTYPE,UUID,LABEL"
)
LSBLK = ("lsblk", "--json", "--bytes", "--output", COLUMNS)
WIPEFS = ("wipefs", "--json", "--no-act")
LINK_DIRECTORIES = (
    "/dev/disk/by-id",
    "/dev/mapper",
    "/dev/md",
    "/dev/disk/by-path",
)

Row = Mapping[str, Any]

# The best link comes first: one that a person recognises on the disk's sticker, then
# the world-wide names, then the place where the disk is plugged in.
_RANKS = (
    r"/dev/disk/by-id/(ata|virtio|usb|mmc|ieee1394|dm-uuid-mpath)-",
    r"/dev/disk/by-id/nvme-(?!eui\.|nvme\.|uuid\.|[0-9a-f]{32})",
    r"/dev/disk/by-id/scsi-S",
    r"/dev/disk/by-id/scsi-[01]",
    r"/dev/disk/by-id/(dm|md)-name-",
    r"/dev/disk/by-id/",
    r"/dev/(mapper|md)/",
)


def gather_devices(reader: Reader) -> tuple[tuple[BlockDevice, ...], dict[str, str]]:
    """Return the block devices, and the name of each by its major:minor number."""
    answer = reader.query(*LSBLK)
    rows = parse_lsblk(answer.stdout)
    links = gather_links(reader)
    devices = merge_rows(rows)
    numbers = {str(row["maj:min"]): _kname(row) for row, _ in rows if "maj:min" in row}
    full = tuple(
        dataclasses.replace(
            device,
            links=links.get(device.path, ()),
            part_number=_part_number(reader, device),
        )
        for device in devices
    )
    return full, numbers


def parse_lsblk(text: str) -> list[tuple[Row, str | None]]:
    """Return each row of lsblk's tree with the name of the row it hangs below."""
    try:
        tree = json.loads(text).get("blockdevices")
    except (ValueError, AttributeError, RecursionError):
        return []
    return list(_walk(tree, None))


def _walk(rows: object, parent: str | None) -> Iterator[tuple[Row, str | None]]:
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and _text(row, "kname", "name"):
            yield row, parent
            yield from _walk(row.get("children"), _kname(row))


def merge_rows(rows: Iterable[tuple[Row, str | None]]) -> tuple[BlockDevice, ...]:
    """Make one device of the rows that show it below each of its parents.

    Every device comes after all of its parents. Devices of size 0 are left out: unused
    loop devices, card readers without a card.
    """
    devices: dict[str, BlockDevice] = {}
    for row, parent in rows:
        found = devices.get(_kname(row)) or _device(row)
        if not found.size:
            continue
        if parent in devices and parent not in found.parents:
            found = dataclasses.replace(found, parents=(*found.parents, parent))
        devices[found.name] = found
    return _parents_first(devices)


def _parents_first(devices: dict[str, BlockDevice]) -> tuple[BlockDevice, ...]:
    done: dict[str, BlockDevice] = {}
    before = -1
    while len(done) > before:
        before = len(done)
        for name, device in devices.items():
            if name not in done and done.keys() >= set(device.parents):
                done[name] = device
    return tuple(done.values())


def _device(row: Row) -> BlockDevice:
    return BlockDevice(
        name=_kname(row),
        kind=_text(row, "type") or "unknown",
        size=_number(row, "size") or 0,
        serial=_text(row, "serial"),
        wwn=_text(row, "wwn"),
        model=_text(row, "model"),
        transport=_text(row, "tran"),
        logical_sector=_number(row, "log-sec") or None,
        physical_sector=_number(row, "phy-sec") or None,
        rotational=_flag(row, "rota"),
        removable=_flag(row, "rm"),
        read_only=_flag(row, "ro"),
        table=_text(row, "pttype") if row.get("type") != "part" else None,
        part_uuid=_text(row, "partuuid"),
        part_type=_text(row, "parttype"),
        fs_type=_text(row, "fstype"),
        fs_uuid=_text(row, "uuid"),
        fs_label=_text(row, "label"),
    )


def _kname(row: Row) -> str:
    # NAME of a device-mapper device is not its name below /dev
    return _text(row, "kname", "name") or ""


def _text(row: Row, *columns: str) -> str | None:
    for column in columns:
        value = row.get(column)
        if isinstance(value, str) and value.strip() and "\0" not in value:
            return value.strip()
    return None


def _number(row: Row, column: str) -> int | None:
    value = row.get(column)
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    return value if type(value) is int and value >= 0 else None


def _flag(row: Row, column: str) -> bool | None:
    value = row.get(column)
    if value in (True, "1", "true"):
        return True
    return False if value in (False, "0", "false") else None


def _part_number(reader: Reader, device: BlockDevice) -> int | None:
    """Ask the kernel: lsblk knows the number (PARTN) only from 2.39 on."""
    if device.kind != "part":
        return None
    name = device.name.replace("/", "!")
    text = reader.read(f"/sys/class/block/{name}/partition") or ""
    return int(text) if text.strip().isdecimal() else None


def gather_links(reader: Reader) -> dict[str, tuple[str, ...]]:
    """Return the stable links of every device path, the best one first."""
    found: dict[str, list[str]] = {}
    for directory in LINK_DIRECTORIES:
        for name in reader.names(directory) or ():
            link = f"{directory}/{name}"
            path = reader.resolve(link)
            if path is not None and path != link:
                found.setdefault(path, []).append(link)
    return {path: tuple(sorted(links, key=rank_link)) for path, links in found.items()}


def rank_link(link: str) -> tuple[int, int, str]:
    """Return the key that sorts a device's links, the best one first.

    >>> sorted(["/dev/disk/by-id/wwn-0x5", "/dev/disk/by-id/ata-X_1"], key=rank_link)
    ['/dev/disk/by-id/ata-X_1', '/dev/disk/by-id/wwn-0x5']
    """
    for rank, pattern in enumerate(_RANKS):
        if re.match(pattern, link):
            # nvme-MODEL_SERIAL before nvme-MODEL_SERIAL_1, which newer udev adds
            return rank, len(link), link
    return len(_RANKS), len(link), link


def gather_signatures(
    reader: Reader, devices: Iterable[BlockDevice]
) -> tuple[tuple[Signature, ...] | None, tuple[str, ...]]:
    """Return what wipefs finds, and the names of the devices it could not read.

    One run looks at all of them; wipefs gives up at the first that it cannot open, so
    then each is asked for by itself.
    """
    names = {d.path: d.name for d in devices if d.kind not in ("loop", "rom")}
    if not names:
        return (), ()
    together = _wipefs(reader, *names)
    if together is not None:
        return together, ()
    each = {name: _wipefs(reader, path) for path, name in names.items()}
    unprobed = tuple(name for name, found in each.items() if found is None)
    if len(unprobed) == len(names):
        return None, ()
    return tuple(one for found in each.values() for one in found or ()), unprobed


def _wipefs(reader: Reader, *paths: str) -> tuple[Signature, ...] | None:
    answer = reader.query(*WIPEFS, *paths)
    return parse_wipefs(answer.stdout) if answer.status == 0 else None


def parse_wipefs(text: str) -> tuple[Signature, ...] | None:
    """Read the signatures that wipefs prints; no text at all means none.

    A row that cannot be read makes all of it unknown: a disk must not look blank.

    >>> parse_wipefs('{"signatures":[{"device":"vdb","offset":"0x438","type":"ext4"}]}')
    (Signature(device='vdb', kind='ext4', offset=1080),)
    """
    try:
        rows = json.loads(text)["signatures"] if text.strip() else []
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    found = [_signature(row) for row in rows] if isinstance(rows, list) else [None]
    return None if None in found else tuple(s for s in found if s is not None)


def _signature(row: object) -> Signature | None:
    if not isinstance(row, dict):
        return None
    device, kind = _text(row, "device"), _text(row, "type")
    offset = _offset(row.get("offset"))
    if device is None or kind is None or offset is None:
        return None
    return Signature(device=device, kind=kind, offset=offset)


def _offset(value: object) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"0x[0-9a-f]{1,16}", value):
        return int(value, 16)
    return value if type(value) is int and value >= 0 else None

"""Block devices and how lsblk, wipefs and udev's links show them."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MIB = 1 << 20
GIB = 1 << 30
GPT = (("gpt", "0x200"), ("gpt", "last"), ("PMBR", "0x1fe"))
DOS = (("dos", "0x1fe"),)
MAGIC = {
    "ext2": "0x438",
    "ext3": "0x438",
    "ext4": "0x438",
    "xfs": "0x0",
    "btrfs": "0x10040",
    "swap": "0xff6",
    "swsuspend": "0xff6",
    "vfat": "0x1fe",
    "ntfs": "0x3",
    "LVM2_member": "0x218",
    "crypto_LUKS": "0x0",
    "linux_raid_member": "0x1000",
    "zfs_member": "0x3f000",
}
BIOS_BOOT = "21686148-6449-6e6f-744e-656564454649"
ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4"
SWAP = "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f"
LVM = "e6d6d379-f507-44c2-a23c-238f2a3df928"
RAID = "a19d880f-05fc-4d3b-a006-743f0f84911e"
ZFS = "6a898cc3-1dd2-11b2-99a6-080020736631"


@dataclass(frozen=True, kw_only=True)
class Device:
    """A block device as its makers and its file system describe it."""

    kname: str
    kind: str
    size: int
    number: str
    name: str = ""
    columns: tuple[tuple[str, object], ...] = ()
    links: tuple[str, ...] = ()
    signatures: tuple[tuple[str, str], ...] = ()
    children: tuple["Device", ...] = ()

    @property
    def path(self) -> str:
        """Path of the device node."""
        return f"/dev/{self.kname}"

    def tree(self) -> Iterator["Device"]:
        """The device and all that stands on it."""
        yield self
        for child in self.children:
            yield from child.tree()


def file_system(kind: str | None, uuid: str, label: str | None = None) -> dict:
    """Return the columns of lsblk that describe a file system."""
    return {"fstype": kind, "uuid": uuid, "label": label} if kind else {}


def part(
    number: int, size: int, code: str, fs: dict | None = None, *on: Device
) -> dict:
    """Describe a partition of `disk`; the disk fills in the rest."""
    return {"n": number, "size": size, "code": code, "fs": fs or {}, "on": on}


def disk(
    kname: str,
    size: int,
    *parts: dict,
    number: str,
    serial: str | None,
    model: str | None,
    by_id: Iterable[str] = (),
    by_path: str | None = None,
    table: str | None = "gpt",
    fs: dict | None = None,
    on: tuple[Device, ...] = (),
    signatures: tuple[tuple[str, str], ...] = (),
    **columns: object,
) -> Device:
    """Return a disk with its partitions and its links."""
    major, minor = (int(text) for text in number.split(":"))
    sep = "p" if kname[-1].isdigit() else ""
    links = [f"/dev/disk/by-id/{name}" for name in by_id]
    links += [f"/dev/disk/by-path/{by_path}"] if by_path else []
    shared = {k: v for k, v in columns.items() if k in ("log-sec", "phy-sec", "rota")}
    shared |= {"tran": "nvme"} if columns.get("tran") == "nvme" else {}
    table = table if parts else None
    children = [
        Device(
            kname=f"{kname}{sep}{p['n']}",
            kind="part",
            size=p["size"],
            number=f"{major}:{minor + p['n']}",
            columns=tuple(
                {
                    **shared,
                    "pttype": table,
                    "partuuid": _part_uuid(serial or kname, p["n"], table),
                    "parttype": p["code"],
                    **p["fs"],
                }.items()
            ),
            links=tuple(f"{link}-part{p['n']}" for link in links),
            signatures=_magic(p["fs"]),
            children=p["on"],
        )
        for p in parts
    ]
    found = signatures + _magic(fs or {})
    if table:
        found += GPT if table == "gpt" else DOS
    return Device(
        kname=kname,
        kind="disk",
        size=size,
        number=number,
        columns=tuple(
            {
                "serial": serial,
                "model": model,
                **columns,
                **({"pttype": table} if table else {}),
                **(fs or {}),
            }.items()
        ),
        links=tuple(links),
        signatures=tuple(
            (kind, hex(size - 512) if at == "last" else at) for kind, at in found
        ),
        children=(*children, *on),
    )


def stacked(
    kname: str,
    name: str,
    kind: str,
    size: int,
    *children: Device,
    number: str,
    links: Iterable[str] = (),
    fs: dict | None = None,
    **columns: object,
) -> Device:
    """Return a device that stands on others: lvm, crypt, raid1."""
    return Device(
        kname=kname,
        name=name,
        kind=kind,
        size=size,
        number=number,
        links=tuple(links),
        columns=tuple({**columns, **(fs or {})}.items()),
        signatures=_magic(fs or {}),
        children=children,
    )


def _magic(fs: dict) -> tuple[tuple[str, str], ...]:
    kind = fs.get("fstype")
    return ((kind, MAGIC[kind]),) if kind else ()


def _part_uuid(seed: str, number: int, table: str | None) -> str:
    digits = f"{abs(hash_text(seed)):08x}"
    if table == "dos":
        return f"{digits}-{number:02x}"
    return f"{digits}-{number:04x}-4a6b-9c1d-{hash_text(seed + 'p'):012x}"


def hash_text(text: str) -> int:
    """Return a small number that is the same on every machine (djb2)."""
    value = 5381
    for char in text:
        value = (value * 33 + ord(char)) & 0xFFFFFFFF
    return value


def render_lsblk(devices: Iterable[Device]) -> str:
    """Print what lsblk --json --bytes prints; a stacked device is shown below each."""
    rows = [_row(device) for device in devices]
    return json.dumps({"blockdevices": rows}, indent=3, ensure_ascii=False) + "\n"


def _row(device: Device) -> dict:
    given = dict(device.columns)
    order = "serial wwn model tran log-sec phy-sec rota rm ro pttype partuuid parttype"
    usual = {"log-sec": 512, "phy-sec": 512, "rota": False, "rm": False, "ro": False}
    row = {
        "name": device.name or device.kname,
        "kname": device.kname,
        "type": device.kind,
        "size": device.size,
        "maj:min": device.number,
    }
    for column in (*order.split(), "fstype", "uuid", "label"):
        row[column] = given.get(column, usual.get(column))
    if device.children:
        row["children"] = [_row(child) for child in device.children]
    return row


def render_wipefs(devices: Iterable[Device]) -> str:
    """Print what wipefs --json prints of these devices."""
    rows = [
        {
            "device": device.kname,
            "offset": offset,
            "type": kind,
            "uuid": dict(device.columns).get("uuid"),
            "label": dict(device.columns).get("label"),
        }
        for device in devices
        for kind, offset in device.signatures
    ]
    if not rows:
        return '{\n   "signatures": [\n\n   ]\n}\n'
    return json.dumps({"signatures": rows}, indent=3) + "\n"

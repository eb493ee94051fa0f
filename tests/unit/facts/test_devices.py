"""What lsblk, wipefs and the links in /dev say becomes devices and signatures."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfs_root_migrate.facts.devices import (
    LSBLK,
    gather_devices,
    gather_signatures,
    merge_rows,
    parse_lsblk,
    parse_wipefs,
    rank_link,
)
from zfs_root_migrate.model import BlockDevice, Signature
from zfs_root_migrate.reader import Recording, ReplayReader

# lsblk of util-linux 2.38.1 on an empty virtio disk, columns in its order
NEW = """{
   "blockdevices": [
      {
         "name": "vdb",
         "kname": "vdb",
         "type": "disk",
         "size": 8589934592,
         "maj:min": "254:16",
         "serial": "DISKB",
         "wwn": null,
         "model": null,
         "tran": "virtio",
         "log-sec": 512,
         "phy-sec": 4096,
         "rota": true,
         "rm": false,
         "ro": false,
         "pttype": null,
         "partuuid": null,
         "parttype": null,
         "fstype": null,
         "uuid": null,
         "label": null
      }
   ]
}
"""
# the same in the form of 2.32 and before: everything is text
OLD = """{
   "blockdevices": [
      {"name": "vdb", "kname": "vdb", "type": "disk", "size": "8589934592",
       "maj:min": "254:16", "serial": "DISKB", "wwn": null, "model": " ",
       "tran": "virtio", "log-sec": "512", "phy-sec": "4096", "rota": "1",
       "rm": "0", "ro": "0", "fstype": null}
   ]
}
"""
DISK = BlockDevice(
    name="vdb",
    kind="disk",
    size=8 << 30,
    serial="DISKB",
    transport="virtio",
    logical_sector=512,
    physical_sector=4096,
    rotational=True,
    removable=False,
    read_only=False,
)


@pytest.mark.parametrize("text", [NEW, OLD])
def test_every_version_says_the_same(text):
    """Booleans and numbers may come as text, and columns may be missing."""
    assert merge_rows(parse_lsblk(text)) == (DISK,)


def row(name, *children, **more):
    """Return a row of lsblk."""
    found = {"name": name, "kname": name, "type": "part", "size": 4096, **more}
    return {**found, "children": list(children)} if children else found


def merged(*rows):
    """Return the devices of a tree of rows."""
    return merge_rows(parse_lsblk(json.dumps({"blockdevices": rows})))


def test_a_column_that_is_missing_is_not_known():
    """No size of sectors is guessed, nor that a disk can be written."""
    (found,) = merged(row("sda", type="disk", **{"log-sec": 0, "ro": None}))
    assert found.logical_sector is found.physical_sector is None
    assert found.rotational is found.removable is found.read_only is None
    (found,) = merged(row("sda", rm=False, ro="0", rota=1))
    assert (found.removable, found.read_only, found.rotational) == (False, False, True)


def test_one_device_below_two_parents():
    """A mirror is shown below each of its halves and is one device after both."""
    array = row("md0", row("md0p1"))
    found = merged(row("sda", row("sda1", array)), row("sdb", row("sdb1", array)))
    assert [d.name for d in found] == ["sda", "sda1", "sdb", "sdb1", "md0", "md0p1"]
    assert found[4].parents == ("sda1", "sdb1")
    assert found[5].parents == ("md0",)


def test_the_kernel_name_is_the_name():
    """A mapped device goes by the name of its node; the other one is a link."""
    (found,) = merged(row("vg0-root", kname="dm-0", type="lvm"))
    assert found.path == "/dev/dm-0"


def test_empty_devices_are_left_out():
    """A card reader without a card is no disk, nor a parent."""
    found = merged(row("sdj", row("sdj1"), size=0), row("loop0", size=0))
    assert [(d.name, d.parents) for d in found] == [("sdj1", ())]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"blockdevices": 1}'])
def test_no_answer_is_no_devices(text):
    """An answer that cannot be read gives nothing."""
    assert parse_lsblk(text) == []


@given(st.recursive(st.none() | st.text() | st.integers(), st.lists, max_leaves=5))
def test_strange_values_are_unknown(value):
    """A column of the wrong type is unknown and stops nothing."""
    (found,) = merged(row("sda", serial=value, **{"log-sec": value, "rm": value}))
    assert found.serial is None or found.serial == value.strip()
    assert found.logical_sector is None or found.logical_sector >= 1
    assert found.physical_sector is found.rotational is found.read_only is None


def test_links_and_partition_numbers():
    """Links come best first; the number of a partition is the kernel's."""
    base = "/dev/disk/by-id"
    names = ("ata-DISK_1-part2", "wwn-0x5-part2", "dangling")
    replay = ReplayReader(
        Recording(
            queries={
                " ".join(LSBLK): (0, json.dumps({"blockdevices": [row("sda2")]}), "")
            },
            files={"/sys/class/block/sda2/partition": "2\n"},
            directories={base: names, "/dev/mapper": ("control",)},
            links={
                f"{base}/{names[0]}": "/dev/sda2",
                f"{base}/{names[1]}": "/dev/sda2",
                "/dev/mapper/control": "/dev/mapper/control",
            },
        )
    )
    (found,), _ = gather_devices(replay)
    assert found.links == (f"{base}/{names[0]}", f"{base}/{names[1]}")
    assert found.part_number == 2


@pytest.mark.parametrize(
    "names",
    [
        ["ata-Samsung_SSD_860_S3Z", "scsi-35002538e4", "wwn-0x5002538e4"],
        ["nvme-Samsung_990_S7", "nvme-Samsung_990_S7_1", "nvme-eui.0025385"],
        ["nvme-KXG6_1", "nvme-nvme.1179-313233"],
        ["nvme-Lexar_N1", "nvme-uuid.11-22"],
        ["scsi-SATA_WDC_WD10_1", "scsi-1ATA_WDC_WD10_1", "scsi-350014ee2"],
        ["scsi-0QEMU_HARDDISK_d0", "scsi-3600a0b8"],
        ["virtio-DISKB", "lvm-pv-uuid-x"],
        ["usb-SanDisk_Ultra_1-0:0", "wwn-0x5"],
        ["mmc-SD64G_0x1", "wwn-0x5"],
        ["dm-name-vg0-root", "dm-uuid-LVM-x"],
        ["dm-uuid-mpath-3600", "dm-name-mpatha", "wwn-0x3600"],
        ["md-name-larry:boot", "md-uuid-1:2"],
    ],
)
def test_the_best_link_comes_first(names):
    """What is on the sticker, then world-wide names, then the socket."""
    links = [f"/dev/disk/by-id/{name}" for name in names]
    path = "/dev/disk/by-path/pci-0000:00:17.0-ata-1"
    assert sorted([path, *reversed(links)], key=rank_link) == [*links, path]


def test_wipefs_finds():
    """The form of wipefs 2.38 on an ext4 image and on a GPT disk."""
    text = """{
   "signatures": [
      {
         "device": "a.img",
         "offset": "0x438",
         "type": "ext4",
         "uuid": "3d4a9c8a-9b78-4b24-84b1-909176a73b04",
         "label": "root"
      },{
         "device": "b.img",
         "offset": "0x3fffe00",
         "type": "gpt",
         "uuid": null,
         "label": null
      }
   ]
}
"""
    assert parse_wipefs(text) == (
        Signature(device="a.img", kind="ext4", offset=0x438),
        Signature(device="b.img", kind="gpt", offset=0x3FFFE00),
    )


@pytest.mark.parametrize("text", ["", "\n", '{"signatures": [\n\n   ]\n}\n'])
def test_wipefs_finds_nothing(text):
    """A blank disk has no signatures."""
    assert parse_wipefs(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[]", "1", "{}", '{"signatures": 1}', '{"signatures": [1]}'),
        '{"signatures": [{"device": "a", "type": "ext4", "offset": "x"}]}',
        '{"signatures": [{"device": "a", "type": null, "offset": "0x0"}]}',
    ],
)
def test_a_disk_never_looks_blank_by_mistake(text):
    """What cannot be read is unknown, not empty."""
    assert parse_wipefs(text) is None


def wipefs_world(**answers):
    """Return a reader in which wipefs fails for all disks at once."""
    found = '{"signatures": [{"device": "sda", "offset": "0x0", "type": "xfs"}]}'
    queries = {
        f"wipefs --json --no-act /dev/{name}": (status, found if not status else "", "")
        for name, status in answers.items()
    }
    return ReplayReader(Recording(queries=queries))


def disks(*names):
    """Return disks of these names."""
    return [BlockDevice(name=name, kind="disk", size=1) for name in names]


def test_one_bad_disk_does_not_hide_the_others():
    """wipefs stops at the first device it cannot open; then each is asked alone."""
    found, unprobed = gather_signatures(wipefs_world(sda=0, sdb=1), disks("sda", "sdb"))
    assert found == (Signature(device="sda", kind="xfs", offset=0),)
    assert unprobed == ("sdb",)


def test_nothing_can_be_opened():
    """Where no device can be read, no signature is known."""
    assert gather_signatures(wipefs_world(), disks("sda", "sdb")) == (None, ())

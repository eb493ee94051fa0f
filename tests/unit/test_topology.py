"""Questions about disks and mounts, on the ready machine and on odd ones."""

from collections.abc import Callable

import pytest

from tests.unit.checks.cases import C, part_b, root_upon, used_b
from tests.unit.checks.machines import (
    GIB,
    NEW,
    Change,
    all_of,
    base,
    device,
    devices,
    disk,
    mount,
    mounts,
    partition,
    pool,
    storage,
    swaps,
)
from zfs_root_migrate import topology
from zfs_root_migrate.model import BlockDevice, Mount, Signature, Storage, Swap

STORAGE = base().storage
HOME = partition(5, 9 * GIB, "ext4")


def changed(*changes: Change) -> Storage:
    """Return the machine's storage after some changes."""
    return all_of(*changes)(base()).storage


def named(text: str, where: Storage = STORAGE) -> BlockDevice:
    """Return a disk that is there."""
    found = topology.find_disk(where, text)
    assert found is not None
    return found


@pytest.mark.parametrize("text", [NEW, "/dev/vdb", "vdb", "DISKB"])
def test_find_disk_by_link_path_name_and_serial(text: str) -> None:
    """Whatever a person may type for it finds the disk."""
    assert named(text).name == "vdb"


@pytest.mark.parametrize("text", ["", "/dev/vda2", "sr0", "zram0", "nope", "DISK"])
def test_find_disk_finds_whole_disks_only(text: str) -> None:
    """Partitions, CDs, memory and nonsense are no disks."""
    assert topology.find_disk(STORAGE, text) is None


def test_a_serial_that_two_disks_have_names_none() -> None:
    """The wrong disk must never be meant."""
    twins = changed(devices(disk("vdc", "DISKB")))
    assert topology.find_disk(twins, "DISKB") is None
    assert named("/dev/vdc", twins).name == "vdc"


@pytest.mark.parametrize(
    "name", ["loop0", "ram1", "zram0", "zd16", "nbd0", "fd0", "mmcblk0boot1"]
)
def test_what_lsblk_calls_a_disk_and_is_none(name: str) -> None:
    """lsblk's type is "disk" for all of these."""
    assert topology.find_disk(changed(devices(disk(name, None))), name) is None


@pytest.mark.parametrize("name", ["sda", "nvme0n1", "mmcblk0", "vdz", "xvda", "zzz"])
def test_what_is_a_disk(name: str) -> None:
    """Any other name is taken as it comes."""
    assert named(name, changed(devices(disk(name, None)))).name == name


def test_disk_below_goes_through_arrays_and_volumes() -> None:
    """Everything that a device stands on counts, on whatever disk."""
    array = BlockDevice(name="md0", kind="raid1", size=GIB, parents=("vda4", "vdb"))
    volume = BlockDevice(name="dm-0", kind="lvm", size=GIB, parents=("md0",))
    where = changed(devices(array, volume))
    below = topology.disk_below(where, "dm-0")
    assert [d.name for d in below] == ["vda", "vdb"]
    assert [d.name for d in topology.stacked(where, named("vdb"))] == ["md0", "dm-0"]
    assert topology.disk_below(where, "nothing") == ()


def test_devices_in_a_ring_end() -> None:
    """Facts from a file may say anything."""
    where = changed(device("vda", parents=("vda4",)))
    assert [d.name for d in topology.disk_below(where, "vda4")] == ["vda"]


def test_old_disk_of_a_root_on_lvm() -> None:
    """The disk is found below the volume."""
    where = changed(root_upon("lvm"))
    assert [d.name for d in topology.old_disks(where)] == ["vda"]
    root = topology.root_mount(where)
    assert root is not None
    assert [d.name for d in topology.layers(where, root)] == ["vda4", "dm-0"]


def test_last_mount_on_root_counts() -> None:
    """What is mounted over / is /."""
    where = changed(devices(C), mounts(mount("/", "vdc")))
    assert [d.name for d in topology.old_disks(where)] == ["vdc"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            all_of(devices(part_b()), mounts(mount("/x y", "vdb1"))),
            "vdb1 is mounted at /x y",
        ),
        (
            all_of(
                devices(part_b()),
                swaps(Swap(path="/dev/vdb1", is_file=False, size=1)),
            ),
            "vdb1 is active swap",
        ),
        (used_b("raid1"), "vdb1 is held by md127 (raid1)"),
        (
            all_of(used_b("lvm", "dm-3"), device("dm-3", links=("/dev/mapper/vg-x",))),
            "vdb1 is held by vg-x (lvm)",
        ),
        (
            all_of(devices(part_b()), pool("tank", "/dev/vdb1", imported=True)),
            "vdb1 belongs to the imported pool tank (42)",
        ),
    ],
)
def test_uses(change: Change, text: str) -> None:
    """Each way of being in use is told."""
    where = changed(change)
    assert topology.uses(where, named("vdb", where)) == (text,)
    assert topology.uses(STORAGE, named("vdb")) == ()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (device("vdb", table="dos"), "dos partition table"),
        (
            device("vdb", fs_type="xfs", fs_label="old"),
            "xfs labelled 'old' on the whole",
        ),
        (devices(part_b("ntfs")), "partition vdb1 (9G): ntfs"),
        (
            storage(signatures=(Signature(device="vdb", kind="LVM2", offset=1),)),
            "LVM2 signature on vdb",
        ),
        (pool("tank", NEW), "vdb belongs to a pool not imported, tank (42)"),
    ],
)
def test_contents(change: Change, text: str) -> None:
    """Each thing that can be on a disk is told, once."""
    where = changed(change)
    found = topology.contents(where, named("vdb", where))
    assert len(found) == 1
    assert found[0].startswith(text)
    assert not topology.is_blank(where, named("vdb", where))


def test_contents_tell_a_thing_once() -> None:
    """A table and a file system are signatures as well."""
    assert topology.contents(STORAGE, named("vda")) == (
        "gpt partition table",
        "partition vda1 (1M)",
        "partition vda2 (512M): ext2",
        "partition vda3 (2G): swap",
        "partition vda4 (37G): ext4",
    )


def test_unknown_is_not_blank() -> None:
    """A disk whose signatures could not be read may hold anything."""
    assert topology.is_blank(STORAGE, named("vdb"))
    for change in (storage(signatures=None), storage(unprobed=("vdb",))):
        assert not topology.is_blank(changed(change), named("vdb"))
    part = changed(devices(part_b(None)), storage(unprobed=("vdb1",)))
    assert not topology.is_probed(part, named("vdb", part))


def test_stable_path_is_the_best_link() -> None:
    """The links are ordered, the best one first; without any there is the name."""
    assert topology.stable_path(named("vdb")) == NEW
    assert topology.stable_path(disk("sdx", None)) == "/dev/sdx"


def test_source_mounts_are_sorted_by_depth_and_each_device_once() -> None:
    """The root comes first, then what is mounted upon it."""
    extra = (HOME, partition(6, GIB, "ext4"), partition(7, GIB, "vfat"))
    where = changed(
        devices(*extra),
        mounts(
            mount("/var/lib/deep", "vda6"),
            mount("/home", "vda5"),
            mount("/boot/efi", "vda7", "vfat"),
            mount("/mnt/again", "vda5"),
        ),
    )
    found = [m.target for m in topology.source_mounts(where)]
    assert found == ["/", "/boot", "/home", "/boot/efi", "/var/lib/deep"]


def test_boot_is_copied_from_another_disk() -> None:
    """Nothing starts without /boot, wherever it is now."""
    others = tuple(m for m in STORAGE.mounts if m.target != "/boot")
    where = changed(
        devices(C), storage(mounts=(*others, mount("/boot", "vdc", "ext2")))
    )
    assert [m.target for m in topology.source_mounts(where)] == ["/", "/boot"]


def virtual(target: str, fs_type: str) -> Mount:
    """Return a mount without a device."""
    return Mount(target=target, source=fs_type, fs_type=fs_type, options="rw")


LOOP = BlockDevice(name="loop0", kind="loop", size=GIB)
WHY: list[tuple[Change, str, str]] = [
    (mounts(virtual("/sys", "sysfs")), "/sys", "made by the kernel"),
    (mounts(virtual("/tmp", "tmpfs")), "/tmp", "in memory"),
    (mounts(virtual("/net", "nfs4")), "/net", "on the network"),
    (mounts(virtual("/ssh", "fuse.sshfs")), "/ssh", "on the network"),
    (mounts(virtual("/lay", "overlay")), "/lay", "shows what lies elsewhere"),
    (mounts(virtual("/gvfs", "fuse.gvfsd")), "/gvfs", "shows what lies elsewhere"),
    (mounts(virtual("/tank", "zfs")), "/tank", "on ZFS already"),
    (
        all_of(devices(C), mounts(mount("/data", "vdc"))),
        "/data",
        "on another disk (vdc)",
    ),
    (
        all_of(devices(LOOP), mounts(mount("/img", "loop0", "squashfs"))),
        "/img",
        "an image on loop0",
    ),
    (
        mounts(mount("/b", "vda4", root="/home/b")),
        "/b",
        "shows a part of / again",
    ),
    (
        all_of(devices(HOME), mounts(mount("/b", "vda5", root="/sub"))),
        "/b",
        "only /sub of /dev/vda5",
    ),
    (
        all_of(devices(HOME), mounts(mount("/w", "vda5", "fuseblk"))),
        "/w",
        "fuseblk cannot be copied",
    ),
    (mounts(mount("/gone", "sdq1")), "/gone", "no known disk"),
    (
        all_of(
            devices(HOME, partition(6, GIB, "ext4")),
            mounts(mount("/var/log", "vda5"), mount("/var", "vda6")),
        ),
        "/var/log",
        "hidden by a later mount on /var",
    ),
]


@pytest.mark.parametrize(("change", "target", "reason"), WHY)
def test_left_out_says_why(change: Change, target: str, reason: str) -> None:
    """Every mount that is not copied has its reason."""
    where = changed(change)
    reasons = {m.target: text for m, text in topology.left_out(where)}
    assert reason in reasons[target]
    assert target not in [m.target for m in topology.source_mounts(where)]


def test_every_mount_is_copied_or_left_out() -> None:
    """No mount is forgotten, none is in both."""
    where = changed(*(change for change, _, _ in WHY))
    copied = topology.source_mounts(where)
    out = [m for m, _ in topology.left_out(where)]
    assert len(copied) + len(out) == len(where.mounts)
    assert not {id(m) for m in copied} & {id(m) for m in out}


@pytest.mark.parametrize(
    "ask",
    [
        topology.disks,
        topology.root_mount,
        topology.old_disks,
        topology.source_mounts,
        topology.left_out,
        topology.uncopyable,
    ],
)
def test_no_storage_at_all(ask: Callable[[Storage], object]) -> None:
    """Empty facts have empty answers."""
    empty = Storage(
        devices=(), mounts=(), fstab=(), swaps=(), signatures=None, pools=None
    )
    assert not ask(empty)


@pytest.mark.parametrize("path", ["/home", "/home/a", "/"])
def test_excluded_file_systems_are_left_out(path: str) -> None:
    """The setting takes out what is mounted at or below its path, never the root."""
    where = changed(devices(HOME), mounts(mount("/home/a", "vda5")))
    copied = [m.target for m in topology.source_mounts(where, (path,))]
    assert copied == (["/"] if path == "/" else ["/", "/boot"])
    reasons = {m.target: text for m, text in topology.left_out(where, (path,))}
    assert reasons["/home/a"] == "the setting `exclude`"


def test_excluding_a_directory_leaves_the_file_system_in() -> None:
    """A path inside a file system is the copier's to leave out."""
    where = changed(devices(HOME), mounts(mount("/home", "vda5")))
    copied = [m.target for m in topology.source_mounts(where, ("/home/a", "/hom"))]
    assert copied == ["/", "/boot", "/home"]

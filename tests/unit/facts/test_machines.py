"""Recorded machines lead to the facts stored beside them.

With UPDATE_MACHINES=1 in the environment the stored files are written anew; look at
the difference before you commit it.
"""

import os
from pathlib import Path

import pytest

from tests.machines.compose import __main__ as compose
from zfs_root_migrate.facts import gather, load_facts
from zfs_root_migrate.model import Firmware, Generator, Init
from zfs_root_migrate.reader import (
    Recording,
    ReplayReader,
    dump_recording,
    load_recording,
)

MACHINES = compose.MACHINES
NAMES = sorted(path.parent.name for path in MACHINES.glob("*/recording.json"))
UPDATE = os.environ.get("UPDATE_MACHINES") == "1"


def facts_of(name):
    """Return the stored facts of a machine."""
    return load_facts((MACHINES / name / "facts.json").read_text(), name)


def stored(path: Path, text: str) -> str:
    """Return what is stored, after writing it anew where that is wished."""
    if UPDATE:
        path.write_text(text)
    return path.read_text()


def test_all_are_here():
    """Every described machine is stored."""
    assert set(compose.DESCRIBED) <= set(NAMES)


@pytest.mark.parametrize("name", sorted(compose.DESCRIBED))
def test_recording(name):
    """A described machine is recorded with the questions that are asked today."""
    text = dump_recording(compose.compose(name))
    assert stored(MACHINES / name / "recording.json", text) == text


@pytest.mark.parametrize("name", NAMES)
def test_facts(name):
    """The recording leads to the stored facts."""
    recording = load_recording((MACHINES / name / "recording.json").read_text(), name)
    text = compose.facts_text(recording)
    assert stored(MACHINES / name / "facts.json", text) == text


@pytest.mark.parametrize("name", NAMES)
def test_few_programs(name):
    """A look at a machine starts few programs: each costs milliseconds."""
    recording = load_recording((MACHINES / name / "recording.json").read_text(), name)
    assert len(recording.queries) <= 12


def devices(name):
    """Return the devices of a machine by name."""
    return {d.name: d for d in facts_of(name).storage.devices}


def test_the_machine_that_is_supported():
    """Disk B is blank, disk A has all that the tutorial's has."""
    facts = facts_of("openrc-bios")
    assert facts.boot.firmware is Firmware.BIOS
    assert facts.system.init is Init.OPENRC
    assert facts.system.merged_usr
    assert facts.storage.pools == ()
    assert facts.boot.resume_image is False
    assert facts.boot.hostid is None
    assert facts.boot.generators == (Generator.DRACUT,)
    running = {k.release: k for k in facts.boot.kernels}[facts.boot.running_kernel]
    assert running.zfs_module
    assert running.raid1
    assert {s.device for s in facts.storage.signatures} == {
        *("sda", "sda2", "sda3", "sda4", "sda5"),
    }
    zfs = facts.portage.package("sys-fs/zfs")
    assert zfs
    assert [one.cpv for one in zfs.installed] == ["sys-fs/zfs-2.3.6"]


def test_an_ordinary_user_knows_less():
    """Signatures and hibernation are unknown, the rest is as root sees it."""
    root, user = facts_of("openrc-bios"), facts_of("openrc-bios-user")
    assert user.storage.signatures is user.boot.resume_image is None
    assert not user.system.is_root
    assert user.storage.devices == root.storage.devices
    assert user.storage.mounts == root.storage.mounts
    assert user.storage.pools == ()


def test_nvme():
    """The hostid is the file's, the swap a file, the best link the model's."""
    facts = facts_of("openrc-bios-nvme")
    assert facts.boot.hostid == "01273f9a"
    assert facts.storage.swaps[0].is_file
    disk = facts.storage.devices[0]
    assert disk.links[0].endswith("/nvme-Samsung_SSD_980_PRO_1TB_S5GXNX0R100001A")
    assert disk.physical_sector == 4096


def test_uefi_and_systemd():
    """What later versions will support is recognised now."""
    facts = facts_of("systemd-uefi")
    assert facts.boot.firmware is Firmware.UEFI
    assert facts.system.init is Init.SYSTEMD
    assert facts.system.runlevels == ()
    assert facts.boot.kernels[0].image.endswith("/linux")
    assert facts.boot.kernels[0].raid1
    assert Generator.UGRD in facts.boot.generators


@pytest.mark.parametrize(
    ("name", "source", "device", "kind"),
    [
        ("lvm", "/dev/mapper/vg0-root", "dm-0", "lvm"),
        ("luks", "/dev/mapper/luks-root", "dm-0", "crypt"),
        ("md-root", "/dev/md127", "md127", "raid1"),
        ("btrfs-root", "/dev/sda3", "sda3", "part"),
    ],
)
def test_what_the_root_stands_on(name, source, device, kind):
    """The root leads to its device, and that to the disk."""
    facts = facts_of(name)
    root = next(m for m in facts.storage.mounts if m.target == "/")
    assert (root.source, root.device) == (source, device)
    assert devices(name)[device].kind == kind
    assert root.size


def test_a_mirror_has_two_parents():
    """Both halves of an array are known."""
    assert devices("md-root")["md127"].parents == ("sda3", "sdb3")


def test_hibernated():
    """A swap with an image in it is told."""
    assert facts_of("luks").boot.resume_image is True


def test_subvolumes():
    """btrfs has no fixed number of inodes, and a root of its own in each mount."""
    mounts = {m.target: m for m in facts_of("btrfs-root").storage.mounts}
    assert (mounts["/"].root, mounts["/home"].root) == ("/@", "/@home")
    assert mounts["/"].files is None


def test_occupied():
    """Everything that may be on a disk is seen."""
    facts = facts_of("occupied")
    seen = {(s.device, s.kind) for s in facts.storage.signatures}
    assert seen >= {
        ("sdb1", "ntfs"),
        ("sdc1", "zfs_member"),
        ("sdd1", "linux_raid_member"),
        ("sdf", "LVM2_member"),
        ("sdg1", "swap"),
        ("sdh", "ext4"),
    }
    (pool,) = facts.storage.pools
    assert (pool.name, pool.imported, pool.health) == ("oldtank", False, "DEGRADED")
    assert pool.devices[0] in devices("occupied")["sdc1"].links
    assert "sdj" not in devices("occupied")


def test_old_machine():
    """Split /usr, the tree in /usr/portage, genkernel's names."""
    facts = facts_of("split-usr")
    assert not facts.system.merged_usr
    assert facts.portage.repository == "/usr/portage"
    assert facts.boot.generators == (Generator.GENKERNEL,)
    (kernel,) = facts.boot.kernels
    assert kernel.image == "/boot/kernel-genkernel-x86_64-6.1.118-gentoo"
    assert kernel.zfs_version == "2.2.8-r0-gentoo"
    assert devices("split-usr")["sda"].table == "dos"


def test_nothing_at_all():
    """A system that answers nothing has facts, too: nearly all unknown."""
    facts = gather(
        ReplayReader(Recording()),
        state_dir="/s",
        tool_version="0",
    )
    assert facts.storage.devices == ()
    assert facts.storage.signatures in (None, ())
    assert facts.storage.pools is None
    assert facts.portage.reason

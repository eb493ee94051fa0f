"""QEMU's command line says what the machine is."""

import itertools
from pathlib import Path

import pytest

from tests.vm.disks import Bus, Disk
from tests.vm.qemu import Machine


def pairs(command: list[str]) -> list[tuple[str, str]]:
    """Return options with their values."""
    return list(itertools.pairwise(command))


def test_disks_keep_their_order_and_serials() -> None:
    """The first disk is the one the firmware tries first."""
    disks = (Disk(Path("/d/a.raw"), "OLD"), Disk(Path("/d/b.raw"), "NEW", Bus.ATA))
    command = Machine(disks=disks).command()
    first = "virtio-blk-pci,drive=disk0,serial=OLD,bootindex=1"
    second = "ide-hd,bus=ide.1,drive=disk1,serial=NEW,bootindex=2"
    assert ("-device", first) in pairs(command)
    assert ("-device", second) in pairs(command)


def test_disks_survive_a_power_cut_of_qemu() -> None:
    """Raw files through the host's page cache: SIGKILL loses no finished write."""
    command = Machine(disks=(Disk(Path("/d/a.raw"), "OLD"),)).command()
    drive = next(value for option, value in pairs(command) if option == "-drive")
    assert "file=/d/a.raw,format=raw,cache=unsafe" in drive


def test_one_controller_serves_all_scsi_disks() -> None:
    """Two SCSI disks need one controller."""
    disks = [Disk(Path(f"/{name}"), name, Bus.SCSI) for name in "ab"]
    assert Machine(disks=tuple(disks)).command().count("virtio-scsi-pci") == 1


def test_share_is_read_only() -> None:
    """The guest cannot write to the machine's files."""
    command = Machine(disks=(), share=Path("/tests")).command()
    share = next(value for option, value in pairs(command) if option == "-virtfs")
    assert share.startswith("local,path=/tests,mount_tag=share")
    assert "readonly=on" in share
    assert "-virtfs" not in Machine(disks=()).command()


def test_emulation_needs_no_hardware_support() -> None:
    """The tests run where there is no KVM."""
    assert ("-smp", "2") in pairs(Machine(disks=(), cores=2).command())
    assert "kvm" not in " ".join(Machine(disks=()).command())


@pytest.mark.parametrize(
    ("bus", "link"),
    [
        (Bus.VIRTIO, "virtio-S1"),
        (Bus.ATA, "ata-QEMU_HARDDISK_S1"),
        (Bus.NVME, "nvme-QEMU_NVMe_Ctrl_S1"),
        (Bus.SCSI, "scsi-0QEMU_QEMU_HARDDISK_S1"),
    ],
)
def test_links_by_id(bus: Bus, link: str) -> None:
    """The links are those that udev makes for QEMU's disks."""
    assert Disk(Path("x"), "S1", bus).by_id == f"/dev/disk/by-id/{link}"


def test_disk_from_an_argument() -> None:
    """The command line names file, serial and bus."""
    disk = Disk.from_arg("dir/b.raw,serial=X,bus=nvme")
    assert disk == Disk(Path("dir/b.raw"), "X", Bus.NVME)
    with pytest.raises(ValueError, match="floppy"):
        Disk.from_arg("b.raw,bus=floppy")


def test_what_the_guest_reports_ends_up_in_a_file() -> None:
    """A port of its own, beside the agent's; nothing of it is kept in a buffer."""
    command = Machine(disks=()).command()
    assert ("-chardev", "file,id=acks,path=acks.log") in pairs(command)
    port = "virtserialport,chardev=acks,name=zfs-root-migrate.acks"
    assert ("-device", port) in pairs(command)

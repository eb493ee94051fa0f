"""Disk files for guests, blank ones and copies of others, and how they are attached."""

import shutil
import subprocess
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

GIB = 1024**3


class Bus(StrEnum):
    """How a disk is attached."""

    VIRTIO = "virtio"
    ATA = "ata"
    NVME = "nvme"
    SCSI = "scsi"


_BY_ID = {
    Bus.VIRTIO: "virtio-",
    Bus.ATA: "ata-QEMU_HARDDISK_",
    Bus.NVME: "nvme-QEMU_NVMe_Ctrl_",
    Bus.SCSI: "scsi-0QEMU_QEMU_HARDDISK_",
}


@dataclass(frozen=True, slots=True)
class Disk:
    """A raw file as a disk with a serial number."""

    file: Path
    serial: str
    bus: Bus = Bus.VIRTIO

    @classmethod
    def from_arg(cls, text: str) -> "Disk":
        """Parse FILE[,serial=S][,bus=B].

        >>> Disk.from_arg("a.raw,serial=OLD")
        Disk(file=PosixPath('a.raw'), serial='OLD', bus=<Bus.VIRTIO: 'virtio'>)
        """
        name, *options = text.split(",")
        values = dict(option.partition("=")[::2] for option in options)
        file = Path(name)
        serial = values.get("serial", file.stem[:20])
        return cls(file, serial, Bus(values.get("bus", Bus.VIRTIO)))

    @property
    def by_id(self) -> str:
        """Return the link that udev makes in the guest."""
        return f"/dev/disk/by-id/{_BY_ID[self.bus]}{self.serial}"


def blank_disk(file: Path, size_bytes: int, serial: str) -> Disk:
    """Make an empty disk; it takes no room until it is written to."""
    with file.open("wb") as stream:
        stream.truncate(size_bytes)
    return Disk(file, serial)


def copy_disk(source: Path, file: Path, serial: str) -> Disk:
    """Copy a disk with its holes; shutil would fill them."""
    command = ["cp", "--sparse=always", "--reflink=auto"]
    subprocess.run([*command, str(source), str(file)], check=True)
    shutil.copymode(source, file)
    return Disk(file, serial)

"""What QEMU is started with: disks, and the machine around them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.vm import emulator, stages
from tests.vm.cache import Cache, default_directory
from tests.vm.disks import Bus, Disk

# room enough that code need not be translated twice
ACCELERATION = "tcg,thread=multi,tb-size=512"
# five-level page tables only make emulated page walks longer; with erms the kernel
# clears and copies pages byte by byte, which is one emulated step for each of them
CPU = "max,la57=off,erms=off"
AGENT_PORT = "zfs-root-migrate.agent"
ACKS_PORT = "zfs-root-migrate.acks"


_DEVICES = {
    Bus.VIRTIO: "virtio-blk-pci",
    Bus.ATA: "ide-hd",
    Bus.NVME: "nvme",
    Bus.SCSI: "scsi-hd",
}


def program() -> list[str]:
    """Return the words that start QEMU; building the guest puts it there."""
    directory = stages.artefacts(Cache(default_directory()))["emulator"]
    return emulator.command(directory)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine to start; the first of the disks is the one the firmware boots."""

    disks: tuple[Disk, ...]
    share: Path | None = None
    memory_mib: int = 2048
    # With two, one may go on with a stale translation of code that the kernel has just
    # patched on the other ("Oops: int3" in a boot, with QEMU 10 still), and where the
    # host's cores are all taken, each waits for locks that the other sleeps with.
    cores: int = 1
    extra: tuple[str, ...] = ()

    def command(self) -> list[str]:
        """Return QEMU's command line, its sockets relative to the run directory."""
        return [
            *(*program(), "-nodefaults", "-M", "q35", "-display", "none"),
            *("-accel", ACCELERATION, "-cpu", CPU),
            *("-smp", str(self.cores), "-m", str(self.memory_mib)),
            *("-pidfile", "pid", "-qmp", "unix:qmp,server=on,wait=off"),
            *_entropy(),
            *_serial_line(),
            *_ports(),
            *_disks(self.disks),
            *(_share(self.share) if self.share else ()),
            *self.extra,
        ]


def _entropy() -> Sequence[str]:
    backend = "rng-random,filename=/dev/urandom,id=entropy"
    return "-object", backend, "-device", "virtio-rng-pci,rng=entropy"


def _serial_line() -> Sequence[str]:
    backend = "socket,id=serial,path=serial,server=on,wait=off,logfile=console.log"
    return "-chardev", backend, "-serial", "chardev:serial"


def _ports() -> Sequence[str]:
    """One for the agent, and one whose lines end up in a file on the host at once."""
    return (
        *("-device", "virtio-serial-pci"),
        *("-chardev", "socket,id=agent,path=agent,server=on,wait=off"),
        *("-device", f"virtserialport,chardev=agent,name={AGENT_PORT}"),
        *("-chardev", "file,id=acks,path=acks.log"),
        *("-device", f"virtserialport,chardev=acks,name={ACKS_PORT}"),
    )


def _share(directory: Path) -> Sequence[str]:
    options = "mount_tag=share,security_model=none,readonly=on"
    return "-virtfs", f"local,path={directory.resolve()},{options}"


def _disks(disks: Sequence[Disk]) -> list[str]:
    arguments: list[str] = []
    if any(disk.bus is Bus.SCSI for disk in disks):
        arguments += ["-device", "virtio-scsi-pci"]
    for number, disk in enumerate(disks):
        # raw and unsafe: a SIGKILL of QEMU keeps every write the guest was told
        # is done, as the host's page cache outlives it (qcow2 would lose tables)
        drive = f"if=none,id=disk{number},file={disk.file.resolve()},format=raw"
        arguments += ["-drive", f"{drive},cache=unsafe,discard=unmap"]
        port = f",bus=ide.{number}" if disk.bus is Bus.ATA else ""
        identity = f"drive=disk{number},serial={disk.serial}"
        order = f"bootindex={number + 1}"
        arguments += ["-device", f"{_DEVICES[disk.bus]}{port},{identity},{order}"]
    return arguments

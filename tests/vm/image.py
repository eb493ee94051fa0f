"""The last stage: the disk the guest boots from.

GPT, BIOS boot partition, /boot (ext2), swap, / and /home (ext4).  The file systems
are filled while they are made; only GRUB and what mke2fs cannot carry over need them
mounted.
"""

import json
import os
import shutil
import stat
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.vm.chroot import Chroot
from tests.vm.debian import unpack
from tests.vm.process import BuildError, Runner
from tests.vm.torture import build as build_torture

MIB = 1024 * 1024
SECTOR = 512
DISK_BYTES = 6144 * MIB
SEED = 2011


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A partition of the disk; size 0 takes what is left."""

    number: int
    name: str
    kind: str
    mib: int


BIOS = Partition(number=1, name="bios", kind="EF02", mib=1)
BOOT = Partition(number=2, name="boot", kind="8300", mib=384)
SWAP = Partition(number=3, name="swap", kind="8200", mib=128)
HOME = Partition(number=4, name="home", kind="8300", mib=1024)
ROOT = Partition(number=5, name="root", kind="8300", mib=0)
PARTITIONS = (BIOS, BOOT, SWAP, HOME, ROOT)


def build_image(
    work: Path, paths: Mapping[str, Path], target: Path, runner: Runner
) -> None:
    """Make the disk."""
    tree = work / "tree"
    unpack(paths["tree"], tree, runner)
    identities = {p.name: str(uuid.uuid4()) for p in PARTITIONS}
    (tree / "etc/fstab").write_text(_fstab(identities))
    for place in (BOOT, HOME):
        (tree / place.name).rename(work / place.name)
        (tree / place.name).mkdir()
    # found again only by who looks below the mount
    hidden = tree / "home/.below-the-mount"
    hidden.mkdir()
    (hidden / "note").write_text("nobody sees this while /home is mounted\n")
    _partition(target, runner)
    starts = _starts(target, runner)
    _make_file_systems(target, starts, work, identities, runner)
    _finish_mounted(target, work / "mnt", identities, runner)


def _fstab(identities: Mapping[str, str]) -> str:
    rows = (
        (ROOT, "/", "ext4", "noatime", "0 1"),
        (BOOT, "/boot", "ext2", "noatime", "0 2"),
        (HOME, "/home", "ext4", "noatime", "0 2"),
        (SWAP, "none", "swap", "sw", "0 0"),
    )
    lines = [
        f"UUID={identities[part.name]}\t{point}\t{kind}\t{options}\t{passes}"
        for part, point, kind, options, passes in rows
    ]
    lines.append("tmpfs\t/tmp\ttmpfs\tmode=1777,nosuid,nodev,size=50%\t0 0")
    return "\n".join(lines) + "\n"


def _partition(disk: Path, runner: Runner) -> None:
    with disk.open("wb") as stream:
        stream.truncate(DISK_BYTES)
    command = ["sgdisk"]
    for part in PARTITIONS:
        size = f"+{part.mib}M" if part.mib else "0"
        number = part.number
        command += [f"-n{number}:0:{size}", f"-t{number}:{part.kind}"]
        command += [f"-c{number}:{part.name}"]
    runner.run([*command, str(disk)])


def _starts(disk: Path, runner: Runner) -> dict[int, int]:
    """Return the first byte of each partition."""
    table = json.loads(runner.read(["sfdisk", "--json", str(disk)]))["partitiontable"]
    return {
        number: part["start"] * SECTOR
        for number, part in enumerate(table["partitions"], start=1)
    }


def _make_file_systems(
    disk: Path,
    starts: Mapping[int, int],
    work: Path,
    identities: Mapping[str, str],
    runner: Runner,
) -> None:
    """Make and fill the file systems, straight into the file."""
    for part, kind, source in (
        (BOOT, "ext2", work / "boot"),
        (HOME, "ext4", work / "home"),
        (ROOT, "ext4", work / "tree"),
    ):
        end = starts.get(part.number + 1, DISK_BYTES - MIB)
        options = f"offset={starts[part.number]},lazy_itable_init=0,nodiscard"
        command = ["mke2fs", "-q", "-F", "-t", kind, "-I", "256", "-b", "4096"]
        command += ["-U", identities[part.name], "-L", part.name]
        command += ["-E", options, "-d", str(source), str(disk)]
        runner.run([*command, str((end - starts[part.number]) // 4096)])
        shutil.rmtree(source)


@contextmanager
def mounted(disk: Path, mount: Path, runner: Runner) -> Iterator[Path]:
    """Mount the disk's file systems; yield its loop device.

    The device is detached as soon as its partitions are mounted: from then on it
    goes with the last of the mounts, however this process ends.
    """
    attach = ["losetup", "--find", "--partscan", "--show", str(disk)]
    device = Path(runner.read(attach).strip())
    try:
        # a kernel without CONFIG_EFI_PARTITION finds none by itself
        if not Path(f"/sys/block/{device.name}/{device.name}p1").exists():
            runner.run(["partx", "--add", str(device)])
        runner.run(["mount", _node(device, ROOT), str(mount)])
        for part in (BOOT, HOME):
            runner.run(["mount", _node(device, part), str(mount / part.name)])
    finally:
        runner.run(["losetup", "--detach", str(device)])
    try:
        yield device
    finally:
        runner.run(["umount", "--recursive", str(mount)])


def _node(device: Path, part: Partition) -> str:
    node = Path(f"{device}p{part.number}")
    if not node.is_block_device():
        raise BuildError(f"{node} did not appear")
    return str(node)


def _finish_mounted(
    disk: Path, mount: Path, identities: Mapping[str, str], runner: Runner
) -> None:
    """Install GRUB and make the torture trees, with the file systems mounted."""
    mount.mkdir()
    chroot = Chroot(mount, runner)
    with mounted(disk, mount, runner) as device:
        swap = ["-U", identities["swap"], "-L", "swap", _node(device, SWAP)]
        runner.run(["mkswap", "-q", *swap])
        with chroot.mounted():
            _copy_nodes(device, mount / "dev")
            _install_grub(chroot, device, identities)
        left_out = [
            *build_torture(mount / "srv/torture", seed=SEED),
            *build_torture(mount / "home/larry/torture", seed=SEED + 1, small=True),
        ]
        for line in left_out:
            runner.note(f"torture tree: {line}")


def _copy_nodes(device: Path, dev: Path) -> None:
    """Give the tree's /dev the loop device alone."""
    for node in (device, *device.parent.glob(f"{device.name}p*")):
        os.mknod(dev / node.name, stat.S_IFBLK | 0o600, node.stat().st_rdev)


def _install_grub(chroot: Chroot, device: Path, identities: Mapping[str, str]) -> None:
    chroot.run("grub-install", "--target=i386-pc", str(device))
    chroot.run("grub-mkconfig", "-o", "/boot/grub/grub.cfg")
    # without udev there is no /dev/disk/by-uuid, and grub-mkconfig then writes
    # the loop device's name
    config = chroot.root / "boot/grub/grub.cfg"
    text = config.read_text().replace(
        f"root={device}p{ROOT.number} ", f"root=UUID={identities['root']} "
    )
    if f"root=UUID={identities['root']} " not in text or str(device) in text:
        raise BuildError(f"grub.cfg names the build machine's devices: {config}")
    config.write_text(text)
    # beside what grub-install brings
    (chroot.root / "boot/grub/fonts/own.pf2").write_bytes(b"a font of the user's")

"""Machines whose root stands on something: LVM, LUKS, btrfs, md."""

from dataclasses import replace

from tests.machines.compose.devices import (
    BIOS_BOOT,
    GIB,
    LINUX,
    LVM,
    MIB,
    RAID,
    SWAP,
    Device,
    file_system,
    part,
    stacked,
)
from tests.machines.compose.machine import Machine, Mounted
from tests.machines.compose.source import (
    BOOT_UUID,
    CMDLINE,
    HOME_UUID,
    ROOT_UUID,
    SOURCE_MOUNTS,
    SWAP_UUID,
    openrc_bios,
    sata,
)
from tests.machines.compose.system import TOOLS, swaps

PV_UUID = "wZ3kUc-8d1H-Qm2p-0vXn-5GtA-LfRs-bY7eJk"
BOOT = part(2, GIB, LINUX, file_system("ext4", BOOT_UUID))
BOOT_MOUNT = replace(SOURCE_MOUNTS[1], fs_type="ext4")
BLANK = sata("b", "WD-WCC6Y1ABC002")


def _mapped(minor: int, name: str, uuid: str, kind: str, size: int, fs: dict) -> Device:
    return stacked(
        f"dm-{minor}",
        name,
        kind,
        size,
        number=f"253:{minor}",
        fs=fs,
        rota=True,
        links=(
            f"/dev/disk/by-id/dm-name-{name}",
            f"/dev/disk/by-id/dm-uuid-{uuid}",
            f"/dev/mapper/{name}",
        ),
        **{"phy-sec": 4096},
    )


def lvm() -> Machine:
    """Root, /home and swap are logical volumes; a snapshot would be possible."""
    volumes = (
        ("root", 120 * GIB, file_system("ext4", ROOT_UUID)),
        ("home", 400 * GIB, file_system("ext4", HOME_UUID)),
        ("swap", 8 * GIB, file_system("swap", SWAP_UUID)),
    )
    uuid = "LVM-3Kd0XfW2hZ8nQ1vTzR7sLmJpYcBaGeHu"
    on = tuple(
        _mapped(n, f"vg0-{name}", f"{uuid}{name:0>32}", "lvm", size, fs)
        for n, (name, size, fs) in enumerate(volumes)
    )
    source = sata(
        "a",
        "WD-WCC6Y1LVM001",
        part(1, MIB, BIOS_BOOT),
        BOOT,
        part(3, 929 * GIB, LVM, file_system("LVM2_member", PV_UUID), *on),
    )
    root, _, home, *_ = SOURCE_MOUNTS
    machine = openrc_bios(
        devices=(source, BLANK),
        mounted=(
            replace(root, source="/dev/mapper/vg0-root", number="253:0"),
            BOOT_MOUNT,
            replace(home, source="/dev/mapper/vg0-home", number="253:1"),
        ),
        programs=(*TOOLS, "lvm"),
    )
    machine.files |= {
        "/proc/cmdline": CMDLINE.replace("quiet", "rd.lvm.vg=vg0 quiet"),
        "/proc/swaps": swaps(("/dev/dm-2", "partition", 8388604)),
        "/etc/fstab": f"UUID={BOOT_UUID} /boot ext4 noatime 0 2\n"
        "/dev/vg0/root / ext4 noatime 0 1\n/dev/vg0/home /home ext4 noatime 0 2\n"
        "/dev/vg0/swap none swap sw 0 0\n",
    }
    return machine


def luks() -> Machine:
    """An encrypted root; /boot is not. What hibernated there is on the swap."""
    luks_uuid = "5b0d9c1e-44aa-4a0b-8e47-6a3c2d1f0e55"
    opened = _mapped(
        0,
        "luks-root",
        f"CRYPT-LUKS2-{luks_uuid.replace('-', '')}-luks-root",
        "crypt",
        910 * GIB,
        file_system("ext4", ROOT_UUID),
    )
    source = sata(
        "a",
        "WD-WCC6Y1LUK001",
        part(1, MIB, BIOS_BOOT),
        BOOT,
        part(3, 16 * GIB, SWAP, file_system("swsuspend", SWAP_UUID)),
        part(4, 911 * GIB, LINUX, file_system("crypto_LUKS", luks_uuid), opened),
    )
    machine = openrc_bios(
        devices=(source, BLANK),
        mounted=(
            replace(SOURCE_MOUNTS[0], source="/dev/mapper/luks-root", number="253:0"),
            BOOT_MOUNT,
        ),
        programs=(*TOOLS, "cryptsetup"),
    )
    machine.files |= {
        "/proc/cmdline": CMDLINE.replace(
            "quiet", f"rd.luks.uuid={luks_uuid} resume=UUID={SWAP_UUID} quiet"
        ),
        "/proc/swaps": swaps(),
        "/etc/fstab": f"UUID={BOOT_UUID} /boot ext4 noatime 0 2\n"
        "/dev/mapper/luks-root / ext4 noatime 0 1\n",
    }
    return machine


def btrfs_root() -> Machine:
    """Root and /home are subvolumes of one btrfs."""
    source = sata(
        "a",
        "WD-WCC6Y1BTR001",
        part(1, MIB, BIOS_BOOT),
        BOOT,
        part(3, 929 * GIB, LINUX, file_system("btrfs", ROOT_UUID, "gentoo")),
    )
    volume = Mounted(
        target="/",
        source="/dev/sda3",
        fs_type="btrfs",
        number="0:23",
        root="/@",
        options="rw,noatime",
        own="rw,compress=zstd:3,space_cache=v2,subvolid=256,subvol=/@",
        size=929 * GIB,
        used=214 * GIB,
    )
    machine = openrc_bios(
        devices=(source, BLANK),
        mounted=(
            volume,
            BOOT_MOUNT,
            replace(
                volume,
                target="/home",
                number="0:41",
                root="/@home",
                own=volume.own.replace("256,subvol=/@", "257,subvol=/@home"),
            ),
        ),
        programs=(*TOOLS, "btrfs"),
    )
    machine.links["/dev/sda3"] = "/dev/sda3"
    machine.files |= {
        "/proc/cmdline": CMDLINE.replace("quiet", "rootflags=subvol=@ quiet"),
        "/proc/swaps": swaps(),
        "/etc/fstab": f"UUID={BOOT_UUID} /boot ext4 noatime 0 2\n"
        f"UUID={ROOT_UUID} / btrfs noatime,compress=zstd,subvol=@ 0 0\n"
        f"UUID={ROOT_UUID} /home btrfs noatime,compress=zstd,subvol=@home 0 0\n",
    }
    return machine


def _array(minor: int, name: str, size: int, fs: dict) -> Device:
    uuid = f"9c3f7a10:5d2e4b6a:81f0c2d4:7e6b5a{minor:02x}"
    return stacked(
        f"md{minor}",
        f"md{minor}",
        "raid1",
        size,
        number=f"9:{minor}",
        fs=fs,
        rota=True,
        links=(
            f"/dev/disk/by-id/md-name-larry:{name}",
            f"/dev/disk/by-id/md-uuid-{uuid}",
            f"/dev/md/{name}",
        ),
        **{"phy-sec": 4096},
    )


def md_root() -> Machine:
    """Root and /boot are mirrors over two disks; a third one is blank."""
    boot = _array(126, "boot", GIB - MIB, file_system("ext4", BOOT_UUID))
    root = _array(127, "root", 922 * GIB, file_system("ext4", ROOT_UUID))
    members = [
        sata(
            letter,
            serial,
            part(1, MIB, BIOS_BOOT),
            part(2, GIB, RAID, file_system("linux_raid_member", uuid1), boot),
            part(3, 923 * GIB, RAID, file_system("linux_raid_member", uuid2), root),
        )
        for letter, serial, uuid1, uuid2 in (
            ("a", "WD-WCC6Y1MDA001", BOOT_UUID, HOME_UUID),
            ("b", "WD-WCC6Y1MDB002", BOOT_UUID, HOME_UUID),
        )
    ]
    machine = openrc_bios(
        devices=(*members, sata("c", "WD-WCC6Y1MDC003")),
        mounted=(
            replace(SOURCE_MOUNTS[0], source="/dev/md127", number="9:127"),
            replace(BOOT_MOUNT, source="/dev/md126", number="9:126"),
        ),
    )
    machine.files |= {
        "/proc/swaps": swaps(),
        "/etc/mdadm.conf": "ARRAY /dev/md/boot metadata=1.0 name=larry:boot\n"
        "ARRAY /dev/md/root metadata=1.2 name=larry:root\n",
        "/etc/fstab": f"UUID={BOOT_UUID} /boot ext4 noatime 0 2\n"
        f"UUID={ROOT_UUID} / ext4 noatime 0 1\n",
    }
    return machine

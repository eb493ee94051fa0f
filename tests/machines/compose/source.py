"""The machine that is supported first, which most others are variations of."""

from tests.machines.compose import kernels
from tests.machines.compose.devices import (
    BIOS_BOOT,
    GIB,
    LINUX,
    MIB,
    SWAP,
    Device,
    disk,
    file_system,
    hash_text,
    part,
)
from tests.machines.compose.machine import Machine, Mounted
from tests.machines.compose.portage import INSTALLED, Gentoo
from tests.machines.compose.system import (
    DIST,
    TOOLS,
    gentoo_files,
    kernel_files,
    modinfo,
    openrc,
    swaps,
)

TB = 1000204886016
BOOT_UUID = "6d1c8f4e-03b7-4a55-9d0c-2f1f2a7f9e11"
SWAP_UUID = "0f7a3bd2-5a0e-4f26-8f0b-3b8b7d5f6c22"
ROOT_UUID = "b2f3c1de-7c66-4d55-a1f5-8f2f9f1d3c33"
HOME_UUID = "e4a8d7b1-12f0-4c0e-9f4e-7a6b5c4d3e44"
BUILT = "#1 SMP PREEMPT_DYNAMIC Sat Nov 15 09:12:44 -00 2025"
CMDLINE = f"BOOT_IMAGE=/vmlinuz-{DIST} root=UUID={ROOT_UUID} ro quiet\n"


def sata(letter: str, serial: str, *parts: dict, size: int = TB, **more) -> Device:
    """Return a 3.5-inch SATA disk of 512-byte logical, 4K physical sectors."""
    index = ord(letter) - ord("a")
    wwn = f"0x50014ee2{index:x}{hash_text(serial) & 0xFFFFFFF:07x}"
    return disk(
        f"sd{letter}",
        size,
        *parts,
        number=f"8:{16 * index}",
        serial=serial,
        model="WDC WD10EZEX-08WN4A0",
        by_id=(f"ata-WDC_WD10EZEX-08WN4A0_{serial}", f"wwn-{wwn}"),
        by_path=f"pci-0000:00:17.0-ata-{index + 1}.0",
        wwn=wwn,
        tran="sata",
        rota=True,
        **{"phy-sec": 4096, **more},
    )


def nvme(index: int, serial: str, *parts: dict, sector: int = 512) -> Device:
    """Return an NVMe disk."""
    eui = f"eui.002538b{index}21b0{serial[-4:].lower()}"
    name = f"nvme-Samsung_SSD_980_PRO_1TB_{serial}"
    return disk(
        f"nvme{index}n1",
        TB,
        *parts,
        number=f"259:{index * 8}",
        serial=serial,
        model="Samsung SSD 980 PRO 1TB",
        by_id=(f"nvme-{eui}", name, f"{name}_1"),
        by_path=f"pci-0000:0{index + 1}:00.0-nvme-1",
        wwn=eui,
        tran="nvme",
        **{"phy-sec": 4096, "log-sec": sector},
    )


def source_disk(letter: str = "a", serial: str = "WD-WCC6Y1ABC001") -> Device:
    """Return the disk of the machine that is supported first: BIOS, GPT, ext2, ext4."""
    return sata(
        letter,
        serial,
        part(1, MIB, BIOS_BOOT),
        part(2, GIB, LINUX, file_system("ext2", BOOT_UUID, "boot")),
        part(3, 8 * GIB, SWAP, file_system("swap", SWAP_UUID)),
        part(4, 120 * GIB, LINUX, file_system("ext4", ROOT_UUID, "root")),
        part(5, 802 * GIB, LINUX, file_system("ext4", HOME_UUID, "home")),
    )


SOURCE_MOUNTS = (
    Mounted(
        target="/",
        source="/dev/sda4",
        fs_type="ext4",
        number="8:4",
        options="rw,noatime",
        size=117 * GIB,
        used=31 * GIB + 4096 * 1733,
        files=913_402,
    ),
    Mounted(
        target="/boot",
        source="/dev/sda2",
        fs_type="ext2",
        number="8:2",
        options="rw,noatime",
        size=GIB,
        used=182 * MIB,
        files=341,
    ),
    Mounted(
        target="/home",
        source="/dev/sda5",
        fs_type="ext4",
        number="8:5",
        options="rw,noatime",
        size=788 * GIB,
        used=204 * GIB,
        files=402_117,
    ),
    Mounted(
        target="/var/tmp/portage",
        source="tmpfs",
        fs_type="tmpfs",
        number="0:44",
        options="rw,nosuid,nodev,noatime",
        own="rw,size=8388608k,mode=775,uid=250,gid=250,inode64",
    ),
)
SOURCE_FSTAB = f"""\
# /etc/fstab: static file system information.
#
# <fs>\t\t\t<mountpoint>\t<type>\t\t<opts>\t\t<dump> <pass>
UUID={BOOT_UUID}\t/boot\text2\tnoatime\t0 2
UUID={ROOT_UUID}\t/\text4\tnoatime\t0 1
UUID={HOME_UUID}\t/home\text4\tnoatime\t0 2
UUID={SWAP_UUID}\tnone\tswap\tsw\t0 0
tmpfs\t/var/tmp/portage\ttmpfs\tsize=8G,uid=portage,gid=portage,mode=775,noatime\t0 0
LABEL=my\\040stick\t/mnt/my\\040stick\tvfat\tnoauto,users
"""


def openrc_bios(**changes) -> Machine:
    """The machine that is supported first, with a blank disk of the same size."""
    settings = {
        "devices": (source_disk(), sata("b", "WD-WCC6Y1ABC002")),
        "mounted": SOURCE_MOUNTS,
        "files": gentoo_files(
            etc__fstab=SOURCE_FSTAB,
            proc__cmdline=CMDLINE,
            proc__swaps=swaps(("/dev/sda3", "partition", 8388604)),
            run__openrc__softlevel="default\n",
            sys__module__zfs__version="2.3.6-r0-gentoo\n",
        )
        | kernels.image(DIST, f"/boot/vmlinuz-{DIST}", BUILT)
        | kernels.made(DIST)
        | kernels.unlocked(),
        "links": kernels.sources(DIST),
        "configs": {
            f"/boot/config-{release}": kernels.DIST_CONFIG
            for release in (DIST, "6.12.47-gentoo-dist")
        },
        "directories": {
            **openrc(),
            **kernel_files(DIST, "6.12.47-gentoo-dist"),
        },
        "programs": (*TOOLS, "equery"),
        "modules": {
            DIST: modinfo(DIST, "2.3.6-r0-gentoo"),
            "6.12.47-gentoo-dist": modinfo("6.12.47-gentoo-dist", None),
        },
        "zfs": "zfs-2.3.6-r0-gentoo\nzfs-kmod-2.3.6-r0-gentoo\n",
        "zpool_list": "",
        "portage": Gentoo(installed=(*INSTALLED, "app-portage/gentoolkit-0.7.2")),
    }
    return Machine(**{**settings, **changes})


def openrc_bios_user() -> Machine:
    """The same as an ordinary user sees it: no signatures, nothing can be written."""
    return openrc_bios(root=False, portage=Gentoo(updates=None))

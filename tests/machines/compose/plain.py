"""Other machines with ordinary partitions."""

from tests.machines.compose import kernels
from tests.machines.compose.devices import (
    BIOS_BOOT,
    ESP,
    GIB,
    LINUX,
    MIB,
    SWAP,
    file_system,
    part,
)
from tests.machines.compose.machine import Machine, Mounted
from tests.machines.compose.portage import Gentoo, without
from tests.machines.compose.source import (
    BOOT_UUID,
    ROOT_UUID,
    SWAP_UUID,
    TB,
    nvme,
    openrc_bios,
    sata,
    source_disk,
)
from tests.machines.compose.system import (
    DIST,
    TOOLS,
    kernel_files,
    modinfo,
    openrc,
    swaps,
)

EFIVARS = "/sys/firmware/efi/efivars"
SECURE_BOOT = f"{EFIVARS}/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
LOADER_INFO = f"{EFIVARS}/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"

# a kernel that the user has configured
OWN = "6.12.58-gentoo"
DIST_PACKAGES = (
    *("sys-fs/zfs", "sys-fs/zfs-kmod"),
    *("sys-kernel/gentoo-kernel", "virtual/dist-kernel"),
)


def openrc_bios_nvme() -> Machine:
    """Two NVMe disks, /boot inside the root, a swap file, hostid, an own kernel."""
    root = Mounted(
        target="/",
        source="/dev/nvme0n1p2",
        fs_type="ext4",
        number="259:2",
        options="rw,relatime",
        size=915 * GIB,
        used=88 * GIB,
        files=1_204_511,
    )
    machine = openrc_bios(
        devices=(
            nvme(
                0,
                "S5GXNX0R100001A",
                part(1, 2 * MIB, BIOS_BOOT),
                part(2, TB - 4 * MIB, LINUX, file_system("ext4", ROOT_UUID)),
            ),
            nvme(1, "S5GXNX0R100002B"),
        ),
        mounted=(root,),
        programs=(*TOOLS, "genkernel"),
        modules={OWN: modinfo(OWN, "2.4.3-r0-gentoo")},
        directories={**openrc(), **kernel_files(OWN)},
        links=kernels.sources(OWN),
        configs={f"/boot/config-{OWN}": kernels.OWN_CONFIG},
        zpool_list=None,
        zfs="zfs-2.4.3-r0-gentoo\n",
        portage=Gentoo(
            installed=(
                *without(*DIST_PACKAGES),
                *("sys-fs/zfs-2.4.3", "sys-kernel/genkernel-4.3.17"),
                "sys-kernel/gentoo-sources-6.12.58",
            ),
            use=("dracut", "grub"),
        ),
    )
    del machine.files["/sys/module/zfs/version"]
    machine.files |= {
        **kernels.made(OWN),
        "/proc/sys/kernel/osrelease": f"{OWN}\n",
        "/proc/cmdline": f"BOOT_IMAGE=/boot/vmlinuz-{OWN} root=UUID={ROOT_UUID} ro\n",
        "/etc/fstab": f"UUID={ROOT_UUID} / ext4 defaults 0 1\n/swapfile none swap sw\n",
        "/etc/hostid": "\x9a\x3f\x27\x01".encode("latin-1").decode(
            "utf-8", "surrogateescape"
        ),
        "/proc/swaps": swaps(("/swapfile", "file", 4194300)),
    }
    return machine


def systemd_uefi() -> Machine:
    """UEFI with systemd-boot and an ESP on /efi, files as kernel-install puts them."""
    token = "8c1d4f0e6a5b4c3d9e2f1a0b7c6d5e4f"
    boot = f"/efi/{token}"
    mounted = (
        Mounted(
            target="/",
            source="/dev/nvme0n1p3",
            fs_type="ext4",
            number="259:3",
            size=900 * GIB,
            used=61 * GIB,
            files=801_221,
        ),
        Mounted(
            target="/efi",
            source="/dev/nvme0n1p1",
            fs_type="vfat",
            number="259:1",
            own="rw,fmask=0077,dmask=0077,codepage=437,errors=remount-ro",
            size=GIB,
            used=140 * MIB,
        ),
        Mounted(
            target="/sys/firmware/efi/efivars",
            source="efivarfs",
            fs_type="efivarfs",
            number="0:33",
        ),
    )
    machine = openrc_bios(
        devices=(
            nvme(
                0,
                "S5GXNX0R200001C",
                part(1, GIB, ESP, file_system("vfat", "3B1A-7F2C", "ESP")),
                part(2, 16 * GIB, SWAP, file_system("swap", SWAP_UUID)),
                part(3, 914 * GIB, LINUX, file_system("ext4", ROOT_UUID)),
            ),
            nvme(1, "S5GXNX0R200002D"),
        ),
        mounted=mounted,
        directories={
            **kernel_files(DIST),
            "/boot": (),
            boot: (DIST,),
            f"{boot}/{DIST}": ("initrd", "linux"),
            "/sys/firmware/efi": ("efivars", "fw_platform_size"),
            "/run/systemd/system": (),
            "/etc/init.d": ("functions.sh",),
        },
        modules={DIST: modinfo(DIST, "2.4.3-r0-gentoo", "builtin")},
        programs=(
            *(t for t in TOOLS if not t.startswith(("rc-", "grub-"))),
            *("systemctl", "bootctl", "efibootmgr", "ugrd"),
        ),
        zfs="zfs-2.4.3-r0-gentoo\nzfs-kmod-2.4.3-r0-gentoo\n",
        portage=Gentoo(
            installed=(
                *without("sys-boot/grub", "sys-fs/zfs", "sys-fs/zfs-kmod"),
                *("sys-apps/systemd-257.9", "sys-fs/zfs-2.4.3"),
            ),
            use=("dist-kernel", "boot", "systemd", "systemd-boot", "ugrd"),
            platforms=(),
            profile="default/linux/amd64/23.0/systemd",
        ),
    )
    del machine.files["/run/openrc/softlevel"]
    del machine.files["/etc/default/grub"]
    config = f"/lib/modules/{DIST}/config"
    machine.configs = {config: kernels.DIST_CONFIG}
    machine.links[config] = f"/usr/src/linux-{DIST}/.config"
    machine.directories["/run/systemd/system"] = ("service.d",)
    machine.files |= {
        "/etc/machine-id": f"{token}\n",
        SECURE_BOOT: "\x06\0\0\0\0",
        LOADER_INFO: "\x06\0\0\0" + "systemd-boot 257.9\0".encode("utf-16-le").decode(),
        "/sys/module/zfs/version": "2.4.3-r0-gentoo\n",
        "/etc/fstab": "",
        "/proc/cmdline": f"initrd=\\{token}\\{DIST}\\initrd root=UUID={ROOT_UUID} rw\n",
        "/proc/swaps": swaps(("/dev/nvme0n1p2", "partition", 16777212)),
    }
    return machine


def raidz() -> Machine:
    """Three blank small disks besides the one that the system is on."""
    small = [
        sata(letter, f"WD-WXA1A00SML{n}", size=120034123776)
        for n, letter in enumerate("bcd", start=1)
    ]
    return openrc_bios(devices=(source_disk(), *small))


def split_usr() -> Machine:
    """An old machine: DOS table, /bin apart from /usr/bin, tree in /usr/portage."""
    release = "6.1.118-gentoo"
    mounted = (
        Mounted(
            target="/",
            source="/dev/sda3",
            fs_type="ext4",
            number="8:3",
            options="rw,noatime",
            size=57 * GIB,
            used=23 * GIB,
            files=611_870,
        ),
    )
    names = kernel_files(release)
    names["/boot"] = (
        *("System.map-genkernel-x86_64-6.1.118-gentoo", "grub"),
        "initramfs-genkernel-x86_64-6.1.118-gentoo",
        "kernel-genkernel-x86_64-6.1.118-gentoo",
    )
    machine = openrc_bios(
        devices=(
            sata(
                "a",
                "WD-WMAV2OLD0001",
                part(1, 100 * MIB, "0x83", file_system("ext2", BOOT_UUID)),
                part(2, 2 * GIB, "0x82", file_system("swap", SWAP_UUID)),
                part(3, 58 * GIB, "0x83", file_system("ext4", ROOT_UUID)),
                size=64023257088,
                table="dos",
                **{"phy-sec": 512},
            ),
            sata("b", "WD-WMAV2OLD0002", size=64023257088, **{"phy-sec": 512}),
        ),
        mounted=mounted,
        merged_usr=False,
        directories={
            **openrc("device-mapper"),
            **names,
        },
        programs=(*(t for t in TOOLS if t not in ("dracut", "lsinitrd")), "genkernel"),
        modules={release: modinfo(release, "2.2.8-r0-gentoo")},
        zfs="zfs-2.2.8-r0-gentoo\nzfs-kmod-2.2.8-r0-gentoo\n",
        portage=Gentoo(
            installed=(
                *("sys-fs/zfs-2.2.8", "sys-fs/zfs-kmod-2.2.8"),
                *("sys-boot/grub-2.12-r4", "sys-kernel/genkernel-4.3.16"),
                "sys-kernel/gentoo-sources-6.1.118",
            ),
            use=(),
            kind="file",
            profile="default/linux/amd64/17.1",
            repository="/usr/portage",
            distdir="/usr/portage/distfiles",
            pkgdir="/usr/portage/packages",
            version="3.0.65",
        ),
    )
    machine.links |= {
        "/usr/portage": "/usr/portage",
        "/proc/config.gz": "/proc/config.gz",
        **kernels.sources(release, built=False),
    }
    machine.configs = {
        "/proc/config.gz": kernels.OWN_CONFIG,
        "/usr/src/linux/Makefile": kernels.makefile(release),
        "/usr/src/linux/.config": kernels.OWN_CONFIG,
    }
    for path in (*kernels.made(release), *kernels.unlocked()):
        del machine.files[path]
    machine.links["/sys/module"] = "/sys/module"
    del machine.links["/usr/src/linux/Module.symvers"]
    machine.files |= {
        "/proc/sys/kernel/osrelease": f"{release}\n",
        "/sys/module/zfs/version": "2.2.8-r0-gentoo\n",
        "/proc/cmdline": "BOOT_IMAGE=/kernel-genkernel-x86_64-6.1.118-gentoo "
        f"root=UUID={ROOT_UUID} ro\n",
        "/proc/swaps": swaps(("/dev/sda2", "partition", 2097148)),
        "/etc/fstab": "/dev/sda1\t/boot\text2\tnoauto,noatime\t1 2\n"
        "/dev/sda3\t/\text4\tnoatime\t0 1\n/dev/sda2\tnone\tswap\tsw\t0 0\n",
    }
    return machine

"""Machines of many kinds on which everything is in order, built on the ready one.

Two kinds are refused by this version whatever else is right with them: those that
systemd runs and those that UEFI starts. They are here with that as the only word.
"""

from dataclasses import dataclass, replace

from tests.unit.checks.machines import (
    FSTAB,
    GIB,
    MIB,
    NEW,
    base,
    device,
    devices,
    kernel,
    mount,
    mounts,
    partition,
    storage,
)
from tests.unit.checks.packages import (
    KMOD_IUSE,
    KMOD_PACKAGE,
    KMOD_USE,
    PACKAGES,
    WHOLE_IUSE,
    WHOLE_USE,
    ZFS_IUSE,
    ZFS_PACKAGE,
    plain_package,
)
from zfs_root_migrate.config import Config
from zfs_root_migrate.model import (
    Facts,
    Firmware,
    FstabLine,
    Generator,
    Init,
    Installed,
    Package,
)

NEWEST_KERNEL = {"2.2.10": "6.17", "2.3.8": "7.0", "2.4.3": "7.0"}
ESP = partition(5, 512 * MIB, "vfat")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a clean machine is like; the defaults are the ready machine's."""

    init: Init = Init.OPENRC
    firmware: Firmware = Firmware.BIOS
    zfs: str = "2.3.8"
    kernel: str = "6.12.31-gentoo"
    dist_kernel: bool = False
    merged_usr: bool = True
    profile: str = "default/linux/amd64/23.0"
    home: bool = False
    genkernel: bool = False
    config: Config = Config(target=(NEW,))  # noqa: RUF009 - frozen

    @property
    def refused(self) -> set[str]:
        """The keys of what this version does not migrate yet."""
        found = {"init-systemd"} if self.init is Init.SYSTEMD else set()
        return found | (
            {"firmware-uefi"} if self.firmware is Firmware.UEFI else set[str]()
        )

    def facts(self) -> Facts:
        """Return the machine."""
        facts = _with_packages(self, _with_kernel(self, base()))
        if self.firmware is Firmware.UEFI:
            facts = _started_by_uefi(facts)
        if self.home:
            facts = _with_home(facts)
        if self.init is Init.SYSTEMD:
            system = replace(facts.system, init=self.init, runlevels=(), services=())
            facts = replace(facts, system=system)
        version = f"{self.zfs}-r0-gentoo"
        return replace(
            facts,
            system=replace(
                facts.system,
                merged_usr=self.merged_usr,
                zfs_userland=version,
                zfs_module=version,
            ),
        )


def _with_kernel(kind: Kind, facts: Facts) -> Facts:
    release = f"{kind.kernel}-dist" if kind.dist_kernel else kind.kernel
    config = f"/lib/modules/{release}/config" if kind.dist_kernel else None
    mine = kernel(release)
    generators = (Generator.DRACUT, *([Generator.GENKERNEL] * kind.genkernel))
    return replace(
        facts,
        boot=replace(
            facts.boot,
            running_kernel=release,
            running_version=mine.image_version,
            cmdline=f"BOOT_IMAGE=/vmlinuz-{release} root=/dev/vda4 ro",
            kernels=(
                replace(
                    mine,
                    zfs_version=f"{kind.zfs}-r0-gentoo",
                    config=config or mine.config,
                ),
            ),
            generators=generators,
            sources=f"/usr/src/linux-{release}",
            sources_release=release,
        ),
    )


def _with_packages(kind: Kind, facts: Facts) -> Facts:
    """Install what belongs to the kind, and nothing that belongs to another."""
    mine = {package.name: package for package in _packages(kind)}
    packages = tuple(mine.get(package.name, package) for package in PACKAGES)
    portage = replace(facts.portage, packages=packages, profile=kind.profile)
    return replace(facts, portage=portage)


def _packages(kind: Kind) -> tuple[Package, ...]:
    dist = ("dist-kernel",) if kind.dist_kernel else ()
    whole = kind.zfs >= "2.4"
    zfs = Installed(
        cpv=f"sys-fs/zfs-{kind.zfs}",
        use=(*dist, *(WHOLE_USE if whole else ("rootfs",))),
        iuse=WHOLE_IUSE if whole else ZFS_IUSE,
        linux_max=NEWEST_KERNEL[kind.zfs] if whole else None,
    )
    kmod = Installed(
        cpv=f"sys-fs/zfs-kmod-{kind.zfs}",
        use=(*dist, *KMOD_USE),
        iuse=KMOD_IUSE,
        linux_max=NEWEST_KERNEL[kind.zfs],
    )
    platform = "efi-64" if kind.firmware is Firmware.UEFI else "pc"
    sources = "sys-kernel/gentoo-sources"
    version = kind.kernel.partition("-")[0]
    return (
        replace(ZFS_PACKAGE, installed=(zfs,)),
        replace(KMOD_PACKAGE, installed=() if whole else (kmod,)),
        plain_package("sys-boot/grub-2.12", f"grub_platforms_{platform}"),
        *(
            (
                Package(name=sources),
                plain_package(f"sys-kernel/gentoo-kernel-bin-{version}"),
                plain_package(f"virtual/dist-kernel-{version}"),
            )
            if kind.dist_kernel
            else (plain_package(f"{sources}-{version}"),)
        ),
        *(
            (
                Package(name="sys-apps/openrc"),
                plain_package("sys-apps/systemd-258.1"),
            )
            if kind.init is Init.SYSTEMD
            else ()
        ),
    )


def _started_by_uefi(facts: Facts) -> Facts:
    facts = devices(ESP)(facts)
    facts = mounts(mount("/boot/efi", ESP.name, "vfat"))(facts)
    boot = replace(
        facts.boot, firmware=Firmware.UEFI, grub_platforms=("x86_64-efi",)
    )
    return replace(facts, boot=boot)


def _with_home(facts: Facts) -> Facts:
    home = partition(6, 9 * GIB, "xfs")
    line = FstabLine(
        spec=f"UUID={home.fs_uuid}", file="/home", fs_type="xfs", options="noatime"
    )
    facts = device("vda4", size=28 * GIB)(devices(home)(facts))
    facts = mounts(mount("/home", home.name, "xfs"))(facts)
    return storage(fstab=(*FSTAB, line))(facts)


_SYSTEMD, _UEFI = Init.SYSTEMD, Firmware.UEFI
_OLD, _SPLIT = "default/linux/amd64/17.1", "default/linux/amd64/23.0/split-usr"

CLEAN = {
    "OpenRC, BIOS, 2.2, own kernel": Kind(zfs="2.2.10"),
    "OpenRC, BIOS, 2.3, own kernel": Kind(),
    "OpenRC, BIOS, 2.4, own kernel": Kind(zfs="2.4.3"),
    "OpenRC, BIOS, 2.2, dist-kernel": Kind(zfs="2.2.10", dist_kernel=True),
    "OpenRC, BIOS, 2.3, dist-kernel": Kind(dist_kernel=True),
    "OpenRC, BIOS, 2.4, dist-kernel": Kind(zfs="2.4.3", dist_kernel=True),
    "OpenRC, BIOS, split usr": Kind(merged_usr=False, profile=_SPLIT),
    "OpenRC, BIOS, split usr, 2.4, dist-kernel": Kind(
        merged_usr=False, profile=_SPLIT, zfs="2.4.3", dist_kernel=True
    ),
    "OpenRC, BIOS, old profile, 2.2": Kind(
        merged_usr=False, profile=_OLD, zfs="2.2.10", kernel="6.6.88-gentoo"
    ),
    "OpenRC, BIOS, newest kernel": Kind(zfs="2.4.3", kernel="7.0.12-gentoo"),
    "OpenRC, BIOS, /home, genkernel": Kind(home=True, genkernel=True),
    "OpenRC, BIOS, boot environments": Kind(
        config=Config(target=(NEW,), layout="boot-environments", pool="tank")
    ),
    "OpenRC, UEFI, 2.3": Kind(firmware=_UEFI),
    "OpenRC, UEFI, 2.4, dist-kernel": Kind(
        firmware=_UEFI, zfs="2.4.3", dist_kernel=True
    ),
    "systemd, BIOS, 2.3": Kind(init=_SYSTEMD, profile=_OLD + "/systemd"),
    "systemd, UEFI, 2.4, dist-kernel": Kind(
        init=_SYSTEMD,
        firmware=_UEFI,
        zfs="2.4.3",
        dist_kernel=True,
        profile="default/linux/amd64/23.0/systemd",
    ),
    "systemd, UEFI, 2.2, own kernel, /home": Kind(
        init=_SYSTEMD, firmware=_UEFI, zfs="2.2.10", home=True
    ),
}

"""The packages of the ready machine: ZFS 2.3 with its module apart, an own kernel.

What the repositories offer is what Gentoo had in August 2026, in short.
"""

from dataclasses import replace
from typing import Any

from zfs_root_migrate.model import Ebuild, Installed, Package
from zfs_root_migrate.zfs_versions import version_of

# the flags of real ebuilds, as far as they matter here
ZFS_IUSE = ("debug", "dist-kernel", "minimal", "python", "+rootfs")
KMOD_IUSE = (
    *("debug", "dist-kernel", "+dist-kernel-cap", "+initramfs"),
    *("modules-sign", "+rootfs", "+strip"),
)
WHOLE_IUSE = (*ZFS_IUSE, "+dist-kernel-cap", "+initramfs", "+modules", "modules-sign")
KMOD_USE = ("dist-kernel-cap", "initramfs", "rootfs", "strip")
# the oldest kernel of all versions that are offered
OLDEST = "4.18"
WHOLE_USE = ("dist-kernel-cap", "initramfs", "modules", "rootfs")


def zfs_ebuild(version: str, linux_max: str | None = None, **fields: Any) -> Ebuild:  # noqa: ANN401
    """Return sys-fs/zfs; from 2.4 on, and with a maximum, it carries the module."""
    whole = linux_max is not None
    return Ebuild(
        cpv=f"sys-fs/zfs-{version}",
        linux_min=OLDEST if whole else None,
        linux_max=linux_max,
        **(
            {
                "use": WHOLE_USE if whole else ("rootfs",),
                "iuse": WHOLE_IUSE if whole else ZFS_IUSE,
            }
            | fields
        ),
    )


def kmod_ebuild(version: str, linux_max: str, **fields: Any) -> Ebuild:  # noqa: ANN401
    """Return sys-fs/zfs-kmod."""
    return Ebuild(
        cpv=f"sys-fs/zfs-kmod-{version}",
        linux_max=linux_max,
        **({"linux_min": OLDEST} | fields),
        use=KMOD_USE,
        iuse=KMOD_IUSE,
    )


TESTING: dict[str, Any] = {
    "obstacles": ("~amd64 keyword",),
    "keyword": "~amd64",
}
LIVE: dict[str, Any] = {
    "obstacles": ("missing keyword",),
    "keyword": "**",
    "live": True,
}
ZFS_PACKAGE = Package(
    name="sys-fs/zfs",
    installed=(
        Installed(cpv="sys-fs/zfs-2.3.4", slot="0/6", use=("rootfs",), iuse=ZFS_IUSE),
    ),
    candidate="sys-fs/zfs-2.4.3",
    ebuilds=(
        zfs_ebuild("2.2.10", **TESTING),
        zfs_ebuild("2.3.4"),
        zfs_ebuild("2.3.8", **TESTING),
        zfs_ebuild("2.4.3", "7.0"),
        zfs_ebuild("9999", "7.0", **LIVE),
    ),
)
KMOD_PACKAGE = Package(
    name="sys-fs/zfs-kmod",
    installed=(
        Installed(
            cpv="sys-fs/zfs-kmod-2.3.4",
            use=KMOD_USE,
            iuse=KMOD_IUSE,
            linux_min=OLDEST,
            linux_max="6.16",
        ),
    ),
    candidate="sys-fs/zfs-kmod-2.3.4",
    ebuilds=(
        kmod_ebuild("2.2.10", "6.17", **TESTING),
        kmod_ebuild("2.3.4", "6.16"),
        kmod_ebuild("2.3.8", "7.0", **TESTING),
    ),
)


def plain_package(cpv: str, *flags: str) -> Package:
    """Return a package that is installed, up to date, and has these flags on."""
    name = cpv.removesuffix(f"-{version_of(cpv)}")
    return Package(
        name=name,
        installed=(Installed(cpv=cpv, use=flags, iuse=flags),),
        candidate=cpv,
        ebuilds=(Ebuild(cpv=cpv, use=flags, iuse=flags),),
    )


def offered(cpv: str, *flags: str) -> Package:
    """Return a package that is not installed and could be."""
    return replace(plain_package(cpv, *flags), installed=())


PACKAGES = (
    *(ZFS_PACKAGE, KMOD_PACKAGE),
    plain_package("sys-fs/mdadm-4.4"),
    plain_package("sys-boot/grub-2.12", "grub_platforms_pc"),
    plain_package("sys-kernel/dracut-110"),
    plain_package("sys-kernel/installkernel-68", "dracut", "grub"),
    plain_package("sys-kernel/gentoo-sources-6.12.31"),
    plain_package("net-misc/rsync-3.4.1"),
    plain_package("sys-apps/util-linux-2.41.3"),
    plain_package("sys-apps/coreutils-9.9-r1"),
    plain_package("sys-apps/diffutils-3.12"),
    plain_package("sys-apps/kmod-34.2"),
    plain_package("sys-fs/e2fsprogs-1.47.3"),
    plain_package("sys-apps/openrc-0.63"),
    *(Package(name=f"sys-kernel/{name}") for name in ("genkernel", "ugrd")),
    *(offered(f"sys-kernel/gentoo-kernel{end}-6.12.31") for end in ("", "-bin")),
    *(Package(name=name) for name in ("virtual/dist-kernel", "sys-apps/systemd")),
    offered("dev-vcs/git-2.52.0"),
    Package(name="app-portage/gentoolkit"),
)

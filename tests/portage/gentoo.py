"""Ebuilds as ::gentoo has them: keywords, flags, licences, slots, kernel limits.

Measured in 2026-08; no eclasses, as all that is asked is in the metadata cache.
"""

from dataclasses import dataclass
from pathlib import Path

ARCH = "amd64"
HEADER = "# Distributed under the terms of the GNU General Public License v2\n"


@dataclass(frozen=True, kw_only=True)
class Ebuild:
    """An ebuild; ebuilds of kernel modules set `kernel_min` and `kernel_max`.

    `body` is shell.
    """

    cpv: str
    keywords: str = "amd64 ~arm64"
    iuse: str = ""
    licence: str = "GPL-2"
    slot: str = "0"
    rdepend: str = ""
    properties: str = ""
    kernel_min: str = ""
    kernel_max: str = ""
    body: str = ""

    @property
    def place(self) -> Path:
        """Where it lies in a repository."""
        category, package = package_of(self.cpv).split("/")
        return Path(category, package, f"{self.cpv.partition('/')[2]}.ebuild")

    @property
    def text(self) -> str:
        """What it holds."""
        fields = {"EAPI": "8", "DESCRIPTION": f"{self.cpv} of the tests"}
        fields |= self.metadata
        lines = "".join(f'{name}="{value}"\n' for name, value in fields.items())
        limits = "".join(f"{name}={kernel}\n" for name, kernel in self.limits.items())
        return f"{HEADER}\n{lines}{limits}{self.body}"

    @property
    def limits(self) -> dict[str, str]:
        """The variables that say for which kernels it is."""
        limits = {"MIN": self.kernel_min, "MAX": self.kernel_max}
        return {f"MODULES_KERNEL_{end}": at for end, at in limits.items() if at}

    @property
    def metadata(self) -> dict[str, str]:
        """What Portage's metadata cache says of it."""
        return {
            "SLOT": self.slot,
            "KEYWORDS": self.keywords,
            "IUSE": self.iuse,
            "LICENSE": self.licence,
            "RDEPEND": self.rdepend,
            "PROPERTIES": self.properties,
        }


def package_of(cpv: str) -> str:
    """Return the name without the version.

    >>> package_of("sys-fs/zfs-kmod-2.3.8-r1")
    'sys-fs/zfs-kmod'
    """
    parts = cpv.split("-")
    while not parts[-1][:1].isdigit():
        parts.pop()
    parts.pop()
    return "-".join(parts[:-1] if parts[-1][:1].isdigit() else parts)


_DIST_CAP = "dist-kernel-cap? ( dist-kernel? ( <virtual/dist-kernel-{} ) )"
# the oldest kernel of them all, and the newest one of each version
_OLDEST = "4.18"
_LIMITS = {
    "2.2.8": "6.15",
    "2.2.10": "6.17",
    "2.3.6": "6.19",
    "2.3.8": "7.0",
    "2.4.3": "7.0",
}


def zfs(version: str, keywords: str = "amd64 arm64 ppc64") -> tuple[Ebuild, ...]:
    """Return zfs, and before 2.4 its modules in a package of their own."""
    if version.startswith(("2.4", "9999")):
        return (_whole(version, keywords),)
    slot = "0/6" if version.startswith("2.3") else "0/5"
    return (
        Ebuild(
            cpv=f"sys-fs/zfs-{version}",
            keywords=keywords,
            iuse="custom-cflags debug dist-kernel kernel-builtin minimal nls pam "
            "python +rootfs selinux test-suite unwind verify-sig "
            "python_targets_python3_13",
            licence="BSD-2 CDDL MIT",
            slot=slot,
            rdepend=f"!kernel-builtin? ( ~sys-fs/zfs-kmod-{version} )",
        ),
        Ebuild(
            cpv=f"sys-fs/zfs-kmod-{version}",
            keywords=keywords,
            iuse="custom-cflags debug dist-kernel +dist-kernel-cap +initramfs "
            "modules-sign +rootfs +strip verify-sig",
            licence="CDDL MIT debug? ( GPL-2+ )",
            slot=slot,
            rdepend=_DIST_CAP.format(_after(_LIMITS[version])),
            kernel_min=_OLDEST,
            kernel_max=_LIMITS[version],
        ),
    )


def _whole(version: str, keywords: str) -> Ebuild:
    return Ebuild(
        cpv=f"sys-fs/zfs-{version}",
        keywords=keywords,
        iuse="custom-cflags debug dist-kernel +dist-kernel-cap +initramfs minimal "
        "+modules modules-compress modules-sign nls pam python +rootfs selinux +strip "
        "test-suite unwind verify-sig split-usr python_targets_python3_13",
        licence="BSD-2 CDDL MIT modules? ( debug? ( GPL-2+ ) )",
        slot="0/7",
        rdepend=f"modules? ( {_DIST_CAP.format('7.1')} )",
        properties="live" if version == "9999" else "",
        kernel_min=_OLDEST,
        kernel_max="7.0",
    )


def _after(kernel: str) -> str:
    major, _, minor = kernel.partition(".")
    return f"{major}.{int(minor) + 1}"


def kernels(version: str, keywords: str = "amd64 ~arm64") -> tuple[Ebuild, ...]:
    """Return a kernel in its three forms, and the virtual package."""
    iuse = "debug +initramfs modules-sign secureboot"
    packages = {
        "sys-kernel/gentoo-kernel": Ebuild(cpv="", slot=version, iuse=iuse),
        "sys-kernel/gentoo-kernel-bin": Ebuild(cpv="", slot=version, iuse=iuse),
        "sys-kernel/gentoo-sources": Ebuild(cpv="", slot=version, iuse="build symlink"),
        "virtual/dist-kernel": Ebuild(cpv="", slot=f"0/{version}"),
    }
    return tuple(
        Ebuild(
            cpv=f"{name}-{version}", slot=one.slot, iuse=one.iuse, keywords=keywords
        )
        for name, one in packages.items()
    )


_TESTING = "~amd64 ~arm64"
ZFS = (
    *zfs("2.2.10", _TESTING),
    *zfs("2.3.6"),
    *zfs("2.3.8", _TESTING),
    *zfs("2.4.3"),
    *zfs("9999", ""),
)
TOOLS = (
    Ebuild(cpv="sys-fs/mdadm-4.4-r1", iuse="corosync static systemd +udev"),
    Ebuild(
        cpv="sys-boot/grub-2.12-r8",
        iuse="device-mapper +fonts mount nls sdl grub_platforms_efi-64 "
        "grub_platforms_pc",
        slot="2/2.12-r8",
        licence="GPL-3+",
    ),
    Ebuild(cpv="sys-kernel/dracut-110-r5", iuse="+dracut-cpio selinux test"),
    Ebuild(cpv="sys-kernel/dracut-111-r2", iuse="selinux test", keywords=_TESTING),
    Ebuild(cpv="sys-kernel/genkernel-4.3.17", iuse="ibm +firmware"),
    Ebuild(
        cpv="sys-kernel/installkernel-68",
        iuse="dracut efistub grub refind systemd systemd-boot ugrd uki ukify",
    ),
    Ebuild(cpv="dev-vcs/git-2.52.0", iuse="+curl doc nls +perl"),
    Ebuild(
        cpv="dev-vcs/git-9999",
        iuse="+curl doc nls +perl",
        keywords="",
        properties="live",
    ),
    Ebuild(cpv="net-misc/rsync-3.4.1-r2", iuse="acl ssl +xattr zstd", licence="GPL-3"),
    Ebuild(cpv="sys-apps/coreutils-9.9-r1", iuse="acl caps gmp nls +openssl xattr"),
    Ebuild(cpv="sys-apps/diffutils-3.12", iuse="nls verify-sig", licence="GPL-2"),
    Ebuild(cpv="sys-apps/kmod-34.2", iuse="debug doc +lzma pkcs7 +tools +zlib +zstd"),
    Ebuild(cpv="sys-fs/e2fsprogs-1.47.3", iuse="cron fuse nls static-libs +tools"),
    Ebuild(cpv="sys-apps/util-linux-2.41.3", iuse="caps cramfs nls pam +suid udev"),
    Ebuild(cpv="sys-apps/portage-3.0.79", iuse="build doc +native-extensions xattr"),
    Ebuild(cpv="sys-apps/systemd-257.9", iuse="boot +kmod pam policykit", slot="0/2"),
    Ebuild(cpv="sys-apps/openrc-0.62.10", iuse="debug +netifrc pam", licence="BSD-2"),
)
EBUILDS = (*ZFS, *kernels("6.12.58"), *kernels("7.1.2", _TESTING), *TOOLS)


def find(cpv: str) -> Ebuild:
    """Return the ebuild of a version."""
    return next(ebuild for ebuild in EBUILDS if ebuild.cpv == cpv)

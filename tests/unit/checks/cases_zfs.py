"""Cases of ZFS itself: versions, modules, supported kernels and USE flags."""

from dataclasses import replace
from typing import Any

from tests.unit.checks.case import Case
from tests.unit.checks.machines import (
    Change,
    all_of,
    boot,
    installed,
    kernel,
    package,
    portage,
    system,
    this_kernel,
    without,
)
from tests.unit.checks.packages import (
    KMOD_PACKAGE,
    KMOD_USE,
    TESTING,
    WHOLE_IUSE,
    WHOLE_USE,
    ZFS_PACKAGE,
    kmod_ebuild,
    zfs_ebuild,
)
from zfs_root_migrate.model import Installed, PortageFacts

ZFS, KMOD = "sys-fs/zfs", "sys-fs/zfs-kmod"
SOURCES = "sys-kernel/gentoo-sources"
no_zfs = all_of(
    without("zfs", "zpool", "zdb", "zgenhostid"),
    system(zfs_userland=None, zfs_module=None),
    this_kernel(zfs_module=None, zfs_version=None, zfs_signed=None),
    package(ZFS, installed=()),
    package(KMOD, installed=()),
)
no_module = all_of(
    this_kernel(zfs_module=None, zfs_version=None, zfs_signed=None),
    system(zfs_module=None),
)


def runs(release: str, **fields: Any) -> Change:  # noqa: ANN401
    """Run another kernel, with its own sources."""
    return boot(
        running_kernel=release,
        running_version=kernel(release).image_version,
        kernels=(replace(kernel(release), **fields),),
        sources=f"/usr/src/linux-{release}",
        sources_release=release,
    )


def whole(version: str = "2.4.3", **fields: Any) -> Change:  # noqa: ANN401
    """Install a ZFS that has its module in the same package."""
    one = Installed(
        cpv=f"{ZFS}-{version}",
        iuse=WHOLE_IUSE,
        **({"use": WHOLE_USE, "linux_min": "4.18", "linux_max": "7.0"} | fields),
    )
    return all_of(package(ZFS, installed=(one,)), package(KMOD, installed=()))


def newest(version: str, linux_max: str, **fields: Any) -> Change:  # noqa: ANN401
    """Offer one more version of ZFS."""
    more = zfs_ebuild(version, linux_max, **fields)
    return package(ZFS, ebuilds=(*ZFS_PACKAGE.ebuilds, more))


def use(*flags: str) -> Change:
    """Build the whole ZFS with these flags."""
    return whole(use=flags)


def without_flag(*flags: str) -> tuple[str, ...]:
    """Return the flags of the whole ZFS but these."""
    return tuple(flag for flag in WHOLE_USE if flag not in flags)


corrupting = all_of(
    system(zfs_userland="2.2.1-1", zfs_module="2.2.1-1"),
    installed(ZFS, cpv=f"{ZFS}-2.2.1"),
    installed(KMOD, cpv=f"{KMOD}-2.2.1"),
)
MASKED = {"obstacles": ("package.mask",), "masked": True}
BARE = {"zfs_module": None, "zfs_version": None, "zfs_signed": None}
TOO_NEW = runs("7.1.2-gentoo", **BARE)
no_loaded = system(zfs_module=None)
dist = package(
    "sys-kernel/gentoo-kernel",
    installed=(Installed(cpv="sys-kernel/gentoo-kernel-6.12.31"),),
    candidate="sys-kernel/gentoo-kernel-6.12.31",
)
with_dist = all_of(
    whole(use=(*WHOLE_USE, "dist-kernel")),
    dist,
)

PRESENT = (
    Case(key="zfs-missing", change=no_zfs),
    Case(
        key="zfs-missing",
        change=all_of(
            no_zfs, lambda f: replace(f, portage=PortageFacts(reason="ImportError"))
        ),
        note="Portage not known",
    ),
    Case(
        key="zfs-missing",
        change=all_of(
            no_zfs,
            package(
                ZFS,
                candidate=None,
                ebuilds=(
                    replace(
                        zfs_ebuild("2.4.3", "7.0"),
                        obstacles=("~amd64 keyword", "CDDL license(s)"),
                        keyword="~amd64",
                        licences=("CDDL",),
                    ),
                ),
            ),
        ),
        note="keyword and licence",
    ),
    Case(
        key="zfs-missing",
        change=all_of(no_zfs, boot(enforces_signatures=True)),
        note="the kernel wants signatures",
    ),
    Case(key="zfs-module-missing", change=no_module),
    Case(
        key="zfs-module-missing",
        change=all_of(no_module, package(KMOD, installed=())),
        note="package of the module",
    ),
    Case(
        key="zfs-module-missing",
        change=all_of(no_module, boot(sources_release="6.12.40-gentoo")),
        note="other sources",
    ),
    Case(
        key="zfs-versions-differ",
        change=all_of(
            system(zfs_userland="2.3.8-r0-gentoo"),
            installed(ZFS, cpv=f"{ZFS}-2.3.8"),
            installed(KMOD, cpv=f"{KMOD}-2.3.8"),
        ),
    ),
    Case(
        key="zfs-version-unknown",
        change=all_of(system(zfs_module=None), this_kernel(zfs_version=None)),
    ),
    *(
        Case(
            key="zfs-corrupting",
            change=system(zfs_userland=bad, zfs_module=bad),
            note=bad,
        )
        for bad, good in (
            ("2.1.4-1", "2.1.14-1"),
            ("2.1.13-r2-gentoo", "2.1.16-r1-gentoo"),
            ("2.2.0", "2.2.2"),
            ("2.2.1-1", "2.3.0-1"),
        )
    ),
    Case(
        key="zfs-corrupting",
        change=all_of(
            no_zfs,
            package(ZFS, candidate=f"{ZFS}-2.2.1", ebuilds=(zfs_ebuild("2.2.1"),)),
            package(KMOD, ebuilds=(kmod_ebuild("2.2.1", "6.17"),)),
        ),
        note="the candidate",
    ),
    Case(
        key="zfs-corrupting",
        change=all_of(
            corrupting,
            package(
                ZFS,
                candidate=f"{ZFS}-2.2.1",
                ebuilds=(zfs_ebuild("2.2.1"), zfs_ebuild("2.4.2", "7.0", **TESTING)),
            ),
        ),
        note="and the candidate is no better, but a testing one",
    ),
    Case(
        key="zfs-corrupting",
        change=all_of(
            corrupting,
            package(ZFS, candidate=f"{ZFS}-2.2.1", ebuilds=(zfs_ebuild("2.2.1"),)),
        ),
        note="and nothing better is known",
    ),
    Case(
        key="zfs-too-old",
        change=system(zfs_userland="2.0.7-1", zfs_module="2.0.7-1"),
    ),
    Case(
        key="zfs-too-old",
        change=system(zfs_userland="0.8.6-r2-gentoo", zfs_module="0.8.6-r2-gentoo"),
    ),
)

SUPPORT = (
    Case(
        key="kernel-too-new",
        change=all_of(whole(), no_loaded, TOO_NEW),
        note="installed, no older kernel there",
    ),
    Case(
        key="kernel-too-new",
        change=all_of(
            whole(use=(*WHOLE_USE, "dist-kernel")),
            no_loaded,
            TOO_NEW,
            dist,
            boot(kernels=(kernel(), replace(kernel("7.1.2-gentoo"), **BARE))),
        ),
        note="installed, an older kernel is there",
    ),
    Case(
        key="kernel-too-new",
        change=all_of(no_loaded, runs("6.19.4-gentoo", **BARE)),
        note="installed, a newer ZFS goes up to it",
    ),
    Case(
        key="kernel-too-new",
        change=all_of(no_zfs, TOO_NEW),
        note="not installed, and no version goes up to it",
    ),
    Case(
        key="kernel-too-new",
        change=all_of(no_zfs, runs("7.3.0-rc1", **BARE), dist),
        note="not installed, no release goes up to it",
    ),
    Case(
        key="kernel-too-new",
        change=all_of(
            no_zfs,
            package(ZFS, ebuilds=(zfs_ebuild("2.4.3", None, kernel_below="7.1"),)),
            package(KMOD, ebuilds=()),
            TOO_NEW,
        ),
        note="not installed, the dependency tells",
    ),
    Case(
        key="kernel-too-new",
        change=all_of(no_zfs, TOO_NEW, newest("2.4.4", "7.2", **MASKED)),
        note="not installed, the version that goes up to it is masked",
    ),
    Case(
        key="kernel-too-new",
        change=all_of(whole(), no_loaded, TOO_NEW, newest("2.4.4", "7.2", **MASKED)),
        note="installed, the version that goes up to it is masked",
    ),
    Case(
        key="kernel-too-old",
        change=all_of(whole(), no_loaded, runs("4.14.336-gentoo", **BARE)),
        note="installed, no newer kernel there",
    ),
    Case(
        key="kernel-too-old",
        change=all_of(
            no_loaded,
            runs("4.14.336-gentoo", **BARE),
            boot(
                kernels=(
                    replace(kernel("4.14.336-gentoo"), **BARE),
                    replace(kernel("4.17.19"), **BARE),
                    kernel(),
                )
            ),
        ),
        note="installed, a newer kernel is there",
    ),
    Case(
        key="kernel-too-old",
        change=all_of(
            no_loaded,
            runs("4.14.336-gentoo", **BARE),
            package(ZFS, ebuilds=(zfs_ebuild("2.1.16"), *ZFS_PACKAGE.ebuilds)),
            package(
                KMOD,
                ebuilds=(
                    kmod_ebuild("2.1.16", "6.7", linux_min="3.10"),
                    *KMOD_PACKAGE.ebuilds,
                ),
            ),
        ),
        note="installed, an older ZFS is made for it",
    ),
    Case(
        key="kernel-too-old",
        change=all_of(no_zfs, runs("4.14.336-gentoo", **BARE)),
        note="not installed, and no version goes down to it",
    ),
    Case(
        key="kernel-beyond-range",
        change=all_of(whole(), runs("7.1.2-gentoo")),
    ),
    Case(
        key="next-kernel-too-new",
        change=all_of(
            whole(), boot(kernels=(kernel(), replace(kernel("7.1.0"), **BARE)))
        ),
        mend=boot(kernels=(kernel(),)),
        note="installed",
    ),
    Case(
        key="next-kernel-too-new",
        change=all_of(whole(), boot(sources_release="7.1.0-gentoo")),
        note="sources",
    ),
    Case(
        key="next-kernel-too-new",
        change=all_of(no_zfs, boot(sources_release="7.1.0-gentoo")),
        note="sources, before ZFS is installed",
    ),
    Case(
        key="kernel-update-too-new",
        change=all_of(whole(), package(SOURCES, candidate=f"{SOURCES}-7.1.2")),
    ),
    Case(
        key="kernel-update-too-new",
        change=all_of(
            with_dist,
            use(*without_flag("dist-kernel-cap"), "dist-kernel"),
            package(
                "sys-kernel/gentoo-kernel", candidate="sys-kernel/gentoo-kernel-7.1.2"
            ),
        ),
        note="nothing keeps the distribution kernel back",
    ),
    Case(
        key="zfs-range-unknown",
        change=installed(KMOD, linux_max=None),
        mend=installed(KMOD, linux_max="6.16"),
    ),
    Case(
        key="zfs-range-unknown",
        change=all_of(whole("9999", linux_max=None)),
        mend=whole("9999", linux_max="7.2"),
        note="live",
    ),
    Case(
        key="zfs-range-unknown",
        change=portage(packages=()),
        mend=portage(packages=(ZFS_PACKAGE, KMOD_PACKAGE)),
        note="not by Portage",
    ),
)

USE = (
    Case(
        key="zfs-use-modules",
        change=all_of(no_module, use(*without_flag("modules"))),
    ),
    Case(
        key="zfs-use-initramfs",
        change=use(*without_flag("initramfs")),
    ),
    Case(
        key="zfs-use-initramfs",
        change=installed(KMOD, use=("rootfs", "strip")),
        note="2.3",
    ),
    Case(
        key="zfs-use-rootfs",
        change=installed(ZFS, use=()),
    ),
    Case(key="zfs-use-dist-kernel", change=all_of(whole(), dist)),
    Case(
        key="zfs-use-dist-kernel",
        change=dist,
        note="2.3, both",
    ),
    Case(
        key="zfs-use-dist-kernel",
        change=all_of(dist, installed(KMOD, use=(*KMOD_USE, "dist-kernel"))),
        note="2.3, the programs",
    ),
    Case(
        key="zfs-use-dist-kernel",
        change=all_of(dist, installed(ZFS, use=("dist-kernel", "rootfs"))),
        note="2.3, the module",
    ),
    Case(
        key="zfs-use-dist-kernel-cap",
        change=all_of(dist, use(*without_flag("dist-kernel-cap"), "dist-kernel")),
    ),
)

CASES: tuple[Case, ...] = (*PRESENT, *SUPPORT, *USE)

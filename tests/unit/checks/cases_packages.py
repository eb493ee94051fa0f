"""Cases of packages and of what Portage says of itself."""

from dataclasses import replace
from typing import Any

from tests.unit.checks.case import Case, ready
from tests.unit.checks.machines import (
    CONFIG,
    Change,
    all_of,
    base,
    boot,
    system,
    without,
)
from tests.unit.checks.packages import LIVE, TESTING, plain_package
from zfs_root_migrate.model import (
    ConfigPlace,
    Copier,
    Ebuild,
    Facts,
    Installed,
    Package,
    PlaceKind,
    PortageFacts,
)

RSYNC = replace(CONFIG, copier=Copier.RSYNC)


def portage(**changes: Any) -> Change:  # noqa: ANN401
    """Change fields of what Portage says."""
    return lambda facts: replace(facts, portage=replace(facts.portage, **changes))


def package(new: Package) -> Change:
    """Put another package in the place of the one of its name."""

    def change(facts: Facts) -> Facts:
        others = tuple(p for p in facts.portage.packages if p.name != new.name)
        return portage(packages=(*others, new))(facts)

    return change


def offer(name: str, *ebuilds: Ebuild, candidate: str | None = None) -> Change:
    """Let a package be not installed, and these be its versions."""
    return package(Package(name=name, ebuilds=ebuilds, candidate=candidate))


def ebuild(cpv: str, **fields: Any) -> Ebuild:  # noqa: ANN401
    """Return a version."""
    return Ebuild(cpv=cpv, **fields)


REFUSED: dict[str, Any] = {"obstacles": ("EAPI 9",)}
LICENCE: dict[str, Any] = {
    "obstacles": ("CDDL license(s)",),
    "licences": ("CDDL",),
}
MASKED: dict[str, Any] = {"obstacles": ("package.mask",), "masked": True}
NO_ZFS = all_of(
    without("zfs", "zpool", "zdb", "zgenhostid"),
    system(zfs_userland=None, zfs_module=None),
    boot(kernels=(replace(base().boot.kernels[0], zfs_module=None, zfs_version=None),)),
)
ZFS_243: dict[str, Any] = {"linux_max": "7.0"}
GRUB, KERNELS = "sys-boot/grub", "sys-kernel/installkernel"
PLAIN_GRUB = plain_package("sys-boot/grub-2.12", "grub_platforms_pc")
EFI_GRUB = replace(
    PLAIN_GRUB,
    ebuilds=(
        ebuild(
            "sys-boot/grub-2.12",
            use=("grub_platforms_efi-64",),
            iuse=("grub_platforms_pc", "grub_platforms_efi-64"),
        ),
    ),
)
PLAIN_KERNELS = plain_package("sys-kernel/installkernel-68", "dracut", "grub")
IUSE = ("dracut", "grub", "ugrd")
BARE_KERNELS = Package(
    name=KERNELS,
    installed=(Installed(cpv="sys-kernel/installkernel-68", iuse=IUSE),),
    candidate="sys-kernel/installkernel-68",
    ebuilds=(ebuild("sys-kernel/installkernel-68", iuse=IUSE),),
)
UGRD_KERNELS = replace(
    BARE_KERNELS,
    installed=(replace(BARE_KERNELS.installed[0], use=("ugrd",)),),
    ebuilds=(replace(BARE_KERNELS.ebuilds[0], use=("ugrd",)),),
)
SINGLE = portage(
    places=tuple(
        ConfigPlace(path=place.path, kind=PlaceKind.FILE)
        for place in base().portage.places
    )
)

PACKAGES = (
    Case(
        key="package-keyword",
        change=all_of(
            NO_ZFS,
            offer("sys-fs/zfs", ebuild("sys-fs/zfs-2.4.3", **ZFS_243, **TESTING)),
        ),
        note="zfs 2.4",
    ),
    Case(
        key="package-keyword",
        change=all_of(
            NO_ZFS,
            SINGLE,
            offer("sys-fs/zfs", ebuild("sys-fs/zfs-2.3.8", **TESTING)),
            offer(
                "sys-fs/zfs-kmod",
                ebuild("sys-fs/zfs-kmod-2.3.8", linux_max="7.0", **TESTING),
            ),
        ),
        note="zfs 2.3 with its partner, single files",
    ),
    Case(
        key="package-keyword",
        change=all_of(
            without("mdadm"),
            offer("sys-fs/mdadm", ebuild("sys-fs/mdadm-4.4", **TESTING)),
        ),
        note="mdadm",
    ),
    Case(
        key="package-keyword",
        change=all_of(
            boot(generators=()),
            offer("sys-kernel/dracut", ebuild("sys-kernel/dracut-111", **TESTING)),
        ),
        note="dracut",
    ),
    Case(
        key="package-licence",
        change=all_of(
            NO_ZFS,
            offer("sys-fs/zfs", ebuild("sys-fs/zfs-2.4.3", **ZFS_243, **LICENCE)),
        ),
    ),
    Case(
        key="package-licence",
        change=all_of(
            without("rsync"),
            offer(
                "net-misc/rsync",
                ebuild(
                    "net-misc/rsync-3.4.1",
                    obstacles=("GPL-3 license(s)", "~amd64 keyword"),
                    licences=("GPL-3",),
                    keyword="~amd64",
                ),
            ),
        ),
        config=RSYNC,
        note="and the keyword",
    ),
    Case(
        key="package-masked",
        change=all_of(
            NO_ZFS,
            offer("sys-fs/zfs", ebuild("sys-fs/zfs-2.4.3", **ZFS_243, **MASKED)),
        ),
    ),
    Case(
        key="package-masked",
        change=all_of(
            without("grub-install", "grub-mkconfig"),
            offer(GRUB, ebuild("sys-boot/grub-2.12", **MASKED)),
        ),
        note="grub",
    ),
    Case(
        key="package-not-in-tree",
        change=all_of(without("mdadm"), offer("sys-fs/mdadm")),
    ),
    Case(
        key="package-not-in-tree",
        change=all_of(NO_ZFS, offer("sys-fs/zfs")),
        note="no zfs at all",
    ),
    Case(
        key="package-refused",
        change=all_of(
            without("mdadm"),
            offer("sys-fs/mdadm", ebuild("sys-fs/mdadm-4.5", **REFUSED)),
        ),
    ),
    Case(
        key="package-refused",
        change=all_of(
            without("rsync"),
            offer("net-misc/rsync", ebuild("net-misc/rsync-9999", **LIVE)),
        ),
        config=RSYNC,
        note="only a live version",
    ),
    Case(key="grub-platform-use", change=package(EFI_GRUB)),
    Case(
        key="grub-platform-use",
        change=all_of(package(EFI_GRUB), boot(grub_platforms=("x86_64-efi",))),
        note="and installed like that",
    ),
    Case(
        key="installkernel-use",
        change=package(BARE_KERNELS),
    ),
    Case(
        key="installkernel-use",
        change=package(replace(PLAIN_KERNELS, installed=BARE_KERNELS.installed)),
        note="switched on and not built yet",
    ),
    Case(
        key="installkernel-use",
        change=package(UGRD_KERNELS),
        note="ugrd, without grub",
    ),
    Case(
        key="installkernel-missing",
        change=package(replace(BARE_KERNELS, installed=())),
    ),
    Case(
        key="git-missing",
        change=package(
            Package(
                name="sys-fs/zfs",
                candidate="sys-fs/zfs-9999",
                ebuilds=(ebuild("sys-fs/zfs-9999", live=True, linux_max="7.0"),),
            )
        ),
    ),
)

STATE = (
    Case(
        key="portage-unknown",
        change=lambda f: replace(f, portage=PortageFacts(reason="ImportError: no")),
        mend=ready,
    ),
    *(
        Case(
            key="portage-facts-unknown",
            change=portage(**{name: None}),
            mend=ready,
            gone=True,
            note=name,
        )
        for name in (
            *("version", "profile", "profile_deprecated", "repository", "distdir"),
            *("pkgdir", "resumes", "merging", "at_work", "updates", "preserved"),
        )
    ),
    Case(
        key="portage-facts-unknown",
        change=package(Package(name="dev-vcs/git", reason="no cache")),
        mend=ready,
        note="one package",
    ),
    Case(
        key="portage-at-work",
        change=portage(at_work=("4711 emerge --update @world",)),
        mend=portage(at_work=()),
    ),
    Case(
        key="portage-interrupted",
        change=portage(resumes=("dev-lang/rust-1.90.0", "sys-devel/gcc-15.2.1")),
    ),
    Case(
        key="portage-merge-cut",
        change=portage(merging=("sys-libs/glibc-2.42",)),
    ),
    Case(
        key="config-updates-waiting",
        change=portage(updates=tuple(f"/etc/._cfg0000_{n}" for n in range(9))),
    ),
    Case(
        key="libraries-preserved",
        change=portage(preserved=("/usr/lib64/libicuuc.so.77",)),
    ),
    Case(
        key="profile-deprecated",
        change=portage(profile_deprecated=True, profile="default/linux/amd64/17.1"),
        mend=portage(profile_deprecated=False),
    ),
)

CASES: tuple[Case, ...] = (*PACKAGES, *STATE)

"""A machine that is ready, made of plain values, and ways to change one thing of it.

vda (DISKA) runs the system: /boot on vda2, swap on vda3, / on vda4. vdb (DISKB) is
empty and chosen. Everything is in order, so whatever a change brings up is its own.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.unit.checks.packages import PACKAGES
from zfs_root_migrate.checks.system import TOOL_ATOMS
from zfs_root_migrate.config import Config
from zfs_root_migrate.model import (
    BlockDevice,
    Boot,
    ConfigPlace,
    Facts,
    Firmware,
    FstabLine,
    Generator,
    Init,
    Kernel,
    Loader,
    Mount,
    PlaceKind,
    Pool,
    PortageFacts,
    Runlevel,
    Signature,
    Storage,
    Swap,
    System,
    Tool,
    Tree,
)

MIB, GIB = 1 << 20, 1 << 30
BUILT = "#1 SMP PREEMPT_DYNAMIC Mon Jun  2 10:00:00 -00 2025"
RELEASE = "6.12.31-gentoo"
NEW = "/dev/disk/by-id/virtio-DISKB"
CONFIG = Config(target=(NEW,))
Change = Callable[[Facts], Facts]


# what lsblk tells of every disk and partition
PLAIN: dict[str, Any] = {
    "logical_sector": 512,
    "physical_sector": 512,
    "rotational": False,
    "removable": False,
    "read_only": False,
}


def disk(name: str, serial: str | None, size: int = 40 * GIB) -> BlockDevice:
    """Return an empty disk."""
    links = (f"/dev/disk/by-id/virtio-{serial}",) if serial else ()
    return BlockDevice(
        name=name, kind="disk", size=size, serial=serial, links=links, **PLAIN
    )


def partition(number: int, size: int, fs_type: str | None = None) -> BlockDevice:
    """Return a partition of the old disk."""
    ident = f"0000-4000-8000-{number:012x}"
    return BlockDevice(
        name=f"vda{number}",
        kind="part",
        size=size,
        parents=("vda",),
        links=(f"/dev/disk/by-id/virtio-DISKA-part{number}",),
        part_uuid=f"0b5f0000-{ident}",
        part_number=number,
        fs_type=fs_type,
        fs_uuid=f"0b5e0000-{ident}" if fs_type else None,
        **PLAIN,
    )


DEVICES = (
    replace(disk("vda", "DISKA"), table="gpt"),
    partition(1, MIB),
    partition(2, 512 * MIB, "ext2"),
    partition(3, 2 * GIB, "swap"),
    partition(4, 37 * GIB, "ext4"),
    disk("vdb", "DISKB"),
    replace(disk("sr0", None, GIB), kind="rom", removable=True),
    disk("zram0", None, GIB),
)
MOUNTS = (
    Mount(target="/proc", source="proc", fs_type="proc", options="rw"),
    Mount(target="/dev", source="devtmpfs", fs_type="devtmpfs", options="rw"),
    Mount(target="/run", source="tmpfs", fs_type="tmpfs", options="rw"),
    Mount(
        target="/",
        source="/dev/vda4",
        fs_type="ext4",
        options="rw,noatime",
        device="vda4",
        size=37 * GIB,
        used=9 * GIB,
        files=400_000,
    ),
    Mount(
        target="/boot",
        source="/dev/vda2",
        fs_type="ext2",
        options="rw,noatime",
        device="vda2",
        size=500 * MIB,
        used=90 * MIB,
        files=30,
    ),
)
FSTAB = (
    FstabLine(spec="/dev/vda4", file="/", fs_type="ext4", options="noatime", passno=1),
    FstabLine(spec="LABEL=boot", file="/boot", fs_type="ext2", options="noatime"),
    FstabLine(spec="/dev/vda3", file="none", fs_type="swap", options="sw"),
)
OPTIONS = (
    *("MODULES=y", "BLOCK=y", "ZLIB_DEFLATE=m", "ZLIB_INFLATE=y"),
    *("TRIM_UNUSED_KSYMS=n", "DEBUG_LOCK_ALLOC=n", "PAX_KERNEXEC_PLUGIN_METHOD_OR=n"),
    *("EFI_PARTITION=y", "BLK_DEV_INITRD=y", "DEVTMPFS=y", "TMPFS=y"),
    *("EXT2_FS=n", "EXT4_FS=y", "EXT4_USE_FOR_EXT2=y"),
    *("BLK_DEV_MD=y", "MD_RAID1=m"),
    *("UNUSED_KSYMS_WHITELIST=n", "BINFMT_SCRIPT=y", "RD_GZIP=y", "RD_BZIP2=n"),
    *("RD_LZMA=n", "RD_XZ=n", "RD_LZO=n", "RD_LZ4=n", "RD_ZSTD=n"),
    *("MODULE_SIG=n", "MODULE_SIG_FORCE=n", "SECURITY_LOCKDOWN_LSM=n"),
)
PLACES = (
    *("package.accept_keywords", "package.license", "package.mask", "package.use"),
)
TOOLS = (
    *(*TOOL_ATOMS, "zfs", "zpool", "dracut", "grub-install", "grub-mkconfig"),
    "emerge",
)


def kernel(release: str = RELEASE) -> Kernel:
    """Return an installed kernel that lacks nothing."""
    return Kernel(
        release=release,
        image=f"/boot/vmlinuz-{release}",
        image_version=f"{release} (root@gentoo) {BUILT}",
        initramfs=f"/boot/initramfs-{release}.img",
        zfs_module=f"/lib/modules/{release}/extra/zfs/zfs.ko",
        zfs_version="2.3.4-r0-gentoo",
        zfs_signed=False,
        raid1=True,
        config=f"/boot/config-{release}",
        options=OPTIONS,
    )


def base() -> Facts:
    """Return the machine that is ready."""
    return Facts(
        tool_version="0",
        storage=Storage(
            devices=DEVICES,
            mounts=MOUNTS,
            fstab=FSTAB,
            swaps=(Swap(path="/dev/vda3", is_file=False, size=2 * GIB),),
            signatures=(
                Signature(device="vda", kind="gpt", offset=512),
                Signature(device="vda2", kind="ext2", offset=1080),
                Signature(device="vda3", kind="swap", offset=4086),
                Signature(device="vda4", kind="ext4", offset=1080),
            ),
            pools=(),
        ),
        boot=Boot(
            firmware=Firmware.BIOS,
            running_kernel=RELEASE,
            running_version=f"Linux version {RELEASE} (root@gentoo) (gcc 14) {BUILT}",
            cmdline=f"BOOT_IMAGE=/vmlinuz-{RELEASE} root=/dev/vda4 ro",
            kernels=(kernel(),),
            generators=(Generator.DRACUT,),
            grub_default='GRUB_CMDLINE_LINUX=""\n',
            grub_platforms=("i386-pc",),
            hostid="1badcafe",
            resume_image=False,
            loader=Loader.GRUB,
            sources=f"/usr/src/linux-{RELEASE}",
            sources_release=RELEASE,
            sources_built=True,
            lockdown="none",
            enforces_signatures=False,
            secure_boot=False,
        ),
        system=System(
            os_id="gentoo",
            os_name="Gentoo Linux",
            machine="x86_64",
            hostname="gentoo",
            init=Init.OPENRC,
            memory=8 * GIB,
            merged_usr=True,
            is_root=True,
            state_writable=True,
            tools=tuple(Tool(name=name, path=f"/sbin/{name}") for name in TOOLS),
            runlevels=(Runlevel(name="boot", services=("localmount", "root")),),
            services=("localmount", "root", "zfs-import", "zfs-mount"),
            mdadm_conf=None,
            mdadm_conf_path="/etc/mdadm.conf",
            zfs_userland="2.3.4-r0-gentoo",
            zfs_module="2.3.4-r0-gentoo",
        ),
        portage=PortageFacts(
            version="3.0.69",
            profile="default/linux/amd64/23.0",
            repository="/var/db/repos/gentoo",
            distdir="/var/cache/distfiles",
            pkgdir="/var/cache/binpkgs",
            tmpdir="/var/tmp",
            profile_deprecated=False,
            arch="amd64",
            accept_keywords=("amd64",),
            packages=PACKAGES,
            places=tuple(
                ConfigPlace(path=f"/etc/portage/{name}", kind=PlaceKind.DIRECTORY)
                for name in PLACES
            ),
            resumes=(),
            merging=(),
            at_work=(),
            updates=(),
            preserved=(),
        ),
        tree=Tree(files=400_000, directories=40_000),
    )


def storage(**changes: Any) -> Change:  # noqa: ANN401
    """Change fields of the storage facts."""
    return lambda facts: replace(facts, storage=replace(facts.storage, **changes))


def boot(**changes: Any) -> Change:  # noqa: ANN401
    """Change fields of the boot facts."""
    return lambda facts: replace(facts, boot=replace(facts.boot, **changes))


def system(**changes: Any) -> Change:  # noqa: ANN401
    """Change fields of the system facts."""
    return lambda facts: replace(facts, system=replace(facts.system, **changes))


def device(name: str, **changes: Any) -> Change:  # noqa: ANN401
    """Change fields of one device."""

    def change(facts: Facts) -> Facts:
        return storage(
            devices=tuple(
                replace(d, **changes) if d.name == name else d
                for d in facts.storage.devices
            )
        )(facts)

    return change


def devices(*more: BlockDevice) -> Change:
    """Add devices."""
    return lambda facts: storage(devices=(*facts.storage.devices, *more))(facts)


def mounts(*more: Mount) -> Change:
    """Add mounts."""
    return lambda facts: storage(mounts=(*facts.storage.mounts, *more))(facts)


def swaps(*more: Swap) -> Change:
    """Add swap areas."""
    return lambda facts: storage(swaps=(*facts.storage.swaps, *more))(facts)


def mounted(target: str, **changes: Any) -> Change:  # noqa: ANN401
    """Change fields of one mount."""

    def change(facts: Facts) -> Facts:
        return storage(
            mounts=tuple(
                replace(m, **changes) if m.target == target else m
                for m in facts.storage.mounts
            )
        )(facts)

    return change


def unmounted(target: str) -> Change:
    """Take mounts away."""
    return lambda facts: storage(
        mounts=tuple(m for m in facts.storage.mounts if m.target != target)
    )(facts)


def pool(name: str, *paths: str, imported: bool = False) -> Change:
    """Add a pool."""
    new = Pool(name=name, guid="42", imported=imported, health="ONLINE", devices=paths)
    return lambda facts: storage(pools=(*(facts.storage.pools or ()), new))(facts)


def without(*tools: str) -> Change:
    """Uninstall programs."""

    def change(facts: Facts) -> Facts:
        return system(
            tools=tuple(
                replace(t, path=None) if t.name in tools else t
                for t in facts.system.tools
            )
        )(facts)

    return change


def portage(**changes: Any) -> Change:  # noqa: ANN401
    """Change fields of the Portage facts."""
    return lambda facts: replace(facts, portage=replace(facts.portage, **changes))


def package(name: str, **changes: Any) -> Change:  # noqa: ANN401
    """Change fields of one package."""

    def change(facts: Facts) -> Facts:
        return portage(
            packages=tuple(
                replace(p, **changes) if p.name == name else p
                for p in facts.portage.packages
            )
        )(facts)

    return change


def installed(name: str, **changes: Any) -> Change:  # noqa: ANN401
    """Change fields of the installed version of a package."""

    def change(facts: Facts) -> Facts:
        found = facts.portage.package(name)
        assert found
        now = tuple(replace(one, **changes) for one in found.installed)
        return package(name, installed=now)(facts)

    return change


def this_kernel(**changes: Any) -> Change:  # noqa: ANN401
    """Change fields of the running kernel."""
    return boot(kernels=(replace(kernel(), **changes),))


def all_of(*changes: Change) -> Change:
    """Make several changes."""

    def change(facts: Facts) -> Facts:
        for one in changes:
            facts = one(facts)
        return facts

    return change


def mount(target: str, name: str, fs_type: str = "ext4", **fields: Any) -> Mount:  # noqa: ANN401
    """Return a mounted file system of a device."""
    return Mount(
        target=target,
        source=f"/dev/{name}",
        fs_type=fs_type,
        options="rw",
        device=name,
        **({"size": GIB, "used": MIB, "files": 9} | fields),
    )

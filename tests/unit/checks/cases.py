"""All cases of the checks, and the machines on which nothing may be found.

The cases of kernel, ZFS, packages and files have modules of their own.
"""

from dataclasses import replace

from tests.unit.checks import (
    cases_kernel,
    cases_packages,
    cases_tree,
    cases_zfs,
)
from tests.unit.checks.case import Case, ready, same
from tests.unit.checks.machines import (
    CONFIG,
    FSTAB,
    GIB,
    MIB,
    NEW,
    OPTIONS,
    Change,
    all_of,
    base,
    boot,
    device,
    devices,
    disk,
    kernel,
    mount,
    mounted,
    mounts,
    partition,
    pool,
    storage,
    swaps,
    system,
    this_kernel,
    unmounted,
    without,
)
from zfs_root_migrate.config import Config
from zfs_root_migrate.model import (
    BlockDevice,
    Facts,
    Firmware,
    FstabLine,
    Generator,
    Init,
    Mount,
    PortageFacts,
    Signature,
    Swap,
    Topology,
)


def stack(kind: str) -> BlockDevice:
    """Return a volume upon the old disk's root partition."""
    return BlockDevice(
        name="dm-0",
        kind=kind,
        size=37 * GIB,
        parents=("vda4",),
        links=("/dev/mapper/vg-root",),
    )


def root_upon(kind: str) -> Change:
    """Put / on a volume."""
    return all_of(
        devices(stack(kind)),
        mounted("/", device="dm-0", source="/dev/mapper/vg-root"),
    )


def virtual_root(fs_type: str, source: str) -> Change:
    """Make / a file system without a device."""
    return mounted("/", fs_type=fs_type, source=source, device=None)


def part_b(fs_type: str | None = "ext4") -> BlockDevice:
    """Return a partition of the new disk."""
    return BlockDevice(
        name="vdb1", kind="part", size=9 * GIB, parents=("vdb",), fs_type=fs_type
    )


def used_b(kind: str, name: str = "md127") -> Change:
    """Put the new disk below something."""
    return devices(
        part_b(None), BlockDevice(name=name, kind=kind, size=GIB, parents=("vdb1",))
    )


def another(name: str) -> Change:
    """Show a disk a second time, as one more path to it does."""

    def change(facts: Facts) -> Facts:
        (disk,) = (d for d in facts.storage.devices if d.name == name)
        return devices(replace(disk, name="vdz", links=()))(facts)

    return change


def only(*names: str) -> Change:
    """Take away all devices but these."""
    return lambda facts: storage(
        devices=tuple(d for d in facts.storage.devices if d.name in names)
    )(facts)


def config(**changes: object) -> Config:
    """Change the settings."""
    return replace(CONFIG, **changes)  # type: ignore[arg-type]


HOME = partition(5, 9 * GIB, "ext4")
HOME_LINE = FstabLine(
    spec=f"UUID={HOME.fs_uuid}", file="/home", fs_type="ext4", options="noauto"
)
C = disk("vdc", "DISKC")
NEW_C = "/dev/disk/by-id/virtio-DISKC"

IN_MEMORY = Mount(
    target="/var/tmp/portage", source="tmpfs", fs_type="tmpfs", options="rw"
)

SYSTEM = (
    Case(key="not-root", change=system(is_root=False), mend=system(is_root=True)),
    Case(key="facts-incomplete", change=system(memory=0), mend=ready),
    Case(key="facts-incomplete", change=boot(cmdline=""), mend=ready),
    Case(key="machine-unsupported", change=system(machine="aarch64"), mend=ready),
    Case(key="not-gentoo", change=system(os_id="debian"), mend=ready),
    Case(
        key="distribution-foreign",
        change=all_of(
            system(os_id="debian"),
            without("emerge"),
            lambda f: replace(f, portage=PortageFacts(reason="no Portage")),
        ),
        mend=ready,
    ),
    Case(
        key="state-not-writable",
        change=system(state_writable=False),
        mend=system(state_writable=True),
    ),
    Case(key="memory-low", change=system(memory=GIB), mend=ready),
    Case(
        key="memory-low",
        change=all_of(system(memory=GIB), mounts(IN_MEMORY)),
        mend=ready,
        note="and Portage builds in it",
    ),
    Case(
        key="portage-unknown",
        change=lambda f: replace(f, portage=PortageFacts(reason="ImportError: no")),
        mend=ready,
    ),
    Case(key="tool-missing", change=without("mdadm")),
    Case(key="tool-missing", change=without("sfdisk", "mke2fs")),
    Case(key="tool-missing", change=without("zdb")),
)

ROOT = (
    Case(key="root-unknown", change=unmounted("/"), mend=ready),
    Case(key="root-unknown", change=only("vdb"), mend=ready, note="no root device"),
    Case(key="root-not-whole", change=mounted("/", root="/srv/jail"), mend=ready),
    Case(key="root-on-zfs", change=virtual_root("zfs", "rpool/ROOT"), mend=ready),
    Case(key="root-on-network", change=virtual_root("nfs4", "s:/r"), mend=ready),
    Case(key="root-on-overlay", change=virtual_root("overlay", "o"), mend=ready),
    Case(key="root-on-overlay", change=virtual_root("tmpfs", "none"), mend=ready),
    Case(key="root-on-btrfs", change=mounted("/", fs_type="btrfs"), mend=ready),
    Case(
        key="root-on-btrfs",
        change=mounted("/", fs_type="btrfs", root="/@"),
        mend=ready,
        note="subvolume",
    ),
    Case(key="root-on-lvm", change=root_upon("lvm"), mend=ready),
    Case(key="root-on-luks", change=root_upon("crypt"), mend=ready),
    Case(key="root-on-md", change=root_upon("raid1"), mend=ready),
    Case(key="root-on-multipath", change=root_upon("mpath"), mend=ready),
    Case(
        key="root-on-several-disks",
        change=all_of(
            devices(C, replace(stack("raid1"), parents=("vda4", "vdc"))),
            mounted("/", device="dm-0"),
        ),
        mend=ready,
    ),
    Case(
        key="root-read-only",
        change=mounted("/", options="ro,noatime"),
    ),
)

SOURCE = (
    Case(
        key="source-file-system",
        change=all_of(devices(HOME), mounts(mount("/home", "vda5", "btrfs"))),
        note="home on btrfs",
    ),
    Case(
        key="source-file-system",
        change=mounted("/", fs_type="f2fs"),
        mend=ready,
        note="root on f2fs",
    ),
    Case(
        key="source-stacked",
        change=all_of(
            devices(HOME, replace(stack("crypt"), parents=("vda5",))),
            mounts(mount("/home", "dm-0")),
        ),
    ),
    Case(
        key="system-on-other-disk",
        change=all_of(devices(C), mounts(mount("/var", "vdc"))),
        mend=ready,
    ),
    Case(key="exclude-vital", config=config(exclude=("/var", "/var/tmp"))),
    Case(key="old-disk-has-more", change=devices(HOME)),
    Case(
        key="old-disk-has-more",
        change=all_of(devices(HOME), mounts(mount("/srv", "vda5"))),
        config=config(exclude=("/srv",)),
        note="excluded",
    ),
    Case(
        key="fstab-not-mounted",
        change=all_of(devices(HOME), storage(fstab=(*FSTAB, HOME_LINE))),
    ),
    Case(
        key="mount-stays",
        change=all_of(devices(C), mounts(mount("/srv", "vdc"))),
        gone=False,
    ),
    Case(
        key="mount-stays",
        change=mounts(
            Mount(target="/net", source="s:/n", fs_type="nfs4", options="rw")
        ),
        gone=False,
        note="network",
    ),
    Case(
        key="mount-stays",
        change=all_of(
            devices(BlockDevice(name="loop0", kind="loop", size=GIB)),
            mounts(mount("/mnt/image", "loop0", "squashfs")),
        ),
        gone=False,
        note="an image",
    ),
)

CHOICE = (
    Case(key="target-unset", config=Config()),
    Case(
        key="target-unset",
        change=devices(C),
        config=Config(),
        gone=False,
        note="two empty disks: the person has to choose",
    ),
    Case(key="target-unknown", config=config(target=("/dev/sdz",)), gone=False),
    Case(
        key="target-unknown",
        change=devices(disk("vdc", "DISKB")),
        config=config(target=("DISKB",)),
        gone=False,
        note="two disks of one serial",
    ),
    Case(
        key="target-not-disk",
        change=devices(part_b()),
        config=config(target=("/dev/vdb1",)),
    ),
    Case(
        key="target-not-disk",
        config=config(target=("/dev/sr0",)),
        gone=False,
        note="a CD",
    ),
    Case(key="target-is-old-disk", config=config(target=("/dev/vda",)), gone=False),
    Case(
        key="target-is-old-disk",
        config=config(target=("/dev/vda2",)),
        gone=False,
        note="a partition of it",
    ),
    Case(key="target-is-old-disk", config=config(target=("DISKA",)), gone=False),
    Case(key="target-by-name", config=config(target=("/dev/vdb",))),
    Case(
        key="target-by-name",
        change=device("vdb", links=(), serial=None),
        config=config(target=("/dev/vdb",)),
        mend=ready,
        gone=False,
        note="no link at all",
    ),
    Case(key="target-twice", config=config(target=(NEW, "/dev/vdb"))),
    Case(key="too-few-targets", config=config(topology=Topology.MIRROR), gone=False),
    Case(
        key="too-few-targets",
        change=devices(C),
        config=config(target=(NEW, NEW_C), topology=Topology.RAIDZ1),
        gone=False,
    ),
    Case(
        key="too-many-targets",
        change=devices(C),
        config=config(target=(NEW, NEW_C)),
    ),
)

TARGET = (
    Case(
        key="target-in-use",
        change=all_of(devices(part_b()), mounts(mount("/mnt/a b", "vdb1"))),
        note="mounted",
    ),
    Case(
        key="target-in-use",
        change=all_of(
            devices(part_b("swap")),
            swaps(Swap(path="/dev/vdb1", is_file=False, size=GIB)),
        ),
        note="swap",
    ),
    Case(
        key="target-in-use",
        change=used_b("raid1"),
        note="array",
    ),
    Case(
        key="target-in-use",
        change=used_b("lvm", "dm-3"),
        note="volume",
    ),
    Case(
        key="target-in-use",
        change=all_of(used_b("lvm", "dm-3"), mounts(mount("/srv", "dm-3"))),
        note="volume, mounted",
    ),
    Case(
        key="target-in-use",
        change=pool("tank", NEW, imported=True),
        note="pool",
    ),
    Case(key="target-not-blank", change=device("vdb", table="gpt")),
    Case(key="target-not-blank", change=devices(part_b())),
    Case(
        key="target-not-blank",
        change=storage(signatures=(Signature(device="vdb", kind="LVM2", offset=24),)),
    ),
    Case(key="target-not-blank", change=pool("tank", "/dev/vdb")),
    Case(
        key="target-not-blank",
        change=device("vdb", fs_type="crypto_LUKS", serial=None),
        note="no serial to name",
    ),
    Case(
        key="target-not-blank",
        change=all_of(device("vdb", table="dos"), devices(disk("vdc", "DISKB"))),
        config=config(overwrite=("DISKB",)),
        note="overwrite names two disks",
    ),
    Case(
        key="target-content-unknown",
        change=storage(signatures=None),
        mend=storage(signatures=()),
    ),
    Case(
        key="target-content-unknown",
        change=storage(unprobed=("vdb",)),
        mend=storage(unprobed=()),
    ),
    Case(key="overwrite-unused", config=config(overwrite=("GONE", "DISKB"))),
    Case(key="target-read-only", change=device("vdb", read_only=True), mend=ready),
    Case(key="target-removable", change=device("vdb", transport="usb"), mend=ready),
    Case(key="target-multipath", change=used_b("mpath", "dm-3"), mend=ready),
    Case(
        key="target-multipath",
        change=all_of(device("vdb", wwn="0x5000c5"), another("vdb")),
        config=config(target=(NEW, "/dev/vdz"), topology=Topology.MIRROR),
        mend=only("vda", "vda1", "vda2", "vda3", "vda4", "vdb"),
        note="without multipathd",
    ),
    Case(
        key="target-multipath",
        change=all_of(device("vda", wwn="0x5000c5"), another("vda")),
        config=config(target=("/dev/vdz",)),
        note="the old disk by another path",
        gone=False,
    ),
)

SPACE = (
    Case(key="target-too-small", change=device("vdb", size=8 * GIB), mend=ready),
    Case(
        key="target-too-small",
        change=mounted("/", used=36 * GIB),
        mend=ready,
        note="full",
    ),
    Case(
        key="target-tight",
        change=mounted("/", used=36 * GIB),
        config=config(exclude=("/var/tmp",)),
        mend=ready,
    ),
    Case(
        key="old-disk-too-small",
        change=all_of(device("vdb", size=80 * GIB), mounted("/", used=36 * GIB)),
    ),
    Case(key="source-size-unknown", change=mounted("/", used=None), mend=ready),
    Case(key="boot-too-small", config=config(boot_size=100 * MIB)),
    Case(key="target-sizes-differ", change=device("vdb", size=80 * GIB)),
    Case(
        key="target-sizes-differ",
        change=devices(disk("vdc", "DISKC", 80 * GIB)),
        config=config(target=(NEW, NEW_C), topology=Topology.MIRROR),
        mend=device("vdc", size=40 * GIB),
    ),
    Case(key="target-4kn", change=device("vdb", logical_sector=4096), mend=ready),
    Case(
        key="sector-sizes-differ",
        change=device("vdb", logical_sector=4096),
        mend=ready,
    ),
)

UNTOLD = (
    *(
        Case(key="geometry-unknown", change=device("vdb", **{name: None}), mend=ready)
        for name in ("logical_sector", "physical_sector", "read_only")
    ),
    Case(
        key="geometry-unknown",
        change=device("vda", physical_sector=None),
        mend=ready,
        note="the old disk, which joins",
    ),
    *(
        Case(key="disk-kind-unknown", change=device("vdb", **{name: None}), mend=ready)
        for name in ("rotational", "removable")
    ),
    Case(key="firmware-unknown", change=boot(firmware=Firmware.UNKNOWN)),
)

POOLS = (
    Case(key="pool-imported", change=pool("rpool", "/dev/vdz", imported=True)),
    Case(key="pool-name-taken", change=pool("rpool", "/dev/vdz1")),
    Case(
        key="pool-name-taken",
        change=all_of(pool("rpool", "/dev/vdz1"), pool("rpool2", "/dev/vdy1")),
        note="the next name is taken as well",
    ),
    Case(key="pools-unknown", change=storage(pools=None)),
    Case(
        key="pools-imported-at-boot",
        change=system(imports_all_pools="/etc/conf.d/zfs"),
    ),
    Case(key="hostid-bad", change=boot(hostid="00bab10c")),
    Case(key="hostid-bad", change=boot(hostid="00000000")),
    Case(
        key="hostid-differs",
        change=boot(spl_hostid="0xc0ffee", spl_hostid_file="/etc/modprobe.d/zfs.conf"),
        note="modprobe.d",
    ),
    *(
        Case(
            key="hostid-differs",
            change=boot(cmdline=f"root=/dev/vda4 {word}"),
            note=word,
        )
        for word in ("spl_hostid=c0ffee", "spl.spl_hostid=12648430")
    ),
    Case(
        key="hostid-differs",
        change=boot(cmdline="spl_hostid=0x1badcafe", hostid=None),
        note="no /etc/hostid",
    ),
    Case(key="hostid-new", change=boot(hostid=None), gone=False),
)

BOOT = (
    Case(key="firmware-uefi", change=boot(firmware=Firmware.UEFI), mend=ready),
    Case(key="init-systemd", change=system(init=Init.SYSTEMD), mend=ready),
    Case(key="init-unknown", change=system(init=Init.UNKNOWN), mend=ready),
    Case(key="service-missing", change=system(services=("root",))),
    Case(
        key="service-missing",
        change=system(services=("zfs-import",)),
    ),
    Case(
        key="initramfs-none",
        change=boot(generators=()),
    ),
    Case(
        key="initramfs-not-dracut",
        change=boot(generators=(Generator.GENKERNEL, Generator.UGRD)),
    ),
    Case(
        key="grub-missing",
        change=without("grub-install", "grub-mkconfig"),
    ),
    Case(
        key="grub-platform-missing",
        change=boot(grub_platforms=("x86_64-efi",)),
    ),
    Case(
        key="grub-default-missing",
        change=boot(grub_default=None),
    ),
)

SWAP = (
    Case(
        key="hibernation-image",
        change=all_of(boot(resume_image=True), device("vda3", fs_type="swsuspend")),
    ),
    Case(
        key="hibernation-unknown",
        change=boot(resume_image=None),
        mend=boot(resume_image=False),
    ),
    Case(
        key="hibernation-unknown",
        change=all_of(boot(resume_image=None), system(is_root=False)),
        mend=all_of(boot(resume_image=False), system(is_root=True)),
        note="not root",
    ),
    Case(
        key="hibernation-unknown",
        change=all_of(boot(resume_image=None), storage(unprobed=("sr0", "sdb"))),
        mend=all_of(boot(resume_image=False), storage(unprobed=())),
        note="some disks",
    ),
    Case(
        key="resume-set",
        change=boot(cmdline="root=/dev/vda4 resume=/dev/vda3"),
        mend=boot(cmdline="root=/dev/vda4"),
    ),
    Case(
        key="swap-on-zvol",
        change=swaps(Swap(path="/dev/zd0", is_file=False, size=GIB)),
    ),
    Case(
        key="swap-file",
        change=swaps(Swap(path="/swapfile", is_file=True, size=GIB)),
        gone=False,
    ),
    Case(key="swap-dropped", config=config(swap_size=0)),
)

CASES = (
    *SYSTEM,
    *ROOT,
    *SOURCE,
    *CHOICE,
    *TARGET,
    *SPACE,
    *UNTOLD,
    *POOLS,
    *BOOT,
    *cases_kernel.CASES,
    *cases_zfs.CASES,
    *cases_packages.CASES,
    *cases_tree.CASES,
    *SWAP,
)

# Machines on which nothing may be found but what only informs.
CLEAN: dict[str, tuple[Change, Config]] = {
    "another disk with the number of a cheap adapter": (
        all_of(
            device("vdb", serial="0123456789ABCDEF", wwn=None),
            devices(
                BlockDevice(
                    name="vdz", kind="disk", size=GIB, serial="0123456789ABCDEF"
                )
            ),
        ),
        CONFIG,
    ),
    "as it is": (same, CONFIG),
    "split usr": (system(merged_usr=False), CONFIG),
    "the hostid is named twice, and is the same": (
        boot(
            cmdline="root=/dev/vda4 spl_hostid=0x1badcafe spl.spl_hostid=464374526",
            spl_hostid="0x1BADCAFE",
            spl_hostid_file="/etc/modprobe.d/zfs.conf",
        ),
        CONFIG,
    ),
    "an option that gives no hostid": (
        boot(cmdline="root=/dev/vda4 spl_hostid=0 spl.spl_hostid=what"),
        CONFIG,
    ),
    "no hostid yet": (boot(hostid=None), CONFIG),
    "zfs 2.4, module not loaded": (
        all_of(
            system(zfs_module=None, zfs_userland="2.4.3-r0-gentoo"),
            this_kernel(zfs_version="2.4.3-1"),
        ),
        CONFIG,
    ),
    "home on a partition of its own": (
        all_of(devices(HOME), mounts(mount("/home", "vda5", "xfs"))),
        CONFIG,
    ),
    "fstab by label and by UUID, home on a partition": (
        all_of(
            devices(HOME),
            mounts(mount("/home", "vda5")),
            storage(fstab=(*FSTAB, HOME_LINE)),
        ),
        CONFIG,
    ),
    "boot in the root": (
        all_of(
            unmounted("/boot"),
            storage(fstab=base().storage.fstab[:1]),
            device("vda2", fs_type=None),
        ),
        CONFIG,
    ),
    "another pool": (
        all_of(devices(C), pool("tank", NEW_C, imported=True)),
        CONFIG,
    ),
    "mount points with blanks": (
        all_of(devices(HOME), mounts(mount("/my home", "vda5"))),
        CONFIG,
    ),
    "a bind mount": (mounts(mount("/srv/b", "vda4", root="/home/b")), CONFIG),
    "overwrite allowed": (
        all_of(device("vdb", table="dos"), pool("rpool", "/dev/vdb")),
        config(overwrite=("DISKB",)),
    ),
    "what the old disk is like, which does not join": (
        device("vda", physical_sector=None, rotational=None),
        config(join_old_disk=False),
    ),
    "named by serial": (same, config(target=("DISKB",))),
    "mirror over two": (
        devices(C),
        config(target=(NEW, NEW_C), topology=Topology.MIRROR),
    ),
    "raidz1 over three": (
        devices(C, disk("vdd", "DISKD")),
        config(target=(NEW, NEW_C, "DISKD"), topology=Topology.RAIDZ1),
    ),
    "4096 inside, 512 outside": (device("vdb", physical_sector=4096), CONFIG),
    "swap in memory": (
        swaps(Swap(path="/dev/zram0", is_file=False, size=GIB)),
        CONFIG,
    ),
    "ZFS 2.4 and a distribution kernel": (cases_zfs.with_dist, CONFIG),
    "signatures wanted, and there": (
        all_of(
            boot(enforces_signatures=True),
            this_kernel(zfs_signed=True),
        ),
        CONFIG,
    ),
    "symbols trimmed to a list, and the module is there": (
        cases_kernel.options(TRIM_UNUSED_KSYMS="y", UNUSED_KSYMS_WHITELIST="k.txt"),
        CONFIG,
    ),
    "unpacks by zstd alone": (
        cases_kernel.options(RD_GZIP="n", RD_ZSTD="y"),
        CONFIG,
    ),
    "options of an older version of this tool": (
        this_kernel(options=tuple(OPTIONS[:14])),
        CONFIG,
    ),
    "a kernel that has taken an unsigned module, and tells nothing": (
        boot(lockdown=None, enforces_signatures=None),
        CONFIG,
    ),
    "the driver of ext2 itself": (
        cases_kernel.options(EXT2_FS="m", EXT4_FS="n", EXT4_USE_FOR_EXT2="n"),
        CONFIG,
    ),
    "the next kernel is built and has its module": (
        all_of(
            boot(kernels=(kernel(), cases_kernel.NEXT)),
            boot(sources_release=cases_kernel.NEXT.release),
        ),
        CONFIG,
    ),
    "options not known": (this_kernel(config=None, options=()), CONFIG),
    "several kernels": (boot(kernels=(kernel(), cases_kernel.OTHER)), CONFIG),
    "genkernel beside dracut": (
        boot(generators=(Generator.DRACUT, Generator.GENKERNEL)),
        CONFIG,
    ),
    "resume switched off": (
        boot(cmdline="root=/dev/vda4 resume=/dev/vda3 noresume"),
        CONFIG,
    ),
    **cases_tree.CLEAN,
    "rsync missing where it does not copy": (without("rsync"), CONFIG),
}

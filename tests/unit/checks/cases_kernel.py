"""Cases of the kernel: files, options, sources, signatures, and the boot loader."""

from dataclasses import replace

from tests.unit.checks.case import Case
from tests.unit.checks.machines import (
    GIB,
    MIB,
    OPTIONS,
    RELEASE,
    Change,
    all_of,
    boot,
    devices,
    installed,
    kernel,
    mounted,
    partition,
    system,
    this_kernel,
    unmounted,
)
from tests.unit.checks.packages import KMOD_USE
from zfs_root_migrate.model import BlockDevice, Firmware, Loader

OTHER = kernel("6.6.1-gentoo")
NEXT = kernel("6.12.40-gentoo")
ARRAY = BlockDevice(name="md0", kind="raid1", size=GIB, parents=("vda2",))


def options(**changes: str) -> Change:
    """Change options of the running kernel."""
    values = dict(option.split("=") for option in OPTIONS) | changes
    return this_kernel(options=tuple("=".join(item) for item in values.items()))


def unset(name: str, key: str, *, wrong: str = "n") -> Case:
    """Return a case of one option that is not as it must be."""
    return Case(key=key, change=options(**{name: wrong}), note=name)


def built(name: str, *, wrong: str = "n") -> tuple[Case, ...]:
    """Return the cases of an option that the module needs: without and with one."""
    case = unset(name, "kernel-option-rebuild", wrong=wrong)
    gone = all_of(case.change, replace_module(None))
    return (case, Case(key="kernel-option-module", change=gone, note=name))


def replace_module(path: str | None) -> Change:
    """Take the ZFS module of every kernel away."""
    return lambda facts: replace(
        facts,
        boot=replace(
            facts.boot,
            kernels=tuple(replace(k, zfs_module=path) for k in facts.boot.kernels),
        ),
        system=replace(facts.system, zfs_module=None),
    )


FILES = (
    Case(
        key="boot-not-mounted",
        change=all_of(unmounted("/boot"), this_kernel(image=None)),
    ),
    Case(
        key="kernel-not-installed",
        change=boot(kernels=(OTHER,)),
    ),
    Case(key="kernel-none", change=boot(kernels=())),
    Case(
        key="kernel-image-missing",
        change=boot(kernels=(replace(kernel(), image=None), OTHER)),
    ),
    Case(
        key="kernel-image-differs",
        change=this_kernel(image_version=f"{RELEASE} (root@gentoo) #2 SMP Tue Jun  3"),
    ),
    Case(
        key="kernel-image-differs",
        change=this_kernel(image_version=OTHER.image_version),
        note="of another release",
    ),
    Case(
        key="kernels-without-zfs",
        change=boot(kernels=(kernel(), replace(OTHER, zfs_module=None))),
    ),
    Case(key="raid1-missing", change=this_kernel(raid1=False), mend=this_kernel()),
    Case(
        key="raid1-missing",
        change=all_of(this_kernel(raid1=False, options=("MD_RAID1=n",))),
        note="not configured",
    ),
)

SOURCES = (
    Case(
        key="sources-missing",
        change=boot(sources=None, sources_release=None, sources_built=None),
    ),
    Case(
        key="sources-missing",
        change=boot(sources="/usr/src/empty", sources_release=None),
        note="leads to something else",
    ),
    Case(
        key="sources-not-built",
        change=boot(sources_built=False),
    ),
    Case(
        key="sources-differ",
        change=boot(sources_release=NEXT.release),
    ),
    Case(
        key="sources-differ",
        change=all_of(
            boot(kernels=(kernel(), replace(NEXT, zfs_module=None))),
            boot(sources_release=NEXT.release),
        ),
        note="of a kernel whose module is still to be built",
    ),
    Case(
        key="sources-differ",
        change=boot(sources_release="6.12.31"),
        note="the name begins alike",
    ),
)

CONFIGURED = (
    unset("EFI_PARTITION", "kernel-option-missing"),
    unset("BLK_DEV_INITRD", "kernel-option-missing"),
    unset("DEVTMPFS", "kernel-option-missing"),
    unset("TMPFS", "kernel-option-missing"),
    unset("BINFMT_SCRIPT", "kernel-option-missing"),
    unset("BINFMT_SCRIPT", "kernel-option-missing", wrong="m"),
    unset("RD_GZIP", "kernel-unpacks-nothing"),
    Case(
        key="kernel-symbols-trimmed",
        change=all_of(
            options(TRIM_UNUSED_KSYMS="y", UNUSED_KSYMS_WHITELIST="kept.txt"),
            replace_module(None),
        ),
    ),
    unset("EXT4_USE_FOR_EXT2", "kernel-option-missing"),
    Case(
        key="kernel-option-missing",
        change=options(EXT4_FS="n", EXT4_USE_FOR_EXT2="n"),
        note="no ext2 of either kind",
    ),
    *built("MODULES"),
    *built("BLOCK"),
    *built("ZLIB_DEFLATE"),
    *built("ZLIB_INFLATE"),
    *built("TRIM_UNUSED_KSYMS", wrong="y"),
    Case(
        key="kernel-option-module",
        change=all_of(
            options(TRIM_UNUSED_KSYMS="y", UNUSED_KSYMS_WHITELIST=""),
            replace_module(None),
        ),
        note="TRIM_UNUSED_KSYMS, and no list",
    ),
    *built("DEBUG_LOCK_ALLOC", wrong="y"),
    *built("PAX_KERNEXEC_PLUGIN_METHOD_OR", wrong="y"),
    Case(
        key="kernel-config-unknown",
        change=this_kernel(config=None, options=()),
    ),
)

SIGNED = (
    Case(
        key="zfs-module-unsigned",
        change=boot(enforces_signatures=True),
    ),
    Case(
        key="zfs-module-unsigned",
        change=all_of(boot(enforces_signatures=None), options(MODULE_SIG_FORCE="y")),
        note="known by its option alone",
    ),
    Case(
        key="zfs-module-unsigned",
        change=boot(enforces_signatures=True, lockdown="integrity"),
        note="locked down",
    ),
    Case(
        key="zfs-module-unsigned",
        change=all_of(
            boot(enforces_signatures=True),
            lambda f: replace(f, portage=replace(f.portage, packages=())),
        ),
        mend=this_kernel(zfs_signed=True),
        note="not by Portage",
    ),
    Case(
        key="zfs-module-unsigned",
        change=all_of(
            boot(enforces_signatures=True),
            installed("sys-fs/zfs-kmod", use=(*KMOD_USE, "modules-sign")),
        ),
        note="although it was built with the flag",
    ),
    Case(
        key="zfs-signature-unknown",
        change=all_of(
            boot(enforces_signatures=True),
            this_kernel(zfs_signed=None),
            system(zfs_module=None),
        ),
    ),
    Case(
        key="signatures-unknown",
        change=all_of(
            boot(lockdown=None, enforces_signatures=None),
            options(SECURITY_LOCKDOWN_LSM="y", MODULE_SIG="y"),
            system(zfs_module=None),
        ),
    ),
    Case(
        key="signatures-unknown",
        change=boot(firmware=Firmware.UEFI, secure_boot=None),
        note="of the firmware",
    ),
    Case(
        key="kernel-locked-down",
        change=boot(lockdown="confidentiality"),
        gone=False,
    ),
    Case(
        key="secure-boot",
        change=boot(secure_boot=True),
        mend=boot(secure_boot=False),
    ),
)

LOADER = (
    Case(key="loader-unknown", change=boot(loader=Loader.UNKNOWN), gone=False),
    Case(key="loader-not-grub", change=boot(loader=Loader.SYSTEMD_BOOT), gone=False),
    Case(
        key="one-shot-impossible",
        change=all_of(devices(ARRAY), mounted("/boot", device="md0")),
        gone=False,
        note="on an array",
    ),
    Case(
        key="one-shot-impossible",
        change=mounted("/boot", fs_type="btrfs"),
        gone=False,
        note="checksums",
    ),
    Case(
        key="one-shot-impossible",
        change=all_of(
            devices(replace(partition(6, GIB), name="dm-0", kind="crypt")),
            unmounted("/boot"),
            mounted("/", device="dm-0", source="/dev/dm-0"),
        ),
        gone=False,
        note="boot in the root, on LUKS",
    ),
    Case(
        key="boot-nearly-full",
        change=mounted("/boot", used=450 * MIB),
        mend=mounted("/boot", used=300 * MIB),
    ),
)

CASES: tuple[Case, ...] = (*FILES, *SOURCES, *CONFIGURED, *SIGNED, *LOADER)

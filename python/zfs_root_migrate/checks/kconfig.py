"""Checks of the options that the kernel was configured with."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from zfs_root_migrate.checks.kernel import running_kernel
from zfs_root_migrate.config import Config
from zfs_root_migrate.finding import Finding, Severity
from zfs_root_migrate.model import Facts, Kernel


@dataclass(frozen=True, slots=True)
class Option:
    """An option, what it must be, where menuconfig has it, and what for.

    `setting` is `y`, `n`, or `m` for a module or built in. What menuconfig does not
    show is selected by another option: `by` is what to set then.
    """

    name: str
    setting: str
    menu: str
    reason: str
    by: str | None = None

    def holds(self, kernel: Kernel) -> bool:
        """Tell whether the kernel has it as it must be, or nobody knows."""
        value = kernel.option(self.name)
        allowed = {"y": ("y",), "m": ("y", "m"), "n": ("n",)}[self.setting]
        return value is None or value in allowed

    @property
    def written(self) -> str:
        """The line of the configuration that makes it so."""
        return f"CONFIG_{self.by or self.name}={'n' if self.setting == 'n' else 'y'}"


_BLOCK = "Enable the block layer"
_MODULES = "Enable loadable module support"
_INITRD = "General setup -> Initial RAM filesystem and RAM disk support"
_DEFLATE = "Cryptographic API -> Compression -> Deflate"
# what the new system needs in order to start, with an initramfs by dracut
BOOT = (
    Option(
        "EFI_PARTITION",
        "y",
        f"{_BLOCK} -> Partition Types -> EFI GUID Partition support",
        "the new disk's partitions would not be seen",
    ),
    Option(
        "BLK_DEV_INITRD",
        "y",
        _INITRD,
        "the initramfs would not be used",
    ),
    Option(
        "DEVTMPFS",
        "y",
        "Device Drivers -> Generic Driver Options -> Maintain a devtmpfs filesystem",
        "the initramfs would have no devices",
    ),
    Option(
        "TMPFS",
        "y",
        "File systems -> Pseudo filesystems -> Tmpfs virtual memory file system",
        "the initramfs would have no /run",
    ),
    Option(
        "BINFMT_SCRIPT",
        "y",
        "Executable file formats -> Kernel support for scripts starting with #!",
        "the first program in dracut's initramfs is a script",
    ),
)
TRIM = Option(
    "TRIM_UNUSED_KSYMS",
    "n",
    f"{_MODULES} -> Trim unused exported kernel symbols",
    "symbols that ZFS uses would be missing",
)
# what the module must find: CONFIG_CHECK of the ebuild, linux-mod-r1.eclass, and
# config/kernel-config-defined.m4 of OpenZFS
MODULE = (
    Option("MODULES", "y", _MODULES, "there would be no modules at all"),
    Option("BLOCK", "y", _BLOCK, "ZFS works upon block devices"),
    Option(
        "ZLIB_DEFLATE", "m", _DEFLATE, "ZFS compresses with zlib", "CRYPTO_DEFLATE"
    ),
    Option(
        "ZLIB_INFLATE", "m", _DEFLATE, "ZFS compresses with zlib", "CRYPTO_DEFLATE"
    ),
    TRIM,
    Option(
        "DEBUG_LOCK_ALLOC",
        "n",
        "Kernel hacking -> Lock Debugging -> Detect incorrect freeing of live locks",
        "mutex_lock() would be for modules under the GPL only (PROVE_LOCKING and "
        "LOCK_STAT select it)",
    ),
    Option(
        "PAX_KERNEXEC_PLUGIN_METHOD_OR",
        "n",
        "Security options -> PaX -> Return Address Instrumentation Method: bts",
        "the ebuild refuses to work with it",
    ),
)
# the driver of ext4 can do it, too; menuconfig shows that option below the driver only
EXT4 = Option(
    "EXT4_FS",
    "m",
    "File systems -> The Extended 4 (ext4) filesystem",
    "the new /boot is ext2",
)
EXT2 = Option(
    "EXT2_FS",
    "m",
    "File systems -> The Extended 4 filesystem -> Use ext4 for ext2 file systems",
    "the new /boot is ext2",
    "EXT4_USE_FOR_EXT2",
)


# what unpacks an initramfs, the commonest first
UNPACKERS = tuple(
    Option(
        f"RD_{kind.upper()}",
        "y",
        f"{_INITRD} -> Support initial ramdisk/ramfs compressed using {kind}",
        "dracut compresses the initramfs",
    )
    for kind in ("gzip", "bzip2", "lzma", "xz", "lzo", "lz4", "zstd")
)


class KernelOptionMissing(Finding):
    """The kernel lacks an option that the new system needs in order to start.

    The new disk has a GPT; the root is found by an initramfs, which needs devtmpfs and
    tmpfs, and whose first program is a script; /boot is ext2, read with the driver of
    ext2 or of ext4.
    """

    key = "kernel-option-missing"
    severity = Severity.INHIBITOR
    title = "the kernel cannot start the new system"


class KernelOptionModule(Finding):
    """With this kernel's options no ZFS module can be built for it.

    The ebuild checks them before it builds (CONFIG_CHECK; linux-mod-r1.eclass for
    modules and trimmed symbols), and so does the configure script of OpenZFS.
    """

    key = "kernel-option-module"
    severity = Severity.INHIBITOR
    title = "the kernel's options forbid a ZFS module"


class KernelOptionRebuild(Finding):
    """The kernel has a ZFS module, but its options forbid to build one.

    It was built before the options were changed, or with the checks switched off.
    After the next update of ZFS or of the kernel there would be none.
    """

    key = "kernel-option-rebuild"
    severity = Severity.WARNING
    title = "the ZFS module could not be built again"


class KernelSymbolsTrimmed(Finding):
    """The kernel keeps only symbols that it uses itself or that a list names.

    CONFIG_TRIM_UNUSED_KSYMS leaves out what no module of the kernel's own uses, and ZFS
    uses more than they do. UNUSED_KSYMS_WHITELIST names a file with what is kept all
    the same, so the eclass only warns (Gentoo bug 759238). Whether the file has all
    that ZFS uses is seen when the module is built.
    """

    key = "kernel-symbols-trimmed"
    severity = Severity.WARNING
    title = "the kernel may lack symbols that ZFS uses"


class KernelUnpacksNothing(Finding):
    """The kernel was made without any of the ways to unpack an initramfs.

    CONFIG_RD_GZIP and its like are on unless somebody switches them off. dracut
    compresses the initramfs unless its configuration has `compress="cat"`; a kernel
    that cannot unpack it ends with a panic.
    """

    key = "kernel-unpacks-nothing"
    severity = Severity.WARNING
    title = "the kernel cannot unpack a compressed initramfs"


class KernelConfigUnknown(Finding):
    """How the running kernel was configured could not be read.

    It is looked for in /proc/config.gz, in /boot, in /lib/modules, and in
    /usr/src/linux if those are this kernel's sources. What the new system needs of the
    kernel could then not be checked: GPT, initramfs, devtmpfs, tmpfs, scripts, ext2.
    """

    key = "kernel-config-unknown"
    severity = Severity.INFO
    title = "the kernel's options are not known"


def check_kernel_options(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at the options of the kernel that the new system starts with."""
    kernel = running_kernel(facts)
    if kernel is None:
        return
    if kernel.config is None:
        yield KernelConfigUnknown(
            seen=f"no configuration of {kernel.release} is in /proc, /boot, "
            "/lib/modules or /usr/src/linux",
            why="Whether it can start the new system could not be checked.",
            remedy=(
                "The kernel may have it in a module:",
                "  modprobe configs",
                "  zfs-root-migrate check",
            ),
        )
        return
    boot = [option for option in BOOT if not option.holds(kernel)]
    if not _reads_ext2(kernel):
        boot += [EXT2] if EXT4.holds(kernel) else [EXT4, EXT2]
    if boot:
        yield _finding(KernelOptionMissing, kernel, boot, "The machine would not start")
    unpacks = any(kernel.option(option.name) != "n" for option in UNPACKERS)
    if kernel.option("BLK_DEV_INITRD") == "y" and not unpacks:
        first = list(UNPACKERS[:1])
        yield _finding(KernelUnpacksNothing, kernel, first, "It would not be unpacked")
    module = forbidding(kernel)
    has_one = kernel.zfs_module is not None or facts.system.zfs_module is not None
    if not TRIM.holds(kernel) and TRIM not in module and not has_one:
        yield _finding(KernelSymbolsTrimmed, kernel, [TRIM], "The build may stop")
    if module:
        kind = KernelOptionRebuild if has_one else KernelOptionModule
        yield _finding(kind, kernel, module, "The build stops")


def forbidding(kernel: Kernel | None) -> list[Option]:
    """Return the options with which no ZFS module can be built."""
    if kernel is None:
        return []
    # as linux-mod-r1.eclass judges it: with a list of exceptions it is no error
    excepted = kernel.option("UNUSED_KSYMS_WHITELIST") not in (None, "", "n")
    wrong = [option for option in MODULE if not option.holds(kernel)]
    return [option for option in wrong if option is not TRIM or not excepted]


def _reads_ext2(kernel: Kernel) -> bool:
    """Tell whether ext2 is there, by its own driver or by that of ext4."""
    by_ext4 = kernel.option("EXT4_USE_FOR_EXT2") == "y"
    return EXT2.holds(kernel) or (by_ext4 and kernel.option("EXT4_FS") in ("y", "m"))


def _finding(
    kind: Callable[..., Finding], kernel: Kernel, options: list[Option], effect: str
) -> Finding:
    now = ", ".join(f"CONFIG_{o.name}={kernel.option(o.name)}" for o in options)
    reasons = "; ".join(dict.fromkeys(option.reason for option in options))
    lines = ((option.menu, f"  {option.written}") for option in options)
    return kind(
        seen=f"{kernel.release} has {now} ({kernel.config})",
        why=f"{effect}: {reasons}.",
        remedy=(
            "Set this in the kernel (make menuconfig), build and install it, and",
            "start it:",
            *(text for line in dict.fromkeys(lines) for text in line),
        ),
    )

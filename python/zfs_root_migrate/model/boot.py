"""What a machine needs in order to start."""

import re
from dataclasses import dataclass
from enum import StrEnum


class Firmware(StrEnum):
    """How the running system was started."""

    BIOS = "bios"
    UEFI = "uefi"
    UNKNOWN = "unknown"


class Generator(StrEnum):
    """A program that makes the initramfs."""

    DRACUT = "dracut"
    GENKERNEL = "genkernel"
    UGRD = "ugrd"


class Loader(StrEnum):
    """What loads the kernel."""

    GRUB = "grub"
    SYSTEMD_BOOT = "systemd-boot"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """An installed kernel and what belongs to it.

    `zfs_module` is the path of the zfs.ko that was built for this very release, and
    `zfs_signed` tells whether that one is signed. `image_version` is what the running
    kernel's image says of itself: release, builder and number and time of the build.
    `config` is the file that `options`
    were read from, None where there is none; `options` are those that matter here, as
    `NAME=y`, and one that is not set is `NAME=n`.
    """

    release: str
    image: str | None
    initramfs: str | None
    zfs_module: str | None
    raid1: bool
    image_version: str | None = None
    zfs_version: str | None = None
    zfs_signed: bool | None = None
    config: str | None = None
    options: tuple[str, ...] = ()

    def option(self, name: str) -> str | None:
        """Return `y`, `m`, a value, `n` where it is not set, None if not known.

        >>> kernel = Kernel(release="6", image=None, initramfs=None, zfs_module=None,
        ...     raid1=True, config="/proc/config.gz", options=("MODULES=y",))
        >>> kernel.option("MODULES"), kernel.option("OTHER")
        ('y', None)
        """
        for option in self.options:
            key, _, value = option.partition("=")
            if key == name:
                return value
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """What the machine needs in order to start.

    `running_version` is /proc/version: release, builder, compiler, number and time of
    the build. `sources` is where /usr/src/linux leads, `sources_release` the kernel
    release that they make, and `sources_built` tells whether modules can be built for
    it. `lockdown` is the kernel's mode (`none`, `integrity`, `confidentiality`);
    `enforces_signatures` tells whether it loads signed modules only, `secure_boot`
    whether the firmware starts signed programs only. `spl_hostid` is what modprobe.d
    gives the module of that option, and `spl_hostid_file` where.
    """

    firmware: Firmware
    running_kernel: str
    cmdline: str
    kernels: tuple[Kernel, ...]
    generators: tuple[Generator, ...]
    grub_default: str | None
    grub_platforms: tuple[str, ...]
    hostid: str | None
    resume_image: bool | None
    loader: Loader = Loader.UNKNOWN
    running_version: str | None = None
    sources: str | None = None
    sources_release: str | None = None
    sources_built: bool | None = None
    lockdown: str | None = None
    enforces_signatures: bool | None = None
    secure_boot: bool | None = None
    spl_hostid: str | None = None
    spl_hostid_file: str | None = None

    @property
    def newest(self) -> str:
        """Release of the newest kernel that is installed; empty where none is."""
        releases = [kernel.release for kernel in self.kernels]
        return max(releases, key=release_key, default="")


def release_key(release: str) -> tuple[tuple[int, ...], bool, str]:
    """Return what kernel releases are sorted by, the newest last.

    >>> sorted(("6.12.9-gentoo", "6.12.10", "7.0.0-rc1", "6.9"), key=release_key)
    ['6.9', '6.12.9-gentoo', '6.12.10', '7.0.0-rc1']
    >>> release_key("7.0.0-rc1") < release_key("7.0.0-gentoo")
    True
    """
    # nothing keeps a name from having more digits than int() takes
    found = re.match(r"\d{1,9}(?:\.\d{1,9})*", release)
    numbers = tuple(int(number) for number in found[0].split(".")) if found else ()
    return numbers, re.search(r"-rc\d", release) is None, release

"""Checks of what starts the machine: firmware, init, initramfs and boot loader."""

from collections.abc import Iterator

from zfs_root_migrate.config import Config
from zfs_root_migrate.finding import LATER, Finding, Severity
from zfs_root_migrate.model import Facts, Firmware, Generator, Init
from zfs_root_migrate.needs import DRACUT, GRUB, grub_platform, is_asked
from zfs_root_migrate.wishes import install_remedy


class FirmwareUefi(Finding):
    """The machine was started by UEFI firmware; this version does BIOS only.

    UEFI needs an EFI system partition and a boot entry on each disk. That comes with a
    later version. Switching the firmware to "legacy" or CSM is no remedy: the present
    system would not start.
    """

    key = "firmware-uefi"
    severity = Severity.INHIBITOR
    title = "the machine starts by UEFI"
    unsupported = True


class FirmwareUnknown(Finding):
    """Whether a BIOS or UEFI firmware has started the machine is not known.

    /sys/firmware/efi is there on UEFI. That it is missing proves a BIOS only where
    /sys/firmware shows other things of the firmware; a container hides the directory,
    and in a chroot /sys may not be mounted. The boot loader is made for one of the two.
    """

    key = "firmware-unknown"
    severity = Severity.INHIBITOR
    title = "how the machine was started is not known"


class InitSystemd(Finding):
    """The system runs systemd; this version does OpenRC only.

    On systemd the datasets are mounted by generated units, which need a cache of their
    own. That comes with a later version.
    """

    key = "init-systemd"
    severity = Severity.INHIBITOR
    title = "the system runs systemd"
    unsupported = True


class InitUnknown(Finding):
    """Neither OpenRC nor systemd was seen to run.

    The new root needs services that import and mount the pool: which kind to install
    has to be known.
    """

    key = "init-unknown"
    severity = Severity.INHIBITOR
    title = "the service manager is not known"


class ServiceMissing(Finding):
    """An OpenRC service script that brings ZFS up is not in /etc/init.d.

    zfs-import and zfs-mount come with sys-fs/zfs and run in the boot runlevel. Without
    zfs-mount the system starts, and /home and /var/log are silently empty.
    """

    key = "service-missing"
    severity = Severity.INHIBITOR
    title = "a service script of ZFS is missing"


class InitramfsNone(Finding):
    """No program is installed that makes an initramfs.

    The kernel alone cannot mount a ZFS root: the module and the programs that import
    the pool must be in an initramfs. dracut is the one whose ZFS part the OpenZFS
    developers keep.
    """

    key = "initramfs-none"
    severity = Severity.INHIBITOR
    title = "nothing here can make an initramfs"


class InitramfsNotDracut(Finding):
    """Only genkernel or ugrd is installed; this version needs dracut.

    dracut can be installed beside them. It is used for the new root's initramfs only;
    the present boot entries stay as they are.
    """

    key = "initramfs-not-dracut"
    severity = Severity.INHIBITOR
    title = "dracut is not installed"


class GrubMissing(Finding):
    """GRUB's programs are not installed.

    The new disk gets a boot loader of its own, made by grub-install and grub-mkconfig.
    """

    key = "grub-missing"
    severity = Severity.INHIBITOR
    title = "GRUB is not installed"


class GrubPlatformMissing(Finding):
    """GRUB is installed without the platform of this machine's firmware.

    Gentoo builds the platforms that GRUB_PLATFORMS in make.conf names: "pc" for a BIOS
    (installed as i386-pc), "efi-64" for UEFI (x86_64-efi).
    """

    key = "grub-platform-missing"
    severity = Severity.INHIBITOR
    title = "GRUB is installed without this machine's platform"


class GrubDefaultMissing(Finding):
    """/etc/default/grub is not there.

    The kernel command line of the present system is usually kept in it: a console, or
    an option that the machine needs. Without the file the new system starts with the
    defaults.
    """

    key = "grub-default-missing"
    severity = Severity.WARNING
    title = "/etc/default/grub is missing"


def check_firmware(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at how the machine was started."""
    if facts.boot.firmware is Firmware.UEFI:
        yield FirmwareUefi(
            seen="/sys/firmware/efi is there",
            why="The new disk would have no boot entry that this firmware finds.",
            remedy=(LATER,),
        )
    elif facts.boot.firmware is Firmware.UNKNOWN:
        yield FirmwareUnknown(
            seen="/sys/firmware shows nothing",
            why="Which boot loader this machine starts is not known.",
            remedy=(
                "Start from the booted system, not in a container, and with /sys:",
                "  mount -t sysfs sysfs /sys",
                "  zfs-root-migrate check",
            ),
        )


def check_init(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at the service manager and the services that ZFS needs of it."""
    if facts.system.init is Init.SYSTEMD:
        yield InitSystemd(
            seen="/run/systemd/system is there"
            if facts.elsewhere is None
            else "/sbin/init leads to systemd",
            why="The new root's file systems would not be mounted at boot.",
            remedy=(LATER,),
        )
    elif facts.system.init is Init.UNKNOWN:
        yield InitUnknown(
            seen="neither /run/openrc nor /run/systemd/system is there"
            if facts.elsewhere is None
            else "neither systemd is behind /sbin/init, nor is /sbin/openrc there",
            why="What mounts the new root's file systems at boot is not known.",
            remedy=("Start from the booted system, not from a chroot or container.",),
        )
    elif facts.system.zfs_userland is not None:
        yield from _services(facts)


def _services(facts: Facts) -> Iterator[Finding]:
    for name in ("zfs-import", "zfs-mount"):
        if name not in facts.system.services:
            yield ServiceMissing(
                seen=f"/etc/init.d/{name} is not there",
                why="The new system would start with some of its directories empty.",
                remedy=(
                    "Install the package again, with its service scripts:",
                    "  emerge --ask --oneshot --noconfmem sys-fs/zfs",
                ),
            )


def check_initramfs(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look for the program that makes the initramfs."""
    remedy = install_remedy(facts, config, DRACUT)
    if not facts.boot.generators:
        yield InitramfsNone(
            seen="neither dracut nor genkernel nor ugrd is there",
            why="A kernel without an initramfs cannot mount a ZFS root.",
            remedy=remedy,
        )
    elif Generator.DRACUT not in facts.boot.generators:
        yield InitramfsNotDracut(
            seen=f"there is only {' and '.join(facts.boot.generators)}",
            why="This version makes the new root's initramfs with dracut.",
            remedy=remedy,
        )


def _grub_remedy(facts: Facts, config: Config) -> tuple[str, ...]:
    """Say how to get a GRUB with a platform, also where Portage could not be asked."""
    platform = grub_platform(facts)
    if platform is None or is_asked(facts, facts.portage.package(GRUB)):
        return install_remedy(facts, config, GRUB)
    return (
        "Ask for the platform of this machine, then build GRUB:",
        f"  echo 'GRUB_PLATFORMS=\"${{GRUB_PLATFORMS}} {platform[1]}\"' >> "
        "/etc/portage/make.conf",
        f"  emerge --ask {GRUB}",
    )


def check_grub(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at the boot loader."""
    wanted = ("grub-install", "grub-mkconfig")
    platform, ask = grub_platform(facts), _grub_remedy(facts, config)
    missing = [t.name for t in facts.system.tools if t.name in wanted and not t.path]
    if missing:
        yield GrubMissing(
            seen=f"{' and '.join(missing)} not found",
            why="Without a boot loader nothing starts from the new disk.",
            remedy=ask,
        )
    elif platform is not None and platform[0] not in facts.boot.grub_platforms:
        there = ", ".join(facts.boot.grub_platforms) or "none"
        yield GrubPlatformMissing(
            seen=f"/usr/lib/grub/{platform[0]} is not there; platforms: {there}",
            why="grub-install cannot write a boot loader that this machine starts.",
            remedy=ask,
        )
    if not missing and facts.boot.grub_default is None:
        yield GrubDefaultMissing(
            seen="/etc/default/grub could not be read",
            why="What the kernel needs on its command line is usually kept there.",
            remedy=(
                "Install GRUB's own, and set GRUB_CMDLINE_LINUX in it:",
                "  emerge --ask --oneshot --noconfmem sys-boot/grub",
            ),
        )

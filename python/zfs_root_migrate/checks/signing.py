"""Checks of signatures: of kernel modules, and of what the firmware starts."""

from collections.abc import Iterator

from zfs_root_migrate.checks.kernel import running_kernel
from zfs_root_migrate.checks.zfs_use import name_of
from zfs_root_migrate.config import Config
from zfs_root_migrate.finding import Finding, Severity
from zfs_root_migrate.model import Facts, Firmware, Kernel
from zfs_root_migrate.needs import find_need
from zfs_root_migrate.wishes import emerge_line, install_remedy, signing_key
from zfs_root_migrate.zfs_versions import installed_carrier

LOCKED = ("integrity", "confidentiality")


class ZfsModuleUnsigned(Finding):
    """The kernel loads signed modules only, and the ZFS module has no signature.

    Such a kernel was built with CONFIG_MODULE_SIG_FORCE, was started with
    module.sig_enforce, or is locked down. With USE modules-sign Portage signs the
    module with the key that MODULES_SIGN_KEY and MODULES_SIGN_CERT name in make.conf,
    else with the one in the kernel's sources (linux-mod-r1.eclass). The kernel must
    know that key; for sys-kernel/gentoo-kernel-bin nobody here has it, so use
    sys-kernel/gentoo-kernel with a key of your own.
    """

    key = "zfs-module-unsigned"
    severity = Severity.INHIBITOR
    title = "the kernel would refuse the ZFS module"


class ZfsSignatureUnknown(Finding):
    """The kernel loads signed modules only; whether zfs.ko is signed is not known.

    Whether the kernel trusts the key of a signature is seen when the module is loaded:
    once it is, this is no question any more.
    """

    key = "zfs-signature-unknown"
    severity = Severity.INFO
    title = "whether the ZFS module is signed is not known"


class SignaturesUnknown(Finding):
    """Whether the kernel or the firmware wants signatures could not be found out.

    The kernel tells it in /sys/module/module/parameters/sig_enforce and in
    /sys/kernel/security/lockdown, which takes a mounted securityfs; the firmware in the
    variable SecureBoot, which takes a mounted efivarfs. Where signatures are wanted, a
    module or a boot loader without one is refused at the next boot.
    """

    key = "signatures-unknown"
    severity = Severity.WARNING
    title = "whether signatures are wanted is not known"


class KernelLockedDown(Finding):
    """The kernel is locked down.

    It then loads modules only that are signed with a key it knows, does not resume from
    hibernation, and does not start another kernel by kexec. ZFS works with it.
    """

    key = "kernel-locked-down"
    severity = Severity.INFO
    title = "the kernel is locked down"


class SecureBoot(Finding):
    """Secure Boot is on: the firmware starts signed programs only.

    grub-install writes a GRUB that is not signed. The firmware would pass over the new
    disk, or stop with an error.
    """

    key = "secure-boot"
    severity = Severity.INHIBITOR
    title = "Secure Boot is on"


def check_signatures(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at who wants signatures, and at what has none."""
    boot, kernel = facts.boot, running_kernel(facts)
    if boot.lockdown in LOCKED:
        yield KernelLockedDown(
            seen=f"/sys/kernel/security/lockdown says {boot.lockdown}",
            why="It refuses modules that are not signed with a key it knows.",
            remedy=(),
        )
    if kernel is not None and kernel.zfs_module and facts.wants_signatures:
        yield from _module(facts, config, kernel)
    if facts.elsewhere is None:
        yield from _unknown(facts, kernel)
    if boot.secure_boot:
        yield SecureBoot(
            seen="the firmware's variable SecureBoot is 1",
            why="The boot loader on the new disk is not signed and would not start.",
            remedy=("Switch Secure Boot off in the firmware's setup.",),
        )


def _unknown(facts: Facts, kernel: Kernel | None) -> Iterator[Finding]:
    """Name who does not say whether signatures are wanted."""
    boot = facts.boot
    # a module that is loaded without a signature was not refused
    unsigned = kernel is not None and kernel.zfs_signed is False
    taken = unsigned and facts.system.zfs_module is not None
    lacks = kernel is not None and kernel.option("SECURITY_LOCKDOWN_LSM") == "n"
    enforces = boot.enforces_signatures is not None or facts.wants_signatures
    told = {
        "whether the kernel loads signed modules only": enforces or taken,
        "whether it is locked down": boot.lockdown is not None or lacks or taken,
        "whether Secure Boot is on": boot.secure_boot is not None,
    }
    unknown = [what for what, known in told.items() if not known]
    if unknown:
        yield SignaturesUnknown(
            seen="not known: " + ", ".join(unknown),
            why="What is wanted and missing would be refused at the next boot.",
            remedy=(
                "Mount what tells it, and look again as root:",
                "  mount -t securityfs securityfs /sys/kernel/security",
                *(
                    ("  mount -t efivarfs efivarfs /sys/firmware/efi/efivars",)
                    if boot.secure_boot is None and boot.firmware is Firmware.UEFI
                    else ()
                ),
                "  zfs-root-migrate check",
            ),
        )


def _module(facts: Facts, config: Config, kernel: Kernel) -> Iterator[Finding]:
    by = "locked down" if facts.boot.lockdown in LOCKED else "told to want signatures"
    if kernel.zfs_signed is None and facts.system.zfs_module is None:
        yield ZfsSignatureUnknown(
            seen=f"{kernel.release} is {by}; {kernel.zfs_module} could not be judged",
            why="Without a signature the root would not be found at boot.",
            remedy=("See whether it can be loaded:", "  modprobe zfs"),
        )
    elif kernel.zfs_signed is False:
        yield ZfsModuleUnsigned(
            seen=f"{kernel.release} is {by}; {kernel.zfs_module} has no signature",
            why="The module would not be loaded, and the root not be found at boot.",
            remedy=_sign(facts, config),
        )


def _sign(facts: Facts, config: Config) -> tuple[str, ...]:
    """Say how the module is signed: by Portage, where that has installed it."""
    carrier = installed_carrier(facts.portage)
    if carrier is None:
        return (
            *signing_key(facts),
            "Sign it as you have built it, or let Portage install ZFS.",
        )
    name = name_of(carrier)
    if find_need(facts, config, name) is not None:
        return (*install_remedy(facts, config, name), "Then start anew:", "  reboot")
    # it was built with the flag, and something has taken the signature off again
    build = f"  {emerge_line((f'={carrier.cpv}',))}"
    return (*signing_key(facts), "Build it again, and start anew:", build, "  reboot")

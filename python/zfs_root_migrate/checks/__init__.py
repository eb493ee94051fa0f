"""What stands in the way: every check is a pure function of facts and settings.

A check takes what was read of a machine and what the user wants, and yields findings.
It never reads the system and never prints, so a recorded machine is judged like the
running one. One that fails does not keep the others from being made.
"""

from zfs_root_migrate.checks import (
    boot,
    choice,
    kconfig,
    kernel,
    links,
    loader,
    old_kernel,
    packages,
    pools,
    portage_state,
    root,
    signing,
    source,
    space,
    support,
    swap,
    system,
    target,
    tree,
    zfs,
    zfs_use,
)
from zfs_root_migrate.checks.table import Row, failed, left_out
from zfs_root_migrate.config import Config
from zfs_root_migrate.finding import Finding, Severity, explain
from zfs_root_migrate.model import Facts

__all__ = ["CHECKS", "Row", "explain", "is_inhibited", "run_checks"]

# The order within one severity: what makes everything else moot comes first. A row with
# `running` is of no use in a tree that does not run (`check --root`); what it is about
# is then named as not looked at.
CHECKS: tuple[Row, ...] = (
    Row(system.check_rights, "your rights", running=True),
    Row(system.check_machine, "the machine and its memory", running=True),
    Row(system.check_distribution, "the distribution"),
    Row(system.check_completeness, "what the kernel tells", running=True),
    Row(root.check_root, "the disk of the root", running=True),
    Row(boot.check_firmware, "the firmware", running=True),
    Row(boot.check_init, "the service manager"),
    Row(kernel.check_kernel, "the kernels"),
    Row(kernel.check_kernel_sources, "the kernel sources"),
    Row(kconfig.check_kernel_options, "the kernel's options"),
    Row(support.check_support, "the kernels that ZFS supports"),
    Row(old_kernel.check_old_kernel, "the oldest kernel that ZFS supports"),
    Row(zfs.check_zfs, "ZFS"),
    Row(zfs_use.check_zfs_use, "the USE flags of ZFS"),
    Row(signing.check_signatures, "signatures"),
    Row(boot.check_initramfs, "what makes the initramfs"),
    Row(boot.check_grub, "GRUB"),
    Row(loader.check_loader, "the boot loader", running=True),
    Row(system.check_tools, "the programs"),
    Row(packages.check_packages, "the packages that are needed"),
    Row(packages.check_build_flags, "USE flags of GRUB and installkernel"),
    Row(packages.check_live, "what live ebuilds need"),
    Row(choice.check_choice, "the choice of disks", running=True),
    Row(choice.check_number, "the number of disks", running=True),
    Row(target.check_targets, "the new disks", running=True),
    Row(space.check_geometry, "the size of sectors", running=True),
    Row(space.check_space, "the space that is needed", running=True),
    Row(space.check_boot_size, "the size of /boot", running=True),
    Row(source.check_exclude, "the setting exclude"),
    Row(source.check_sources, "the file systems to copy", running=True),
    Row(source.check_elsewhere, "what stays where it is", running=True),
    Row(tree.check_tree, "the files to copy"),
    Row(links.check_links, "hard links"),
    Row(pools.check_pools, "other pools", running=True),
    Row(pools.check_hostid, "the hostid"),
    Row(pools.check_import_all, "the import of pools at boot"),
    Row(swap.check_hibernation, "hibernation", running=True),
    Row(swap.check_resume, "the kernel command line", running=True),
    Row(swap.check_swap, "swap", running=True),
    Row(portage_state.check_merges, "merges of Portage"),
    Row(portage_state.check_leftovers, "what updates have left to do"),
    Row(portage_state.check_portage, "Portage"),
)


def run_checks(
    facts: Facts, config: Config, checks: tuple[Row, ...] = CHECKS
) -> tuple[Finding, ...]:
    """Return all findings, inhibitors first, else in the order of the checks."""
    rows = [row for row in checks if facts.elsewhere is None or not row.running]
    found = [finding for row in rows for finding in _made(row, facts, config)]
    found += left_out([row for row in checks if row not in rows], facts)
    return tuple(sorted(dict.fromkeys(found), key=lambda f: f.severity.rank))


def _made(row: Row, facts: Facts, config: Config) -> tuple[Finding, ...]:
    """Make one check; an error in it is a finding and not the end of the report."""
    try:
        return tuple(row.check(facts, config))
    except Exception as error:  # noqa: BLE001 - whatever it is, others can still answer
        return (failed(row, error),)


def is_inhibited(findings: tuple[Finding, ...]) -> bool:
    """Tell whether one of the findings forbids `run`."""
    return any(finding.severity is Severity.INHIBITOR for finding in findings)

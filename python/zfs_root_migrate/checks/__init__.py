"""What stands in the way: every check is a pure function of facts and settings.

A check takes what was read of a machine and what the user wants, and yields findings.
It never reads the system and never prints, so a recorded machine is judged like the
running one.
"""

from collections.abc import Callable, Iterator

from zfs_root_migrate.checks import (
    boot,
    choice,
    kernel,
    pools,
    root,
    source,
    space,
    swap,
    system,
    target,
)
from zfs_root_migrate.config import Config
from zfs_root_migrate.finding import Finding, Severity, explain
from zfs_root_migrate.model import Facts

__all__ = ["CHECKS", "explain", "is_inhibited", "run_checks"]

Check = Callable[[Facts, Config], Iterator[Finding]]

# The order within one severity: what makes everything else moot comes first.
CHECKS: tuple[Check, ...] = (
    system.check_rights,
    system.check_machine,
    system.check_completeness,
    root.check_root,
    boot.check_firmware,
    boot.check_init,
    kernel.check_kernel,
    kernel.check_zfs,
    boot.check_initramfs,
    boot.check_grub,
    system.check_tools,
    choice.check_choice,
    choice.check_number,
    target.check_targets,
    space.check_geometry,
    space.check_space,
    space.check_boot_size,
    source.check_exclude,
    source.check_sources,
    source.check_elsewhere,
    pools.check_pools,
    pools.check_hostid,
    pools.check_import_all,
    swap.check_hibernation,
    swap.check_resume,
    swap.check_swap,
    system.check_portage,
)


def run_checks(facts: Facts, config: Config) -> tuple[Finding, ...]:
    """Return all findings, inhibitors first, else in the order of CHECKS."""
    found = [finding for check in CHECKS for finding in check(facts, config)]
    return tuple(sorted(dict.fromkeys(found), key=lambda f: f.severity.rank))


def is_inhibited(findings: tuple[Finding, ...]) -> bool:
    """Tell whether one of the findings forbids `run`."""
    return any(finding.severity is Severity.INHIBITOR for finding in findings)

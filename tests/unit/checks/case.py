"""What a case of the checks is: a change to the ready machine, the finding expected.

`mend` is what the remedy does to the facts where it names no command that does it: a
switch in the firmware, another disk. The commands of a remedy are followed by the test
itself, see `remedies`.
"""

from dataclasses import dataclass

from tests.unit.checks.machines import CONFIG, Change, base
from zfs_root_migrate.config import Config
from zfs_root_migrate.model import Facts


def same(facts: Facts) -> Facts:
    """Change nothing."""
    return facts


def ready(_: Facts) -> Facts:
    """Bring about what no command brings about: the machine is as it should be."""
    return base()


@dataclass(frozen=True, kw_only=True)
class Case:
    """One seeded condition; `gone` is false for a finding that only informs."""

    key: str
    change: Change = same
    config: Config = CONFIG
    mend: Change = same
    gone: bool = True
    note: str = ""

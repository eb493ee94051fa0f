"""Findings: what a check says, and the manual entry of everything it can say.

A kind of finding is a class. Its docstring is its manual entry, its key never changes,
and whoever makes one says what was seen, why it matters and what to type. In a remedy,
a line that begins with two blanks is typed as it stands; other lines are read.
"""

import difflib
import inspect
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from zfs_root_migrate.errors import UsageError

LATER = "A later version handles this; nothing was changed."
KINDS: dict[str, type["Finding"]] = {}


class Severity(StrEnum):
    """How much a finding weighs, the heaviest first."""

    INHIBITOR = "inhibitor"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """Place in a report: 0 comes first."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found on this machine."""

    key: ClassVar[str]
    severity: ClassVar[Severity]
    title: ClassVar[str]
    # nothing that is typed makes this version migrate such a machine
    unsupported: ClassVar[bool] = False

    seen: str
    why: str
    remedy: tuple[str, ...]

    def __init_subclass__(cls) -> None:
        """Enter the kind in the register, where explain and the manual find it."""
        if cls.key in KINDS:
            raise TypeError(f"two kinds of finding have the key {cls.key}")
        KINDS[cls.key] = cls

    @property
    def commands(self) -> tuple[str, ...]:
        """The lines of the remedy that are to be typed."""
        return tuple(line.strip() for line in self.remedy if line.startswith("  "))


def finding_json(finding: Finding) -> dict[str, Any]:
    """Return the documented JSON form of a finding."""
    return {
        "key": finding.key,
        "severity": str(finding.severity),
        "title": finding.title,
        "seen": finding.seen,
        "why": finding.why,
        "remedy": list(finding.remedy),
        "commands": list(finding.commands),
    }


# instead of a key
ALL = "list"


def list_kinds() -> str:
    """Return the keys and titles of everything a check can say, the heaviest first."""
    width = max(map(len, KINDS))
    lines = []
    for severity in Severity:
        kinds = [kind for kind in KINDS.values() if kind.severity is severity]
        lines.append(f"{severity} ({len(kinds)})")
        kinds.sort(key=lambda kind: kind.key)
        lines += [f"  {kind.key:<{width}}  {kind.title}" for kind in kinds]
        lines.append("")
    return "\n".join([*lines, "More about one: zfs-root-migrate check --explain KEY"])


def explain(key: str) -> str:
    """Return the manual entry of a kind of finding, or the list of all.

    >>> explain("target-unset").splitlines()[0]
    'target-unset (inhibitor): no new disk is chosen'
    """
    if key == ALL:
        return list_kinds()
    kind = KINDS.get(key)
    if kind is None:
        near = difflib.get_close_matches(key, KINDS, n=3)
        every = "to see all: zfs-root-migrate check --explain"
        raise UsageError(
            f"there is no finding {key!r}",
            resolution=f"did you mean: {', '.join(near)}; {every}" if near else every,
        )
    text = inspect.cleandoc(kind.__doc__ or "")
    return f"{kind.key} ({kind.severity}): {kind.title}\n\n{text}\n"

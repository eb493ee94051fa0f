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


def explain(key: str) -> str:
    """Return the manual entry of a kind of finding.

    >>> explain("target-unset").splitlines()[0]
    'target-unset (inhibitor): no new disk is chosen'
    """
    kind = KINDS.get(key)
    if kind is None:
        near = difflib.get_close_matches(key, KINDS, n=3) or sorted(KINDS)
        raise UsageError(
            f"there is no finding {key!r}",
            resolution="did you mean: " + ", ".join(near),
        )
    text = inspect.cleandoc(kind.__doc__ or "")
    return f"{kind.key} ({kind.severity}): {kind.title}\n\n{text}\n"

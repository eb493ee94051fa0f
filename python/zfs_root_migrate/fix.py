"""What `check --fix` is going to do and has done, as a value, as text and as JSON."""

import textwrap
from dataclasses import dataclass
from typing import Any

from zfs_root_migrate.config import Config
from zfs_root_migrate.errors import MigrateError, StepFailedError
from zfs_root_migrate.model import Facts, PlaceKind
from zfs_root_migrate.own_files import Change, Spot, SpotKind, changes, remark, typed
from zfs_root_migrate.wishes import (
    Topic,
    Wish,
    emerge_line,
    emerge_words,
    place_of,
    wishes,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """The lines that are wanted, the files that get them, and what is then to install.

    `lines` are those that somebody can add by hand where the files cannot be written.
    """

    wanted: tuple[Wish, ...]
    changes: tuple[Change, ...]
    atoms: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def emerge(self) -> str | None:
        """What to type in order to install what is missing."""
        return emerge_line(self.atoms) if self.atoms else None


def plan_fix(facts: Facts, config: Config, spots: tuple[Spot, ...]) -> Fix:
    """Return what would have to be written and installed; raises where it cannot be."""
    wanted = wishes(facts, config)
    lines = typed(wanted, spots)
    try:
        planned = changes(wanted, spots)
    except MigrateError as error:
        raise by_hand(error, lines) from None
    atoms = emerge_words(facts, config)
    return Fix(wanted=wanted, changes=planned, atoms=atoms, lines=lines)


def by_hand(error: MigrateError, lines: tuple[str, ...]) -> MigrateError:
    """Return an error that also tells what to type instead."""
    details = "\n".join(filter(None, [error.details, "By hand:", *lines]))
    return StepFailedError(
        error.brief,
        details=details,
        resolution="type these lines yourself, then: zfs-root-migrate check",
    )


def spots_of(facts: Facts) -> tuple[Spot, ...]:
    """Return the places of a recorded machine, none of which has a file of ours."""
    return tuple(_spot(facts, topic) for topic in Topic)


def _spot(facts: Facts, topic: Topic) -> Spot:
    path, kind = place_of(facts, topic)
    return Spot(topic=topic, path=path, kind=_KINDS[kind], real=path)


_KINDS = {
    PlaceKind.ABSENT: SpotKind.ABSENT,
    PlaceKind.FILE: SpotKind.FILE,
    PlaceKind.DIRECTORY: SpotKind.DIRECTORY,
}


def intent_text(fix: Fix) -> str:
    """Write what the files will hold, and what becomes of their places."""
    if not fix.changes:
        return _nothing(fix)
    lines = []
    for change in fix.changes:
        said = remark(change.spot)
        lines += [f"To be written: {change.spot.file}", *_wrapped(said)]
        lines += [f"    {line}".rstrip() for line in change.text.splitlines()]
        lines.append("")
    return "\n".join(lines).rstrip("\n")


def remarks(fix: Fix) -> tuple[str, ...]:
    """Say what becomes of places where that is more than a new file."""
    return tuple(filter(None, (remark(change.spot) for change in fix.changes)))


def done_text(fix: Fix) -> str:
    """Write what was written."""
    if not fix.changes:
        return _nothing(fix)
    lines = []
    for change in fix.changes:
        said = remark(change.spot, done=True)
        lines += [f"Written: {change.spot.file}", *_wrapped(said)]
        lines += [f"    {line}" for line in change.added]
    return "\n".join([*lines, "To take it away again: zfs-root-migrate undo"])


def _wrapped(text: str) -> list[str]:
    """Break a text at blanks; paths stay whole."""
    return textwrap.wrap(
        text,
        78,
        initial_indent="  ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _nothing(fix: Fix) -> str:
    if fix.wanted:
        return (
            "Nothing to write: the lines are there, but something else in Portage's\n"
            "configuration overrides them: a file that is read after ours, or a line\n"
            "for a certain version."
        )
    return "Nothing to write: Portage's configuration has all that is needed."


def fix_data(fix: Fix, *, written: bool, installed: bool | None) -> dict[str, Any]:
    """Return the JSON form, without the findings that remain."""
    return {
        "files": [
            {
                "path": change.spot.file,
                "content": change.text,
                "added": list(change.added),
                "remark": remark(change.spot),
            }
            for change in fix.changes
        ],
        "written": written,
        "emerge": fix.emerge,
        "installed": installed,
    }

"""The state directory: what was decided, and where the migration stands."""

import contextlib
import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from zfs_root_migrate import codec, journal
from zfs_root_migrate.config import Config
from zfs_root_migrate.errors import UsageError
from zfs_root_migrate.facts import dump_facts, load_facts
from zfs_root_migrate.journal import Event, Record
from zfs_root_migrate.model import Facts
from zfs_root_migrate.paths import JOURNAL, OPINION, REPORT

if TYPE_CHECKING:
    from zfs_root_migrate.plan import Plan

SCHEMA = "zfs-root-migrate/state"
VERSION = 1


class Phase(StrEnum):
    """Where a migration stands."""

    NOTHING = "nothing"
    STARTED = "started"
    COPIED = "copied"
    ARMED = "armed"
    STALE = "stale"
    UNSEALED = "unsealed"
    SYNCING = "syncing"
    UNDOING = "undoing"
    ARRIVED = "arrived"
    MIRRORING = "mirroring"
    MIRRORED = "mirrored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What was decided when the migration began."""

    config: Config
    facts: Facts
    digest: str
    plan: "Plan"


class State:
    """Reads and writes one state directory."""

    def __init__(self, directory: str) -> None:
        """Nothing is read or made yet."""
        self.directory = Path(directory)
        self.journal_path = self.directory / JOURNAL
        self._plan = self.directory / "plan.json"
        self._facts = self.directory / "facts.json"
        self._reports = tuple(
            self.directory / Path(name).name for name in (REPORT, OPINION)
        )
        # to decode them takes long, and a verb asks more than once
        self._known: tuple[tuple[str, str], Recorded] | None = None

    def recorded(self) -> Recorded | None:
        """Return what was decided, or None where nothing has begun."""
        try:
            text = self._plan.read_text("utf-8")
            facts = self._facts.read_text("utf-8")
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise UsageError(
                f"cannot read {self.directory}",
                details=str(error),
                resolution="only root can see the state of a migration",
            ) from None
        if self._known is None or self._known[0] != (text, facts):
            self._known = (text, facts), self._decode(text, facts)
        return self._known[1]

    def _decode(self, text: str, facts: str) -> Recorded:
        # the steps are loaded where there are any: `check` is to be quick
        from zfs_root_migrate.plan import Plan

        data = _parse(text, self._plan)
        return Recorded(
            config=codec.decode(Config, data.get("config"), "config"),
            facts=load_facts(facts, str(self._facts)),
            digest=str(data.get("digest")),
            plan=codec.decode(Plan, data.get("plan"), "plan"),
        )

    def record(self, config: Config, facts: Facts, plan: "Plan") -> None:
        """Write down what was decided; plan.json comes last and makes it valid."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        # of an undo that was cut short while it forgot: not of this migration
        self.journal_path.unlink(missing_ok=True)
        journal.write_state(self._facts, dump_facts(facts))
        data = {
            "schema": SCHEMA,
            "version": VERSION,
            "config": codec.encode(config),
            "digest": plan.digest,
            "plan": codec.encode(plan),
        }
        journal.write_state(self._plan, json.dumps(data, indent=1) + "\n")

    def records(self) -> tuple[Record, ...]:
        """Return what the journal says."""
        try:
            return journal.read_records(self.journal_path)[0]
        except PermissionError:
            return ()

    def forget(self) -> None:
        """Remove everything; plan.json goes first, as it makes the rest valid."""
        names = (self._plan, self._facts, self.journal_path)
        for path in (*names, *self._reports):
            path.unlink(missing_ok=True)
        for part in self.directory.glob("*.part"):
            part.unlink()
        with contextlib.suppress(OSError):
            # somebody else's file in there stays, and does no harm
            self.directory.rmdir()


def _parse(text: str, path: Path) -> dict[str, object]:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{path} is damaged: {error}") from None
    if not isinstance(data, dict) or data.get("version") != VERSION:
        raise UsageError(
            f"{path} was written by another version",
            resolution="use the version of zfs-root-migrate that began the migration",
        )
    return data


def phase(
    recorded: Recorded | None, records: tuple[Record, ...], *, on_new_root: bool
) -> Phase:
    """Work out where the migration stands."""
    if recorded is None:
        return Phase.NOTHING
    ends = {r.verb for r in records if r.event is Event.END}
    begun = {r.verb for r in records if r.event is Event.BEGIN}
    if on_new_root:
        if "mirror" in ends:
            return Phase.MIRRORED
        return Phase.MIRRORING if "mirror" in begun else Phase.ARRIVED
    if any(r.event is Event.UNDONE and r.verb == "run" for r in records):
        return Phase.UNDOING
    newest = journal.last(list(records), Event.BEGIN, Event.END)
    if "run" not in ends or newest is None:
        return Phase.STARTED
    if journal.last_pass(records):
        return _after_last_pass(journal.last_pass(records))
    if newest.event is Event.BEGIN:
        return Phase.SYNCING
    return Phase.ARMED if recorded.config.seals else Phase.COPIED


def _after_last_pass(records: tuple[Record, ...]) -> Phase:
    """Tell how the last pass ended, as far as the old root can know.

    From the moment on in which it is read-only, only a failure is written there.
    """
    events = {record.event for record in records}
    if events & {Event.FAILED, Event.INTERRUPTED} or Event.INTENT not in events:
        return Phase.UNSEALED
    return Phase.STALE


# a whole copy is there, up to date or not
FINISHED = (Phase.COPIED, Phase.ARMED, Phase.STALE, Phase.UNSEALED, Phase.SYNCING)
NEXT = {
    Phase.NOTHING: "nothing has begun; next: zfs-root-migrate check",
    Phase.STARTED: "begun and not finished; next: `zfs-root-migrate run` goes on, "
    "`zfs-root-migrate undo` goes back",
    Phase.COPIED: "the new root is complete, as of the last pass; next: boot from the "
    "new disk (choose it in the firmware's boot menu), then `zfs-root-migrate mirror` "
    "there. `zfs-root-migrate sync` brings the copy up to date before that, "
    "`zfs-root-migrate undo` goes back",
    Phase.ARMED: "the new root is complete but for what is written from now on, which "
    "is copied while the system goes down; next: reboot, and boot from the new disk "
    "(choose it in the firmware's boot menu), then `zfs-root-migrate mirror` there. "
    "`zfs-root-migrate undo` goes back",
    Phase.STALE: "the new root was sealed, and this system was booted since: what is "
    "written here is not there, and the new root refuses to start; next: reboot, the "
    "last pass is made again while the system goes down, then boot from the new disk. "
    "`zfs-root-migrate run` makes most of that pass now, `zfs-root-migrate undo` goes "
    "back",
    Phase.UNSEALED: "the last pass did not come to its end, so the new root may lack "
    "something and refuses to start; next: mend what it says, then "
    "`zfs-root-migrate run`, and reboot; `zfs-root-migrate undo` goes back",
    Phase.SYNCING: "the copy was finished, a pass or comparison after that was not; "
    "next: `zfs-root-migrate sync` brings it to its end, `undo` goes back",
    Phase.UNDOING: "going back was begun and not finished; next: zfs-root-migrate undo",
    Phase.ARRIVED: "this is the new root, running; next: `zfs-root-migrate mirror` "
    "takes the old disk in, no turning back. To go back, boot from the old disk",
    Phase.MIRRORING: "the old disk is being taken in; next: `zfs-root-migrate mirror` "
    "goes on",
    Phase.MIRRORED: "done: the system runs from a mirrored pool",
}
NEXT_ALONE = (
    "done: this is the new root, running; the old disk stays out of the pool and is "
    "yours to use"
)

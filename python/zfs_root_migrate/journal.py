"""What was tried: one JSON line for each event, on disk before the event's deed.

The journal is never rewritten. A line that a power cut tore in two is the last one and
is dropped when the journal is opened again. The proof of a step, not the journal, says
whether its effect is there; the journal says which steps may have left something.

The file is not kept open, so that what it lies on can be made read-only in between.
What cannot be written then is kept, and written with the next record that can be.
"""

import errno
import fcntl
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from zfs_root_migrate.errors import MigrateError, UsageError


class Event(StrEnum):
    """What can stand in the journal."""

    BEGIN = "begin"
    INTENT = "intent"
    DONE = "done"
    KEPT = "kept"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    UNDONE = "undone"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line: event, verb and plan it belongs to, step (or empty), Unix time."""

    event: Event
    verb: str
    plan: str
    step: str = ""
    time: float = 0.0
    text: str = ""


@dataclass(slots=True)
class Journal:
    """The journal in the state directory, or without a path in memory alone.

    `aside` is where a whole copy of it is kept while `path` is on a file system that is
    read-only, once the directory of `aside` is there.
    """

    path: Path | None = None
    records: list[Record] = field(default_factory=list)
    clock: Callable[[], float] = time.time
    aside: Path | None = None
    _late: list[Record] = field(default_factory=list)

    @classmethod
    def open(cls, path: Path, *, aside: Path | None = None) -> "Journal":
        """Read what is there, drop a torn last line and get ready to append."""
        records, length = read_records(path)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(descriptor, length)
        os.close(descriptor)
        _sync_directory(path.parent)
        return cls(path, list(records), aside=aside)

    def write(
        self, event: Event, verb: str, plan: str, step: str = "", text: str = ""
    ) -> None:
        """Append one record; it is on the disk when this returns."""
        record = Record(
            event=event, verb=verb, plan=plan, step=step, time=self.clock(), text=text
        )
        self.records.append(record)
        self._late.append(record)
        if self.path is not None:
            self._append(self.path)

    def _append(self, path: Path) -> None:
        """Append what is not yet in the file, all of it in one piece."""
        text = _lines(self._late)
        try:
            with path.open("a", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            # its file system is read-only, or unmounted
            if self.aside is None or error.errno not in (errno.EROFS, errno.ENOENT):
                raise
            if self.aside.parent.is_dir():
                write_state(self.aside, _lines(self.records))
        else:
            self._late.clear()


def touched(records: list[Record], verb: str) -> frozenset[str]:
    """Return the steps that may have left something: tried and not undone since."""
    steps: set[str] = set()
    for record in records:
        if record.verb != verb:
            continue
        if record.event is Event.INTENT:
            steps.add(record.step)
        elif record.event is Event.UNDONE:
            steps.discard(record.step)
    return frozenset(steps)


def last(records: list[Record], *events: Event, step: str = "") -> Record | None:
    """Return the newest record of these events (of one step, where one is named)."""
    for record in reversed(records):
        if record.event in events and (not step or record.step == step):
            return record
    return None


def last_pass(records: tuple[Record, ...]) -> tuple[Record, ...]:
    """Return the records of the last pass, if it is the newest that was begun."""
    begun = [n for n, r in enumerate(records) if r.event is Event.BEGIN]
    newest = records[begun[-1] :] if begun else ()
    return newest if newest and newest[0].verb == "seal" else ()


def read_records(path: Path) -> tuple[tuple[Record, ...], int]:
    """Read the whole lines of a journal and the length in bytes that they take."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return (), 0
    whole = data[: data.rfind(b"\n") + 1]
    records = []
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            row = json.loads(line)
            records.append(Record(**{**row, "event": Event(row["event"])}))
        except (ValueError, TypeError, KeyError) as error:
            raise UsageError(
                f"{path}: line {number} is damaged",
                details=str(error),
                resolution="keep a copy of the file; `undo` needs a whole journal",
            ) from None
    return tuple(records), len(whole)


def _lines(records: list[Record]) -> str:
    return "".join(json.dumps(_row(record)) + "\n" for record in records)


def _row(record: Record) -> dict[str, str | float]:
    return {
        "event": str(record.event),
        "verb": record.verb,
        "plan": record.plan,
        "step": record.step,
        "time": record.time,
        "text": record.text,
    }


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_state(path: Path, text: str) -> None:
    """Write a state file so that after a crash it is the old or the new one, whole."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    _sync_directory(path.parent)


class Lock:
    """One instance at a time; the kernel lets go of it when the process ends."""

    def __init__(self, path: Path) -> None:
        """Take the lock, or say who has it."""
        self._file = path.open("a+", encoding="ascii")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise MigrateError(
                "another zfs-root-migrate is at work",
                details=f"process {holder}",
                resolution="wait for it; `zfs-root-migrate status` shows how far it is",
            ) from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def __enter__(self) -> None:
        """Hold it."""

    def __exit__(self, *_: object) -> None:
        """Let go of it."""
        self._file.close()


def holder(path: Path) -> str | None:
    """Return the process that has the lock, or None where nobody has it."""
    try:
        with path.open(encoding="ascii") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read().strip() or "unknown"
    except OSError:
        return None
    return None

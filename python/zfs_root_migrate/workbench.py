"""An executor on this machine, with journal and log. Part of the rim."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zfs_root_migrate.executor import Executor
from zfs_root_migrate.journal import Event, Journal, Record
from zfs_root_migrate.output import Log, Reporter
from zfs_root_migrate.paths import LOG
from zfs_root_migrate.reader import Reader
from zfs_root_migrate.state import State
from zfs_root_migrate.step import Probe
from zfs_root_migrate.terminal import Terminal
from zfs_root_migrate.world import LiveWorld, Passes, fits

# the steps in which copying passes begin, at once
_PASSES = ("copy", "delta", "last-pass")
# the one of them after which every file is read and compared
_COMPARED = "delta"


@contextmanager
def open_executor(
    terminal: Terminal,
    state: State,
    *,
    log: str | None = None,
    aside: Path | None = None,
) -> Iterator[Executor]:
    """Give an executor on this machine; what it started ends with it.

    `aside` is where the journal is kept while it cannot be written where it lies.
    """
    journal = Journal.open(state.journal_path, aside=aside)
    reporter = Reporter(terminal, Log(log or LOG))
    world = LiveWorld(reporter, passes=lambda: passes(journal.records))
    try:
        yield Executor(world, journal, reporter)
    finally:
        world.close()


@contextmanager
def open_passing(terminal: Terminal) -> Iterator[Executor]:
    """Give an executor whose journal nobody reads later; the log is kept."""
    reporter = Reporter(terminal, Log(LOG))
    world = LiveWorld(reporter, passes=Passes)
    try:
        yield Executor(world, Journal(), reporter)
    finally:
        world.close()


def holds(probe: Probe, reader: Reader) -> bool:
    """Ask a probe's question of what a verb reads from."""
    return fits(probe, reader.query(*probe.argv)) is probe.holds


def passes(records: list[Record]) -> Passes:
    """Return when copying passes began.

    What the running system changed before the last one must be equal; what it changed
    later may differ.
    """
    begun = [r for r in records if r.event is Event.INTENT and r.step in _PASSES]
    done = [
        n
        for n, r in enumerate(records)
        if r.event is Event.DONE and r.step == _COMPARED
    ]
    compared = [r.time for r in records[: done[-1]] if r in begun] if done else []
    last, before = ([r.time for r in begun[::-1]] + [0.0, 0.0])[:2]
    return Passes(last=last, before=before, compared=compared[-1] if compared else 0.0)

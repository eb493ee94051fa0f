"""Copies: a pass, and another one where the first had no room and some was made."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from zfs_root_migrate.copy.clearing import make_rules
from zfs_root_migrate.copy.identity import Identity
from zfs_root_migrate.copy.ledger import Ledger
from zfs_root_migrate.copy.one_pass import Pass, Tell, Trees
from zfs_root_migrate.copy.order import Order, Report, Tally
from zfs_root_migrate.copy.problems import FATAL, NO_ROOM, FatalError, StoppedError
from zfs_root_migrate.copy.room import Room

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def copy(order: Order, tell: Tell) -> Report:
    """Make the destination equal to the source; `tell` hears how far it is.

    Raises KeyboardInterrupt when it was stopped; what was copied until then counts at
    the next pass. Everything else that goes wrong is in the report. OSError is raised
    where one of the two directories cannot be opened.
    """
    begun = time.monotonic()
    report = Report()
    with ExitStack() as stack:
        source = stack.enter_context(_opened(order.source))
        destination = stack.enter_context(_opened(order.destination))
        try:
            _copy(order, (source, destination), report, tell)
        except FatalError as error:
            report.fatal = str(error)
            report.full = error.number in NO_ROOM
        except StoppedError:
            raise KeyboardInterrupt from None
    report.seconds = time.monotonic() - begun
    return report


@contextmanager
def _opened(path: str) -> Iterator[int]:
    found = os.open(path, _OPEN)
    try:
        yield found
    finally:
        os.close(found)


def _copy(order: Order, trees: Trees, report: Report, tell: Tell) -> None:
    def one_pass() -> None:
        with _fatal(), _ledger(order, trees) as ledger:
            Pass(order, trees, ledger, report, tell).go()

    try:
        one_pass()
    except FatalError as error:
        if error.number not in NO_ROOM or not make_room(order, trees, report.tally):
            raise
    else:
        return
    # not in the handler: what the first pass holds in memory is free by now
    report.forget_errors()
    one_pass()


def make_room(order: Order, trees: Trees, tally: Tally) -> bool:
    """Remove what the source does not have; tell whether there is room now.

    What is removed is counted in the tally, and what the pass before has removed
    counts too. Raises FatalError.
    """
    with _fatal(), _ledger(order, trees, only_read=True) as ledger:
        return Room(*trees, make_rules(order.exclude), ledger, tally).make()


@contextmanager
def _fatal() -> Iterator[None]:
    """Let what the destination says no to be a FatalError."""
    try:
        yield
    except OSError as error:
        if error.errno not in FATAL:
            raise
        where = f"{error.filename}: " if error.filename else ""
        raise FatalError(f"{where}{error.strerror}", error.errno) from error


@contextmanager
def _ledger(
    order: Order, trees: Trees, *, only_read: bool = False
) -> Iterator[Ledger | None]:
    if order.state is None:
        yield None
        return
    identity = Identity.of(*trees, order.exclude)
    ledger = Ledger(order.state, identity, only_read=only_read)
    with os.scandir(trees[1]) as entries:
        if len(ledger) and next(entries, None) is None:
            # somebody made room since
            ledger.forget()
            ledger = Ledger(order.state, identity, only_read=only_read)
    try:
        yield ledger
    finally:
        ledger.close()

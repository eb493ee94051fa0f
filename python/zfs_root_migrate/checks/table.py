"""One row of the table of checks, and what is said of a row that gave no answer."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from zfs_root_migrate.config import Config
from zfs_root_migrate.finding import Finding, Severity
from zfs_root_migrate.model import Facts

Check = Callable[[Facts, Config], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Row:
    """A check, what it is about in words, and whether it needs a running machine."""

    check: Check
    about: str
    running: bool = False


class CheckFailed(Finding):
    """A check ended with an error of its own, so what it looks for is not known.

    That is a fault of zfs-root-migrate and not of the machine. The other checks were
    made. What one check would have found can be what destroys data, so `run` does not
    begin. A recording of the machine (`zfs-root-migrate facts --record FILE`) holds all
    that the check saw; with it the fault can be found. It names disks with their serial
    numbers, mount points and installed packages, and holds no passwords.
    """

    key = "check-failed"
    severity = Severity.INHIBITOR
    title = "a check could not be made"


class NotLookedAt(Finding):
    """A tree that does not run was examined; some things only a machine can tell.

    `check --root DIR` reads what lies below DIR: packages, kernels, configuration.
    Disks, firmware, memory, mounts and what else the kernel tells belong to the machine
    that the command runs on and not to the tree, so they are not looked at. Boot the
    tree, or enter it on its own machine, and run `check` there.
    """

    key = "not-looked-at"
    severity = Severity.INFO
    title = "only a running machine can tell the rest"


def failed(row: Row, error: Exception) -> Finding:
    """Say that a check failed, where in the source, and with which error."""
    return CheckFailed(
        seen=f"the check of {row.about} ({row.check.__module__}.{row.check.__name__}) "
        f"failed: {_one_line(error)}{_place(error)}",
        why="What it looks for may be there or not; nobody can tell.",
        remedy=(
            "This is a fault of zfs-root-migrate. Report it, with this file:",
            "  zfs-root-migrate facts --record machine.json",
        ),
    )


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    name = type(error).__name__
    return f"{name}: {text[:200]}" if text else name


def _place(error: Exception) -> str:
    """Return the line of the source in which an error was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    file = trace.tb_frame.f_code.co_filename.rpartition("/")[2]
    return f" ({file}, line {trace.tb_lineno})"


def left_out(rows: Sequence[Row], facts: Facts) -> Iterator[Finding]:
    """Name what was not looked at in a tree that does not run, all at once."""
    if rows:
        yield NotLookedAt(
            seen="not looked at: " + ", ".join(row.about for row in rows),
            why=f"{facts.elsewhere} does not run; these belong to a running machine.",
            remedy=(),
        )

"""Makes one tree equal to another, by the code that the settings name. Part of the rim.

The one place that knows how files get from the old to the new root.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from zfs_root_migrate import rsync, runner
from zfs_root_migrate.errors import StepFailedError
from zfs_root_migrate.model import Copier
from zfs_root_migrate.step import CopyTree

if TYPE_CHECKING:
    from zfs_root_migrate.copy.order import Problem, Report, Tally
    from zfs_root_migrate.world import Progress

# how many of a kind are said aloud; all are in the report beside the state
SAID = 5
# how lines of the report begin
NOT_KEPT = "not kept"
_NAMES = {
    "bytes": "bytes copied",
    "vanished": "names vanished meanwhile",
    "changed_meanwhile": "changed while they were copied",
    "removed": "removed",
    "verified": "read back and compared by hash",
}


def command(tree: CopyTree) -> tuple[str, ...]:
    """Return the command that does the same by hand."""
    if tree.copier is Copier.RSYNC:
        return rsync.command(tree)
    return (
        *("python3", "-m", "zfs_root_migrate.copy"),
        *(f"--exclude={path}" for path in tree.exclude),
        f"--state={tree.state}",
        *(("--verify",) if tree.verify else ()),
        *(("--allow-split-links",) if tree.split_links else ()),
        tree.source,
        tree.destination,
    )


def copy_tree(tree: CopyTree, progress: "Progress") -> int:
    """Copy, and tell how it goes; return how many names were changed.

    Raises StepFailedError with what went wrong.
    """
    progress.tree_begins(tree)
    if tree.copier is Copier.RSYNC:
        return rsync.copy(tree, progress)
    # most verbs copy nothing, and this takes a tenth of the time that `check` has
    from zfs_root_migrate.copy.engine import copy
    from zfs_root_migrate.copy.order import Order

    order = Order(
        source=tree.source,
        destination=tree.destination,
        exclude=tree.exclude,
        state=tree.state,
        verify=tree.verify,
        split_links=tree.split_links,
    )
    progress.command(runner.shell_text(command(tree)))

    def tell(tally: "Tally") -> None:
        done = tally.copied + tally.unchanged
        progress.advance(bytes_done=tally.bytes, files_done=done)

    try:
        Path(tree.state).parent.mkdir(parents=True, exist_ok=True)
        report = copy(order, tell)
    except OSError as error:
        raise StepFailedError(
            f"cannot copy to {tree.destination}",
            details=f"{error.filename or tree.destination}: {error.strerror}",
        ) from error
    tell(report.tally)
    _say(tree, report, progress)
    return report.tally.copied + report.tally.removed


def _say(tree: CopyTree, report: "Report", progress: "Progress") -> None:
    counts = [(getattr(report.tally, name), text) for name, text in _NAMES.items()]
    said = ", ".join(f"{count} {text}" for count, text in counts if count)
    progress.said(f"{report.tally.copied} copied; {said or 'nothing else'}")
    place = f"{tree.state}.report"
    if report.not_kept or report.errors:
        _write(place, report)
    if report.not_kept:
        progress.noted(
            f"{report.not_kept_found} things could not be kept, for example:\n"
            + "\n".join(f"  {problem}" for problem in report.not_kept[:SAID])
            + f"\nAll of them: {place}"
        )
    if not report.is_good:
        raise StepFailedError(
            f"copying to {tree.destination} failed: "
            + (report.fatal or f"{report.errors_found} names could not be copied"),
            details="\n".join(map(str, report.errors[:SAID])),
            resolution=_resolution(report),
        )


def _write(place: str, report: "Report") -> None:
    def rows(title: str, found: int, problems: "list[Problem]") -> list[str]:
        lines = [f"{title}: {problem}" for problem in problems]
        more = found - len(problems)
        return [*lines, f"{title}: and {more} more"] if more else lines

    lines = rows("not copied", report.errors_found, report.errors)
    lines += rows(NOT_KEPT, report.not_kept_found, report.not_kept)
    try:
        lines += _not_kept_before(place, report)
        Path(place).write_text(
            "\n".join(lines) + "\n", encoding="utf-8", errors="surrogateescape"
        )
    except OSError:
        # a full pool; what is said aloud names the first of them
        return


def _not_kept_before(place: str, report: "Report") -> list[str]:
    """Return what earlier passes could not keep: what they copied, no later one does.

    What this pass says of a path is newer. What was not copied was tried again.
    """
    try:
        before = Path(place).read_text("utf-8", "surrogateescape").splitlines()
    except FileNotFoundError:
        return []
    said = tuple(f"{NOT_KEPT}: {problem.path!r}: " for problem in report.not_kept)
    return [
        line
        for line in before
        if line.startswith(f"{NOT_KEPT}: ") and not line.startswith(said)
    ]


def _resolution(report: "Report") -> str:
    text = " ".join(problem.what for problem in report.errors)
    if report.full:
        return rsync.FULL
    if "Input/output error" in text or "Input/output error" in report.fatal:
        return rsync.DYING
    return "mend what is named above; `zfs-root-migrate run` goes on from there"


def distrust(trees: tuple[CopyTree, ...], paths: tuple[str, ...]) -> None:
    """Have these paths of destinations copied anew by the next pass."""
    from zfs_root_migrate.copy.doubt import doubt

    for tree in trees:
        top = tree.destination.rstrip("/")
        inside = [path[len(top) :] for path in paths if path.startswith(f"{top}/")]
        if tree.copier is Copier.OWN and inside:
            doubt(tree.state, inside)

"""Passes over the trees until more of them are no gain. Part of the rim."""

import time
from typing import TYPE_CHECKING

from zfs_root_migrate import copier
from zfs_root_migrate.amounts import duration
from zfs_root_migrate.errors import StepFailedError
from zfs_root_migrate.step import CopyRounds

if TYPE_CHECKING:
    from zfs_root_migrate.world import Progress

# another pass must be expected to take less than this share of the one before
GAIN = 0.7


def expected(took: float, apart: float) -> float:
    """Return how long the next pass is expected to take, in seconds.

    The last one took `took` seconds for what had changed in the `apart` seconds before
    it; the next one has what changed in these `took` seconds to carry.

    >>> expected(60, 600), expected(60, 40)
    (6.0, 60.0)
    """
    return took * min(1.0, took / apart) if apart > 0 else took


def make_rounds(action: CopyRounds, progress: "Progress", *, since: float) -> None:
    """Make passes; `since` is the Unix time at which the one before them began."""
    for number in range(1, action.most + 1):
        begun, clock = time.time(), time.monotonic()
        progress.round_begins()
        found = sum(copier.copy_tree(tree, progress) for tree in action.trees)
        took = time.monotonic() - clock
        after = expected(took, begun - since)
        said = f"pass {number}: {found} changes in {duration(took)}"
        if action.still:
            progress.noted(said)
            if not found:
                return
            continue
        progress.noted(f"{said}; another one is expected to take {duration(after)}")
        if not found or after <= action.goal or after > GAIN * took:
            return
        since = begun
    if action.still:
        raise StepFailedError(
            f"after {action.most} passes there was still something to copy",
            details="nothing can have changed: what is copied does not stay copied",
            resolution="the log has what the last pass found; look at it, and at "
            "`zfs-root-migrate verify`",
        )

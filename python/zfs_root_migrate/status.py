"""What `status` says, for people and for programs. Pure functions."""

import time
from typing import Any

from zfs_root_migrate import codec, journal
from zfs_root_migrate.journal import Event, Record
from zfs_root_migrate.layout import design
from zfs_root_migrate.paths import LOG
from zfs_root_migrate.state import NEXT, NEXT_ALONE, Phase, Recorded


def status_line(now: Phase, recorded: Recorded | None) -> str:
    """Say where it stands and what is next."""
    joins = recorded is not None and design(recorded.config, recorded.facts).old_disk
    if now is Phase.ARRIVED and not joins:
        return NEXT_ALONE
    return NEXT[now]


def status_text(
    now: Phase,
    recorded: Recorded | None,
    records: tuple[Record, ...],
    at_work: str | None,
) -> str:
    """Write where it stands, on which disks, and what is next."""
    lines = []
    if recorded is not None:
        layout = design(recorded.config, recorded.facts)
        disks = ", ".join(disk.path for disk in layout.disks)
        lines.append(f"Pool {layout.pool} on {disks}")
        if layout.old_disk is not None:
            lines.append(f"Old disk: {layout.old_disk.path}")
    if records:
        newest = records[-1]
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(newest.time))
        step = f", step {newest.step}" if newest.step else ""
        lines.append(f"Last in the journal: {newest.verb}{step}: {newest.event} {when}")
    lines += _last_pass_lines(now, records)
    if at_work is not None:
        lines.append(f"At work now: process {at_work}")
    return "\n".join([*lines, status_line(now, recorded)])


def _last_pass_lines(now: Phase, records: tuple[Record, ...]) -> list[str]:
    """Say how the last pass ended, where the new root is not what it should be."""
    made = journal.last_pass(records)
    if not made or now not in (Phase.STALE, Phase.UNSEALED):
        return []
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(made[0].time))
    failed = next((r for r in made if r.event is Event.FAILED), None)
    if now is Phase.STALE:
        return [f"Sealed by the pass that began at {when}; stale, as this system runs"]
    if failed is not None:
        step = f" in step {failed.step}" if failed.step else ""
        return [
            f"The last pass, begun at {when}, failed{step}: {failed.text}",
            f"The log has more: {LOG}",
        ]
    return [f"The last pass, begun at {when}, was cut short"]


def status_data(
    now: Phase, recorded: Recorded | None, records: tuple[Record, ...]
) -> dict[str, Any]:
    """Return the JSON form of the status."""
    layout = design(recorded.config, recorded.facts) if recorded else None
    return {
        "phase": str(now),
        "next": status_line(now, recorded),
        "pool": layout.pool if layout else None,
        "disks": [disk.path for disk in layout.disks] if layout else [],
        "old_disk": layout.old_disk.path if layout and layout.old_disk else None,
        "journal": [codec.encode(record) for record in records[-20:]],
    }

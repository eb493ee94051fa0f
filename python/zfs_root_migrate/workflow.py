"""One function for each verb that acts: facts, checks, plan, executor."""

import os
from collections.abc import Callable
from functools import partial

from zfs_root_migrate import __version__, runner, topology
from zfs_root_migrate import plan as planning
from zfs_root_migrate.config import Config
from zfs_root_migrate.errors import InhibitedError, MigrateError, UsageError
from zfs_root_migrate.finding import Finding, Severity
from zfs_root_migrate.journal import Lock
from zfs_root_migrate.layout import DiskLayout, design
from zfs_root_migrate.model import Facts
from zfs_root_migrate.paths import LOCK
from zfs_root_migrate.plan import Plan
from zfs_root_migrate.reader import Reader
from zfs_root_migrate.sessions import Confirm, Session
from zfs_root_migrate.state import FINISHED, Phase, Recorded, phase
from zfs_root_migrate.steps import pool
from zfs_root_migrate.workbench import holds, open_executor


def require_root(verb: str) -> None:
    """Stop unless this is root."""
    if os.geteuid() != 0:
        raise UsageError(
            f"`{verb}` needs root",
            resolution="run it as root, or see what it would do: zfs-root-migrate plan",
        )


def on_new_root(recorded: Recorded | None, reader: Reader) -> bool:
    """Tell whether the running root is the new one, or a clone of it."""
    if recorded is None:
        return False
    answer = reader.query("findmnt", "--noheadings", "--output=SOURCE,FSTYPE", "/")
    pool = design(recorded.config, recorded.facts).pool
    return [w.partition("/")[0] for w in answer.stdout.split()] == [pool, "zfs"]


def current_phase(session: Session) -> tuple[Phase, Recorded | None]:
    """Return where the migration stands and what was decided."""
    recorded = session.state.recorded()
    arrived = on_new_root(recorded, session.reader)
    now = phase(recorded, session.state.records(), on_new_root=arrived)
    if now is Phase.STALE and recorded is not None:
        # to export the pool is the last thing that a pass does
        closed = pool.is_closed(design(recorded.config, recorded.facts))
        if not holds(closed, session.reader):
            now = Phase.UNSEALED
    return now, recorded


def inhibit(findings: tuple[Finding, ...]) -> None:
    """Stop where a finding forbids to go on."""
    # `mirror` and `status` check nothing
    from zfs_root_migrate.checks.table import NotLookedAt

    if any(isinstance(finding, NotLookedAt) for finding in findings):
        raise InhibitedError(
            "a tree that does not run cannot be migrated",
            details="what is to be copied, and to which disk, is known of a running "
            "machine only",
            resolution="boot it, and use zfs-root-migrate there",
        )
    inhibitors = [f for f in findings if f.severity is Severity.INHIBITOR]
    if inhibitors:
        raise InhibitedError(
            f"{len(inhibitors)} thing{'s' * (len(inhibitors) > 1)} must be mended "
            "first; nothing was changed",
            details="\n".join(f"{f.key}: {f.seen}" for f in inhibitors),
            resolution="`zfs-root-migrate check` shows what to type for each",
        )


def run(session: Session, confirm: Confirm) -> None:
    """Begin or go on with the migration, up to the reboot."""
    with Lock(LOCK):
        now, recorded = current_phase(session)
        if now in (Phase.ARRIVED, Phase.MIRRORING, Phase.MIRRORED):
            raise UsageError(
                "this is the new root already", resolution="zfs-root-migrate status"
            )
        if now is Phase.UNDOING:
            raise UsageError(
                "going back was begun and not finished",
                resolution="finish it: zfs-root-migrate undo",
            )
        if now in FINISHED and now is not Phase.SYNCING and recorded is not None:
            same_plan(planning.plan_run(recorded.config, recorded.facts), recorded)
            _execute(session, planning.plan_sync(recorded.config, recorded.facts))
            return
        if recorded is not None and session.config != recorded.config:
            session.terminal.talk(
                "Going on with the settings that were in force at the beginning; "
                "changed since then: they count after `undo`."
            )
        plan = _resumed(recorded) if recorded else _begun(session, confirm)
        _execute(session, plan)


def _begun(session: Session, confirm: Confirm) -> Plan:
    """Check, plan, ask and write down what was decided."""
    inhibit(session.findings())
    session.terminal.talk("Looking at every file that is to be copied ...")
    session.walk()
    inhibit(session.findings())
    plan = planning.plan_run(session.config, session.facts())
    targets = ", ".join(d.path for d in design(session.config, session.facts()).disks)
    question = f"Write to {targets}? On the old disk only what `plan` lists is touched."
    if not confirm(question):
        raise UsageError("nothing was changed")
    session.state.record(session.config, session.facts(), plan)
    return plan


def _resumed(recorded: Recorded) -> Plan:
    """Make the recorded plan anew and see that it is the same."""
    plan = planning.plan_run(recorded.config, recorded.facts)
    same_plan(plan, recorded)
    return plan


def same_plan(plan: Plan, recorded: Recorded) -> None:
    """Stop where this version would do something else than what was begun."""
    if plan.digest != recorded.digest:
        raise UsageError(
            "this version of zfs-root-migrate would do something else than what was "
            "begun",
            details=f"begun by version {recorded.facts.tool_version}, this is "
            f"{__version__}",
            resolution="go on with the version that began it, or go back with "
            "`zfs-root-migrate undo` and begin anew",
        )


def _execute(session: Session, plan: Plan) -> None:
    runner.enter_own_mounts()
    _execute_here(session, plan)


def _execute_here(session: Session, plan: Plan) -> None:
    with open_executor(session.terminal, session.state) as executor:
        executor.run(plan)


def sync(session: Session, *, discard: bool) -> None:
    """Bring a finished copy up to date.

    `discard` gives up what was written in the new root since.
    """
    _on_finished(session, partial(planning.plan_sync, discard=discard))


def verify(session: Session) -> None:
    """Compare every file and look at every link of the boot chain."""
    _on_finished(session, planning.plan_verify)


def _on_finished(session: Session, make: Callable[[Config, Facts], Plan]) -> None:
    with Lock(LOCK):
        now, recorded = current_phase(session)
        if now not in FINISHED or recorded is None:
            raise UsageError(
                "there is no finished copy to work on",
                details=f"the migration's phase is: {now}",
                resolution="zfs-root-migrate status",
            )
        same_plan(planning.plan_run(recorded.config, recorded.facts), recorded)
        _execute(session, make(recorded.config, recorded.facts))


def undo(session: Session, confirm: Confirm) -> bool:
    """Go back to how it was, from any point before `mirror`; False: nothing to do."""
    with Lock(LOCK):
        now, recorded = current_phase(session)
        if recorded is None:
            return False
        if now in (Phase.ARRIVED, Phase.MIRRORING, Phase.MIRRORED):
            raise UsageError(
                "this is the new root: it cannot take itself away",
                resolution="boot from the old disk and run undo there"
                if now is Phase.ARRIVED
                else "the old disk was given up by `mirror`; there is no way back",
            )
        disks = ", ".join(d.path for d in design(recorded.config, recorded.facts).disks)
        if not confirm(f"Take everything off {disks} again?"):
            raise UsageError("nothing was changed")
        runner.enter_own_mounts()
        with open_executor(session.terminal, session.state) as executor:
            # the recorded steps, not those that this version would plan
            executor.undo(recorded.plan)
        session.state.forget()
        return True


def mirror(session: Session, confirm: Callable[[DiskLayout], str]) -> None:
    """Take the old disk in; `confirm` returns the serial that the user gave."""
    with Lock(LOCK):
        now, recorded = current_phase(session)
        if now not in (Phase.ARRIVED, Phase.MIRRORING) or recorded is None:
            raise UsageError(
                "`mirror` takes the old disk into the new root's pool, and this is not "
                "a new root that waits for it",
                details=f"the migration's phase is: {now}",
                resolution="zfs-root-migrate status",
            )
        plan = planning.plan_mirror(recorded.config, recorded.facts, session.facts())
        old = design(recorded.config, recorded.facts).old_disk
        assert old is not None
        _same_disk(session.facts(), old)
        serial = confirm(old)
        if serial != (old.serial or old.path):
            raise InhibitedError(
                f"the serial {serial!r} is not the old disk's; nothing was changed",
                details=f"the old disk is {old.path}, {old.model or 'no model'}, "
                f"serial {old.serial or 'none, give its path instead'}",
                resolution="look at the disk's label and at lsblk -o NAME,SERIAL",
            )
        _execute_here(session, plan)


def _same_disk(facts: Facts, old: DiskLayout) -> None:
    """See that the disk at the recorded path is the old disk, and is free."""
    found = topology.find_disk(facts.storage, old.path)
    if found is None:
        raise MigrateError(
            f"the old disk {old.path} is not there",
            resolution="connect it; `zfs-root-migrate facts` shows the disks",
        )
    if (found.serial, found.size) != (old.serial, old.size):
        raise MigrateError(
            f"{old.path} is not the old disk",
            details=f"recorded: serial {old.serial}, {old.size} bytes; found: serial "
            f"{found.serial}, {found.size} bytes",
        )

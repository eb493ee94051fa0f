"""The last pass, made while the system goes down. Part of the rim."""

import contextlib
from dataclasses import replace
from pathlib import Path

from zfs_root_migrate import plan as planning
from zfs_root_migrate import runner
from zfs_root_migrate.errors import MigrateError, UsageError
from zfs_root_migrate.executor import Executor
from zfs_root_migrate.journal import Event, Journal, Lock
from zfs_root_migrate.paths import (
    JOURNAL,
    LOCK,
    LOG,
    SEAL_LOG,
    SEAL_REPORT,
    STATE,
    WORK,
    in_new,
)
from zfs_root_migrate.plan import Plan
from zfs_root_migrate.sessions import Session
from zfs_root_migrate.state import FINISHED
from zfs_root_migrate.workbench import open_executor
from zfs_root_migrate.workflow import current_phase, same_plan


def seal(session: Session) -> None:
    """Copy what is left when nothing can write any more, and seal the new root.

    Where it fails, the old root is made writable again, so that it knows why.
    """
    with Lock(LOCK):
        try:
            plan = _planned(session)
        except MigrateError as error:
            _note_failure(session, error)
            raise
        runner.enter_own_mounts()
        Path(WORK).mkdir(exist_ok=True)
        aside = Path(in_new(STATE)) / JOURNAL
        with open_executor(
            session.terminal, session.state, log=SEAL_LOG, aside=aside
        ) as executor:
            try:
                executor.run(plan)
            except BaseException:
                give_back(executor, plan)
                _keep_log()
                raise


def _planned(session: Session) -> Plan:
    now, recorded = current_phase(session)
    if recorded is None or now not in FINISHED or not recorded.config.seals:
        raise UsageError(
            "there is no copy that waits for its last pass",
            details=f"the migration's phase is: {now}",
            resolution="zfs-root-migrate status",
        )
    same_plan(planning.plan_run(recorded.config, recorded.facts), recorded)
    return planning.plan_seal(recorded.config, recorded.facts)


def _note_failure(session: Session, error: MigrateError) -> None:
    if session.state.recorded() is None:
        return
    journal = Journal.open(session.state.journal_path)
    journal.write(Event.BEGIN, "seal", "")
    journal.write(Event.FAILED, "seal", "", text=error.brief)


def give_back(executor: Executor, plan: Plan) -> None:
    """Undo the steps, each by itself: what cannot be undone must not keep the rest."""
    for step in reversed(plan.steps):
        with contextlib.suppress(MigrateError, OSError):
            executor.undo(replace(plan, steps=(step,)))


def _keep_log() -> None:
    """Append what the pass has said and found to the log on the old root."""
    for path in (SEAL_LOG, SEAL_REPORT):
        with contextlib.suppress(OSError), Path(LOG).open("ab") as log:
            log.write(Path(path).read_bytes())

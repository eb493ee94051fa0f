"""The verbs of a migration: what each shows and asks."""

import argparse
import sys

from zfs_root_migrate import codec, journal, shutdown, status, workflow
from zfs_root_migrate import plan as planning
from zfs_root_migrate.asking import confirmer, show_json
from zfs_root_migrate.errors import ExitStatus, UsageError
from zfs_root_migrate.layout import DiskLayout, design
from zfs_root_migrate.paths import LOCK, LOG
from zfs_root_migrate.render import plan_text, steps_text
from zfs_root_migrate.sessions import Session, open_recorded, open_session
from zfs_root_migrate.steps.copying import left_hidden, left_out, left_out_mounts
from zfs_root_migrate.steps.sealing import left_behind
from zfs_root_migrate.terminal import Terminal
from zfs_root_migrate.verbs import Verb


def _plan(terminal: Terminal, args: argparse.Namespace) -> int:
    session = open_session(terminal, args)
    workflow.inhibit(session.findings())
    plan = planning.plan_run(session.config, session.facts())
    layout = design(session.config, session.facts())
    if getattr(args, "json", False):
        data = {
            "digest": plan.digest,
            "seconds": plan.seconds,
            "layout": codec.encode(layout),
            "steps": codec.encode(plan.steps),
        }
        show_json(terminal, "plan", data)
        return ExitStatus.DONE
    skipped = (
        *left_out_mounts(session.config, session.facts()),
        *left_out(session.config, session.facts(), layout),
        *left_hidden(layout),
        *left_behind(session.config),
    )
    terminal.result(plan_text(plan, session.facts(), layout, skipped))
    return ExitStatus.DONE


def _run(terminal: Terminal, args: argparse.Namespace) -> int:
    if args.pretend:
        return _plan(terminal, args)
    workflow.require_root("run")
    session = open_session(terminal, args)
    workflow.run(session, confirmer(terminal, args))
    terminal.result(status.status_line(*workflow.current_phase(session)))
    return ExitStatus.DONE


def _sync(terminal: Terminal, args: argparse.Namespace) -> int:
    workflow.require_root("sync")
    workflow.sync(open_recorded(terminal), discard=args.discard)
    terminal.result("The copy is up to date again, compared and closed.")
    now = workflow.current_phase(open_recorded(terminal))
    terminal.result(status.status_line(*now))
    return ExitStatus.DONE


def _seal(_terminal: Terminal, _args: argparse.Namespace) -> int:
    workflow.require_root("seal")
    # the console of a system that goes down: plain lines, whatever it can show
    console = Terminal(out=sys.stdout, err=sys.stderr, colour=False)
    console.live = False
    shutdown.seal(open_recorded(console))
    console.result("The new root is sealed: nothing that was written here is missing.")
    return ExitStatus.DONE


def _verify(terminal: Terminal, args: argparse.Namespace) -> int:
    workflow.require_root("verify")
    workflow.verify(open_recorded(terminal))
    terminal.result("Verified: every file and every link of the boot chain.")
    return ExitStatus.DONE


def _status(terminal: Terminal, args: argparse.Namespace) -> int:
    session = open_recorded(terminal)
    now, recorded = workflow.current_phase(session)
    if args.json:
        data = status.status_data(now, recorded, session.state.records())
        show_json(terminal, "status", data)
    else:
        at_work = journal.holder(LOCK)
        text = status.status_text(now, recorded, session.state.records(), at_work)
        terminal.result(text)
    return ExitStatus.DONE


def _undo(terminal: Terminal, args: argparse.Namespace) -> int:
    # what Portage is asked for, which the other verbs do not
    from zfs_root_migrate import fixing

    workflow.require_root("undo")
    confirm = confirmer(terminal, args)
    undone = workflow.undo(open_recorded(terminal), confirm)
    said = fixing.take_away(confirm)
    if undone:
        terminal.result(f"Everything is as it was before `run`; the log stays: {LOG}")
    for line in said:
        terminal.result(line)
    if not undone and not said:
        terminal.result("Nothing was begun, so there is nothing to undo.")
    return ExitStatus.DONE


def _mirror(terminal: Terminal, args: argparse.Namespace) -> int:
    workflow.require_root("mirror")
    session = open_recorded(terminal)
    if args.pretend:
        return _mirror_plan(terminal, session)

    def confirm(old: DiskLayout) -> str:
        if args.serial is not None:
            return str(args.serial) if agreed() else ""
        terminal.talk(
            f"Everything on the old disk {old.path} ({old.model or 'no model'}) will "
            "be destroyed. There is no turning back."
        )
        if not terminal.live:
            raise UsageError(
                "nobody is there to ask", resolution="give --yes --serial SERIAL"
            )
        return terminal.ask("Its serial number, to go on:")

    def agreed() -> bool:
        question = "Destroy everything on the old disk? There is no turning back."
        return confirmer(terminal, args)(question)

    workflow.mirror(session, confirm)
    terminal.result(status.status_line(*workflow.current_phase(session)))
    return ExitStatus.DONE


def _mirror_plan(terminal: Terminal, session: Session) -> int:
    recorded = session.state.recorded()
    if recorded is None:
        raise UsageError("no migration was begun", resolution="zfs-root-migrate status")
    plan = planning.plan_mirror(recorded.config, recorded.facts, session.facts())
    terminal.result(steps_text(plan))
    return ExitStatus.DONE


VERBS: dict[str, Verb] = {
    "plan": _plan,
    "run": _run,
    "sync": _sync,
    "seal": _seal,
    "verify": _verify,
    "status": _status,
    "undo": _undo,
    "mirror": _mirror,
}

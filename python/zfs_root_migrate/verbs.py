"""What each verb shows and asks, between the command line and the workflow."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from zfs_root_migrate import (
    codec,
    config,
    fixing,
    journal,
    reports,
    shutdown,
    status,
    workflow,
)
from zfs_root_migrate import plan as planning
from zfs_root_migrate.asking import confirmer, show_json
from zfs_root_migrate.environment_verbs import environments
from zfs_root_migrate.errors import ExitStatus, UsageError
from zfs_root_migrate.facts import dump_facts
from zfs_root_migrate.finding import explain
from zfs_root_migrate.layout import DiskLayout, design
from zfs_root_migrate.paths import LOCK, LOG
from zfs_root_migrate.reader import RecordingReader, dump_recording
from zfs_root_migrate.render import plan_text
from zfs_root_migrate.sessions import (
    open_recorded,
    open_session,
    read_config,
    read_text,
    settings_path,
)
from zfs_root_migrate.settings_file import change_settings
from zfs_root_migrate.steps.copying import left_hidden, left_out, left_out_mounts
from zfs_root_migrate.steps.sealing import left_behind
from zfs_root_migrate.terminal import Terminal


def dispatch(terminal: Terminal, args: argparse.Namespace) -> int:
    """Run the verb that the command line names."""
    return _VERBS[args.verb](terminal, args)


def _check(terminal: Terminal, args: argparse.Namespace) -> int:
    if args.explain:
        terminal.result(explain(args.explain))
        return ExitStatus.DONE
    session = open_session(terminal, args)
    asking = confirmer(terminal, args) if args.ask else None
    fixed = fixing.carry_out(session, fix=args.fix, show=args.pretend, confirm=asking)
    findings = session.findings()
    if args.json:
        data = reports.check_data(findings)
        kind = "fix" if fixed else "check"
        show_json(terminal, kind, {**(fixed.data if fixed else {}), **data})
    else:
        text = reports.check_text(
            findings,
            colour=terminal.colour_out,
            width=terminal.out_width,
            before_verdict=fixed.next_lines if fixed else (),
        )
        terminal.result(f"{fixed.text}\n\n{text}" if fixed else text)
    if fixed and fixed.failure:
        raise fixed.failure
    inhibited = reports.is_inhibited(findings)
    return ExitStatus.INHIBITED if inhibited else ExitStatus.DONE


def _facts(terminal: Terminal, args: argparse.Namespace) -> int:
    session = open_session(terminal, args)
    session.reader = reader = RecordingReader(session.reader)
    facts = session.facts()
    if args.record:
        try:
            Path(args.record).write_text(
                dump_recording(reader.recording), encoding="utf-8"
            )
        except OSError as error:
            raise UsageError(f"cannot write {args.record}: {error.strerror}") from None
    if args.json:
        terminal.result(dump_facts(facts))
    elif not args.record:
        terminal.result(reports.facts_text(facts))
    return ExitStatus.DONE


def _list(terminal: Terminal, args: argparse.Namespace) -> int:
    session = open_session(terminal, args)
    data = reports.choices(session.config, session.facts())
    wanted = {args.what: data[args.what]} if args.what else data
    if args.json:
        show_json(terminal, "list", wanted)
    else:
        terminal.result(reports.choices_text(wanted, colour=terminal.colour_out))
    return ExitStatus.DONE


def _show(terminal: Terminal, args: argparse.Namespace) -> int:
    session = open_session(terminal, args)
    rows = config.config_rows(session.config)
    comes_to = reports.resolved(session.config, session.facts())
    if args.json:
        data = {
            name: {"value": v, "default": d, "comes_to": comes_to.get(name, "")}
            for name, v, d in rows
        }
        show_json(terminal, "show", {"settings": data})
    else:
        terminal.result(reports.settings_text(rows, comes_to))
    return ExitStatus.DONE


def _set(terminal: Terminal, args: argparse.Namespace) -> int:
    words = tuple(args.values)
    if any(word.isdigit() for word in words) and args.name in reports.NUMBERED:
        session = workflow.new_session(terminal, read_config(args), None)
        data = reports.choices(session.config, session.facts())
        words = reports.by_number(args.name, words, data)
    if words:
        config.parse_setting(args.name, words)
    path = settings_path(args)
    text = read_text(str(path)) if path.exists() else ""
    changed = change_settings(text, args.name, words)
    config.read_settings(changed, str(path))
    try:
        _write(path, changed)
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}",
            resolution="run it as root, or name a file of your own with --config",
        ) from None
    terminal.talk(f"{args.name} = {' '.join(words) or '(default)'}")
    return ExitStatus.DONE


def _write(path: Path, text: str) -> None:
    """Write the settings file whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8", errors="surrogateescape")
    part.replace(path)


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


def _mirror_plan(terminal: Terminal, session: workflow.Session) -> int:
    recorded = session.state.recorded()
    if recorded is None:
        raise UsageError("no migration was begun", resolution="zfs-root-migrate status")
    plan = planning.plan_mirror(recorded.config, recorded.facts, session.facts())
    terminal.result(reports.steps_text(plan))
    return ExitStatus.DONE


_VERBS: dict[str, Callable[[Terminal, argparse.Namespace], int]] = {
    "check": _check,
    "facts": _facts,
    "list": _list,
    "show": _show,
    "set": _set,
    "plan": _plan,
    "run": _run,
    "sync": _sync,
    "seal": _seal,
    "verify": _verify,
    "status": _status,
    "undo": _undo,
    "mirror": _mirror,
    "environments": environments,
}

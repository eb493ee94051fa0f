"""The verbs that look and change nothing: what each shows and asks."""

import argparse
from pathlib import Path

from zfs_root_migrate import config, reports
from zfs_root_migrate.asking import confirmer, show_json
from zfs_root_migrate.errors import ExitStatus, UsageError
from zfs_root_migrate.facts import dump_facts
from zfs_root_migrate.finding import explain
from zfs_root_migrate.reader import RecordingReader, dump_recording
from zfs_root_migrate.sessions import (
    new_session,
    open_session,
    read_config,
    read_text,
    settings_path,
)
from zfs_root_migrate.settings_file import change_settings
from zfs_root_migrate.terminal import Terminal
from zfs_root_migrate.verbs import Verb


def _check(terminal: Terminal, args: argparse.Namespace) -> int:
    if args.explain:
        terminal.result(explain(args.explain))
        return ExitStatus.DONE
    session = open_session(terminal, args)
    fixed = None
    if args.fix or args.pretend or args.ask:
        # what writes is loaded where something is to be written
        from zfs_root_migrate import fixing

        asking = confirmer(terminal, args) if args.ask else None
        fixed = fixing.carry_out(
            session, fix=args.fix, show=args.pretend, confirm=asking
        )
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
        session = new_session(terminal, read_config(args), None)
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


VERBS: dict[str, Verb] = {
    "check": _check,
    "facts": _facts,
    "list": _list,
    "show": _show,
    "set": _set,
}

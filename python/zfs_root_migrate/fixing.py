"""`check --fix`: writes Portage's configuration, offers to install, and checks again.

Part of the rim, between the command line and the modules that write.
"""

import os
from dataclasses import dataclass

from zfs_root_migrate import portage_config, runner
from zfs_root_migrate.errors import (
    InhibitedError,
    InterruptedRunError,
    MigrateError,
    StepFailedError,
    UsageError,
)
from zfs_root_migrate.fix import (
    Fix,
    by_hand,
    done_text,
    fix_data,
    intent_text,
    plan_fix,
    remarks,
    spots_of,
)
from zfs_root_migrate.output import Log
from zfs_root_migrate.paths import LOG, PORTAGE
from zfs_root_migrate.reports import unsupported
from zfs_root_migrate.sessions import Confirm, Session
from zfs_root_migrate.terminal import Terminal
from zfs_root_migrate.wishes import emerge_line, emerge_runs


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What `--fix` has done; `installed` is None where emerge was not asked about."""

    fix: Fix
    written: bool = False
    installed: bool | None = None
    failure: MigrateError | None = None

    @property
    def text(self) -> str:
        """What was written, or would be."""
        return done_text(self.fix) if self.written else intent_text(self.fix)

    @property
    def next_lines(self) -> tuple[str, ...]:
        """What is left to be typed before the migration."""
        left = None if self.installed else self.fix.emerge
        return (f"To install what is missing: {left}",) if left else ()

    @property
    def data(self) -> dict[str, object]:
        """The JSON form, without the findings that remain."""
        return fix_data(self.fix, written=self.written, installed=self.installed)


def carry_out(
    session: Session, *, fix: bool, show: bool, confirm: Confirm | None
) -> Outcome | None:
    """Do what the command line says: show it or write it; None without --fix."""
    if not fix:
        if show or confirm:
            raise UsageError("--ask and --pretend belong to --fix")
        return None
    return preview(session) if show else apply(session, confirm)


def preview(session: Session) -> Outcome:
    """Return what would be done on this machine, or on a recorded one."""
    facts = session.facts()
    live = not session.is_recorded
    spots = portage_config.survey(PORTAGE) if live else spots_of(facts)
    return Outcome(fix=plan_fix(facts, session.config, spots))


def apply(session: Session, confirm: Confirm | None) -> Outcome:
    """Write the files; with `confirm`, ask before, and ask whether to install."""
    if session.is_recorded:
        raise UsageError(
            "a recorded machine cannot be mended",
            resolution="leave --facts out, or see what would be written: --pretend",
        )
    if os.geteuid() != 0:
        raise UsageError(
            "`check --fix` needs root",
            resolution="run it as root, or see what it would write: --pretend",
        )
    if beyond := unsupported(session.findings()):
        raise InhibitedError(
            "nothing was written: this version cannot migrate this system",
            details="; ".join(f.title for f in beyond),
            resolution="to see all of it: zfs-root-migrate check",
        )
    outcome = preview(session)
    try:
        _do(session, outcome, confirm)
    except KeyboardInterrupt:
        raise InterruptedRunError(
            "interrupted; Portage's configuration is whole, with our lines or without",
            resolution="`zfs-root-migrate check --fix` goes on, `zfs-root-migrate "
            "undo` takes the lines away",
        ) from None
    return outcome


def _do(session: Session, outcome: Outcome, confirm: Confirm | None) -> None:
    if outcome.fix.changes:
        _write(session.terminal, outcome.fix, confirm)
        outcome.written = True
    if confirm and outcome.fix.emerge:
        _install(session.terminal, outcome, confirm)
    if outcome.written or outcome.installed is not None:
        session.given_facts = None


def _write(terminal: Terminal, fix: Fix, confirm: Confirm | None) -> None:
    # what becomes of a single file is said before it happens
    for text in [intent_text(fix)] if confirm else remarks(fix):
        terminal.talk(text)
    if confirm and not confirm("Write this?"):
        raise UsageError("nothing was changed")
    log = Log(LOG)
    try:
        portage_config.write(PORTAGE, fix.changes)
    except MigrateError as error:
        raise by_hand(error, fix.lines) from error
    log.write(f"check --fix\n{done_text(fix)}")


def _install(terminal: Terminal, outcome: Outcome, confirm: Confirm) -> None:
    """Show what emerge would do, and let it, unless the user declines.

    What else would be installed, and whether that can be, only emerge can tell.
    """
    # --ask may be in EMERGE_DEFAULT_OPTS, and emerge has no terminal here
    line = emerge_line(outcome.fix.atoms, "--ask=n")
    runs = emerge_runs(outcome.fix.atoms)
    outcome.installed = False
    for words in runs:
        outcome.failure = _emerge(terminal, "--pretend", "--verbose", *words)
        if outcome.failure:
            return
    if not confirm(f"Run `{line}` now?"):
        return
    for words in runs:
        outcome.failure = _emerge(terminal, *words)
        if outcome.failure:
            return
    outcome.installed = True


def _emerge(terminal: Terminal, *words: str) -> MigrateError | None:
    argv = ("emerge", "--ask=n", *words)
    log = Log(LOG)
    log.write(f"$ {runner.shell_text(argv)}")

    def on_line(line: str, _is_error: bool) -> None:
        terminal.talk(line)
        log.write("  " + line)

    status = runner.stream(argv, on_line)
    if status != 0:
        return StepFailedError(
            f"emerge ended with status {status}"
            + ("; nothing was installed" if "--pretend" in words else ""),
            details=runner.shell_text(argv),
            resolution="mend what it complains of, and run the same again; the lines "
            "in Portage's configuration stay until `zfs-root-migrate undo`",
        )
    return None


def take_away(confirm: Confirm) -> tuple[str, ...]:
    """Remove our files from Portage's configuration; say what was done, by lines."""
    files = [path for path, _ in portage_config.find(PORTAGE)]
    if not files:
        return ()
    if not confirm(f"Remove {', '.join(files)}?"):
        raise UsageError("Portage's configuration was not changed")
    said = portage_config.remove(PORTAGE)
    for line in said:
        Log(LOG).write(f"undo: {line}")
    return said

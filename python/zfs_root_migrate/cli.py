"""The command line: options to values, errors to exit statuses, nothing else.

Modules that read or change a machine are imported when a verb needs them, so that
`help` and `version` answer at once.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType

from zfs_root_migrate import __version__
from zfs_root_migrate.errors import ExitStatus, MigrateError, from_os, interrupted
from zfs_root_migrate.verbs import VERBS, find_verb


def build_parser() -> argparse.ArgumentParser:
    """Return the parser for all verbs."""
    parser = argparse.ArgumentParser(
        prog="zfs-root-migrate",
        description="Turn a running Gentoo system into one whose root is on ZFS.",
        epilog="The way through: check, list, set target, plan, run, reboot into the "
        "new disk, mirror.",
    )
    parser.add_argument("--version", action="store_true", help="show the version")
    parser.add_argument("--check", action="store_true", help="the same as `check`")
    parser.add_argument("-p", "--pretend", action="store_true", help="same as `plan`")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    for row in VERBS:
        sub = verbs.add_parser(row.name, help=row.help, description=row.help)
        sub.add_argument("--config", metavar="FILE", help="settings file")
        for group in row.options:
            _OPTIONS[group](sub)
    return parser


def _input(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--facts", metavar="FILE", help="a recorded machine instead of this one"
    )
    _wishes(parser)


def _wishes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a setting for this time only; several values with commas",
    )


def _root(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--root",
        metavar="DIR",
        help="a Gentoo tree that does not run (a chroot, a mounted image)",
    )


def _scan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scan",
        action="store_true",
        help="look at every file that would be copied as well; takes longer",
    )


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def _explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--explain",
        metavar="KEY",
        nargs="?",
        const="list",
        help="the long text of a finding; without KEY: all keys and titles",
    )


def _fix(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fix",
        action="store_true",
        help="write what is only Portage configuration, and check again",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "-p", "--pretend", action="store_true", help="--fix: show it, write nothing"
    )
    how.add_argument(
        "-a", "--ask", action="store_true", help="--fix: ask, also whether to install"
    )


def _record(parser: argparse.ArgumentParser) -> None:
    _json(parser)
    parser.add_argument(
        "--record", metavar="FILE", help="keep the raw answers, for a bug report"
    )


def _what(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", nargs="?", choices=("target", "topology", "layout"), default=None
    )


def _setting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument(
        "values", metavar="VALUE", nargs="*", help="none: back to the default"
    )


def _confirm(parser: argparse.ArgumentParser) -> None:
    asking = parser.add_mutually_exclusive_group()
    asking.add_argument("-y", "--yes", action="store_true", help="do not ask")
    asking.add_argument("-a", "--ask", action="store_true", help="ask (the default)")


def _pretend(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-p", "--pretend", action="store_true", help="show the plan and end"
    )


def _discard(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--discard",
        action="store_true",
        help="give up what was written in the new root since",
    )


def _serial(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--serial", help="serial number of the old disk")


def _environment(parser: argparse.ArgumentParser) -> None:
    actions = ("list", "create", "activate", "destroy")
    parser.add_argument("action", nargs="?", choices=actions, default="list")
    name = "name of the environment"
    parser.add_argument("name", nargs="?", metavar="NAME", help=name)
    lines = "list: lines for scripts"
    parser.add_argument("--porcelain", action="store_true", help=lines)
    asking = parser.add_mutually_exclusive_group()
    no, yes = "destroy: do not ask", "create, activate: ask"
    asking.add_argument("-y", "--yes", action="store_true", help=no)
    asking.add_argument("-a", "--ask", action="store_true", help=yes)


def _verb(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("about", nargs="?", metavar="VERB")


_OPTIONS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "input": _input,
    "wishes": _wishes,
    "root": _root,
    "scan": _scan,
    "json": _json,
    "explain": _explain,
    "fix": _fix,
    "record": _record,
    "what": _what,
    "setting": _setting,
    "confirm": _confirm,
    "pretend": _pretend,
    "serial": _serial,
    "discard": _discard,
    "environment": _environment,
    "verb": _verb,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] in (["version"], ["--version"]):
        sys.stdout.write(f"zfs-root-migrate {__version__}\n")
        return ExitStatus.DONE
    parser = build_parser()
    if not words or words[0] == "help":
        return _help(parser, words[1:])
    if words[0] == "--check":
        words[0] = "check"
    elif words[0] in ("-p", "--pretend"):
        words[0] = "plan"
    return _guarded(parser.parse_args(words))


def _help(parser: argparse.ArgumentParser, about: list[str]) -> int:
    if about and about[0] in {row.name for row in VERBS}:
        parser.parse_args([about[0], "--help"])
    parser.print_help()
    return ExitStatus.DONE


def begin_early(args: argparse.Namespace) -> None:
    """Let Portage begin, which takes longest, before the rest is even loaded."""
    asks = any(row.asks_portage for row in VERBS if row.name == args.verb)
    others = [getattr(args, name, None) for name in ("facts", "root", "explain")]
    if asks and not any(others):
        from zfs_root_migrate import scripts

        scripts.begin("portage")


def _guarded(args: argparse.Namespace) -> int:
    # what is begun now does not outlive us, however this ends
    begin_early(args)
    carry_out = find_verb(args.verb)
    from zfs_root_migrate.terminal import Terminal

    terminal = Terminal(out=sys.stdout, err=sys.stderr)
    # a lost connection must not stop a migration; a request to end does, cleanly
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _interrupt)
    os.umask(0o022)
    try:
        return carry_out(terminal, args)
    except MigrateError as error:
        terminal.error(error)
        return error.status
    except OSError as error:
        terminal.error(from_os(error))
        return ExitStatus.STEP_FAILED
    except KeyboardInterrupt:
        terminal.error(interrupted(args.verb))
        return ExitStatus.INTERRUPTED


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt

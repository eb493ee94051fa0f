"""`python -m zfs_root_migrate.copy`: the copier for any two trees."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zfs_root_migrate.copy.engine import copy
from zfs_root_migrate.copy.order import Detect, Order, Problem, Report, Tally
from zfs_root_migrate.errors import ExitStatus
from zfs_root_migrate.terminal import Terminal

SCHEMA = {"schema": "zfs-root-migrate/copy", "version": 1}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m zfs_root_migrate.copy",
        description="Make DST equal to SRC, within the one file system that SRC is on.",
    )
    parser.add_argument("source", metavar="SRC")
    parser.add_argument("destination", metavar="DST")
    parser.add_argument(
        "--state",
        metavar="FILE",
        help="remember what was copied: the next pass looks only at what has changed",
    )
    parser.add_argument(
        "--exclude",
        metavar="PATH",
        action="append",
        default=[],
        help="as seen from SRC, with a leading slash: neither copied nor removed",
    )
    parser.add_argument(
        "--detect",
        choices=tuple(Detect),
        default=Detect.AUTO,
        help="how a later pass finds what has changed",
    )
    parser.add_argument("--jobs", metavar="N", type=int, default=0, help="workers")
    parser.add_argument(
        "--allow-split-links",
        action="store_true",
        help="a file whose names come to lie on several file systems is copied to each",
    )
    parser.add_argument(
        "--verify", action="store_true", help="compare what was copied, by hash"
    )
    parser.add_argument("--json", action="store_true", help="the report for programs")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Copy once, show the report and return the exit status."""
    args = build_parser().parse_args(argv)
    terminal = Terminal(out=sys.stdout, err=sys.stderr)
    wrong = _wrong(args)
    if wrong:
        terminal.talk(wrong)
        return ExitStatus.USAGE
    order = Order(
        source=args.source,
        destination=args.destination,
        exclude=tuple(args.exclude),
        state=args.state,
        jobs=args.jobs,
        detect=Detect(args.detect),
        split_links=args.allow_split_links,
        verify=args.verify,
    )
    try:
        report = copy(order, lambda _tally: None)
    except KeyboardInterrupt:
        terminal.talk("interrupted; the same command goes on")
        return ExitStatus.INTERRUPTED
    except OSError as error:
        terminal.talk(f"{error.filename}: {error.strerror}")
        return ExitStatus.USAGE
    status = ExitStatus.DONE if report.is_good else ExitStatus.STEP_FAILED
    terminal.result(json.dumps(data(report, status)) if args.json else text(report))
    return status


def _wrong(args: argparse.Namespace) -> str:
    """Say what is wrong with the command line, or nothing."""
    if args.jobs < 0:
        return f"--jobs {args.jobs}: a number of workers, or 0 for one that suits"
    for path in args.exclude:
        if not path.startswith("/") or path.endswith("/"):
            return f"--exclude {path}: a path with a leading slash, and none at its end"
    for path in (args.source, args.destination):
        if not Path(path).is_dir():
            return f"{path} is no directory"
    return _overlap(args)


def _overlap(args: argparse.Namespace) -> str:
    """Say what lies within what is copied, or nothing."""
    source, destination = Path(args.source).resolve(), Path(args.destination).resolve()
    places = [(source, destination), (destination, source)]
    if args.state is not None:
        state = Path(args.state).resolve()
        places += [(state, source), (state, destination)]
    for one, other in places:
        if one.is_relative_to(other) and not _is_left_out(one, other, args.exclude):
            return f"{one} lies in {other}: leave it out by --exclude"
    return ""


def _is_left_out(place: Path, top: Path, exclude: list[str]) -> bool:
    inside = Path("/") / place.relative_to(top)
    return any(inside.is_relative_to(path) for path in exclude)


def data(report: Report, status: int) -> dict[str, Any]:
    """Return the report for programs."""
    counts = {name: getattr(report.tally, name) for name in Tally.__slots__}
    return {
        **SCHEMA,
        "status": int(status),
        **counts,
        "not_kept": _problems(report.not_kept),
        "not_kept_found": report.not_kept_found,
        "errors": _problems(report.errors),
        "errors_found": report.errors_found,
        "fatal": report.fatal,
        "method": str(report.method),
        "seconds": round(report.seconds, 3),
    }


def _problems(found: list[Problem]) -> list[dict[str, str]]:
    return [{"path": p.path, "what": p.what} for p in found]


def text(report: Report) -> str:
    """Return the report for people."""
    tally = report.tally
    lines = [
        f"{tally.copied} copied ({tally.bytes} bytes), {tally.unchanged} unchanged, "
        f"{tally.removed} removed, {tally.vanished} vanished, "
        f"{tally.changed_meanwhile} changed meanwhile",
        *(f"not kept: {problem}" for problem in report.not_kept),
        *(f"not copied: {problem}" for problem in report.errors),
    ]
    if report.fatal:
        lines.append(f"it ended early: {report.fatal}")
    return "\n".join(lines)

"""The verb `environments`: what it shows and asks."""

import argparse

from zfs_root_migrate import workflow
from zfs_root_migrate.asking import confirmer, show_json
from zfs_root_migrate.environment_reports import (
    environments_data,
    environments_text,
    porcelain,
)
from zfs_root_migrate.environment_workflow import change, look, plan_change
from zfs_root_migrate.environments import Environments
from zfs_root_migrate.errors import ExitStatus, UsageError
from zfs_root_migrate.render import steps_text
from zfs_root_migrate.sessions import open_recorded
from zfs_root_migrate.terminal import Terminal
from zfs_root_migrate.verbs import Verb


def _environments(terminal: Terminal, args: argparse.Namespace) -> int:
    """List boot environments, or change one."""
    reader = open_recorded(terminal).reader
    if args.action == "list":
        return _list_environments(terminal, args, look(reader))
    if args.name is None:
        raise UsageError(f"`environments {args.action}` needs the name of one")
    if args.pretend:
        plan = plan_change(look(reader), args.action, args.name)
        terminal.result(steps_text(plan))
        return ExitStatus.DONE
    workflow.require_root(f"environments {args.action}")
    asks = args.ask or args.action == "destroy"
    confirm = confirmer(terminal, args) if asks else None
    terminal.result(change(terminal, reader, args.action, args.name, confirm))
    return ExitStatus.DONE


def _list_environments(
    terminal: Terminal, args: argparse.Namespace, now: Environments
) -> int:
    if args.name is not None:
        raise UsageError(
            f"`environments list` takes no name: {args.name}",
            resolution="zfs-root-migrate help environments",
        )
    if args.json:
        show_json(terminal, "environments", environments_data(now))
    elif args.porcelain:
        terminal.result(porcelain(now))
    else:
        terminal.result(environments_text(now, colour=terminal.colour_out))
    return ExitStatus.DONE


VERBS: dict[str, Verb] = {
    "environments": _environments
}

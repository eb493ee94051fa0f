"""What all verbs share: the head of their JSON, and how they ask."""

import argparse
import json
from collections.abc import Callable
from typing import Any

from zfs_root_migrate.errors import UsageError
from zfs_root_migrate.terminal import Terminal


def show_json(terminal: Terminal, kind: str, data: dict[str, Any]) -> None:
    """Show a result for programs, with its kind and version."""
    head = {"schema": f"zfs-root-migrate/{kind}", "version": 1}
    terminal.result(json.dumps({**head, **data}, indent=1))


def confirmer(terminal: Terminal, args: argparse.Namespace) -> Callable[[str], bool]:
    """Return what asks a question and tells whether the answer is yes."""

    def confirm(question: str) -> bool:
        if getattr(args, "yes", False):
            return True
        if not terminal.live:
            way = "give --yes to go ahead" if "yes" in args else "leave --ask out"
            raise UsageError("nobody is there to ask", resolution=way)
        return terminal.ask(f"{question} [yes/no]").lower() in ("yes", "y")

    return confirm

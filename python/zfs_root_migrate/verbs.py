"""The verbs, in one table.

What carries a verb out is loaded when it is called for: `help` answers at once, and
`check` does not wait for what makes partitions.
"""

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from zfs_root_migrate.terminal import Terminal

Verb = Callable[["Terminal", argparse.Namespace], int]


class Row(NamedTuple):
    """A verb: its name, the line in `help`, and the groups of options it takes.

    `module` has the function that carries it out.
    """

    name: str
    help: str
    options: tuple[str, ...] = ()
    asks_portage: bool = False
    module: str = "migration_verbs"


VERBS = (
    Row(
        name="check",
        help="tell whether this machine can be migrated, and what to type if not",
        options=("input", "root", "scan", "json", "explain", "fix"),
        asks_portage=True,
        module="looking_verbs",
    ),
    Row(
        name="facts",
        help="show what was read of this machine",
        options=("root", "scan", "record"),
        asks_portage=True,
        module="looking_verbs",
    ),
    Row(
        name="list",
        help="list the disks, topologies or layouts to choose from",
        options=("input", "json", "what"),
        asks_portage=True,
        module="looking_verbs",
    ),
    Row(
        name="show",
        help="show the settings and what they come to on this machine",
        options=("input", "json"),
        asks_portage=True,
        module="looking_verbs",
    ),
    Row(
        name="set",
        help="choose a setting: set NAME VALUE...",
        options=("setting",),
        module="looking_verbs",
    ),
    Row(
        name="plan",
        help="show every step with its commands, and change nothing",
        options=("input", "json"),
        asks_portage=True,
    ),
    Row(
        name="run",
        help="migrate, up to the reboot; goes on where it was interrupted",
        options=("confirm", "pretend", "wishes"),
        asks_portage=True,
    ),
    Row(name="sync", help="bring a finished copy up to date", options=("discard",)),
    Row(
        name="seal",
        help="make the last pass; the service that `run` arms does this at shutdown",
    ),
    Row(name="verify", help="compare every file and look at every link of the boot"),
    Row(name="status", help="tell where it stands and what is next", options=("json",)),
    Row(
        name="undo",
        help="go back, from any point before `mirror`",
        options=("confirm",),
    ),
    Row(
        name="mirror",
        help="on the new root: take the old disk in. No turning back",
        options=("confirm", "pretend", "serial"),
    ),
    Row(
        name="environments",
        help="list, make, activate and destroy boot environments",
        options=("environment", "json", "pretend"),
        module="environment_verbs",
    ),
    Row(name="help", help="show this, or the options of a verb", options=("verb",)),
    Row(name="version", help="show the version"),
)


def find_verb(name: str) -> Verb:
    """Return what carries a verb out, with what that needs, and no more, loaded."""
    module = next(row.module for row in VERBS if row.name == name)
    verbs: dict[str, Verb] = import_module(f"zfs_root_migrate.{module}").VERBS
    return verbs[name]

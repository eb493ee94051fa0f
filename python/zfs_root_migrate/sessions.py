"""From the words of the command line to a session. Part of the rim."""

import argparse
from pathlib import Path

from zfs_root_migrate import config, workflow
from zfs_root_migrate.config import Config
from zfs_root_migrate.errors import UsageError
from zfs_root_migrate.facts import load_facts
from zfs_root_migrate.model import Facts
from zfs_root_migrate.reader_root import find_root
from zfs_root_migrate.terminal import Terminal


def open_session(terminal: Terminal, args: argparse.Namespace) -> workflow.Session:
    """Return a session on what the command line names, by default this machine."""
    facts, elsewhere = _given_facts(args), _elsewhere(args)
    if facts is not None and (elsewhere is not None or getattr(args, "scan", False)):
        raise UsageError(
            "a recorded machine has no files to look at",
            resolution="leave --facts out, or leave --root and --scan out",
        )
    session = workflow.new_session(terminal, read_config(args), facts, elsewhere)
    session.scans = getattr(args, "scan", False)
    return session


def _elsewhere(args: argparse.Namespace) -> str | None:
    """Return the directory of the tree to examine, None for the running system."""
    if getattr(args, "root", None) is None:
        return None
    if getattr(args, "fix", False):
        raise UsageError(
            "--fix writes the running system's configuration, not that of a tree",
            resolution="chroot into the tree and run `zfs-root-migrate check --fix` "
            "there",
        )
    return find_root(args.root)


def open_recorded(terminal: Terminal) -> workflow.Session:
    """Return a session that needs no settings: they were recorded."""
    session = workflow.new_session(terminal, Config(), None)
    session.ask_portage = False
    return session


def _given_facts(args: argparse.Namespace) -> Facts | None:
    path = getattr(args, "facts", None)
    if path is None:
        return None
    return load_facts(read_text(path), path)


def read_text(path: str) -> str:
    """Return the text of a file that the user named."""
    try:
        return Path(path).read_text("utf-8", "surrogateescape")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def settings_path(args: argparse.Namespace) -> Path:
    """Return where the settings are kept."""
    return Path(args.config or config.SETTINGS_FILE)


def read_config(args: argparse.Namespace) -> Config:
    """Read the settings file, where there is one, and the wishes of this time."""
    path = settings_path(args)
    values: dict[str, tuple[str, ...]] = {}
    if args.config or path.exists():
        values = config.read_settings(read_text(str(path)), str(path))
    for wish in getattr(args, "set", []):
        name, equals, words = wish.partition("=")
        if not equals:
            raise UsageError(f"--set {wish}: wanted NAME=VALUE")
        many = config.find_setting(name).many
        values[name] = tuple(words.split(",")) if many and words else (words,)
    return config.parse_config(values)

"""What a verb works with, and how words of the command line lead there.

Part of the rim.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from zfs_root_migrate import __version__, config
from zfs_root_migrate.config import Config
from zfs_root_migrate.errors import UsageError
from zfs_root_migrate.facts import gather, load_facts
from zfs_root_migrate.finding import Finding
from zfs_root_migrate.model import Facts
from zfs_root_migrate.paths import STATE
from zfs_root_migrate.reader import LiveReader, Reader
from zfs_root_migrate.reader_root import RootReader, find_root
from zfs_root_migrate.state import State
from zfs_root_migrate.terminal import Counter, Terminal

Confirm = Callable[[str], bool]


@dataclass(slots=True)
class Session:
    """What a verb works with."""

    terminal: Terminal
    config: Config
    reader: Reader
    state: State
    given_facts: Facts | None = None
    ask_portage: bool = True
    is_recorded: bool = False
    elsewhere: str | None = None
    scans: bool = False

    def facts(self) -> Facts:
        """Return the facts that were given, or read the machine."""
        if self.given_facts is None:
            self.given_facts = gather(
                self.reader,
                state_dir=STATE,
                tool_version=__version__,
                ask_portage=self.ask_portage,
                elsewhere=self.elsewhere,
            )
            if self.scans:
                self.walk()
        return self.given_facts

    def walk(self) -> None:
        """Walk through all that would be copied, and add what was met to the facts."""
        # `check` is to be quick, and asks for this where it is told to
        from zfs_root_migrate.facts.tree import find_mounted, plan_walks
        from zfs_root_migrate.scan import scan

        facts = self.facts()
        walks = plan_walks(self.config, facts)
        if not walks:
            return
        counter = Counter(self.terminal, sum(walk.files for walk in walks))
        try:
            tree = scan(walks, counter)
        finally:
            counter.close()
        if self.elsewhere is not None:
            # a walk sees what lies below a mount point, and not the mount
            mounts = LiveReader().read("/proc/self/mountinfo") or ""
            tree = replace(tree, mounted=find_mounted(self.elsewhere, mounts))
        self.given_facts = replace(facts, tree=tree)

    def findings(self) -> tuple[Finding, ...]:
        """Return what the checks find."""
        # some verbs check nothing
        from zfs_root_migrate.checks import run_checks

        return run_checks(self.facts(), self.config)


def new_session(
    terminal: Terminal,
    config: Config,
    facts: Facts | None,
    elsewhere: str | None = None,
) -> Session:
    """Return a session on the running machine, on recorded facts or on a tree."""
    reader = LiveReader() if elsewhere is None else RootReader(elsewhere)
    session = Session(terminal, config, reader, State(STATE), facts)
    session.is_recorded = facts is not None
    session.elsewhere = elsewhere
    return session


def open_session(terminal: Terminal, args: argparse.Namespace) -> Session:
    """Return a session on what the command line names, by default this machine."""
    facts, elsewhere = _given_facts(args), _elsewhere(args)
    if facts is not None and (elsewhere is not None or getattr(args, "scan", False)):
        raise UsageError(
            "a recorded machine has no files to look at",
            resolution="leave --facts out, or leave --root and --scan out",
        )
    session = new_session(terminal, read_config(args), facts, elsewhere)
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


def open_recorded(terminal: Terminal) -> Session:
    """Return a session that needs no settings: they were recorded."""
    session = new_session(terminal, Config(), None)
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

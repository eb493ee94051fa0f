"""Runs an engine on two trees: the tool's own, or rsync to check both against."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

RSYNC = ("rsync", "-aHAXSx", "--numeric-ids", "--delete", "--modify-window=-1")
OURS = (sys.executable, "-m", "zfs_root_migrate.copy")
# a pass over a small tree that takes longer than this hangs
HANGS_S = 120
# for one over a large tree, which is measured and not judged
A_LONG_TIME_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What a pass came to."""

    status: int
    report: dict[str, Any]
    error: str
    wall_s: float
    cpu_s: float

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever JSON has there
        """Return a field of the report."""
        try:
            return self.report[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def complaints(self) -> str:
        """Return everything that it complained of."""
        said = (self.report.get("errors"), self.report.get("fatal"))
        return f"{self.error}\n{said}"


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine with its options; `state` makes later passes incremental."""

    source: Path
    destination: Path
    state: Path | None = None
    options: Sequence[str] = ()
    command: Sequence[str] = OURS

    def argv(self) -> list[str]:
        """Return the command of a pass."""
        if self.command is RSYNC:
            return [*RSYNC, *self.options, f"{self.source}/", f"{self.destination}/"]
        state = () if self.state is None else ("--state", str(self.state))
        trees = (str(self.source), str(self.destination))
        return [*self.command, *trees, *state, *self.options, "--json"]

    def start(self) -> "Running":
        """Begin a pass."""
        return Running.begin(self.argv())

    def run(self) -> Pass:
        """Make a pass, to its end."""
        return self.start().end()


def cpu_seconds() -> float:
    """Return the processor time of all children that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass
class Running:
    """A pass that is under way, in a process group of its own."""

    process: subprocess.Popen[str]
    _began: float = field(default_factory=time.monotonic)
    _cpu: float = field(default_factory=cpu_seconds)

    @classmethod
    def begin(cls, argv: Sequence[str]) -> Self:
        """Start a program."""
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
            start_new_session=True,
        )
        return cls(process)

    def end(
        self, after: Callable[[], None] = lambda: None, *, hangs_s: float = HANGS_S
    ) -> Pass:
        """Wait for it, do what belongs to its time, and read its report."""
        try:
            said, error = self.process.communicate(timeout=hangs_s)
        except subprocess.TimeoutExpired:
            self.kill_all()
            raise
        after()
        wall = time.monotonic() - self._began
        return Pass(
            status=self.process.returncode,
            report=json.loads(said) if said.lstrip().startswith("{") else {},
            error=error,
            wall_s=wall,
            cpu_s=cpu_seconds() - self._cpu,
        )

    def signal(self, number: signal.Signals, *, group: bool) -> None:
        """Send a signal to it, or to its workers as well, as a terminal does."""
        if group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)

    def kill_all(self) -> None:
        """End it and all that it started, and no matter how."""
        if self.members():
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def members(self) -> list[int]:
        """Return the processes of its group that are still at work."""
        found: list[int] = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                rest = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(rest[2]) == self.process.pid and rest[0] not in "ZX":
                found.append(int(entry.name))
        return found

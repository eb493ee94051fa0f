"""The one place that starts the programs the builder needs.

Guarantee: a program that fails raises `BuildError` with the command, its exit
status, the last lines it wrote and the place of the whole log.
"""

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TAIL_LINES = 20


class BuildError(Exception):
    """The guest cannot be built; the text says what happened and where to look."""


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """Return the last lines of a log, for an error message."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return ""
    return "\n".join("  | " + line for line in text.splitlines()[-lines:])


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs programs one after the other, their output going to one log file."""

    log: Path

    def note(self, text: str) -> None:
        """Write a line of our own into the log."""
        with self.log.open("a") as stream:
            stream.write(f"== {text}\n")

    def run(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> None:
        """Run a program to its end; its failure is a `BuildError`."""
        self.note(shlex.join(argv))
        with self.log.open("ab") as stream:
            try:
                status = _wait(argv, env, stream.fileno())
            except OSError as error:
                raise BuildError(f"cannot start {argv[0]}: {error}") from error
        if status:
            raise BuildError(
                f"{shlex.join(argv[:6])}: exit status {status}\n"
                f"{tail(self.log)}\n  whole log: {self.log}"
            )

    def read(self, argv: Sequence[str]) -> str:
        """Run a program that only tells something; return what it wrote to stdout."""
        self.note(shlex.join(argv))
        with self.log.open("ab") as stream:
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stream
            )
        if done.returncode:
            raise BuildError(
                f"{shlex.join(argv[:6])}: exit status {done.returncode}\n"
                f"{tail(self.log)}\n  whole log: {self.log}"
            )
        return done.stdout.decode(errors="surrogateescape")


def _wait(argv: Sequence[str], env: Mapping[str, str] | None, output: int) -> int:
    """Start a program, wait for it, and never leave it behind on the way out."""
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env=None if env is None else dict(env),
    )
    try:
        return process.wait()
    except BaseException:
        process.kill()
        process.wait()
        end_all_others()
        raise


def end_all_others() -> None:
    """End what our programs have started in turn, where all of it is ours.

    dpkg goes on unpacking when apt is killed, into a tree about to be removed.
    """
    if os.getpid() == 1:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)


def mounts_below(path: Path) -> list[str]:
    """Return the mount points at or below a path, the deepest first."""
    prefix = os.fspath(path.resolve())
    points: list[str] = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = line.split()[4].encode().decode("unicode_escape")
        if point == prefix or point.startswith(prefix + "/"):
            points.append(point)
    return sorted(points, key=len, reverse=True)

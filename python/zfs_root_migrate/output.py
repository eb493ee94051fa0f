"""The terminal and the log: the only place that prints.

Results go to standard output, everything else to standard error and the log. A dead
terminal (a lost connection) must not stop a migration, so writing to it never fails.
"""

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import TextIO

from zfs_root_migrate.amounts import duration, show_size
from zfs_root_migrate.errors import MigrateError
from zfs_root_migrate.step import CompareTrees, CopyRounds, CopyTree, Step

REDRAW = 0.2
PLAIN_EVERY = 15.0


class Terminal:
    """Standard output and error, with colour where somebody looks at them."""

    def __init__(self, *, out: TextIO, err: TextIO, colour: bool | None = None) -> None:
        """Colour None means: where the stream is a terminal and NO_COLOR is not set."""
        self._out = out
        self._err = err
        wanted = "NO_COLOR" not in os.environ if colour is None else colour
        self.colour_out = wanted and (colour is True or out.isatty())
        self.colour_err = wanted and (colour is True or err.isatty())
        self.live = err.isatty()

    @property
    def width(self) -> int:
        """Columns of the terminal, 80 where there is none."""
        try:
            return os.get_terminal_size(self._err.fileno()).columns
        except (OSError, ValueError):
            return 80

    @property
    def out_width(self) -> int | None:
        """Columns of the terminal that shows results, None where they go elsewhere."""
        try:
            return os.get_terminal_size(self._out.fileno()).columns
        except (OSError, ValueError):
            return None

    def result(self, text: str) -> None:
        """Write a result, ended by a newline."""
        try:
            _write(self._out, text if text.endswith("\n") else text + "\n")
        except BrokenPipeError:
            # the reader has seen enough (a pager, head): nothing to complain about,
            # and the exit status stays what it is
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())

    def talk(self, text: str, end: str = "\n") -> None:
        """Write progress or a remark."""
        # gone, or closed
        with contextlib.suppress(OSError, ValueError):
            _write(self._err, text + end)

    def ask(self, question: str) -> str:
        """Ask and return the answer, empty where nobody can answer."""
        self.talk(question, end=" ")
        line = sys.stdin.readline() if sys.stdin and not sys.stdin.closed else ""
        return line.strip()

    def error(self, error: MigrateError) -> None:
        """Show what happened, why, and what to do."""
        red, plain = ("\033[1;31m", "\033[0m") if self.colour_err else ("", "")
        self.talk(f"{red}Error:{plain} {error.brief}")
        if error.details:
            self.talk("\n".join("  " + line for line in error.details.splitlines()))
        if error.resolution:
            self.talk(f"What to do: {error.resolution}")


def _write(stream: TextIO, text: str) -> None:
    """Write all of it now; what the stream cannot show (odd file names) is escaped."""
    try:
        stream.write(text)
    except UnicodeEncodeError:
        code = stream.encoding or "ascii"
        stream.write(text.encode(code, "backslashreplace").decode(code))
    stream.flush()


class Counter:
    """Shows on a terminal how many files were looked at; is silent elsewhere."""

    def __init__(self, terminal: Terminal, expected: int) -> None:
        """`expected` is about how many there are, 0 where nobody knows."""
        self._terminal = terminal
        self._expected = expected
        self._begun = self._shown = time.monotonic()

    def __call__(self, files: int) -> None:
        """Tell how many there were so far."""
        now = time.monotonic()
        if not self._terminal.live or now - self._shown < REDRAW:
            return
        self._shown = now
        done = f"{files} files looked at, {round(files / (now - self._begun))} a second"
        if files < self._expected:
            done = f"{files / self._expected:.0%}  {done}"
        self._terminal.talk("\r\033[K" + done[: self._terminal.width - 1], end="")

    def close(self) -> None:
        """Take the line away again."""
        if self._terminal.live and self._shown != self._begun:
            self._terminal.talk("\r\033[K", end="")


class Log:
    """The log file; lines carry the time. Failing to log never stops the work."""

    def __init__(self, path: str) -> None:
        """Open for appending; without write access nothing is logged."""
        try:
            self._file: TextIO | None = Path(path).open(  # noqa: SIM115
                "a", encoding="utf-8", errors="surrogateescape"
            )
        except OSError:
            self._file = None

    def write(self, text: str) -> None:
        """Append lines."""
        if self._file is None:
            return
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        try:
            self._file.writelines(f"{stamp} {line}\n" for line in text.splitlines())
            self._file.flush()
        except OSError:
            self._file = None


class Reporter:
    """Tells terminal and log how a plan goes; has the methods the executor calls."""

    def __init__(self, terminal: Terminal, log: Log) -> None:
        """Nothing is shown before the first step begins."""
        self._terminal = terminal
        self._log = log
        self._begun = self._shown = 0.0
        self._sizes = (0, 0)
        self._before = (0, 0)
        self._tree: CopyTree | None = None

    def step_begins(self, step: Step, number: int, total: int) -> None:
        """Show the step's title and get ready to show how far it is."""
        self._begun = self._shown = time.monotonic()
        trees = _trees(step)
        self._sizes = (sum(t.size for t in trees), sum(t.files for t in trees))
        self._before, self._tree = (0, 0), None
        text = f"[{number}/{total}] {step.title}"
        self._terminal.talk(text)
        self._log.write(text)

    def step_ends(self, step: Step, *, kept: bool) -> None:
        """Show how long it took."""
        self._erase()
        took = time.monotonic() - self._begun
        text = "was done already" if kept else f"done in {duration(took)}"
        self._terminal.talk(f"      {text}")
        self._log.write(f"{step.id}: {text}")

    def command(self, text: str) -> None:
        """Log a command as it can be pasted."""
        self._log.write("$ " + text)

    def said(self, text: str) -> None:
        """Log what a command said."""
        self._log.write("  " + text)

    def noted(self, text: str) -> None:
        """Show and log a remark."""
        self._erase()
        self._terminal.talk("      " + text)
        self._log.write("  " + text)

    def round_begins(self) -> None:
        """Count from nothing again."""
        self._begun = time.monotonic()
        self._before, self._tree = (0, 0), None

    def tree_begins(self, tree: CopyTree) -> None:
        """Count what is done already before the tree."""
        if self._tree is not None:
            size, files = self._before
            self._before = (size + self._tree.size, files + self._tree.files)
        self._tree = tree

    def advance(self, *, bytes_done: int, files_done: int) -> None:
        """Show bytes, files, rate and time left."""
        if not self._due():
            return
        size, files = self._before[0] + bytes_done, self._before[1] + files_done
        took = max(time.monotonic() - self._begun, 0.001)
        parts = [
            show_size(size),
            f"{files} files",
            f"{show_size(round(size / took))}/s",
        ]
        share = _share((size, files), self._sizes)
        if share > 0.02:
            parts[0] = f"{share:.0%}  {parts[0]}"
            parts.append(f"{duration(took * (1 - share) / share)} left")
        self._show("      " + ", ".join(parts))

    def percent(self, done: float | None) -> None:
        """Show how far something is that the kernel does by itself."""
        if self._due() and done is not None:
            took = time.monotonic() - self._begun
            left = f", {duration(took * (100 - done) / done)} left" if done > 1 else ""
            self._show(f"      {done:.0f}%{left}")

    def _due(self) -> bool:
        wait = REDRAW if self._terminal.live else PLAIN_EVERY
        return time.monotonic() - self._shown >= wait

    def _show(self, text: str) -> None:
        self._shown = time.monotonic()
        if self._terminal.live:
            self._terminal.talk("\r\033[K" + text[: self._terminal.width - 1], end="")
        else:
            self._terminal.talk(text)
        self._log.write(text)

    def _erase(self) -> None:
        if self._terminal.live:
            self._terminal.talk("\r\033[K", end="")


def _trees(step: Step) -> list[CopyTree]:
    trees: list[CopyTree] = []
    for action in step.actions:
        if isinstance(action, CopyTree):
            trees.append(action)
        elif isinstance(action, CopyRounds):
            trees.extend(action.trees)
        elif isinstance(action, CompareTrees):
            trees.extend(action.pairs)
    return trees


def _share(done: tuple[int, int], total: tuple[int, int]) -> float:
    shares = [min(1.0, d / t) for d, t in zip(done, total, strict=True) if t]
    return sum(shares) / len(shares) if shares else 0.0

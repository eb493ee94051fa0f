"""Tells terminal and log how a plan goes."""

import time
from pathlib import Path
from typing import TextIO

from zfs_root_migrate.amounts import duration, show_size
from zfs_root_migrate.step import CompareTrees, CopyRounds, CopyTree, Step
from zfs_root_migrate.terminal import REDRAW, Terminal

PLAIN_EVERY = 15.0


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

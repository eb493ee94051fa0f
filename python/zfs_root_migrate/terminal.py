"""The terminal: the only place that prints.

Results go to standard output, everything else to standard error. A dead terminal (a
lost connection) must not stop a migration, so writing to it never fails.
"""

import contextlib
import os
import re
import sys
import time
from typing import TextIO

from zfs_root_migrate.errors import MigrateError
from zfs_root_migrate.quoting import one_line

# what a terminal obeys, but for tab, the line's end and the tool's own colours: it may
# stand in a name that a disk or a file has
_OBEYED = re.compile(
    r"\033(?!\[(?:0|1;3[0-7])m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]"
)
# seconds between two looks of a line that changes
REDRAW = 0.2


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
        """Write a result, ended by a newline; its colours are the only escapes."""
        text = _harmless(text)
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
        lines = [f"{red}Error:{plain} {error.brief}"]
        lines += ["  " + line for line in error.details.splitlines()]
        lines += [f"What to do: {error.resolution}"] if error.resolution else []
        self.talk(_harmless("\n".join(lines)))


def _harmless(text: str) -> str:
    return _OBEYED.sub(lambda found: one_line(found[0]), text)


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

"""The terminal, alive, plain and dead; the log; the progress line."""

import errno
import io
import os
import re

import pytest

from zfs_root_migrate import output, terminal
from zfs_root_migrate.errors import MigrateError
from zfs_root_migrate.output import PLAIN_EVERY, Log, Reporter
from zfs_root_migrate.step import CompareTrees, CopyTree, Hazard, Step
from zfs_root_migrate.terminal import REDRAW, Terminal


class Stream(io.StringIO):
    """A stream that is a terminal or not, and can die."""

    def __init__(self, *, tty=False, error=None) -> None:
        """A living stream unless there is an error."""
        super().__init__()
        self.tty, self.error = tty, error

    def isatty(self):
        """Tell what it is."""
        return self.tty

    def write(self, text):
        """Write or fail."""
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        return super().write(text)


class Clock:
    """Time that goes on when it is told to."""

    now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """Stop the time."""
    made = Clock()
    monkeypatch.setattr(output.time, "monotonic", made)
    return made


def tree(size=1000, files=10):
    """Return a tree to copy."""
    return CopyTree(source="/a", destination="/b", exclude=(), size=size, files=files)


def step(*actions):
    """Return a step."""
    return Step(
        id="copy", title="Copy it", reason="r", hazard=Hazard.READS, actions=actions
    )


def reporter(tmp_path, *, tty, error=None):
    """Return a reporter, the stream it talks to and the log file."""
    stream = Stream(tty=tty, error=error)
    log = tmp_path / "log"
    terminal = Terminal(out=Stream(), err=stream)
    return Reporter(terminal, Log(str(log))), stream, log


@pytest.mark.parametrize("error", [errno.EIO, errno.EPIPE, errno.EBADF, errno.ENOSPC])
@pytest.mark.parametrize("tty", [True, False])
def test_a_dead_terminal_stops_nothing(tmp_path, clock, error, tty):
    """The work goes on when the connection is lost, and the log has it all."""
    told, _, log = reporter(tmp_path, tty=tty, error=error)
    told.step_begins(step(tree()), 1, 2)
    told.command("rsync")
    told.said("a line")
    told.tree_begins(tree())
    clock.now += 100
    told.advance(bytes_done=500, files_done=5)
    clock.now += 100
    told.percent(50.0)
    told.step_ends(step(), kept=False)
    text = log.read_text()
    for part in (
        "[1/2] Copy it",
        "$ rsync",
        "  a line",
        "500 bytes",
        "50%",
        "copy: done",
    ):
        assert part in text
    terminal = Terminal(out=Stream(), err=Stream(error=error))
    terminal.error(MigrateError("b", details="d", resolution="r"))


def test_a_closed_terminal_stops_nothing(tmp_path, clock):
    """A closed stream is a dead one as well."""
    told, stream, _ = reporter(tmp_path, tty=False)
    stream.close()
    told.step_begins(step(), 1, 1)
    told.step_ends(step(), kept=True)


@pytest.mark.parametrize("place", ["/no/such/dir/log", "/proc/nothing"])
def test_a_log_that_cannot_be_written(place):
    """Without a log the work goes on."""
    log = Log(place)
    log.write("x")


def test_a_log_that_becomes_full(tmp_path, monkeypatch):
    """From then on nothing is logged, and nothing fails."""
    log = Log(str(tmp_path / "log"))
    log._file = Stream(error=errno.ENOSPC)
    log.write("x")
    log.write("y")


def test_lines_of_the_log(tmp_path):
    """Each line carries the time; odd names survive; the old log stays."""
    for text in ("one\ntwo", "\udcff"):
        Log(str(tmp_path / "log")).write(text)
    lines = (tmp_path / "log").read_bytes().splitlines()
    assert len(lines) == 3
    for line in lines:
        assert re.match(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S", line)
    assert lines[2].endswith(b" \xff")


@pytest.mark.parametrize("tty", [True, False])
def test_the_progress_line(tmp_path, clock, tty):
    """Bytes, files, rate, share and time left; over itself only on a terminal."""
    told, stream, _ = reporter(tmp_path, tty=tty)
    told.step_begins(step(tree(1 << 20, 100)), 3, 9)
    told.tree_begins(tree(1 << 20, 100))
    clock.now += 20
    told.advance(bytes_done=1 << 19, files_done=50)
    text = stream.getvalue()
    assert "[3/9] Copy it\n" in text
    for part in ("50%", "512K", "50 files", "25.6K/s", "20 s left"):
        assert part in text
    assert ("\r\033[K" in text) is tty
    assert text.endswith("\n") is not tty


@pytest.mark.parametrize(("tty", "every"), [(True, REDRAW), (False, PLAIN_EVERY)])
def test_progress_is_not_shown_too_often(tmp_path, clock, tty, every):
    """A terminal sees it move; a file is not filled."""
    told, stream, _ = reporter(tmp_path, tty=tty)
    told.step_begins(step(tree()), 1, 1)
    told.tree_begins(tree())
    shown = 0
    for n in range(1000):
        clock.now += every / 10
        told.advance(bytes_done=n, files_done=0)
    shown = stream.getvalue().count("files")
    assert 90 <= shown <= 101


def test_several_trees_are_one_whole(tmp_path, clock):
    """The second tree begins where the first ended, compared ones as well."""
    trees = (tree(1000, 10), tree(3000, 30))
    told, stream, _ = reporter(tmp_path, tty=True)
    told.step_begins(step(CompareTrees(pairs=trees, report="/r")), 1, 1)
    for each in trees:
        told.tree_begins(each)
    clock.now += 10
    told.advance(bytes_done=1000, files_done=10)
    assert "50%" in stream.getvalue()
    assert "20 files" in stream.getvalue()


def test_shares_stay_below_the_whole(tmp_path, clock):
    """More than was estimated is shown as 100 %, nothing known as no share."""
    told, stream, _ = reporter(tmp_path, tty=True)
    told.step_begins(step(tree()), 1, 1)
    told.tree_begins(tree())
    clock.now += 10
    told.advance(bytes_done=99999, files_done=99999)
    assert "100%" in stream.getvalue()
    assert "0 s left" in stream.getvalue()
    told, stream, _ = reporter(tmp_path, tty=True)
    told.step_begins(step(tree(0, 0)), 1, 1)
    told.tree_begins(tree(0, 0))
    clock.now += 10
    told.advance(bytes_done=5, files_done=1)
    assert "%" not in stream.getvalue()


def test_percent(tmp_path, clock):
    """What the kernel does by itself has a share and a time left."""
    told, stream, _ = reporter(tmp_path, tty=True)
    told.step_begins(step(), 1, 1)
    clock.now += 30
    told.percent(None)
    told.percent(25.0)
    assert "25%, 1 min 30 s left" in stream.getvalue()
    clock.now += 1
    told.percent(0.0)
    assert stream.getvalue().endswith("0%")


def test_a_narrow_terminal(tmp_path, clock, monkeypatch):
    """A line that wraps could not be erased."""
    monkeypatch.setattr(Terminal, "width", 30)
    told, stream, _ = reporter(tmp_path, tty=True)
    told.step_begins(step(tree()), 1, 1)
    told.tree_begins(tree())
    clock.now += 10
    told.advance(bytes_done=500, files_done=5)
    assert len(stream.getvalue().rpartition("\033[K")[2]) <= 29


@pytest.mark.parametrize("kept", [True, False])
def test_the_end_of_a_step(tmp_path, clock, kept):
    """What was there already is told from what was done."""
    told, stream, _ = reporter(tmp_path, tty=False)
    told.step_begins(step(), 1, 1)
    clock.now += 75
    told.step_ends(step(), kept=kept)
    wanted = "was done already" if kept else "done in 1 min 15 s"
    assert stream.getvalue().splitlines()[-1].strip() == wanted


def test_results_and_talk():
    """Results go to standard output, all else to standard error."""
    out, err = Stream(), Stream()
    terminal = Terminal(out=out, err=err)
    terminal.result("a")
    terminal.result("b\n")
    terminal.talk("c")
    terminal.error(MigrateError("brief", details="x\ny", resolution="z"))
    assert out.getvalue() == "a\nb\n"
    assert err.getvalue() == "c\nError: brief\n  x\n  y\nWhat to do: z\n"


@pytest.mark.parametrize(
    ("tty", "environment", "wish", "expected"),
    [
        (True, {}, None, True),
        (False, {}, None, False),
        (True, {"NO_COLOR": "1"}, None, False),
        (False, {}, True, True),
        (True, {}, False, False),
    ],
)
def test_colour(monkeypatch, tty, environment, wish, expected):
    """Where somebody looks, unless NO_COLOR is set; a wish counts more."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    streams = Stream(tty=tty), Stream(tty=tty)
    terminal = Terminal(out=streams[0], err=streams[1], colour=wish)
    assert (terminal.colour_out, terminal.colour_err) == (expected, expected)
    assert terminal.live is tty


def test_nobody_answers(monkeypatch):
    """A closed or absent standard input is an empty answer."""
    asking = Terminal(out=Stream(), err=Stream(tty=True))
    closed = io.StringIO("yes\n")
    closed.close()
    for stdin in (None, closed, io.StringIO("")):
        monkeypatch.setattr(terminal.sys, "stdin", stdin)
        assert asking.ask("Sure?") == ""
    monkeypatch.setattr(terminal.sys, "stdin", io.StringIO(" yes \n"))
    assert asking.ask("Sure?") == "yes"


def test_results_that_cannot_be_encoded():
    """Odd file names do not end a report."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="utf-8", errors="strict")
    terminal = Terminal(out=out, err=io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    terminal.result("/\udcff\n")
    terminal.talk("/\udcff ümläut")
    assert raw.getvalue() == b"/\\udcff\n"

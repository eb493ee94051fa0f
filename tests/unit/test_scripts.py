"""Programs of ours: begun early, asked for later, run once."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from zfs_root_migrate import cli, runner, scripts
from zfs_root_migrate.reader import LiveReader, RecordingReader, ReplayReader
from zfs_root_migrate.runner import Answer

BEGIN = cli.begin_early


@pytest.fixture
def started(monkeypatch):
    """Keep what is started; it answers with its own words."""
    commands = []

    def begin(argv, *, timeout):
        commands.append(argv)
        return lambda: Answer(tuple(argv), 0, " ".join(argv[3:]), str(timeout))

    monkeypatch.setattr(runner, "begin", begin)
    monkeypatch.setattr(scripts, "_begun", {})
    return commands


def test_the_program_is_there():
    """It lies beside the modules, wherever those are, and can be run."""
    python, options, program, *rest = scripts.script_argv("portage", "--root", "/r")
    assert (python, options, rest) == ("python3", "-IB", ["--root", "/r"])
    main = Path(program, "__main__.py")
    assert ast.parse(main.read_text())


def test_begun_early_is_not_started_again(started):
    """The one that runs is handed over, once."""
    scripts.begin("portage")
    assert len(started) == 1
    LiveReader().script("portage")()
    assert len(started) == 1
    LiveReader().script("portage")()
    assert len(started) == 2


def test_other_arguments_are_another_question(started):
    """What was begun for this system says nothing about a tree."""
    scripts.begin("portage")
    answer = LiveReader().script("portage", "--root", "/r")()
    assert len(started) == 2
    assert answer.stdout == "--root /r"


def test_a_recording_does_not_know_where_it_lay(started):
    """The key is the question, and the answer comes back."""
    recorder = RecordingReader(LiveReader())
    asked = recorder.script("portage", "--root", "/a b")
    assert recorder.recording.queries == {}
    answer = asked()
    assert list(recorder.recording.queries) == ["script portage --root '/a b'"]
    replay = ReplayReader(recorder.recording)
    assert replay.script("portage", "--root", "/a b")().stdout == answer.stdout
    assert replay.script("portage")().status == runner.NOT_FOUND


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        (["check"], True),
        (["list"], True),
        (["check", "--facts", "f"], False),
        (["check", "--root", "/r"], False),
        (["check", "--explain", "key"], False),
        (["check", "--explain"], False),
        (["status"], False),
        (["mirror"], False),
        (["undo"], False),
    ],
)
def test_which_verbs_begin_early(words, begins, started):
    """Those that ask this system's Portage, and no others."""
    BEGIN(cli.build_parser().parse_args(words))
    assert bool(started) is begins


@pytest.mark.programs
def test_what_begins_early_loads_fast():
    """What takes its time to load may load while Portage is asked."""
    script = (
        "import sys\n"
        f"sys.path.insert(0, {str(Path(cli.__file__).parents[1])!r})\n"
        "from zfs_root_migrate import cli, scripts\n"
        "print('\\n'.join(sys.modules))\n"
    )
    argv = [sys.executable, "-I", "-c", script]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    slow = {"dataclasses", "inspect", "pathlib", "tempfile", "json", "tomllib"}
    assert not slow & set(done.stdout.split())


@pytest.mark.programs
def test_begin_answers_like_query():
    """A program that is begun ends as one that is run."""
    command = ("sh", "-c", "echo out; echo err >&2; exit 3")
    assert runner.begin(command, timeout=10)() == runner.query(command)
    missing = ("no-such-program",)
    assert runner.begin(missing, timeout=10)() == runner.query(missing)


@pytest.mark.programs
def test_begin_has_a_limit():
    """A program that hangs is ended."""
    answer = runner.begin(("sleep", "60"), timeout=0.1)()
    assert answer.status == 124
    assert "no answer" in answer.stderr


@pytest.mark.programs
def test_begin_does_not_wait():
    """What is begun runs beside us, even when it says more than a pipe holds."""
    command = ("sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x")
    asked = [runner.begin(command, timeout=10) for _ in range(2)]
    assert {len(ask().stdout) for ask in asked} == {300000}

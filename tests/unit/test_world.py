"""The live world: probes, files, commands, waiting, and what runs beside."""

import os
import signal
import stat
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.fakes.heard import Heard
from zfs_root_migrate import runner, world
from zfs_root_migrate.errors import ExitStatus, StepFailedError, VerificationError
from zfs_root_migrate.runner import Answer
from zfs_root_migrate.step import (
    Action,
    Arm,
    Await,
    CompareTrees,
    CopyTree,
    Join,
    Probe,
    Require,
    Run,
    Seal,
    SourceFs,
    Start,
    WriteFile,
)
from zfs_root_migrate.world import LiveWorld, Passes, fits, write_file


@pytest.fixture
def heard():
    """Return who is told."""
    return Heard()


@pytest.fixture
def live(heard):
    """Return the world of this machine."""
    return LiveWorld(heard, passes=Passes)


@pytest.fixture
def answers(monkeypatch):
    """Return a function that sets what programs answer, one after the other."""

    def set_answers(*rows):
        left = list(rows)

        def query(argv, **_):
            status, text = left.pop(0) if len(left) > 1 else left[0]
            return Answer(tuple(argv), status, text, "")

        monkeypatch.setattr(runner, "query", query)

    return set_answers


TEXT = "name: 'rpool'\nstate: 1\n"


@pytest.mark.parametrize(
    ("wanted", "status", "expected"),
    [
        ({}, 0, True),
        ({}, 1, False),
        ({"status": 1}, 1, True),
        ({"status": None}, 77, True),
        ({"matches": ("^state: 1$",)}, 0, True),
        ({"matches": ("^state: 1$", "rpool")}, 0, True),
        ({"matches": ("^state: 1$", "tank")}, 0, False),
        ({"matches": ("^tate",)}, 0, False),
        ({"matches": ("rpool",)}, 1, False),
        ({"absent": ("tank",)}, 0, True),
        ({"absent": ("tank", "rpool")}, 0, False),
        ({"status": None, "absent": ("rpool",)}, 5, False),
    ],
)
def test_fits(wanted, status, expected):
    """Status, all of `matches`, none of `absent`, line by line."""
    probe = Probe(argv=("x",), **wanted)
    assert fits(probe, Answer(("x",), status, TEXT, "")) is expected
    turned = Probe(argv=("x",), holds=False, **wanted)
    assert fits(turned, Answer(("x",), status, TEXT, "")) is expected


@pytest.mark.parametrize("status", [0, 1, 2])
def test_holds_turns_the_answer_round(live, answers, status):
    """Not imported is proven by zpool's failing, and the other way."""
    answers((status, ""))
    assert live.holds(Probe(argv=("zpool",))) is (status == 0)
    assert live.holds(Probe(argv=("zpool",), holds=False)) is (status != 0)


@pytest.mark.parametrize("holds", [True, False])
def test_a_missing_program_proves_nothing(live, answers, holds):
    """Without zpool a pool is neither imported nor not imported."""
    answers((runner.NOT_FOUND, ""))
    probe = Probe(argv=("zpool", "list"), holds=holds, status=None)
    with pytest.raises(StepFailedError, match="zpool is missing"):
        live.holds(probe)
    with pytest.raises(StepFailedError, match="zpool is missing"):
        live.act(Require(probe=probe, brief="b", resolution="r"))
    with pytest.raises(StepFailedError, match="zpool is missing"):
        live.act(Run(argv=("true",), when=probe))


def test_require(live, answers):
    """It stops with the texts of the plan and what was answered."""
    answers((0, "mounted somewhere\n"))
    probe = Probe(argv=("lsblk", "/dev/x"), absent=(r"\S",))
    with pytest.raises(StepFailedError, match="in use") as caught:
        live.act(Require(probe=probe, brief="in use", resolution="look"))
    assert "mounted somewhere" in caught.value.details
    assert "lsblk /dev/x" in caught.value.details
    assert caught.value.resolution == "look"
    answers((0, "\n"))
    live.act(Require(probe=probe, brief="in use", resolution="look"))


@pytest.mark.programs
def test_a_command(live, heard):
    """It is told before, its lines are told, and its status counts."""
    live.act(Run(argv=("sh", "-c", "cat; echo bad >&2"), stdin="text\n"))
    assert heard.commands == ["sh -c 'cat; echo bad >&2'"]
    assert sorted(heard.lines) == ["bad", "text"]
    with pytest.raises(StepFailedError, match="sh ended with status 3") as caught:
        live.act(Run(argv=("sh", "-c", "cat; exit 3"), stdin="given\n"))
    assert "<<'END'\ngiven\nEND" in caught.value.details
    live.act(Run(argv=("sh", "-c", "exit 3"), accept=(0, 3)))
    with pytest.raises(StepFailedError):
        live.act(Run(argv=("true",), accept=(3,)))


@pytest.mark.programs
@pytest.mark.parametrize("when", ["true", "false"])
def test_a_condition(live, heard, tmp_path, when):
    """A command is run only where its condition holds."""
    file = tmp_path / "made"
    live.act(Run(argv=("touch", str(file)), when=Probe(argv=(when,))))
    assert file.exists() is (when == "true")
    assert bool(heard.commands) is (when == "true")


@pytest.mark.programs
def test_background(needs, live, heard, tmp_path):
    """A program runs while others do, and must succeed."""
    needs(root=True)
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    wait = 'for n in $(seq 100); do [ -e "$0" ] && exec touch "$1"; sleep 0.1; done'
    run = Run(argv=("sh", "-c", f"{wait}; exit 1", one, two))
    live.act(Start(name="a", run=run))
    assert heard.commands[-1].endswith(" &")
    live.act(Run(argv=("touch", one)))
    live.act(Join(name="a"))
    assert Path(two).exists()


@pytest.mark.programs
def test_what_goes_on_gives_way_to_the_background(needs, live, tmp_path):
    """What is waited for in the end has the processors first, and only as long."""
    needs(root=True)
    before = os.getpriority(os.PRIO_PROCESS, 0)
    told = {name: tmp_path / name for name in ("first", "other", "meanwhile", "after")}
    wait = 'until [ -e "$0" ]; do sleep 0.05; done; nice > "$1"'

    def write_own(name):
        live.act(Run(argv=("sh", "-c", 'nice > "$0"', str(told[name]))))

    for name in ("first", "other"):
        argv = ("sh", "-c", wait, str(told["meanwhile"]), str(told[name]))
        live.act(Start(name=name, run=Run(argv=argv)))
    write_own("meanwhile")
    for name in ("first", "other"):
        live.act(Join(name=name))
    write_own("after")
    niceness = {name: int(path.read_text()) for name, path in told.items()}
    assert niceness["first"] == niceness["other"] == niceness["after"] == before
    assert niceness["meanwhile"] > before


@pytest.mark.programs
@pytest.mark.parametrize("program", ["false", "no-such-program"])
def test_background_that_fails(needs, live, program):
    """It is told at the latest where it is waited for."""
    needs(root=True)
    live.act(Start(name="a", run=Run(argv=("sh", "-c", "sleep 0.2; exec $0", program))))
    with pytest.raises(StepFailedError, match=r"status (1|127)"):
        live.act(Join(name="a"))


@pytest.mark.programs
def test_background_that_fails_at_once(needs, live):
    """What comes next is not begun."""
    needs(root=True)
    live.act(Start(name="a", run=Run(argv=("no-such-program",))))
    with pytest.raises(StepFailedError, match="no-such-program"):
        live.act(Run(argv=("sleep", "60")))


def at_work(mark):
    """Return the processes with this among their words."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if os.fsencode(mark) in place.read_bytes().split(b"\0"):
                found.append(place.parent.name)
    return found


def await_none(mark):
    """Wait until none is left."""
    end = time.monotonic() + 10
    while left := at_work(mark):
        assert time.monotonic() < end, left
        time.sleep(0.01)


# a program with others below it, that take no notice of its end
FAMILY = """
trap : TERM
setsid sh -c 'sleep 60; :' "$0" &
echo ready >"$0"
sleep 60; :
"""


@pytest.mark.programs
def test_background_ends_with_the_world(needs, live, tmp_path):
    """Where a step fails, nothing is left at work."""
    needs(root=True)
    ready = str(tmp_path / "ready")
    live.act(Start(name="a", run=Run(argv=("sh", "-c", FAMILY, ready))))
    live.act(Run(argv=("sh", "-c", 'until [ -s "$0" ]; do sleep 0.05; done', ready)))
    assert len(at_work(ready)) > 1
    live.close()
    await_none(ready)


@pytest.mark.programs
def test_background_dies_with_the_tool(needs, heard, tmp_path):
    """Killed, it cannot end anything any more."""
    needs(root=True)
    ready = str(tmp_path / "ready")
    tool = os.fork()
    if not tool:
        live = LiveWorld(heard, passes=Passes)
        live.act(Start(name="a", run=Run(argv=("sh", "-c", FAMILY, ready))))
        time.sleep(60)
        os._exit(0)
    while not Path(ready).exists():
        time.sleep(0.05)
    assert len(at_work(ready)) > 1
    os.kill(tool, signal.SIGKILL)
    os.waitpid(tool, 0)
    await_none(ready)


@pytest.mark.parametrize("mode", [0o644, 0o755, 0o600, 0o4711])
def test_files_have_their_mode(tmp_path, mode):
    """Whatever the umask is, and whatever mode the old file had."""
    path = tmp_path / "dir/file"
    before = os.umask(0o077)
    try:
        for content in ("one", "two \udcff"):
            write_file(WriteFile(path=str(path), content=content, mode=mode))
            assert stat.S_IMODE(path.stat().st_mode) == mode
    finally:
        os.umask(before)
    assert path.read_bytes() == b"two \xff"
    assert os.listdir(path.parent) == ["file"]


def test_files_are_replaced_whole(tmp_path, monkeypatch):
    """The content is on the disk before it gets the name of the old one."""
    path, seen = tmp_path / "file", []
    path.write_text("old")
    real = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda fd: (seen.append(path.read_text()), real(fd))
    )
    write_file(WriteFile(path=str(path), content="new"))
    assert seen[0] == "old"
    assert path.read_text() == "new"


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    """The error says which file; nothing half-written takes its place."""
    path = tmp_path / "file"
    path.write_text("old")

    def fsync(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StepFailedError, match="cannot write") as caught:
        write_file(WriteFile(path=str(path), content="new"))
    assert "No space left" in caught.value.details
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_link_is_replaced(tmp_path):
    """What a link in the new root points to may belong to the running one."""
    (tmp_path / "elsewhere").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    write_file(WriteFile(path=str(tmp_path / "link"), content="new"))
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "link").read_text() == "new"
    assert (tmp_path / "elsewhere").read_text() == "old"


@pytest.mark.parametrize("name", ["file", "deep/er/file"])
def test_nothing_is_written_out_of_the_new_root(tmp_path, monkeypatch, name):
    """An absolute link to a directory leads from the new root to the running one."""
    new, old = tmp_path / "new", tmp_path / "old"
    (new / "real").mkdir(parents=True)
    old.mkdir()
    monkeypatch.setattr(world, "NEW", str(new))
    (new / "out").symlink_to(old)
    (new / "in").symlink_to("real")
    with pytest.raises(StepFailedError, match="cannot write"):
        write_file(WriteFile(path=str(new / "out" / name), content="new"))
    assert os.listdir(old) == []
    write_file(WriteFile(path=str(new / "in" / name), content="new"))
    assert (new / "real" / name).read_text() == "new"


def awaited(**more):
    """Return an Await that does not wait long."""
    fields = {
        "argv": ("zpool", "status"),
        "done": "^ *scan: resilvered",
        "failed": "errors: (?!No known)",
        "progress": r"([\d.]+)% done",
        "what": "the pool is resilvered",
        "interval": 0.0,
    }
    return Await(**{**fields, **more})


def test_await(live, heard, answers):
    """It asks until it is done and tells how far it is."""
    lines = [
        "scan: resilver in progress",
        " 12.5% done",
        " 80% done",
        "scan: resilvered",
    ]
    answers(*((0, line) for line in lines))
    live.act(awaited())
    assert heard.percents == [None, 12.5, 80.0]


@pytest.mark.parametrize(
    "answer", [(0, "errors: 3 data errors"), (1, "cannot open"), (127, "")]
)
def test_await_gives_up(live, answers, answer):
    """A failure that is said, or a program that fails, ends the waiting."""
    answers(answer)
    with pytest.raises(StepFailedError, match="while the pool is resilvered"):
        live.act(awaited())


def test_a_failure_counts_more_than_being_done(live, answers):
    """Resilvered with errors is not done."""
    answers((0, "scan: resilvered\nerrors: 3 data errors"))
    with pytest.raises(StepFailedError):
        live.act(awaited())


def between(path, **more):
    """Return the transfer from `old` to `new`."""
    old, new = str(path / "old"), str(path / "new")
    return CopyTree(source=old, destination=new, exclude=(), size=0, files=0, **more)


def test_a_comparison(live, heard, tmp_path):
    """Differences stop the step with a status of their own; all are written down."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    os.utime(tmp_path / "old", ns=(0, 0))
    os.utime(tmp_path / "new", ns=(0, 0))
    tree = between(tmp_path)
    report = tmp_path / "report"
    judge = LiveWorld(heard, passes=lambda: Passes(last=2.0**40))
    judge.act(CompareTrees(pairs=(tree,), report=str(report)))
    assert "0 differ" in report.read_text()
    for n in range(12):
        (tmp_path / "new" / str(n)).write_text("")
    with pytest.raises(VerificationError, match=r"1\d differences") as caught:
        judge.act(CompareTrees(pairs=(tree,), report=str(report)))
    assert caught.value.status is ExitStatus.VERIFICATION_FAILED
    assert report.read_text().count("differs:") >= 12


@given(st.text(max_size=20))
def test_regular_expressions_of_plans_see_any_answer(text):
    """Whatever a program says, a probe has an answer."""
    probe = Probe(argv=("x",), matches=(r"^ +name: 'rpool'$",), absent=("no",))
    assert isinstance(fits(probe, Answer(("x",), 0, text, "")), bool)


def test_world_has_a_case_for_every_action():
    """No action is passed over in silence."""
    source = Path(world.__file__).read_text()
    for kind in Action.__args__:
        assert f"case {kind.__name__}():" in source


def test_a_comparison_of_what_is_still(heard, tmp_path):
    """Nothing is forgiven as changed since, and the seal gets what was compared."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
        os.utime(tmp_path / name / "file", ns=(0, 0))
        os.utime(tmp_path / name, ns=(0, 0))
    tree = between(tmp_path)
    still = CompareTrees(pairs=(tree,), report=str(tmp_path / "report"), still=True)
    now = time.time()
    live, since = LiveWorld(heard, passes=lambda: since[0]), [Passes(last=0.0)]
    with pytest.raises(VerificationError, match="1 differences"):
        live.act(still)
    # as if it had been compared since it was written: the content is not read
    since[0] = Passes(last=0.0, compared=now + 60)
    live.act(still)
    assert "0 differ, 0 were changed" in (tmp_path / "report").read_text()


@pytest.mark.programs
@pytest.mark.parametrize("still", [False, True])
def test_what_differs_is_copied_again_once(live, heard, tmp_path, still):
    """As a program in the new root may have written there; a fault shows twice."""
    tree = between(tmp_path, state=str(tmp_path / "state"), verify=True)
    (tmp_path / "old/tmp").mkdir(parents=True)
    (tmp_path / "new").mkdir()
    for path in (tmp_path / "old/tmp", tmp_path / "old"):
        os.utime(path, ns=(0, 10**18))
    live.act(tree)
    judge = LiveWorld(heard, passes=lambda: Passes(last=2.0**40, compared=2.0**40))
    compare = CompareTrees(
        pairs=(tree,), report=str(tmp_path / "report"), still=still, amend=True
    )
    judge.act(compare)
    notes = len(heard.notes)
    (tmp_path / "new/tmp/left").write_text("by grub-mkconfig")
    judge.act(compare)
    assert not (tmp_path / "new/tmp/left").exists()
    assert (tmp_path / "new/tmp").stat().st_mtime_ns == 10**18
    assert any(note.startswith("copied again: ") for note in heard.notes[notes:])
    assert "0 differ" in (tmp_path / "report").read_text()


def test_the_seal_is_set(live, monkeypatch):
    """As a property, with the number of the last comparison in it."""
    started = []
    monkeypatch.setattr(runner, "stream", lambda argv, *_, **__: started.append(argv))
    monkeypatch.setattr(world, "seal_text", lambda fs, number: f"v1 {number} {len(fs)}")
    monkeypatch.setattr(live, "_manifest", "beef")
    root = SourceFs(target="/", fs_type="ext4", uuid="u")
    with pytest.raises(StepFailedError):
        live.act(Seal(dataset="rpool/ROOT", sources=(root,)))
    value = "zfs-root-migrate:seal=v1 beef 1"
    assert started == [("zfs", "set", value, "rpool/ROOT")]


def test_arming(live, tmp_path):
    """The file says how this program is started."""
    root = SourceFs(target="/", fs_type="ext4", uuid="u")
    path = tmp_path / "armed"
    live.act(Arm(path=str(path), mounts=(root,)))
    assert "last_pass() {" in path.read_text()

"""The command line from end to end, on recorded machines and on one in memory."""

import io
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.checks.machines import base
from tests.unit.fakes.machine import Machine
from tests.unit.fakes.machines import MACHINES, WISHES, wished
from tests.unit.fakes.world import Fate, SimulatedWorld
from zfs_root_migrate import (
    __version__,
    cli,
    fixing,
    migration_verbs,
    runner,
    scan,
    sessions,
    shutdown,
    terminal,
    workbench,
    workflow,
)
from zfs_root_migrate.cli import main
from zfs_root_migrate.errors import (
    ExitStatus,
    InhibitedError,
    InterruptedRunError,
    MigrateError,
    StepFailedError,
    UsageError,
    VerificationError,
)
from zfs_root_migrate.facts import dump_facts
from zfs_root_migrate.finding import KINDS
from zfs_root_migrate.journal import Lock
from zfs_root_migrate.model import LinkGroup, Tree
from zfs_root_migrate.runner import Answer
from zfs_root_migrate.state import State
from zfs_root_migrate.verbs import VERBS, find_verb

GUEST = str(MACHINES / "guest-openrc-bios/facts.json")
# answered before anything is loaded
NOT_CARRIED_OUT = ("help", "version")
TARGET = "/dev/disk/by-id/virtio-NEWDISK"


@pytest.fixture(autouse=True)
def own_places(tmp_path, monkeypatch):
    """Keep state, lock, log and settings in the test's own directory."""
    state, lock = str(tmp_path / "state"), tmp_path / "lock"
    monkeypatch.setattr(sessions, "STATE", state)
    for module in (workflow, migration_verbs, shutdown):
        monkeypatch.setattr(module, "LOCK", lock)
    monkeypatch.setattr(shutdown, "WORK", str(tmp_path / "work"))
    monkeypatch.setattr(shutdown, "SEAL_LOG", str(tmp_path / "work/seal.log"))
    for module in (workbench, fixing, shutdown):
        monkeypatch.setattr(module, "LOG", str(tmp_path / "log"))
    monkeypatch.setattr(fixing, "PORTAGE", str(tmp_path / "no portage"))
    monkeypatch.setattr("zfs_root_migrate.config.SETTINGS_FILE", str(tmp_path / "none"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    handlers = [(n, signal.getsignal(n)) for n in (signal.SIGHUP, signal.SIGTERM)]
    mask = os.umask(0o022)
    yield
    os.umask(mask)
    for number, handler in handlers:
        signal.signal(number, handler)


class FakeReader:
    """Answers for the machine in memory."""

    machine = None

    def query(self, *argv):
        """Ask the machine."""
        return self.machine.query(argv) if self.machine else Answer(argv, 1, "", "")


@pytest.fixture
def machine(monkeypatch):
    """Put the verbs on a machine in memory."""
    config, facts = wished("guest-openrc-bios")
    made = Machine(config, facts)

    class World(SimulatedWorld):
        def __init__(self, *_args, **_more) -> None:
            super().__init__(made, made.fate)

    made.fate = Fate()
    monkeypatch.setattr(FakeReader, "machine", made)
    monkeypatch.setattr(sessions, "LiveReader", FakeReader)
    monkeypatch.setattr(workbench, "LiveWorld", World)
    monkeypatch.setattr(sessions, "gather", lambda *_, **__: facts)
    tree = Tree(files=1, directories=1)
    monkeypatch.setattr(scan, "scan", lambda *_: tree)
    monkeypatch.setattr(runner, "enter_own_mounts", made.end_process)
    return made


@pytest.fixture
def settings(tmp_path):
    """Return a settings file that chooses the new disk."""
    path = tmp_path / "settings.toml"
    path.write_text(f'target = ["{TARGET}"]\n')
    return str(path)


def call(capsys, *words):
    """Return status, standard output and standard error of a command line."""
    try:
        status = main(words)
    except SystemExit as end:
        status = end.code
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize("words", [["version"], ["--version"]])
def test_version(capsys, words):
    """The version, and nothing else."""
    assert call(capsys, *words) == (0, f"zfs-root-migrate {__version__}\n", "")


def test_help_names_every_verb(capsys):
    """All of them, with a line each; `help VERB` shows the options."""
    status, out, _ = call(capsys, "help")
    assert status == 0
    for row in VERBS:
        assert f"\n    {row.name}" in out
        if row.name != "help":
            assert call(capsys, "help", row.name)[0] == 0
    assert call(capsys)[1] == out
    assert "--serial" in call(capsys, "help", "mirror")[1]


def test_every_verb_is_carried_out():
    """Each row of the table leads somewhere."""
    verbs = [find_verb(row.name) for row in VERBS if row.name not in NOT_CARRIED_OUT]
    assert all(map(callable, verbs))
    assert len(set(verbs)) == len(verbs)


@pytest.mark.parametrize(
    "words",
    [
        ["destroy"],
        ["run", "--yes", "--ask"],
        ["plan", "--no-such"],
        ["list", "nothing"],
        ["set"],
        ["plan", "--facts", "/no/such/file"],
        ["plan", "--facts", "/"],
        ["check", "--config", "/no/such/file"],
        ["plan", "--facts", GUEST, "--set", "target"],
        ["plan", "--facts", GUEST, "--set", "colour=red"],
        ["plan", "--facts", GUEST, "--set", "topology=raid0"],
        ["check", "--explain", "no-such-key"],
    ],
)
def test_wrong_words(capsys, words):
    """Status 2, something on standard error, nothing on standard output."""
    status, out, err = call(capsys, *words)
    assert (status, out) == (ExitStatus.USAGE, "")
    assert err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MigrateError("m"), 1),
        (StepFailedError("s"), 1),
        (UsageError("u"), 2),
        (InhibitedError("i"), 3),
        (VerificationError("v"), 4),
        (InterruptedRunError("x"), 130),
        (KeyboardInterrupt(), 130),
        (OSError(28, "No space left on device", "/var/x"), 1),
        (OSError(30, "Read-only file system", "/var/x"), 1),
        (OSError(5, "Input/output error"), 1),
    ],
)
@pytest.mark.parametrize("verb", ["status", "run", "mirror", "undo"])
def test_exit_statuses(capsys, monkeypatch, error, status, verb):
    """Each class of error has its own, and people are told what to do."""

    def fail(*_):
        raise error

    monkeypatch.setattr(cli, "find_verb", lambda _name: fail)
    got, out, err = call(capsys, verb)
    assert (got, out) == (status, "")
    assert err.startswith("Error:")
    assert "Traceback" not in err
    if isinstance(error, OSError):
        assert error.strerror in err
        assert (error.filename or "a file") in err
        assert ("What to do" in err) == (error.errno in (28, 30))
    if isinstance(error, KeyboardInterrupt):
        assert "interrupted" in err
        assert ("still boots" in err) == (verb == "run")


def test_a_request_to_end_is_an_interrupt(capsys, monkeypatch):
    """SIGTERM ends as Ctrl-C does; a lost connection ends nothing."""

    def end(*_):
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(cli, "find_verb", lambda _name: end)
    assert call(capsys, "status")[0] == ExitStatus.INTERRUPTED


@pytest.mark.parametrize(
    "text", ["target = [", "topology = 'raid0'", "colour = 1", "x"]
)
def test_a_broken_settings_file(capsys, tmp_path, text):
    """It is named, and nothing is done with half of it."""
    path = tmp_path / "bad.toml"
    path.write_text(text)
    for verb in (["show"], ["check", "--facts", GUEST], ["run", "--yes"]):
        status, _, err = call(capsys, *verb, "--config", str(path))
        assert status == ExitStatus.USAGE
        assert err.startswith("Error:")


def test_check(capsys):
    """3 and the findings where something is missing, 0 and the next verb where not."""
    status, out, _ = call(capsys, "check", "--facts", GUEST)
    assert status == ExitStatus.INHIBITED
    assert "[target-unset]" in out
    ready = ("--facts", GUEST, "--set", f"target={TARGET}")
    status, out, _ = call(capsys, "check", *ready)
    assert status == 0
    assert "zfs-root-migrate plan" in out.splitlines()[-1]
    assert call(capsys, "--check", *ready) == (status, out, "")
    assert "target-unset" in call(capsys, "check", "--explain", "target-unset")[1]


@pytest.mark.parametrize("words", [("--explain",), ("--explain", "list")])
def test_explain_without_a_key_lists_all(capsys, words):
    """Each with its severity and title, on lines that are no wider than a terminal."""
    status, out, err = call(capsys, "check", *words)
    assert (status, err) == (ExitStatus.DONE, "")
    found, severity = {}, ""
    for line in out.splitlines()[:-1]:
        assert len(line) <= 80
        if line.startswith("  "):
            key, _, title = line.strip().partition("  ")
            found[key] = (severity, title.strip())
        elif line:
            severity = line.partition(" ")[0]
    assert found == {k.key: (k.severity, k.title) for k in KINDS.values()}


def test_plan_forms(capsys):
    """`plan`, `-p` and `--pretend` are one."""
    words = ("--facts", GUEST, "--set", f"target={TARGET}")
    status, out, err = call(capsys, "plan", *words)
    assert (status, err) == (0, "")
    assert call(capsys, "-p", *words)[1] == out
    assert call(capsys, "--pretend", *words)[1] == out
    assert "zpool create" in out
    assert call(capsys, "plan", "--facts", GUEST)[0] == ExitStatus.INHIBITED


@pytest.mark.parametrize("verb", ["check", "list", "show", "plan"])
def test_json(capsys, verb):
    """Each document says what it is, and is all there is on standard output."""
    words = [verb, "--facts", GUEST, "--set", f"target={TARGET}", "--json"]
    status, out, err = call(capsys, *words)
    data = json.loads(out)
    assert (data.pop("schema"), data.pop("version")) == (f"zfs-root-migrate/{verb}", 1)
    assert (status, err) == (0, "")
    assert data


def test_json_of_the_status(capsys, machine, settings):
    """Before, in the middle and after."""
    assert json.loads(call(capsys, "status", "--json")[1])["phase"] == "nothing"
    call(capsys, "run", "--yes", "--config", settings)
    data = json.loads(call(capsys, "status", "--json")[1])
    assert data["phase"] == "armed"
    assert data["disks"] == [TARGET]
    assert data["journal"][-1]["event"] == "end"
    assert (data["schema"], data["version"]) == ("zfs-root-migrate/status", 1)


def test_set(capsys, tmp_path, machine):
    """By name, by number, back to the default; comments stay."""
    path = tmp_path / "new.toml"
    at = ("--config", str(path))
    path.write_text("# mine\n")
    assert call(capsys, "set", *at, "target", "1")[0] == 0
    assert path.read_text() == f'# mine\ntarget = ["{TARGET}"]\n'
    assert call(capsys, "set", *at, "topology", "2")[0] == 0
    assert "mirror" in path.read_text()
    assert call(capsys, "set", *at, "swap-size", "2")[0] == 0
    assert call(capsys, "set", *at, "topology")[0] == 0
    assert "topology" not in path.read_text()
    shown = call(capsys, "show", *at)[1]
    assert TARGET in shown
    for words in (
        ["target", "9"],
        ["topology", "0"],
        ["pool", "mirror"],
        ["nope", "1"],
    ):
        before = path.read_text()
        assert call(capsys, "set", *at, *words)[0] == ExitStatus.USAGE
        assert path.read_text() == before
    assert not (tmp_path / "state").exists()


def test_set_where_nothing_can_be_written(capsys, tmp_path):
    """The settings file's place is named."""
    status, _, err = call(
        capsys, "set", "--config", str(tmp_path / "no/dir/file"), "pool", "tank"
    )
    assert status == ExitStatus.USAGE
    assert str(tmp_path / "no/dir/file") in err


def test_wishes_of_this_time(capsys, machine, settings):
    """--set counts over the file, several values with commas, and is not kept."""
    words = ("show", "--config", settings, "--json")
    wish = ("--set", "pool=tank", "--set", "exclude=/a,/b", "--set", "swap-size=0")
    data = json.loads(call(capsys, *words, *wish)[1])["settings"]
    values = {name: row["value"] for name, row in data.items()}
    assert values["pool"] == "tank"
    assert values["exclude"] == "/a /b"
    assert values["target"] == TARGET
    again = json.loads(call(capsys, *words)[1])["settings"]
    assert again["pool"]["value"] == "rpool"
    assert again["pool"]["default"] is True


@pytest.mark.parametrize("verb", ["run", "sync", "verify", "undo", "mirror"])
def test_only_root_acts(capsys, monkeypatch, machine, verb):
    """Others are told so, before anything else."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    before = machine.persistent()
    status, _, err = call(capsys, verb)
    assert status == ExitStatus.USAGE
    assert "root" in err
    assert machine.persistent() == before


def answer_with(monkeypatch, text):
    """Put somebody at the keyboard who says this."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    init = terminal.Terminal.__init__

    def made(self, **more):
        init(self, **more)
        self.live = True

    monkeypatch.setattr(terminal.Terminal, "__init__", made)


@pytest.mark.parametrize("verb", ["run", "undo"])
def test_nobody_there_to_ask(capsys, monkeypatch, machine, settings, tmp_path, verb):
    """Without a terminal --yes is needed, and nothing happens without it."""
    if verb == "undo":
        call(capsys, "run", "--yes", "--config", settings)
    before = machine.persistent()
    config = ("--config", settings) if verb == "run" else ()
    status, _, err = call(capsys, verb, *config)
    assert status == ExitStatus.USAGE
    assert "--yes" in err
    assert machine.persistent() == before
    assert (tmp_path / "state").exists() is (verb == "undo")


@pytest.mark.parametrize("answer", ["no\n", "\n", "", "yesterday\n", "n\n", "ja\n"])
def test_declined(capsys, monkeypatch, machine, settings, tmp_path, answer):
    """Anything but a clear yes leaves everything as it was."""
    answer_with(monkeypatch, answer)
    before = machine.persistent()
    status, _, err = call(capsys, "run", "--config", settings)
    assert status == ExitStatus.USAGE
    assert "nothing was changed" in err
    assert TARGET in err
    assert machine.persistent() == before
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("answer", ["yes\n", "y\n", "YES\n", " yes \n"])
def test_confirmed(capsys, monkeypatch, machine, settings, answer):
    """A clear yes starts it."""
    answer_with(monkeypatch, answer)
    assert call(capsys, "run", "--config", settings)[0] == 0
    assert machine.pool


def test_an_inhibited_run(capsys, machine, tmp_path):
    """Nothing is asked and nothing is written where a check forbids it."""
    before = machine.persistent()
    status, _, err = call(capsys, "run", "--yes")
    assert status == ExitStatus.INHIBITED
    assert "target-unset" in err
    assert machine.persistent() == before
    assert not (tmp_path / "state").exists()


def test_there_and_back(capsys, machine, settings, tmp_path):
    """run, status, run again, sync, verify, undo, undo again."""
    config = ("--config", settings)
    before = machine.persistent()
    status, out, err = call(capsys, "run", "--yes", *config)
    assert (status, "boot from the new disk" in out) == (0, True), err
    machine.files.write("/later", "a new one")
    assert call(capsys, "run", "--yes", *config)[0] == 0
    assert machine.files.trees[machine.layout.root]["/later"] == "a new one"
    machine.files.remove("/later")
    assert call(capsys, "verify")[0] == 0
    assert call(capsys, "sync")[0] == 0
    assert "complete" in call(capsys, "status")[1]
    assert call(capsys, "mirror", "--yes", "--serial", "OLDDISK")[0] == 2
    status, _, err = call(capsys, "undo", "--yes")
    assert status == 0, err
    assert machine.persistent() == before
    assert not (tmp_path / "state").exists()
    assert call(capsys, "undo", "--yes")[0] == 0
    assert "nothing has begun" in call(capsys, "status")[1]
    assert (tmp_path / "log").read_text()


def test_killed_by_ctrl_c_and_gone_on(capsys, monkeypatch, machine, settings):
    """The status says that it goes on, and it does, whatever is set by then."""

    def interrupt():
        raise KeyboardInterrupt

    machine.fate = Fate()
    monkeypatch.setattr(machine.fate, "point", interrupt)
    config = ("--config", settings)
    assert call(capsys, "run", "--yes", *config)[0] == ExitStatus.INTERRUPTED
    assert "goes on" in call(capsys, "status")[1]
    machine.fate = Fate()
    status, _, err = call(capsys, "run", "--yes", *config, "--set", "pool=tank")
    assert status == 0
    assert "in force at the beginning" in err
    assert machine.pool
    assert machine.layout.pool in machine.datasets


SEALED = "The new root is sealed: nothing that was written here is missing.\n"


def test_the_last_pass(capsys, machine, settings):
    """Made and made again, whatever the console can show; the status knows of it."""
    call(capsys, "run", "--yes", "--config", settings)
    assert "while the system goes down" in call(capsys, "status")[1]
    machine.go_down()
    status, out, err = call(capsys, "seal")
    assert (status, out, err.count("done in") > 5) == (0, SEALED, True)
    assert "\r" not in err
    assert "\033" not in err
    machine.reboot()
    assert not machine.boots()
    machine.go_down()
    assert call(capsys, "seal")[0] == 0
    assert machine.boots()


def test_a_last_pass_that_fails(capsys, machine, settings, tmp_path, monkeypatch):
    """The status has the reason, and the log what was done."""
    call(capsys, "run", "--yes", "--config", settings)
    machine.go_down()

    def fail(*_):
        raise StepFailedError("the new disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(machine, "window", fail)
        status, _, err = call(capsys, "seal")
    assert (status, "the new disk is gone" in err) == (ExitStatus.STEP_FAILED, True)
    machine.reboot()
    said = call(capsys, "status")[1]
    assert "failed in step seal: the new disk is gone" in said
    assert "refuses to start" in said
    assert "Seal the new root" in (tmp_path / "log").read_text()
    assert not machine.boots()
    machine.go_down()
    assert call(capsys, "seal")[0] == 0
    assert machine.boots()


@pytest.mark.parametrize("consistency", ["now", "shutdown"])
def test_plan_says_what_is_lost(capsys, consistency):
    """Nothing by default; with `now` what is written afterwards."""
    wishes = ("--set", f"target={TARGET}", "--set", f"consistency={consistency}")
    text = call(capsys, "plan", "--facts", GUEST, *wishes)[1]
    assert ("what is written after the last `run`" in text) == (consistency == "now")
    assert ("Have the last pass made" in text) == (consistency == "shutdown")


@pytest.mark.parametrize("consistency", ["now", "shutdown"])
def test_nothing_waits_for_a_last_pass(capsys, machine, settings, consistency):
    """Nothing was copied, or no such pass was wanted: it says so, and does nothing."""
    if consistency == "now":
        wish = ("--set", "consistency=now")
        call(capsys, "run", "--yes", "--config", settings, *wish)
        assert "as of the last pass" in call(capsys, "status")[1]
        assert machine.boots()
    before = machine.persistent()
    status, _, err = call(capsys, "seal")
    assert (status, "no copy that waits" in err) == (ExitStatus.USAGE, True)
    assert machine.persistent() == before


@pytest.fixture
def arrived(capsys, machine, settings):
    """Return the machine when the new root runs for the first time."""
    call(capsys, "run", "--yes", "--config", settings)
    machine.go_down()
    assert call(capsys, "seal")[:2] == (0, SEALED)
    machine.arrive()
    assert State(sessions.STATE).recorded()
    return machine


@pytest.mark.parametrize("serial", ["", "NEWDISK", "olddisk", "OLDDISK "])
def test_a_wrong_serial(capsys, arrived, serial):
    """Nothing is written to a disk whose serial was not given."""
    before = arrived.persistent()
    status, _, err = call(capsys, "mirror", "--yes", "--serial", serial)
    assert status == ExitStatus.INHIBITED
    assert "nothing was changed" in err
    assert arrived.persistent() == before


@pytest.mark.parametrize("words", [[], ["--yes"], ["--serial", "OLDDISK"]])
def test_mirror_asks_for_everything(capsys, arrived, words):
    """Without a terminal both --yes and --serial are needed."""
    before = arrived.persistent()
    assert call(capsys, "mirror", *words)[0] == ExitStatus.USAGE
    assert arrived.persistent() == before


def test_mirror(capsys, arrived):
    """With the serial the old disk is taken in; then there is no way back."""
    assert call(capsys, "mirror", "-p")[0] == 0
    assert len(arrived.vdevs) == 1
    status, out, err = call(capsys, "mirror", "--yes", "--serial", "OLDDISK")
    assert status == 0, err
    assert "mirrored pool" in out
    assert len(arrived.vdevs) == 2
    for verb in ("run", "undo"):
        status, _, err = call(capsys, verb, "--yes")
        assert status == ExitStatus.USAGE


@pytest.mark.parametrize("verb", ["run", "sync", "verify", "undo"])
def test_the_new_root_is_not_touched_from_within(capsys, arrived, verb):
    """What is running can neither be made, undone nor copied over."""
    before = arrived.persistent()
    words = (verb, "--yes") if verb in ("run", "undo") else (verb,)
    status, _, err = call(capsys, *words)
    assert status == ExitStatus.USAGE
    assert err
    assert arrived.persistent() == before


def test_another_old_disk(capsys, monkeypatch, arrived):
    """A disk that was exchanged for another is not the old disk."""
    _, facts = wished("guest-openrc-bios")
    devices = tuple(
        replace(d, size=d.size + 512) if d.name == "vda" else d
        for d in facts.storage.devices
    )
    other = replace(facts, storage=replace(facts.storage, devices=devices))
    monkeypatch.setattr(sessions, "gather", lambda *_, **__: other)
    before = arrived.persistent()
    status, _, err = call(capsys, "mirror", "--yes", "--serial", "OLDDISK")
    assert status == ExitStatus.STEP_FAILED
    assert "is not the old disk" in err
    assert arrived.persistent() == before


@pytest.mark.parametrize("verb", ["run", "sync", "verify", "undo", "mirror"])
def test_one_instance_at_a_time(capsys, machine, settings, tmp_path, verb):
    """The second one says who is at work and does nothing."""
    before = machine.persistent()
    with Lock(tmp_path / "lock"):
        words = ("--yes",) if verb in ("run", "undo", "mirror") else ()
        config = ("--config", settings) if verb == "run" else ()
        status, _, err = call(capsys, verb, *words, *config)
        assert status == ExitStatus.STEP_FAILED
        assert str(os.getpid()) in err
        assert f"process {os.getpid()}" in call(capsys, "status")[1]
    assert machine.persistent() == before


def test_another_version_does_not_go_on(capsys, monkeypatch, machine, settings):
    """A plan that would be another one is not continued; undo still works."""
    call(capsys, "run", "--yes", "--config", settings)
    plan, journal = (Path(sessions.STATE) / n for n in ("plan.json", "journal.jsonl"))
    plan.write_text(plan.read_text().replace('"digest": "', '"digest": "0', 1))
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:-1]))
    status, _, err = call(capsys, "run", "--yes", "--config", settings)
    assert status == ExitStatus.USAGE
    assert "something else than what was begun" in err
    assert call(capsys, "undo", "--yes")[0] == 0
    assert not machine.pool


@pytest.mark.parametrize("case", WISHES)
def test_plans_of_all_machines(capsys, case):
    """Text and JSON of every plan are made without an error."""
    config, _ = wished(case)
    machine = str(MACHINES / WISHES[case][0] / "facts.json")
    words = ["plan", "--facts", machine, "--set", "target=" + ",".join(config.target)]
    words += ["--set", f"topology={config.topology}"]
    words += ["--set", f"exclude={','.join(config.exclude)}"] if config.exclude else []
    assert call(capsys, *words)[0] == 0
    assert json.loads(call(capsys, *words, "--json")[1])["digest"]


# --root and --scan


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Return a small Gentoo tree that does not run, with ZFS and two kernels."""
    top = tmp_path / "gentoo"
    for name in ("etc/portage", "usr/bin", "home", "var", "run", "proc", "lib/modules"):
        (top / name).mkdir(parents=True)
    for release in ("6.12.31-gentoo", "6.6.9-gentoo"):
        (top / "lib/modules" / release).mkdir()
    (top / "etc/os-release").write_text('ID=gentoo\nPRETTY_NAME="Gentoo Linux"\n')
    (top / "home/a").write_text("a")
    os.link(top / "home/a", top / "usr/a")
    monkeypatch.setattr(runner, "query", lambda argv, **_: Answer(argv, 1, "", ""))
    said = json.dumps({"reason": None, "version": "3.0.69", "packages": []})
    answer = Answer(("python3",), 0, said, "")
    monkeypatch.setattr(runner, "begin", lambda *_, **__: lambda: answer)
    return top


def test_check_of_a_tree(capsys, tree):
    """What a tree can tell is judged, the rest is named, the verdict is of the tree."""
    status, out, err = call(capsys, "check", "--root", str(tree))
    assert (status, err) == (ExitStatus.INHIBITED, "")
    assert "[not-looked-at]" in out
    assert str(tree) in out
    for key in ("not-root", "target-unset", "root-unknown", "firmware-uefi"):
        assert f"[{key}]" not in out
    assert "no word about a machine" in out.splitlines()[-1]
    data = json.loads(call(capsys, "check", "--root", str(tree), "--json")[1])
    keys = {finding["key"] for finding in data["findings"]}
    assert {"not-looked-at", "tree-not-scanned", "initramfs-none"} <= keys
    assert data["verdict"] == "inhibited"


def test_a_tree_with_nothing_to_mend(capsys, tmp_path):
    """The status is 0, which is documented as no word about a machine."""
    path = tmp_path / "facts.json"
    path.write_text(dump_facts(replace(base(), elsewhere="/mnt/gentoo")))
    status, out, _ = call(capsys, "check", "--facts", str(path), "--json")
    assert (status, json.loads(out)["verdict"]) == (ExitStatus.DONE, "unknown")


def test_scan_of_a_tree(capsys, tree):
    """Its files are walked through, and split links are found."""
    data = json.loads(call(capsys, "check", "--root", str(tree), "--scan", "--json")[1])
    found = {f["key"]: f for f in data["findings"]}
    assert "tree-not-scanned" not in found
    assert found["hard-links-split"]["seen"] == "/home/a = /usr/a"


def test_what_is_mounted_in_a_tree_is_told(capsys, tree, monkeypatch):
    """It was not looked at, and that is not passed over."""
    line = f"9 1 8:1 / {tree}/home rw - ext4 /dev/sda1 rw\n"
    monkeypatch.setattr(sessions.LiveReader, "read", lambda *_: line)
    words = ("check", "--root", str(tree), "--scan", "--json")
    data = json.loads(call(capsys, *words)[1])
    found = {f["key"]: f["seen"] for f in data["findings"]}
    assert found["tree-partly-scanned"].endswith("are mounted at /home")


def test_facts_of_a_tree(capsys, tree):
    """They say where they were read, and hold what was walked through."""
    words = ("facts", "--root", str(tree), "--scan", "--json")
    data = json.loads(call(capsys, *words)[1])
    assert data["elsewhere"] == str(tree)
    assert data["tree"]["links_found"] == 1
    assert data["boot"]["running_kernel"] == ""
    assert [k["release"] for k in data["boot"]["kernels"]] == [
        "6.12.31-gentoo",
        "6.6.9-gentoo",
    ]
    assert data["storage"]["devices"] == []


def test_facts_of_a_tree_are_no_ground_for_a_plan(capsys, tree, tmp_path):
    """Not even where nothing else stands in the way."""
    path = tmp_path / "facts.json"
    path.write_text(call(capsys, "facts", "--root", str(tree), "--json")[1])
    assert "not-looked-at" in call(capsys, "check", "--facts", str(path))[1]
    status, _, err = call(capsys, "plan", "--facts", str(path))
    assert status == ExitStatus.INHIBITED
    assert "does not run" in err


@pytest.mark.parametrize(
    "words",
    [
        ["check", "--facts", GUEST, "--root", "TREE"],
        ["check", "--facts", GUEST, "--scan"],
        ["check", "--root", "TREE/etc"],
        ["check", "--root", "TREE/no"],
        ["check", "--root", "TREE", "--fix"],
        ["check", "--root", "TREE", "--fix", "--pretend"],
        ["plan", "--root", "TREE"],
        ["run", "--root", "TREE"],
    ],
)
def test_words_that_do_not_go_together(capsys, tree, words):
    """Each is refused, with what to do instead."""
    words = [word.replace("TREE", str(tree)) for word in words]
    status, out, err = call(capsys, *words)
    assert (status, out) == (ExitStatus.USAGE, "")
    assert err


def test_what_the_walk_finds_stops_a_run(capsys, monkeypatch, machine, settings):
    """Before anything is asked or written."""
    group = LinkGroup(paths=("/home/a", "/root/a"), links=2)
    tree = Tree(files=2, directories=3, links=(group,), links_found=1)
    monkeypatch.setattr(scan, "scan", lambda *_: tree)
    before = machine.persistent()
    status, _, err = call(capsys, "run", "--yes", "--config", settings)
    assert status == ExitStatus.INHIBITED
    assert "hard-links-split" in err
    assert machine.persistent() == before
    assert not Path(sessions.STATE).exists()


def test_a_run_records_what_it_walked_through(capsys, machine, settings):
    """And one that goes on does not walk again."""
    assert call(capsys, "run", "--yes", "--config", settings)[0] == 0
    assert State(sessions.STATE).recorded().facts.tree == Tree(files=1, directories=1)


def test_a_long_walk_shows_how_far_it_is(monkeypatch):
    """On a terminal, and nowhere else; the line is taken away again."""
    err = io.StringIO()
    shown = terminal.Terminal(out=io.StringIO(), err=err)
    monkeypatch.setattr(terminal.time, "monotonic", iter(range(99)).__next__)
    counter = terminal.Counter(shown, 4000)
    counter(1000)
    counter.close()
    assert err.getvalue() == ""
    shown.live = True
    counter = terminal.Counter(shown, 4000)
    counter(1000)
    assert "25%  1000 files looked at" in err.getvalue()
    counter(5000)
    assert "%" not in err.getvalue().rpartition("\r")[2]
    counter.close()
    assert err.getvalue().endswith("\r\033[K")

"""`check --fix` from end to end, on a machine whose Portage obeys what is written."""

import json
import os

import pytest

from tests.unit.checks.cases_packages import ebuild, offer
from tests.unit.checks.machines import NEW, all_of, base, boot, without
from tests.unit.checks.packages import TESTING
from tests.unit.test_cli import answer_with, call, own_places
from tests.unit.test_docs import body, documented
from tests.unit.test_wishes import obeyed
from zfs_root_migrate import fixing, runner, sessions, syscalls
from zfs_root_migrate.errors import ExitStatus
from zfs_root_migrate.facts import dump_facts
from zfs_root_migrate.model import Firmware

LINE = "=sys-fs/mdadm-4.4 ~amd64"
EMERGE = "emerge --ask =sys-fs/mdadm-4.4"

__all__ = ["own_places"]


class Machine:
    """A machine that lacks mdadm, which is on the testing branch."""

    def __init__(self, directory) -> None:
        """It has a configuration of Portage in a directory."""
        self.directory = directory
        self.installed = False
        self.started = []

    @property
    def facts(self):
        """The facts as they are now."""
        if self.installed:
            return base()
        change = all_of(
            without("mdadm"),
            offer("sys-fs/mdadm", ebuild("sys-fs/mdadm-4.4", **TESTING)),
        )
        facts = change(base())
        place = self.directory / "package.accept_keywords"
        texts = [f.read_text() for f in place.rglob("*")] if place.is_dir() else []
        return obeyed(facts) if any(LINE in text for text in texts) else facts

    def emerge(self, argv, on_line, **_):
        """Stand in for emerge; with one that is refused it fails."""
        self.started.append(argv)
        obeys = self.facts.portage.package("sys-fs/mdadm").ebuilds[0].obstacles == ()
        if "--pretend" in argv:
            on_line("[ebuild  N     ] sys-fs/mdadm-4.4  USE=-static", False)
            return 0 if obeys else 1
        on_line(">>> Emerging (1 of 1) sys-fs/mdadm-4.4", False)
        self.installed = obeys
        return 0 if obeys else 1


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Put the verbs on this machine."""
    directory = tmp_path / "portage"
    directory.mkdir()
    made = Machine(directory)
    monkeypatch.setattr(fixing, "PORTAGE", str(directory))
    monkeypatch.setattr(fixing, "LOG", str(tmp_path / "log"))
    monkeypatch.setattr(sessions, "gather", lambda *_, **__: made.facts)
    monkeypatch.setattr(runner, "stream", made.emerge)
    return made


def check(capsys, *words):
    """Return status and output of a check, with the new disk chosen."""
    return call(capsys, "check", "--set", f"target={NEW}", *words)


def own(machine, topic="package.accept_keywords"):
    """Return our file."""
    return machine.directory / topic / "zfs-root-migrate"


def test_check_says_that_fix_would_help(capsys, machine):
    """In the last line, with how much of it."""
    status, out, _ = check(capsys)
    assert status == ExitStatus.INHIBITED
    last = out.splitlines()[-1]
    assert last == (
        "Not ready: 1 thing to mend. `zfs-root-migrate check --fix` mends 2 of 2."
    )
    assert len(last) < 80
    assert "[tool-missing]" in out
    assert "[package-keyword]" in out


def test_pretend_shows_and_writes_nothing(capsys, monkeypatch, machine):
    """The content of the files and the emerge line; any user may ask."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    status, out, _ = check(capsys, "--fix", "--pretend")
    assert status == ExitStatus.INHIBITED
    assert f"To be written: {own(machine)}" in out
    assert f"    {LINE}\n" in out
    assert "zfs-root-migrate undo" in out
    assert EMERGE in out.splitlines()[-2]
    assert check(capsys, "--fix", "-p")[1] == out
    assert os.listdir(machine.directory) == []


def test_fix_writes_and_checks_again(capsys, machine, tmp_path):
    """What remains is said, by fresh facts; the second time there is nothing to do."""
    status, out, _ = check(capsys, "--fix")
    assert status == ExitStatus.INHIBITED
    assert f"Written: {own(machine)}" in out
    assert LINE in own(machine).read_text()
    assert "[package-keyword]" not in out
    assert out.splitlines()[-2] == f"To install what is missing: {EMERGE}"
    assert out.splitlines()[-1] == "Not ready: 1 thing to mend."
    assert LINE in (tmp_path / "log").read_text()
    before = own(machine).stat()
    status, out, _ = check(capsys, "--fix")
    assert "Nothing to write" in out
    assert own(machine).stat() == before
    assert machine.started == []
    assert call(capsys, "--check", "--set", f"target={NEW}", "--fix")[1] == out


def test_ask_writes_installs_and_is_ready(capsys, monkeypatch, machine):
    """Two questions; what emerge would do is seen before, what it does meanwhile."""
    answer_with(monkeypatch, "yes\nyes\n")
    status, out, err = check(capsys, "--fix", "--ask")
    assert status == ExitStatus.DONE
    assert machine.started == [
        ("emerge", "--ask=n", "--pretend", "--verbose", "=sys-fs/mdadm-4.4"),
        ("emerge", "--ask=n", "=sys-fs/mdadm-4.4"),
    ]
    before, _, after = err.partition("Run `emerge")
    assert "[ebuild  N     ] sys-fs/mdadm-4.4" in before
    assert ">>> Emerging" in after
    assert f"    {LINE}\n" in err.partition("[yes/no]")[0]
    assert out.splitlines()[-1].startswith("Ready")
    assert "To install" not in out


@pytest.mark.parametrize("answers", ["no\n", "", "\n"])
def test_declined(capsys, monkeypatch, machine, answers):
    """Nothing is written without a yes."""
    answer_with(monkeypatch, answers)
    status, out, err = check(capsys, "--fix", "-a")
    assert (status, out) == (ExitStatus.USAGE, "")
    assert "nothing was changed" in err
    assert os.listdir(machine.directory) == []


def test_declined_to_install(capsys, monkeypatch, machine):
    """The lines stay, and what is left to type is said."""
    answer_with(monkeypatch, "yes\nno\n")
    status, out, _ = check(capsys, "--fix", "--ask", "--json")
    data = json.loads(out)
    assert (status, data["written"], data["installed"]) == (3, True, False)
    assert [argv[2] for argv in machine.started] == ["--pretend"]
    answer_with(monkeypatch, "no\n")
    assert EMERGE in check(capsys, "--fix", "--ask")[1].splitlines()[-2]


def test_emerge_fails(capsys, monkeypatch, machine):
    """What remains is said all the same, and the status tells."""
    answer_with(monkeypatch, "yes\nyes\n")
    monkeypatch.setattr(
        runner, "stream", lambda argv, _: int("--pretend" not in argv)
    )
    status, out, err = check(capsys, "--fix", "--ask")
    assert status == ExitStatus.STEP_FAILED
    assert "[tool-missing]" in out
    assert "emerge ended with status 1\n" in err
    assert LINE in own(machine).read_text()


def test_emerge_would_fail(capsys, monkeypatch, machine):
    """A dependency that is masked, say: nobody is asked to let emerge try."""
    answer_with(monkeypatch, "yes\n")
    monkeypatch.setattr(runner, "stream", lambda *_: 1)
    status, _, err = check(capsys, "--fix", "--ask")
    assert status == ExitStatus.STEP_FAILED
    assert "emerge ended with status 1; nothing was installed" in err
    assert "Run `emerge" not in err
    assert LINE in own(machine).read_text()


@pytest.mark.parametrize(
    ("statuses", "installed"),
    [((0, 0, 0, 0), True), ((0, 0, 0, 1), False), ((0, 0, 1), False), ((0, 1), False)],
)
def test_what_is_no_part_of_world_is_installed_apart(
    capsys, monkeypatch, machine, statuses, installed
):
    """Two runs of emerge, the second where the first succeeded."""
    facts = without("mdadm", "rsync")(base())
    monkeypatch.setattr(sessions, "gather", lambda *_, **__: facts)
    left, started = list(statuses), []

    def stream(argv, _):
        started.append(argv)
        return left.pop(0)

    monkeypatch.setattr(runner, "stream", stream)
    answer_with(monkeypatch, "yes\n")
    words = ("--fix", "--ask", "--json", "--set", "copier=rsync")
    _, out, err = check(capsys, *words)
    parts = [("sys-fs/mdadm",), ("--oneshot", "net-misc/rsync")]
    show = [("emerge", "--ask=n", "--pretend", "--verbose", *part) for part in parts]
    runs = [("emerge", "--ask=n", *part) for part in parts]
    assert started == [*show, *runs][: len(statuses)]
    asked = " && ".join(" ".join(words) for words in runs)
    assert (asked in err) is (len(statuses) > len(parts))
    data = json.loads(out)
    assert data["installed"] is installed
    assert data["emerge"] == (
        "emerge --ask sys-fs/mdadm && emerge --ask --oneshot net-misc/rsync"
    )
    assert (f"emerge ended with status {statuses[-1]}" in err) is not installed


def test_interrupted(capsys, monkeypatch, machine):
    """It is not said that nothing was changed when something was."""

    def interrupt(*_):
        raise KeyboardInterrupt

    answer_with(monkeypatch, "yes\nyes\n")
    monkeypatch.setattr(runner, "stream", interrupt)
    status, _, err = check(capsys, "--fix", "--ask")
    assert status == ExitStatus.INTERRUPTED
    assert "undo" in err
    assert "nothing was changed" not in err
    assert LINE in own(machine).read_text()


def test_ask_needs_somebody(capsys, machine):
    """Without a terminal nothing happens."""
    status, _, err = check(capsys, "--fix", "--ask")
    assert status == ExitStatus.USAGE
    assert "leave --ask out" in err
    assert os.listdir(machine.directory) == []


def test_only_root_writes(capsys, monkeypatch, machine):
    """Others are told how to see it."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    status, _, err = check(capsys, "--fix")
    assert status == ExitStatus.USAGE
    assert "--pretend" in err
    assert os.listdir(machine.directory) == []


def test_a_system_that_cannot_be_migrated(capsys, monkeypatch, machine):
    """Nothing is written for it."""
    uefi = boot(firmware=Firmware.UEFI)(machine.facts)
    monkeypatch.setattr(sessions, "gather", lambda *_, **__: uefi)
    status, out, err = check(capsys, "--fix")
    assert (status, out) == (ExitStatus.INHIBITED, "")
    assert "the machine starts by UEFI" in err
    assert os.listdir(machine.directory) == []


def test_a_recorded_machine(capsys, machine, tmp_path):
    """It can be looked at, and not be mended."""
    path = tmp_path / "facts.json"
    path.write_text(dump_facts(machine.facts))
    status, out, _ = check(capsys, "--fix", "--pretend", "--facts", str(path))
    assert status == ExitStatus.INHIBITED
    assert "/etc/portage/package.accept_keywords/zfs-root-migrate" in out
    status, _, err = check(capsys, "--fix", "--facts", str(path))
    assert status == ExitStatus.USAGE
    assert "recorded machine" in err
    assert os.listdir(machine.directory) == []


@pytest.mark.parametrize(
    "words", [["--ask"], ["--pretend"], ["-p"], ["--fix", "--ask", "--pretend"]]
)
def test_options_that_do_not_go_together(capsys, machine, words):
    """They are refused before anything is read."""
    assert check(capsys, *words)[0] == ExitStatus.USAGE


def test_a_single_file(capsys, machine):
    """What becomes of it is said before; undo brings it back."""
    single = machine.directory / "package.accept_keywords"
    single.write_text("app-misc/mine ~amd64\n")
    status, out, err = check(capsys, "--fix")
    assert status == ExitStatus.INHIBITED
    assert "becomes a directory" in " ".join(err.split())
    assert "was a single file. It is now a directory" in " ".join(out.split())
    assert own(machine).exists()
    status, out, _ = call(capsys, "undo", "--yes")
    assert status == 0
    assert "single file again" in out
    assert single.read_text() == "app-misc/mine ~amd64\n"


def test_a_place_that_cannot_be_used(capsys, monkeypatch, machine):
    """Status 1, nothing changed, and the lines to type."""
    single = machine.directory / "package.accept_keywords"
    single.write_text("app-misc/mine ~amd64\n")

    def refuse(first, _):
        raise OSError(22, "Invalid argument", first)

    monkeypatch.setattr(syscalls, "exchange", refuse)
    status, out, err = check(capsys, "--fix")
    assert (status, out) == (ExitStatus.STEP_FAILED, "")
    assert f"echo '{LINE}' >> {single}" in err
    assert "nothing was changed" in err
    assert os.listdir(machine.directory) == ["package.accept_keywords"]
    single.unlink()
    single.symlink_to("nowhere")
    status, _, err = check(capsys, "--fix")
    assert status == ExitStatus.STEP_FAILED
    assert "neither a file nor a directory" in err


def test_something_else_overrides(capsys, monkeypatch, machine):
    """The lines are there and Portage does not obey: that is said."""
    check(capsys, "--fix")
    stubborn = Machine(machine.directory / "nowhere").facts
    monkeypatch.setattr(sessions, "gather", lambda *_, **__: stubborn)
    status, out, _ = check(capsys, "--fix")
    assert status == ExitStatus.INHIBITED
    assert "overrides" in out


def test_undo_without_a_migration(capsys, machine):
    """It takes away what --fix wrote and names it; the second time there is nothing."""
    check(capsys, "--fix")
    path = own(machine)
    status, out, _ = call(capsys, "undo", "--yes")
    assert status == 0
    assert str(path) in out
    assert os.listdir(machine.directory) == []
    status, out, _ = call(capsys, "undo", "--yes")
    assert "nothing to undo" in out


def test_undo_asks(capsys, monkeypatch, machine):
    """A no leaves the files."""
    check(capsys, "--fix")
    answer_with(monkeypatch, "no\n")
    status, _, err = call(capsys, "undo")
    assert status == ExitStatus.USAGE
    assert "not changed" in err
    assert own(machine).exists()


def test_undo_of_a_file_that_was_changed(capsys, machine):
    """It stays, and is named."""
    check(capsys, "--fix")
    own(machine).write_text(own(machine).read_text() + "app-misc/mine ~amd64\n")
    status, out, _ = call(capsys, "undo", "--yes")
    assert status == 0
    assert f"{own(machine)} was changed since it was written: it stays" in out
    assert own(machine).exists()


@pytest.mark.parametrize("words", [["--fix"], ["--fix", "--pretend"]])
def test_json(capsys, machine, words):
    """The documented fields, and nothing else on standard output."""
    status, out, _ = check(capsys, *words, "--json")
    data = json.loads(out)
    assert status == ExitStatus.INHIBITED
    assert (data["schema"], data["version"]) == ("zfs-root-migrate/fix", 1)
    assert body(data) == documented()["fix"]
    (file,) = data["files"]
    assert set(file) == documented()["file"]
    assert file["added"] == [LINE]
    assert file["path"] == str(own(machine))
    assert data["emerge"] == EMERGE
    assert data["installed"] is None
    assert data["written"] is ("--pretend" not in words)
    assert own(machine).exists() is data["written"]
    if data["written"]:
        assert file["content"] == own(machine).read_text()

"""The library of the real boots judges rightly; no guest is started."""

import io
from pathlib import Path
from typing import cast

import pytest

from tests.vm import bench, demo
from tests.vm.guest import Guest, Result
from tests.vm.scenario import lab as labs
from tests.vm.scenario import report as reports
from tests.vm.scenario import state, trees
from tests.vm.scenario.lab import Lab
from tests.vm.scenario.migration import Migration
from tests.vm.scenario.narrator import Narrator
from tests.vm.scenario.parts import BlockedError, Scenario

ROOT = "rpool/ROOT / zfs rw 0 0"
VAR = "rpool/var /var zfs rw 0 0"
LOG = "rpool/var/log /var/log zfs rw 0 0"
DATASETS = """\
rpool\t/\tno\toff
rpool/ROOT\tlegacy\tyes\ton
rpool/var\t/var\tyes\ton
rpool/var/log\t/var/log\tyes\ton"""


class Answers:
    """A guest that knows its answers by the first word of the question."""

    def __init__(self, **answers: str) -> None:
        """Remember them."""
        self.answers = answers

    def run(self, command: str, **_: object) -> Result:
        """Answer."""
        return Result(0, self.answers[command.split()[0]])


def misplaced(*rows: str) -> list[str]:
    """Judge a mount table."""
    guest = Answers(zfs=DATASETS, cat="\n".join(rows))
    return state.misplaced(cast(Guest, guest))


def test_all_in_place() -> None:
    """Nothing is wrong with a good table."""
    assert misplaced("dev /dev devtmpfs rw 0 0", ROOT, VAR, LOG) == []


def test_order() -> None:
    """A mount that hides an earlier one is found."""
    (found,) = misplaced(ROOT, LOG, VAR)
    assert found == "/var was mounted after /var/log, which hides it"


def test_not_mounted() -> None:
    """A dataset that is not mounted is found, and so is one mounted elsewhere."""
    assert len(misplaced(ROOT, LOG)) == 1
    assert len(misplaced(ROOT, VAR, LOG.replace(" /var/log", " /log"))) == 1
    assert misplaced(ROOT, VAR, LOG, "rpool /x zfs rw 0 0") == ["rpool is mounted"]


@pytest.mark.parametrize(
    "line",
    [
        " * ERROR: localmount failed to start",
        "\x1b[32m*\x1b[m Mounting ... \x1b[1m[ !! ]",
        "Give root password for maintenance",
        "[    3.1] Kernel panic - not syncing: VFS",
    ],
)
def test_trouble(line: str, tmp_path: Path) -> None:
    """The console of a boot that went wrong is recognised."""
    (tmp_path / "console.log").write_text(f" [ ok ]\r\n{line}\r\n")
    guest = Guest(tmp_path)
    guest.run = Answers(**{"rc-status": ""}).run  # type: ignore[method-assign]
    assert len(state.services_in_trouble(guest)) == 1


def test_a_repaired_file_system_is_no_trouble(tmp_path: Path) -> None:
    """An fsck that mends something after a power cut is what should happen."""
    (tmp_path / "console.log").write_text(" * File systems repaired\r\n\r\n [ !! ]\r\n")
    guest = Guest(tmp_path)
    guest.run = Answers(**{"rc-status": ""}).run  # type: ignore[method-assign]
    assert state.services_in_trouble(guest) == []


def test_part_of_a_tree() -> None:
    """A part of a scan is what a scan of the part gives."""
    whole = [
        {"path": "srv", "type": "directory"},
        {"path": "srv/torture", "type": "directory"},
        {"path": "srv/torture/a", "type": "file", "links": "srv/torture/a"},
        {"path": "srv/torturer", "type": "file"},
    ]
    alone = [
        {"path": ".", "type": "directory"},
        {"path": "a", "type": "file", "links": "a"},
    ]
    found = trees.part(whole, "srv/torture")
    assert trees.differences(alone, found, (), exact=True) == []


def test_only_times_of_some_directories_may_change() -> None:
    """The exceptions are for times, and not for exact comparisons."""
    old, new = [{"path": "etc", "mtime_ns": 1}], [{"path": "etc", "mtime_ns": 2}]
    assert trees.differences(old, new, ()) == []
    assert len(trees.differences(old, new, (), exact=True)) == 1
    assert len(trees.differences(old, [{"path": "etc", "uid": 1}], ())) == 1


class Two(Scenario):
    """A scenario whose second part fails."""

    PARTS = ("first", "second", "third")
    count = 0

    def first(self) -> None:
        """Work."""
        self.count += 1

    def second(self) -> None:
        """Fail."""
        raise RuntimeError

    def third(self) -> None:
        """Never come to this."""
        self.count += 100


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Return a lab somewhere else."""
    monkeypatch.setattr(labs, "OUT", tmp_path)
    return Lab("test", tmp_path / "none")


def test_parts(lab: Lab) -> None:
    """Each part is done once, and none after a failure."""
    scenario = Two(lab)
    scenario.reach("first")
    scenario.reach("first")
    assert scenario.count == 1
    with pytest.raises(RuntimeError):
        scenario.reach("second")
    with pytest.raises(BlockedError, match="second"):
        scenario.reach("third")
    assert scenario.failed
    assert scenario.count == 1


def test_one_lab_at_a_time(lab: Lab) -> None:
    """A second run does not clear the first one's directory away."""
    with pytest.raises(Exception, match="in use"):
        Lab("test", lab.image)
    lab.close(keep_disks=False)
    Lab("test", lab.image).close(keep_disks=False)


def test_narrator(lab: Lab) -> None:
    """A failure stops the narrator's clock and comes through."""
    shown = io.StringIO()
    with pytest.raises(RuntimeError):
        Narrator(shown).perform(Two(lab))
    assert "== [1/3] Work" in shown.getvalue()
    assert "== [2/3] Fail" in shown.getvalue()
    assert "[3/3]" not in shown.getvalue()


def test_the_recorded_machine_is_ready(capsys: pytest.CaptureFixture[str]) -> None:
    """The demonstration's first half shows a check that passes, and a plan."""
    assert demo.main(["recorded"]) == 0
    shown = capsys.readouterr().out
    assert "Ready" in shown
    assert "Make the pool" in shown
    assert "zpool create" not in shown


def test_report(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report has what is proved, every part's time, and the consoles' places."""
    monkeypatch.setattr(reports, "CHECKOUT", lab.directory.parent)
    lab.image.write_bytes(b"")
    scenario = Migration(lab)
    scenario.facts = {
        "before": "/dev/vda5 ext4",
        "after": "rpool/ROOT zfs",
        "compared": "8000",
        "environment": "rpool/ROOT/try zfs",
        "only the old disk": "rpool/ROOT zfs",
        "only the new disk": "rpool/ROOT zfs",
        "hostid": "12345678",
        "pool": "mirror-0 ONLINE",
        "array": "[UU]",
    }
    lab.times = dict.fromkeys(scenario.PARTS, 61.0) | {"boot new disk": 62.0}
    lab.guests.append(Guest(lab.directory / "1-old disk"))
    text = reports.report(scenario, 600.0)
    assert "root now            rpool/ROOT zfs" in text
    assert "clone of the root   boots, root rpool/ROOT/try zfs" in text
    assert "1:01  Boot the old disk" in text
    assert "boots: new disk 1:02" in text
    assert "test/1-old disk/console.log" in text


def test_bench_summary() -> None:
    """Only what is timed from outside is counted."""
    by_hand = {"copy": 5.0, "in all, x": 10.0, "processor, x": 8.0}
    by_tool = {"in all, run": 11.0, "processor, run": 6.0}
    text = bench.summary(by_hand, by_tool, "one after the other")
    assert "processor time: by hand 8 s, with the tool 6 s, ratio 0.75\n" in text
    assert text.endswith("ratio 1.10\n")

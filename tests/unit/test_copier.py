"""The copier: what it says, how it fails, and what it copies again."""

import os
import shlex
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.fakes.heard import Heard
from tests.unit.test_rsync import tree
from zfs_root_migrate import copier, rsync
from zfs_root_migrate.comparison import compare_all
from zfs_root_migrate.copy import engine
from zfs_root_migrate.copy.order import Problem, Report
from zfs_root_migrate.errors import ExitStatus, StepFailedError
from zfs_root_migrate.model import Copier

# seconds after which a change time is believed
SETTLED = 0.05


@pytest.fixture
def copying(tmp_path):
    """Return the copying of a small tree by our own code."""
    made = tree(tmp_path, "/left")
    old = Path(made.source)
    (old / "below").mkdir()
    (old / "below/file").write_bytes(b"content")
    (old / "left").write_bytes(b"alone")
    os.link(old / "below/file", old / "second")
    (old / "link").symlink_to("below/file")
    return replace(made, copier=Copier.OWN, state=str(tmp_path / "state/0"))


@pytest.fixture
def reports(monkeypatch, copying):
    """Return what has the next copy end with a report."""

    def gives(**fields):
        report = Report()
        for name, value in fields.items():
            setattr(report, name, value)
        monkeypatch.setattr(engine, "copy", lambda _order, _tell: report)
        return copying

    return gives


def differences(copying):
    """Return what the comparison says, which shares nothing with the copier."""
    found = compare_all((copying,), since=2.0**40, progress=Heard())
    return [str(d) for d in found.differences]


@pytest.mark.programs
def test_it_copies(copying):
    """Once, and then nothing is left to do."""
    heard = Heard()
    copier.copy_tree(copying, heard)
    assert differences(copying) == []
    assert not (Path(copying.destination) / "left").exists()
    assert heard.trees == [copying]
    assert heard.progress[-1] == (len(b"content"), 3)
    # the change times of what was made a moment ago are not trusted
    time.sleep(SETTLED)
    for _ in range(2):
        again = Heard()
        copier.copy_tree(copying, again)
    assert again.lines == ["0 copied; nothing else"]
    assert again.notes == []


@pytest.mark.programs
@pytest.mark.parametrize(
    "spoil",
    [
        lambda new: (new / "below/file").write_bytes(b"cONTENT"),
        lambda new: (new / "below/more").write_bytes(b""),
        lambda new: (new / "below").chmod(0o700),
        lambda new: (new / "link").unlink(),
    ],
    ids=["content", "extra", "mode", "missing"],
)
def test_what_differs_is_copied_again(copying, spoil):
    """Not by itself: the ledger says that it was copied. But when it is doubted."""
    copier.copy_tree(copying, Heard())
    new = Path(copying.destination)
    spoil(new)
    os.utime(new / "below", ns=(0, (Path(copying.source) / "below").stat().st_mtime_ns))
    paths = [d.path for d in found(copying)]
    assert paths
    copier.distrust((copying,), tuple(paths))
    copier.copy_tree(copying, Heard())
    assert differences(copying) == []


def found(copying):
    """Return the differences themselves."""
    return compare_all((copying,), since=2.0**40, progress=Heard()).differences


def test_a_place_without_a_state_is_no_matter(copying):
    """Everything is copied then anyway."""
    copier.distrust((copying,), (f"{copying.destination}/below/file",))
    assert not Path(copying.state).exists()


def test_what_is_not_kept_is_named(reports, tmp_path):
    """The first of them aloud, all of them in a file."""
    problems = [Problem(f"/{n}", "flag c of chattr") for n in range(9)]
    made = reports(not_kept=problems, not_kept_found=12)
    heard = Heard()
    copier.copy_tree(made, heard)
    (note,) = heard.notes
    assert note.startswith("12 things could not be kept")
    assert "'/0': flag c" in note
    assert "'/8'" not in note
    written = Path(f"{made.state}.report").read_text()
    assert "not kept: '/8': flag c of chattr" in written
    assert "and 3 more" in written


def test_what_an_earlier_pass_did_not_keep_stays_named(reports):
    """Only the pass that copies a file can tell; those that come later do not."""
    problems = [Problem(f"/{n}", "flag c of chattr") for n in range(3)]
    copier.copy_tree(reports(not_kept=problems, not_kept_found=3), Heard())
    later = [Problem("/2", "owner 1:1"), Problem("/new", "flag c of chattr")]
    made = reports(not_kept=later, not_kept_found=2)
    for _ in range(2):
        copier.copy_tree(made, Heard())
        assert Path(f"{made.state}.report").read_text().splitlines() == [
            "not kept: '/2': owner 1:1",
            "not kept: '/new': flag c of chattr",
            "not kept: '/0': flag c of chattr",
            "not kept: '/1': flag c of chattr",
        ]


@pytest.mark.parametrize(
    ("fields", "says", "advice"),
    [
        (
            {"fatal": "No space left on device", "full": True},
            "No space left on device",
            rsync.FULL,
        ),
        ({"fatal": "Input/output error"}, "Input/output error", rsync.DYING),
        (
            {
                "errors": [Problem("/f", "reading: Input/output error")],
                "errors_found": 1,
            },
            "1 names could not be copied",
            rsync.DYING,
        ),
        (
            {"errors": [Problem("/f", "File too large")], "errors_found": 1},
            "1 names could not be copied",
            "mend what is named above",
        ),
    ],
)
def test_failures(reports, fields, says, advice):
    """What went wrong, where, and what to do."""
    made = reports(**fields)
    with pytest.raises(StepFailedError) as caught:
        copier.copy_tree(made, Heard())
    assert made.destination in caught.value.brief
    assert says in caught.value.brief
    assert caught.value.resolution.startswith(advice)
    assert caught.value.status is ExitStatus.STEP_FAILED
    for problem in fields.get("errors", ()):
        assert str(problem) in caught.value.details


def test_a_destination_that_is_not_there(copying):
    """It is said which."""
    gone = replace(copying, destination=copying.destination + "x")
    with pytest.raises(StepFailedError, match="cannot copy to") as caught:
        copier.copy_tree(gone, Heard())
    assert gone.destination in caught.value.details


@pytest.mark.programs
def test_the_command_that_is_shown_does_the_same(copying, tmp_path):
    """It can be pasted."""
    from zfs_root_migrate.copy.command import main

    verifying = replace(copying, verify=True)
    words = copier.command(verifying)
    assert words[:3] == ("python3", "-m", "zfs_root_migrate.copy")
    assert shlex.join(words).endswith(f"{copying.source} {copying.destination}")
    Path(copying.state).parent.mkdir()
    assert main([*words[3:]]) == 0
    assert differences(copying) == []
    heard = Heard()
    copier.copy_tree(copying, heard)
    assert shlex.join(copier.command(copying)) == heard.commands[0]

"""A second opinion is read, weighed, noted, and never stops anything."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.fakes.heard import Heard
from tests.unit.fakes.machines import wished
from zfs_root_migrate import runner
from zfs_root_migrate.opinion import parse_opinion, summarize
from zfs_root_migrate.plan import plan_run, plan_sync, plan_verify
from zfs_root_migrate.render import action_text
from zfs_root_migrate.runner import Answer
from zfs_root_migrate.step import Consult
from zfs_root_migrate.world import LiveWorld, Passes

NAMES = [f"cat/pkg-{n}" for n in range(9)]


def told(*failed):
    """Return what equery writes for people of packages with ten files each."""
    lines = []
    for name, number in zip(NAMES, failed, strict=False):
        lines += [f"* Checking {name} ...", f"   {10 - number} out of 10 files passed"]
    return "\n".join(lines) + "\n"


def test_all_is_well():
    """It says how much was looked at."""
    said = summarize(0, told(0, 0, 0), "")
    assert said.endswith("the files of 3 packages are as installed")


def test_what_it_finds_is_counted():
    """Configuration is told apart: that is meant to be changed."""
    errors = (
        "!!! /etc/fstab has incorrect MD5sum\n"
        "!!! /usr/bin/x has wrong mtime (is 1, should be 2)\n"
        "!!! /etcetera/y does not exist\n"
    )
    said = summarize(0, told(1, 0, 2), errors)
    assert "not as installed: 3, in 2 of 3 packages" in said
    assert "2 of them not below /etc" in said
    assert "not below" not in summarize(0, told(1), "!!! /etc/a does not exist\n")


def test_short_answers_are_read_as_well():
    """Into a pipe, some versions write one line for each package."""
    found = parse_opinion("a/b-1: failed(0)\na/c-2: failed(3)\n", "")
    assert (found.packages, found.suspect, found.files) == (2, 1, 3)


@pytest.mark.parametrize("failed", [[4] * 9, [4] * 9 + [0], [10] * 5])
def test_an_opinion_of_everything_is_of_nothing(failed):
    """Every object bad: that is gentoolkit and Portage, not the copy."""
    said = summarize(0, told(*failed), "!!! /usr/bin/x has incorrect MD5sum\n" * 36)
    assert "nothing is said of the copy" in said
    assert "not as installed" not in said


def test_few_bad_packages_are_taken_seriously():
    """Two of two bad packages may well be bad."""
    assert "not as installed" in summarize(0, told(1, 1), "")
    assert "not as installed" in summarize(0, told(*[1] * 4, *[0] * 4), "")


@pytest.mark.parametrize(
    ("status", "stderr", "wanted"),
    [
        (127, "sh: equery: not found", "equery is not there"),
        (124, "", "took too long"),
        (1, "Traceback...\nAttributeError: no setter\n", "AttributeError: no setter"),
        (0, "", "status 0"),
        (-11, "\x1b[31m\udcff", "status -11"),
    ],
)
def test_no_opinion(status, stderr, wanted):
    """Whatever happened to it is said in one line that can be shown."""
    said = summarize(status, "", stderr)
    assert said.startswith("second opinion (equery check): none")
    assert wanted in said
    assert said.isprintable()


def test_an_opinion_that_breaks_off():
    """What it said until then counts, and that it broke off is said."""
    assert summarize(1, told(0, 0), "x").endswith("it ended early, with status 1")


@given(st.integers(-64, 255), st.text(max_size=300), st.text(max_size=300))
def test_any_answer_is_weighed(status, stdout, stderr):
    """Nothing that it says is an error."""
    said = summarize(status, told(1) + stdout, stderr + "\n!!! /x does not exist")
    assert "\n" not in said


@pytest.mark.parametrize("status", [0, 1, 124, 126, 127, -9])
@pytest.mark.parametrize("writable", [True, False])
def test_the_step_goes_on(monkeypatch, tmp_path, status, writable):
    """Failing, missing, hanging, and no place to write it down."""
    asked = {}

    def query(argv, **more):
        asked.update(more, argv=argv)
        return Answer(tuple(argv), status, told(0, 1), "!!! /usr/b does not exist\n")

    monkeypatch.setattr(runner, "query", query)
    report = tmp_path / ("report" if writable else "no/dir")
    heard = Heard()
    LiveWorld(heard, passes=Passes).act(
        Consult(argv=("equery",), chroot="/new", report=str(report), timeout=5)
    )
    assert asked == {"argv": ("equery",), "chroot": "/new", "timeout": 5}
    assert heard.commands
    assert heard.notes[0].startswith("second opinion")
    if writable:
        assert "!!! /usr/b does not exist" in report.read_text()
        assert report.read_text().startswith(heard.notes[0])
    else:
        assert "could not be written down" in heard.notes[1]


@pytest.mark.programs
def test_a_program_that_hangs_is_given_up(tmp_path):
    """For real: it takes no longer than it may."""
    heard = Heard()
    LiveWorld(heard, passes=Passes).act(
        Consult(
            argv=("sleep", "60"), chroot=None, report=str(tmp_path / "r"), timeout=1
        )
    )
    assert "took too long" in heard.notes[0]


def with_equery(installed):
    """Return the guest, with gentoolkit or without."""
    config, facts = wished("guest-openrc-bios")
    tools = tuple(
        replace(t, path="/usr/bin/equery" if installed else None)
        if t.name == "equery"
        else t
        for t in facts.system.tools
    )
    return config, replace(facts, system=replace(facts.system, tools=tools))


def test_only_verify_asks_and_only_where_it_is_installed():
    """It comes before the comparison, whose failure ends the verb."""
    ids = [step.id for step in plan_verify(*with_equery(True)).steps]
    without = [step.id for step in plan_verify(*with_equery(False)).steps]
    assert ids.index("second-opinion") == ids.index("compare") - 1
    assert [i for i in ids if i != "second-opinion"] == without
    for make in (plan_run, plan_sync):
        assert make(*with_equery(True)) == make(*with_equery(False))


def test_the_new_root_is_read_only_for_it():
    """It proves nothing, needs nothing undone, and can write nothing."""
    steps = {step.id: step for step in plan_verify(*with_equery(True)).steps}
    step = steps["second-opinion"]
    (action,) = step.actions
    assert isinstance(action, Consult)
    assert (step.proof, step.undo) == ((), ())
    assert "remount,bind,ro" in action.argv[2]
    assert action.argv[-5:] == ("equery", "--no-color", "--no-pipe", "check", "*")
    (line,) = action_text(action)
    assert line.startswith("note what this says: in the new root: sh -c")

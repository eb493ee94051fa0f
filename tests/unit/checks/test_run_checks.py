"""The table of checks: errors within, trees that do not run, what is left out."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.unit.checks.machines import CONFIG, base
from zfs_root_migrate.checks import CHECKS, Row, is_inhibited, run_checks
from zfs_root_migrate.config import Config
from zfs_root_migrate.finding import Finding
from zfs_root_migrate.model import Facts
from zfs_root_migrate.reports import check_data, check_text


def broken(facts: Facts, config: Config) -> Iterator[Finding]:
    """Raise, after a finding of its own was on the way."""
    yield from ()
    raise KeyError("no\nsuch thing")


BROKEN = Row(broken, "nothing")


@pytest.mark.check_fails
@pytest.mark.parametrize("place", [0, len(CHECKS) // 2, len(CHECKS)])
def test_a_check_that_raises_is_a_finding(place: int) -> None:
    """It inhibits, names check, error and line; the others are made all the same."""
    facts = replace(base(), system=replace(base().system, is_root=False))
    without = run_checks(facts, CONFIG)
    found = run_checks(facts, CONFIG, (*CHECKS[:place], BROKEN, *CHECKS[place:]))
    (failed,) = (f for f in found if f.key == "check-failed")
    assert {f for f in found if f is not failed} == set(without)
    assert "the check of nothing" in failed.seen
    assert f"{__name__}.broken" in failed.seen
    assert r"KeyError: 'no\nsuch thing' (test_run_checks.py, line" in failed.seen
    assert is_inhibited(run_checks(base(), CONFIG, (BROKEN,)))


@pytest.mark.check_fails
@pytest.mark.parametrize("error", [RecursionError(), ValueError("x" * 5000)])
def test_whatever_is_raised(error: Exception) -> None:
    """Errors without a text, and with a very long one."""

    def check(facts: Facts, config: Config) -> Iterator[Finding]:
        raise error

    (found,) = run_checks(base(), CONFIG, (Row(check, "a thing"),))
    assert type(error).__name__ in found.seen
    assert len(found.seen) < 500


@pytest.mark.check_fails
def test_ctrl_c_is_no_finding() -> None:
    """Who interrupts wants it to end."""

    def check(facts: Facts, config: Config) -> Iterator[Finding]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_checks(base(), CONFIG, (Row(check, "a thing"),))


def test_no_other_test_sees_a_failing_check() -> None:
    """An error in a check is the test's error; this is what the marker switches off."""
    with pytest.raises(KeyError):
        run_checks(base(), CONFIG, (BROKEN,))


def test_a_tree_elsewhere_is_judged_by_what_a_tree_can_tell() -> None:
    """Checks of a running machine are not made; each is named, once, in one finding."""
    made: list[str] = []

    def asked(name: str) -> Row:
        def check(facts: Facts, config: Config) -> Iterator[Finding]:
            made.append(name)
            yield from ()

        return Row(check, name, running=name.startswith("running"))

    rows = tuple(map(asked, ("tree one", "running one", "tree two", "running two")))
    assert run_checks(base(), CONFIG, rows) == ()
    assert len(made) == len(rows)
    made.clear()
    (found,) = run_checks(replace(base(), elsewhere="/mnt/x"), CONFIG, rows)
    assert made == ["tree one", "tree two"]
    assert found.key == "not-looked-at"
    assert found.seen == "not looked at: running one, running two"
    assert "/mnt/x" in found.why


def test_words_for_every_check() -> None:
    """Each row says what it is about, and no two say the same."""
    words = [row.about for row in CHECKS]
    assert len(set(words)) == len(words)
    assert all(words)
    assert len({row.check for row in CHECKS}) == len(CHECKS)


def test_verdict_on_a_tree_is_none_on_a_machine() -> None:
    """The last line says so, and so does the JSON form."""
    facts = replace(base(), elsewhere="/mnt/gentoo")
    found = run_checks(facts, CONFIG)
    last = check_text(found, colour=False).splitlines()[-1]
    assert last == "Of the tree only, no word about a machine: nothing to mend in it."
    assert check_data(found)["verdict"] == "unknown"
    assert check_data(run_checks(base(), CONFIG))["verdict"] == "ready"
    worse = replace(facts, boot=replace(facts.boot, hostid="00000000"))
    found = run_checks(worse, CONFIG)
    last = check_text(found, colour=False).splitlines()[-1]
    assert last == "Of the tree only, no word about a machine: 1 thing to mend in it."
    assert check_data(found)["verdict"] == "inhibited"

"""Machines on which nothing is wrong are told that nothing is wrong."""

from dataclasses import replace

import pytest

from tests.unit.checks.clean import CLEAN, Kind
from zfs_root_migrate.checks import run_checks
from zfs_root_migrate.config import Config
from zfs_root_migrate.facts import dump_facts, load_facts
from zfs_root_migrate.finding import Severity
from zfs_root_migrate.model import Firmware, Init
from zfs_root_migrate.plan import plan_run


def troubles(kind: Kind) -> set[str]:
    """Return the keys of inhibitors and warnings."""
    found = run_checks(kind.facts(), kind.config)
    return {f.key for f in found if f.severity is not Severity.INFO}


@pytest.mark.parametrize("name", CLEAN)
def test_nothing_is_wrong(name: str) -> None:
    """No inhibitor and no warning but those of what this version does not do yet."""
    assert troubles(CLEAN[name]) == CLEAN[name].refused


@pytest.mark.parametrize("name", [n for n, k in CLEAN.items() if not k.refused])
def test_a_clean_machine_has_a_plan(name: str) -> None:
    """And its facts can be kept and read again."""
    facts = CLEAN[name].facts()
    assert load_facts(dump_facts(facts), name) == facts
    assert plan_run(CLEAN[name].config, facts).steps


def test_there_are_all_kinds() -> None:
    """At least ten, all different, and each of the two sides of every difference."""
    kinds = list(CLEAN.values())
    assert len({dump_facts(k.facts()) + repr(k.config) for k in kinds}) == len(kinds)
    assert sum(not kind.refused for kind in kinds) >= 10
    assert {kind.init for kind in kinds} == {Init.OPENRC, Init.SYSTEMD}
    assert {kind.firmware for kind in kinds} == {Firmware.BIOS, Firmware.UEFI}
    assert {kind.zfs[:3] for kind in kinds} == {"2.2", "2.3", "2.4"}
    for field in ("dist_kernel", "merged_usr"):
        assert {getattr(kind, field) for kind in kinds} == {True, False}
    assert {"17.1", "23.0"} <= {kind.profile.split("/")[3] for kind in kinds}


def test_the_test_would_see_trouble() -> None:
    """A machine with one thing wrong is not clean."""
    worse = Kind(config=Config())
    assert troubles(worse) == {"target-unset"}
    assert "kernel-beyond-range" in troubles(Kind(zfs="2.2.10", kernel="6.18.1-gentoo"))
    facts = replace(Kind().facts(), tree=None)
    keys = {f.key for f in run_checks(facts, Kind().config)}
    assert "tree-not-scanned" in keys

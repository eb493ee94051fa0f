"""Every kind of finding is brought up by a case, and its remedy makes it go away."""

import json
import shlex
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.checks.cases import CASES, CLEAN, Case, same
from tests.unit.checks.machines import (
    CONFIG,
    Change,
    all_of,
    base,
    boot,
    devices,
    disk,
    portage,
    storage,
    system,
    without,
)
from zfs_root_migrate.checks import explain, is_inhibited, run_checks
from zfs_root_migrate.config import Config, find_setting, parse_setting
from zfs_root_migrate.errors import UsageError
from zfs_root_migrate.finding import KINDS, Finding, Severity, finding_json
from zfs_root_migrate.model import Topology

# first words of what a remedy may ask to type
PROGRAMS = {
    *("df", "dispatch-conf", "dmsetup", "echo", "emaint", "eselect", "emerge"),
    *("chattr", "cp", "dmesg", "findmnt", "ln"),
    *("grub-mkconfig", "mdadm", "mkdir", "mkswap", "modprobe", "mount", "mv"),
    *("reboot", "swapoff", "umount"),
    *("sed", "wipefs", "zfs", "zfs-root-migrate", "zpool"),
}

# no facts bring it up: tests/unit/checks/test_run_checks.py has a check that raises
OWN_TEST = {"check-failed"}


def ident(case: Case) -> str:
    """Name a case for pytest."""
    return f"{case.key} {case.note}".strip()


def keys(findings: tuple[Finding, ...]) -> set[str]:
    """Return the keys of findings."""
    return {finding.key for finding in findings}


def apply_settings(config: Config, findings: tuple[Finding, ...], key: str) -> Config:
    """Do what a remedy says to set, literally."""
    for finding in findings:
        for command in finding.commands if finding.key == key else ():
            words = tuple(shlex.split(command))
            if words[:2] == ("zfs-root-migrate", "set") and words[3:4] not in (
                ("PATH...",),
                ("NUMBER",),
            ):
                row = find_setting(words[2])
                change: dict[str, Any] = {row.field: parse_setting(row.name, words[3:])}
                config = replace(config, **change)
    return config


@pytest.mark.parametrize("case", CASES, ids=ident)
def test_condition_is_found_and_its_remedy_helps(case: Case) -> None:
    """The key is there; after the remedy it is not."""
    facts = case.change(base())
    found = run_checks(facts, case.config)
    assert case.key in keys(found)
    if case.gone:
        mended = apply_settings(case.config, found, case.key)
        assert (mended, case.mend) != (case.config, same), "the remedy does nothing"
        assert case.key not in keys(run_checks(case.mend(facts), mended))


@pytest.mark.parametrize("name", CLEAN)
def test_clean_machine_has_no_finding_but_infos(name: str) -> None:
    """No inhibitor and no warning on a machine that is ready."""
    change, config = CLEAN[name]
    found = run_checks(change(base()), config)
    assert [f for f in found if f.severity is not Severity.INFO] == []


def test_every_kind_has_a_case_and_every_case_a_kind() -> None:
    """Kinds without a case are not tested, cases without a kind are misspelt."""
    assert {case.key for case in CASES} | OWN_TEST == set(KINDS)


@pytest.mark.parametrize("case", CASES, ids=ident)
def test_findings_can_be_read_and_typed(case: Case) -> None:
    """Texts are whole sentences or facts; commands are commands."""
    for finding in run_checks(case.change(base()), case.config):
        assert finding.seen
        assert finding.why.endswith(".")
        assert finding.remedy or finding.severity is Severity.INFO
        for line in finding.remedy:
            assert "\n" not in line
            assert line.startswith("  ") or line[0].isupper() or line[0].islower()
        for command in finding.commands:
            word = shlex.split(command)[0]
            assert word in PROGRAMS or word.startswith("CONFIG_")
        assert json.loads(json.dumps(finding_json(finding)))["key"] == finding.key


@pytest.mark.parametrize("key", sorted(KINDS))
def test_manual_entry(key: str) -> None:
    """Every kind has a title and a docstring that says more than the title."""
    kind = KINDS[key]
    head, _, text = explain(key).partition("\n\n")
    assert head == f"{key} ({kind.severity}): {kind.title}"
    assert len(text.strip()) > len(kind.title)
    assert key == key.lower()
    assert " " not in key


def test_explain_of_an_unknown_key_names_near_ones() -> None:
    """A misspelling is answered with what was meant; else by where all of them are."""
    with pytest.raises(UsageError) as caught:
        explain("target-unst")
    assert "target-unset" in caught.value.resolution
    with pytest.raises(UsageError) as caught:
        explain("xyz")
    assert caught.value.resolution == "to see all: zfs-root-migrate check --explain"


def found_by(change: Change) -> dict[str, list[Finding]]:
    """Return what is found on the ready machine after a change, by key."""
    found: dict[str, list[Finding]] = {}
    for finding in run_checks(change(base()), CONFIG):
        found.setdefault(finding.key, []).append(finding)
    return found


def test_another_distribution_is_said_once_and_first() -> None:
    """Where there is no Portage at all, that Portage does not answer goes without."""
    unasked = portage(reason="python3 has no Portage", version=None)
    bare = all_of(system(os_id="debian"), without("emerge", "mdadm"), unasked)
    found = found_by(bare)
    assert next(iter(found)) == "distribution-foreign"
    assert not {"not-gentoo", "portage-unknown"} & set(found)
    # a Gentoo whose Portage is broken is one all the same
    broken = found_by(all_of(without("emerge"), unasked))
    assert "distribution-foreign" not in broken
    assert "emerge --info" not in broken["portage-unknown"][0].commands
    assert "emerge --info" in found_by(unasked)["portage-unknown"][0].commands
    derived = found_by(all_of(system(os_id="funtoo"), unasked))
    assert {"not-gentoo", "portage-unknown"} <= set(derived)


def test_programs_of_one_package_are_one_finding() -> None:
    """It is installed once."""
    (one,) = found_by(without("modinfo", "modprobe"))["tool-missing"]
    assert "modinfo" in one.seen
    assert "modprobe" in one.seen
    assert len(found_by(without("mdadm", "modprobe"))["tool-missing"]) == 2


def test_root_is_not_told_to_become_root() -> None:
    """Where root could not read a disk, what the disk says is asked."""
    change = all_of(boot(resume_image=None), storage(unprobed=("sr0",)))
    (one,) = found_by(change)["hibernation-unknown"]
    assert one.seen == "could not be read: sr0"
    assert one.commands == ("wipefs --no-act /dev/sr0",)
    (one,) = found_by(all_of(change, system(is_root=False)))["hibernation-unknown"]
    assert one.commands == ("zfs-root-migrate check",)


def test_order_is_by_severity_and_stable() -> None:
    """Inhibitors first; the same facts give the same report."""
    facts = replace(base(), portage=replace(base().portage, reason="no"))
    found = run_checks(facts, Config(overwrite=("X",)))
    ranks = [finding.severity.rank for finding in found]
    assert ranks == sorted(ranks)
    assert found == run_checks(facts, Config(overwrite=("X",)))
    assert is_inhibited(found)
    assert not is_inhibited(run_checks(base(), CONFIG))


def test_overwrite_remedy_keeps_what_was_allowed_before() -> None:
    """`set overwrite` replaces the list: the line to type has to have all of it."""
    change: Change = devices(replace(disk("vdc", "DISKC"), table="gpt"))
    config = Config(
        target=("DISKB", "DISKC"), topology=Topology.MIRROR, overwrite=("DISKB",)
    )
    (found,) = (
        f for f in run_checks(change(base()), config) if f.key == "target-not-blank"
    )
    assert "zfs-root-migrate set overwrite DISKB DISKC" in found.commands
    assert "gpt partition table" in found.seen

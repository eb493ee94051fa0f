"""Every kind of finding is brought up by a case, and its remedy makes it go away."""

import json
import shlex
from dataclasses import replace

import pytest

from tests.unit.checks.case import ready
from tests.unit.checks.cases import CASES, CLEAN, Case, same
from tests.unit.checks.machines import (
    CONFIG,
    Change,
    all_of,
    base,
    boot,
    devices,
    disk,
    mounted,
    mounts,
    portage,
    storage,
    system,
    without,
)
from tests.unit.checks.remedies import DEEDS, Remedied, follow, only_shows, ways
from zfs_root_migrate.checks import explain, is_inhibited, run_checks
from zfs_root_migrate.checks.space import room
from zfs_root_migrate.config import Config
from zfs_root_migrate.errors import UsageError
from zfs_root_migrate.finding import KINDS, Finding, Severity, finding_json
from zfs_root_migrate.layout import BUILD_ROOM, MIB
from zfs_root_migrate.model import Mount, Topology

# what commands do not show is brought up again so often
ROUNDS = 3
# cases in which a line of the remedy that is read does what no command does
BY_WORDS = {
    ("resume-set", ""): "resume= is taken out of /etc/default/grub by hand",
    ("next-kernel-too-new", "installed"): "the kernel is removed by hand",
}

# no facts bring it up: tests/unit/checks/test_run_checks.py has a check that raises
OWN_TEST = {"check-failed"}


def ident(case: Case) -> str:
    """Name a case for pytest."""
    return f"{case.key} {case.note}".strip()


def keys(findings: tuple[Finding, ...]) -> set[str]:
    """Return the keys of findings."""
    return {finding.key for finding in findings}


def cures(case: Case) -> list[bool]:
    """Follow each way that the remedy names; tell of each whether it is gone then.

    What does not fit into one report comes up when the first part is mended. A way that
    only shows something is left out, unless that is all that was to be done.
    """
    facts = case.change(base())
    first = [f for f in run_checks(facts, case.config) if f.key == case.key]
    told = []
    for number, commands in enumerate(ways(first)):
        machine = Remedied(facts, case.config)
        left = first
        for _ in range(ROUNDS):
            if left and follow(machine, left, number):
                found = run_checks(machine.facts, machine.config)
                left = [f for f in found if f.key == case.key]
        if not left or not all(map(only_shows, commands)):
            told.append(not left)
    return told


@pytest.mark.parametrize("case", CASES, ids=ident)
def test_condition_is_found_and_its_remedy_helps(case: Case) -> None:
    """The key is there; after the remedy it is not."""
    facts = case.change(base())
    assert case.key in keys(run_checks(facts, case.config))
    if not case.gone:
        return
    told = cures(case)
    if told and (case.key, case.note) not in BY_WORDS:
        assert all(told), "the commands of the remedy do not help"
        assert case.mend is same, "the commands are enough"
    else:
        assert case.mend is not same, "the remedy does nothing"
        assert case.key not in keys(run_checks(case.mend(facts), case.config))


def test_what_words_must_do_no_command_does() -> None:
    """The exceptions are cases, and the commands of none of them are enough."""
    by_words = [case for case in CASES if (case.key, case.note) in BY_WORDS]
    assert len(by_words) == len(BY_WORDS)
    assert [case for case in by_words if all(cures(case))] == []


def test_most_remedies_are_proved_by_their_commands() -> None:
    """That the ready machine is ready proves little; few cases may rest on it."""
    gone = [case for case in CASES if case.gone]
    assert sum(case.mend is same for case in gone) > len(gone) * 2 // 3
    for case in gone:
        if case.mend is ready:
            assert not cures(case), case.key


def test_the_commands_are_followed_to_the_letter() -> None:
    """What a program would refuse fails; so does a command that nobody knows."""
    for command in ("umount /mnt", "swapoff /dev/sdz", "zpool export tank"):
        with pytest.raises(AssertionError):
            Remedied(base(), CONFIG).type(command)
    masked = Remedied(base(), CONFIG)
    masked.type("echo '>=sys-fs/zfs-2.3' >> /etc/portage/package.mask/zfs")
    with pytest.raises(AssertionError, match="Portage would refuse"):
        masked.type("emerge --ask =sys-fs/zfs-2.3.8")
    with pytest.raises(AssertionError, match="nobody knows"):
        Remedied(base(), CONFIG).type("rm -rf /")


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
            assert word in DEEDS or word.startswith("CONFIG_")
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


@pytest.mark.parametrize(
    ("tmpdir", "target", "fs_type", "said"),
    [
        ("/var/tmp", "/var/tmp/portage", "tmpfs", "/var/tmp/portage"),
        ("/var/tmp/", "/var", "tmpfs", "/var/tmp/portage"),
        ("/var/tmp", "/var/tmp/portage", "ext4", None),
        ("/var/tmp", "/var/tmp/portage2", "tmpfs", None),
        ("/data", "/var/tmp/portage", "tmpfs", None),
        (None, "/var/tmp/portage", "tmpfs", None),
    ],
)
def test_builds_in_memory_are_named_where_that_is_short(
    tmpdir: str | None, target: str, fs_type: str, said: str | None
) -> None:
    """What Portage builds takes of the memory that there is."""
    there = Mount(target=target, source="none", fs_type=fs_type, options="rw")
    change = all_of(portage(tmpdir=tmpdir), mounts(there))
    (one,) = found_by(all_of(system(memory=1 << 30), change))["memory-low"]
    assert (f"builds in {said}" in one.seen) is (said is not None)
    assert any("PORTAGE_TMPDIR" in line for line in one.remedy) is (said is not None)
    assert "memory-low" not in found_by(change)


@pytest.mark.parametrize(("mib", "said"), [(1973, False), (1792, False), (1500, True)])
def test_a_machine_with_two_gibibytes_has_enough(mib: int, said: bool) -> None:
    """MemTotal, which is read, is less than what the machine has."""
    assert ("memory-low" in found_by(system(memory=mib << 20))) is said


@pytest.mark.parametrize(("over", "said"), [(0, False), (MIB, True)])
def test_the_initramfs_needs_room_too(over: int, said: bool) -> None:
    """What is copied, a tenth more, and what is kept while the image is made."""
    free = room(base(), CONFIG) - BUILD_ROOM + over
    others = sum(m.used or 0 for m in base().storage.mounts if m.target == "/home")
    facts = mounted("/", used=free * 10 // 11 - others)(base())
    assert ("target-too-small" in keys(run_checks(facts, CONFIG))) is said


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

"""The recorded machines are judged as a person would."""

from pathlib import Path

import pytest

from zfs_root_migrate import topology
from zfs_root_migrate.checks import run_checks
from zfs_root_migrate.config import Config
from zfs_root_migrate.facts.document import load_facts
from zfs_root_migrate.finding import Severity
from zfs_root_migrate.model import Facts

MACHINES = Path(__file__).parents[2] / "machines"
# what is found when the first empty disk is chosen: inhibitors, warnings, infos; nobody
# has walked through the files of any of them
OTHER_KERNEL = "kernels-without-zfs"
EXPECTED: dict[str, tuple[set[str], set[str], set[str]]] = {
    "btrfs-root": ({"root-on-btrfs"}, {OTHER_KERNEL}, {"hostid-new"}),
    "guest-openrc-bios": (
        set(),
        {"sources-not-built"},
        {"hostid-new", "installkernel-missing"},
    ),
    "luks": (
        {"root-on-luks", "hibernation-image"},
        {OTHER_KERNEL, "resume-set"},
        {"hostid-new"},
    ),
    "lvm": ({"root-on-lvm", "source-stacked"}, {OTHER_KERNEL}, {"hostid-new"}),
    "md-root": (
        {"root-on-md", "root-on-several-disks", "source-stacked"},
        {OTHER_KERNEL},
        {"hostid-new", "one-shot-impossible"},
    ),
    "occupied": ({"target-unset"}, {OTHER_KERNEL}, {"hostid-new", "mount-stays"}),
    "openrc-bios": (set(), {OTHER_KERNEL}, {"hostid-new"}),
    "openrc-bios-nvme": (set(), set(), {"swap-file"}),
    "openrc-bios-user": (
        {"not-root", "target-unset", "hibernation-unknown"},
        {OTHER_KERNEL},
        {"hostid-new", "portage-facts-unknown"},
    ),
    "raidz": (
        {"target-too-small"},
        {OTHER_KERNEL, "target-sizes-differ"},
        {"hostid-new"},
    ),
    "split-usr": (
        {"boot-not-mounted", "initramfs-not-dracut"},
        {"sources-not-built"},
        {"hostid-new", "installkernel-missing"},
    ),
    "systemd-uefi": (
        {"firmware-uefi", "init-systemd", "grub-missing"},
        {"grub-platform-use", "installkernel-use"},
        {"hostid-new", "loader-not-grub"},
    ),
}


def read(name: str) -> Facts:
    """Return a recorded machine."""
    path = MACHINES / name / "facts.json"
    return load_facts(path.read_text("utf-8"), str(path))


def first_empty(facts: Facts) -> tuple[str, ...]:
    """Choose the first disk that is known to be empty and unused."""
    storage = facts.storage
    for disk in topology.disks(storage):
        if topology.is_blank(storage, disk) and not topology.uses(storage, disk):
            return (topology.stable_path(disk),)
    return ()


def test_every_recorded_machine_is_judged() -> None:
    """None is left out, and none is gone."""
    assert {path.parent.name for path in MACHINES.glob("*/facts.json")} == set(EXPECTED)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_recorded_machine(name: str) -> None:
    """Exactly the findings that this machine deserves, of every weight."""
    facts = read(name)
    found = run_checks(facts, Config(target=first_empty(facts)))
    keys = {w: {f.key for f in found if f.severity is w} for w in Severity}
    inhibitors, warnings, infos = EXPECTED[name]
    assert keys == {
        Severity.INHIBITOR: inhibitors,
        Severity.WARNING: warnings,
        Severity.INFO: infos | {"tree-not-scanned"},
    }


def test_no_occupied_disk_is_taken_for_empty() -> None:
    """Each disk of this machine holds something else; every one is refused."""
    facts = read("occupied")
    for disk in topology.disks(facts.storage):
        found = run_checks(facts, Config(target=(topology.stable_path(disk),)))
        refused = {"target-is-old-disk", "target-in-use", "target-not-blank"}
        assert refused & {f.key for f in found}, disk.name

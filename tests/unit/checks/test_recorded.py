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
# inhibitors when the first empty disk is chosen
EXPECTED = {
    "btrfs-root": {"root-on-btrfs"},
    "luks": {"root-on-luks", "hibernation-image"},
    "lvm": {"root-on-lvm", "source-stacked"},
    "md-root": {"root-on-md", "root-on-several-disks", "source-stacked"},
    "occupied": {"target-unset"},
    "openrc-bios": set[str](),
    "openrc-bios-nvme": set[str](),
    "openrc-bios-user": {"not-root", "target-unset", "hibernation-unknown"},
    "raidz": {"target-too-small"},
    "split-usr": {"boot-not-mounted", "initramfs-not-dracut"},
    "systemd-uefi": {"firmware-uefi", "init-systemd", "grub-missing"},
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


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_recorded_machine(name: str) -> None:
    """Exactly the inhibitors that this machine deserves."""
    facts = read(name)
    found = run_checks(facts, Config(target=first_empty(facts)))
    keys = {f.key for f in found if f.severity is Severity.INHIBITOR}
    assert keys == EXPECTED[name]


def test_no_occupied_disk_is_taken_for_empty() -> None:
    """Each disk of this machine holds something else; every one is refused."""
    facts = read("occupied")
    for disk in topology.disks(facts.storage):
        found = run_checks(facts, Config(target=(topology.stable_path(disk),)))
        refused = {"target-is-old-disk", "target-in-use", "target-not-blank"}
        assert refused & {f.key for f in found}, disk.name

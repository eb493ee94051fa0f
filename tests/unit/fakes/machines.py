"""The recorded machines that can be migrated, each with the wishes of its user."""

from pathlib import Path

from zfs_root_migrate import topology
from zfs_root_migrate.config import Config
from zfs_root_migrate.facts import load_facts
from zfs_root_migrate.model import Facts, Topology

MACHINES = Path(__file__).parents[2] / "machines"


def read_facts(name: str) -> Facts:
    """Return the facts of a recorded machine."""
    return load_facts((MACHINES / name / "facts.json").read_text(), name)


def blank_disks(facts: Facts) -> tuple[str, ...]:
    """Return the stable paths of the empty disks."""
    return tuple(
        topology.stable_path(disk)
        for disk in topology.disks(facts.storage)
        if topology.is_blank(facts.storage, disk)
    )


# name of the recorded machine, and what is set besides the targets
WISHES: dict[str, tuple[str, dict[str, object]]] = {
    "guest-openrc-bios": ("guest-openrc-bios", {}),
    "openrc-bios": ("openrc-bios", {}),
    "openrc-bios-nvme": ("openrc-bios-nvme", {"layout": "boot-environments"}),
    # /home alone would fill the small new disks
    "raidz": ("raidz", {"topology": Topology.RAIDZ1, "exclude": ("/home",)}),
    "raidz-mirror": (
        "raidz",
        {"topology": Topology.MIRROR, "exclude": ("/home",), "swap_size": 0},
    ),
}
JOINING = ("guest-openrc-bios", "openrc-bios", "openrc-bios-nvme")


def wished(case: str) -> tuple[Config, Facts]:
    """Return the settings and facts of a case of WISHES."""
    machine, wishes = WISHES[case]
    facts = read_facts(machine)
    return Config(target=blank_disks(facts), **wishes), facts  # type: ignore[arg-type]

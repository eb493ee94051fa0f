"""The real plans on a machine in memory: killed at every point, resumed, undone."""

from dataclasses import replace

import pytest

from tests.unit.fakes.machine import Machine
from tests.unit.fakes.machines import JOINING, WISHES, wished
from tests.unit.fakes.world import Fate, SimulatedWorld, carry_out, take_back
from zfs_root_migrate.journal import Record
from zfs_root_migrate.layout import Role
from zfs_root_migrate.plan import (
    Plan,
    plan_mirror,
    plan_run,
    plan_seal,
    plan_sync,
    plan_verify,
)

# one machine for the many deaths; the others are run from end to end
DYING = "guest-openrc-bios"


@pytest.fixture(autouse=True)
def quick_digest(monkeypatch):
    """Spare the hashing of the same plan for each of some ten thousand records."""
    monkeypatch.setattr(Plan, "digest", "digest")


def live(machine: Machine, disk: list[Record], plan: Plan, at: int | None = None):
    """Run in a new process; return its world and whether it lived."""
    world = SimulatedWorld(machine, Fate(at))
    alive = carry_out(world, disk, plan)
    machine.end_process()
    return world.fate.points, alive


def last_pass(machine: Machine):
    """Let the system go down, with the pass that it is armed with."""
    machine.go_down()
    assert live(machine, [], plan_seal(machine.config, machine.facts))[1]


def undo(machine: Machine, disk: list[Record], plan: Plan, at: int | None = None):
    """Undo in a new process; tell whether it lived."""
    alive = take_back(SimulatedWorld(machine, Fate(at)), disk, plan)
    machine.end_process()
    return alive


@pytest.mark.parametrize("case", WISHES)
def test_run_sync_verify(case):
    """Every plan before `mirror` does what its own proofs ask for."""
    config, facts = wished(case)
    machine = Machine(config, facts)
    disk: list[Record] = []
    for make in (plan_run, plan_sync, plan_verify):
        live(machine, disk, make(config, facts))
        machine.reboot()
    assert machine.pool["state"] == "1"
    homes = [d for d in machine.layout.mounts if d.mountpoint == "/home"]
    if any(m.target == "/home" for m in machine.layout.sources):
        assert machine.files.trees[homes[0].name]["/file"] == "of /home"
        assert machine.files.trees[machine.layout.root]["/home/hidden"] == "hidden"
    else:
        # what stays on a disk that stays out has no dataset over it
        assert not homes or "/home" not in config.exclude


@pytest.mark.parametrize("case", JOINING)
def test_mirror(case):
    """The new root boots, and the old disk becomes the mirror."""
    config, facts = wished(case)
    machine = Machine(config, facts)
    live(machine, [], plan_run(config, facts))
    last_pass(machine)
    machine.arrive()
    live(machine, [], plan_mirror(config, facts, facts))
    assert not machine.snapshots
    assert len(machine.vdevs) == len(machine.members()) == 2
    assert machine.loaders == set(machine.disks)


def test_other_pools_of_the_old_system(dying):
    """Its own pool cache stays as it is, and gets into no image."""
    config, facts, plan = dying
    machine = Machine(config, facts)
    machine.files.make_directory("/etc/zfs")
    machine.files.write("/etc/zfs/zpool.cache", "tank")
    live(machine, [], plan)
    assert machine.files.read("/etc/zfs/zpool.cache") == "tank"
    root = machine.files.trees[machine.layout.root]
    images = [
        text
        for name, text in machine.files.trees["boot"].items()
        if name.startswith("/initramfs")
    ]
    assert images
    for text in (root["/etc/zfs/zpool.cache"], *images):
        assert machine.layout.vdevs[0] in text
        assert "tank" not in text


@pytest.fixture(scope="module")
def dying():
    """Return settings, facts and plan of the machine that dies so often."""
    config, facts = wished(DYING)
    return config, facts, plan_run(config, facts)


def begun(dying):
    """Return a machine before anything was done to it."""
    config, facts, _ = dying
    return Machine(config, facts)


def outlives(machine):
    """Return what outlives a boot, but for numbers that only ever grow."""
    state = machine.persistent()
    state["pool"].pop("txg", None)
    return state


KILLED = [lambda machine: None]
RESET = [
    pytest.param(Machine.reboot, marks=pytest.mark.slow),
    pytest.param(
        lambda machine: machine.reboot(array="inactive"), marks=pytest.mark.slow
    ),
]


@pytest.mark.parametrize("after", [*KILLED, *RESET])
def test_killed_anywhere_and_resumed(dying, after):
    """Wherever the process or the machine dies, `run` ends as if it had not."""
    plan = dying[2]
    whole = begun(dying)
    points, _ = live(whole, [], plan)
    for at in range(1, points + 1):
        machine, disk = begun(dying), []
        assert not live(machine, disk, plan, at)[1]
        after(machine)
        assert live(machine, disk, plan)[1]
        assert outlives(machine) == outlives(whole), at


@pytest.mark.parametrize("after", [*KILLED, *RESET])
def test_killed_anywhere_and_undone(dying, after):
    """From every point `undo` leaves blank disks and the old system as it was."""
    plan = dying[2]
    before = outlives(begun(dying))
    points, _ = live(begun(dying), [], plan)
    for at in range(1, points + 2):
        machine, disk = begun(dying), []
        live(machine, disk, plan, at)
        after(machine)
        assert undo(machine, disk, plan)
        assert outlives(machine) == before, at
        assert (machine.imported, machine.array) == (False, "none")


@pytest.mark.parametrize("after", [*KILLED, *RESET])
def test_undo_killed_anywhere_and_begun_again(dying, after):
    """An undo that is cut short is finished by the next one."""
    plan = dying[2]
    before = outlives(begun(dying))
    points, _ = live(begun(dying), [], plan)
    for at in (points // 2, points + 1):
        for second in range(1, 10**6):
            machine, disk = begun(dying), []
            live(machine, disk, plan, at)
            after(machine)
            alive = undo(machine, disk, plan, second)
            after(machine)
            assert undo(machine, disk, plan)
            assert outlives(machine) == before, (at, second)
            if alive:
                break
        assert second > 20


def arrived(dying):
    """Return the machine after the first boot of the new root."""
    machine = begun(dying)
    live(machine, [], dying[2])
    last_pass(machine)
    machine.arrive()
    return machine


@pytest.mark.parametrize("after", [*KILLED, Machine.arrive])
def test_mirror_killed_anywhere_and_resumed(dying, after):
    """`mirror` is finished by the next one, and until then the new disk boots."""
    config, facts, _ = dying
    plan = plan_mirror(config, facts, facts)
    whole = arrived(dying)
    points, _ = live(whole, [], plan)
    new = whole.layout.disks[0]
    for at in range(1, points + 1):
        machine, disk = arrived(dying), []
        assert not live(machine, disk, plan, at)[1]
        assert new.path in machine.tables
        assert new.path in machine.loaders
        assert {"zfs"} == set(machine.content[new.part_path(Role.ZFS)])
        assert {"md", "ext2"} == set(machine.content[new.part_path(Role.BOOT)])
        after(machine)
        assert live(machine, disk, plan)[1]
        assert outlives(machine) == outlives(whole), at


def test_sync_killed_anywhere_and_run_again(dying):
    """What `sync` leaves when it dies, the next one closes again."""
    config, facts, plan = dying
    for at in range(1, 10**6):
        machine, disk = begun(dying), []
        live(machine, disk, plan)
        _, alive = live(machine, disk, plan_sync(config, facts), at)
        assert live(machine, disk, plan_sync(config, facts))[1]
        assert machine.pool["state"] == "1"
        if alive:
            break
    assert at > 20


def test_undo_spares_what_is_not_its_own(dying):
    """A hostid that was there before stays, whatever is undone."""
    config, facts, _ = dying
    facts = replace(facts, boot=replace(facts.boot, hostid="1badcafe"))
    machine, disk = Machine(config, facts), []
    plan = plan_run(config, facts)
    live(machine, disk, plan)
    undo(machine, disk, plan)
    assert machine.files.read("/etc/hostid") == "1badcafe"

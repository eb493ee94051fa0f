"""The last pass on a machine in memory: cut short anywhere, failing anywhere, stale."""


import copy
import functools

import pytest

from tests.unit.fakes.machine import Machine
from tests.unit.fakes.machines import WISHES, wished
from tests.unit.fakes.world import Fate, SimulatedWorld, carry_out, executor_of
from zfs_root_migrate.errors import StepFailedError
from zfs_root_migrate.journal import Event
from zfs_root_migrate.paths import BOOTED, SEAL
from zfs_root_migrate.plan import Plan, plan_run, plan_seal, plan_sync
from zfs_root_migrate.shutdown import give_back
from zfs_root_migrate.state import Phase, Recorded, phase

DYING = "guest-openrc-bios"
LATE = "/acknowledged"


@pytest.fixture(autouse=True)
def quick_digest(monkeypatch):
    """Spare the hashing of the same plan for each record."""
    monkeypatch.setattr(Plan, "digest", "digest")


class Copied:
    """A machine with a finished copy, and something written since."""

    def __init__(self, case=DYING) -> None:
        """Migrate, then write."""
        config, facts = wished(case)
        self.machine = Machine(config, facts)
        self.disk = []
        self.plans = {
            make: make(config, facts) for make in (plan_run, plan_sync, plan_seal)
        }
        self.recorded = Recorded(
            config=config, facts=facts, digest="digest", plan=self.plans[plan_run]
        )
        self.live(plan_run)
        self.machine.files.write(LATE, "by whom it concerns")

    def live(self, make, at=None):
        """Carry out a plan in a new process; tell points and whether it lived."""
        world = SimulatedWorld(self.machine, Fate(at))
        alive = carry_out(world, self.disk, self.plans[make])
        self.machine.end_process()
        return world.fate.points, alive

    def seal(self, at=None):
        """Let the system go down, with its last pass."""
        self.machine.go_down()
        return self.live(plan_seal, at)

    def holds_all(self):
        """Tell whether the new root has what was written last."""
        root = self.machine.files.trees[self.machine.layout.root]
        return root.get(LATE) == "by whom it concerns"

    def phase(self):
        """Tell where the old system, running, thinks that it stands."""
        return phase(self.recorded, tuple(self.disk), on_new_root=False)


@functools.cache
def migrated():
    """Return the machine that is used so often; nobody changes it."""
    return Copied()


def fresh():
    """Return a copy of it; the values that nobody can change are shared."""
    one = migrated()
    kept = (one.machine.facts, one.machine.layout, one.machine.config, one.recorded)
    return copy.deepcopy(one, {id(v): v for v in (*kept, *one.plans.values())})


@pytest.mark.parametrize("case", WISHES)
def test_nothing_is_lost(case):
    """What is written after `run` is there, and only then the new root starts."""
    copied = Copied(case)
    assert copied.phase() is Phase.ARMED
    assert not copied.machine.boots()
    assert copied.seal()[1]
    assert copied.holds_all()
    assert copied.machine.boots()
    assert copied.machine.pool["state"] == "1"
    assert copied.machine.snapshots == {f"{copied.machine.layout.pool}@sealed"}
    copied.machine.arrive()


def test_nothing_is_written_after_the_seal():
    """Neither by the pass itself nor by who has its journal."""
    copied = fresh()
    copied.machine.go_down()
    before = len(copied.disk)
    copied.live(plan_seal)
    assert {r.event for r in copied.disk[before:]} == {
        *(Event.BEGIN, Event.KEPT, Event.INTENT)
    }
    assert copied.disk[-1].step == "quiet"
    assert "old /" in copied.machine.files.read_only


def test_cut_short_anywhere():
    """The new root starts with all or not at all; a new pass puts it right."""
    points, _ = fresh().seal()
    started = 0
    for at in range(1, points + 1):
        copied = fresh()
        assert not copied.seal(at)[1]
        assert not copied.machine.boots() or copied.holds_all(), at
        started += copied.machine.boots()
        copied.machine.reboot()
        assert not copied.machine.boots(), at
        assert copied.phase() in (Phase.ARMED, Phase.UNSEALED, Phase.STALE), at
        assert copied.seal()[1], at
        assert copied.holds_all()
        assert copied.machine.boots(), at
    assert 0 < started < points / 2


class Failing(SimulatedWorld):
    """Fails at one of the actions, and not when it is taken back."""

    def __init__(self, machine, at) -> None:
        """Count down to it."""
        super().__init__(machine, Fate())
        self.left = at

    def act(self, action):
        """Do it, or fail."""
        self.left -= 1
        if self.left == 0:
            raise StepFailedError("the disk is gone")
        super().act(action)


def test_failing_anywhere():
    """The old root is writable again and knows why; the new one does not start."""
    for at in range(1, 10**6):
        copied = fresh()
        plan = copied.plans[plan_seal]
        copied.machine.go_down()
        world = Failing(copied.machine, at)
        executor = executor_of(world, copied.disk)
        try:
            executor.run(plan)
        except StepFailedError:
            pass
        else:
            break
        give_back(executor, plan)
        assert "old /" not in copied.machine.files.read_only, at
        assert not copied.machine.imported, at
        assert copied.machine.array == "none", at
        assert not copied.machine.files.own, at
        assert any(r.event is Event.FAILED for r in copied.disk[-40:]), at
        copied.machine.reboot()
        assert not copied.machine.boots(), at
        assert copied.phase() is Phase.UNSEALED, at
        assert copied.seal()[1], at
        assert copied.machine.boots(), at
    assert at > 40


def test_stale_and_sealed_again():
    """After a start of the old system a new pass is needed, and is enough."""
    copied = fresh()
    copied.seal()
    copied.machine.reboot()
    assert copied.phase() is Phase.STALE
    assert not copied.machine.boots()
    copied.machine.files.write("/later", "as well")
    assert copied.live(plan_sync)[1]
    assert copied.phase() is Phase.ARMED
    assert not copied.machine.boots()
    copied.seal()
    assert copied.machine.files.trees[copied.machine.layout.root]["/later"] == "as well"
    assert copied.machine.boots()


def test_a_new_root_that_was_used_is_left_alone():
    """The pass would delete what was written there: it fails, having done nothing."""
    copied = fresh()
    copied.seal()
    root = copied.machine.layout.root
    copied.machine.datasets[root][BOOTED] = "yes"
    copied.machine.files.trees[root]["/of the new root"] = "precious"
    copied.machine.reboot()
    copied.machine.go_down()
    world = SimulatedWorld(copied.machine, Fate())
    executor = executor_of(world, copied.disk)
    with pytest.raises(StepFailedError, match="was booted"):
        executor.run(copied.plans[plan_seal])
    give_back(executor, copied.plans[plan_seal])
    assert copied.machine.files.trees[root]["/of the new root"] == "precious"
    assert copied.machine.datasets[root][SEAL] != "open"
    assert copied.machine.boots()
    assert "old /" not in copied.machine.files.read_only

"""Worlds, journals and monitors for the executor, in which death can be arranged."""

from collections.abc import Callable
from pathlib import Path

from tests.unit.fakes.machine import Machine
from zfs_root_migrate.errors import StepFailedError, VerificationError
from zfs_root_migrate.executor import Executor
from zfs_root_migrate.journal import Event, Journal, Record
from zfs_root_migrate.paths import STATE
from zfs_root_migrate.plan import Plan
from zfs_root_migrate.runner import Answer
from zfs_root_migrate.step import (
    Action,
    Arm,
    Await,
    CompareTrees,
    Consult,
    CopyRounds,
    CopyTree,
    Join,
    Probe,
    Require,
    Run,
    Seal,
    Start,
    Step,
    WriteFile,
)
from zfs_root_migrate.world import fits


class DeathError(BaseException):
    """The process was killed: nothing may catch this."""


class Fate:
    """Counts the points at which a process can die, and kills it at one of them."""

    def __init__(self, at: int | None = None) -> None:
        """Die at point number `at`, or never."""
        self.at = at
        self.points = 0

    def point(self) -> None:
        """Pass a point, or die there."""
        self.points += 1
        if self.points == self.at:
            raise DeathError


class MemoryJournal(Journal):
    """A journal whose disk is a list that outlives the process."""

    def __init__(
        self,
        disk: list[Record],
        fate: Fate,
        writable: Callable[[], bool] = lambda: True,
    ) -> None:
        """Read what is there; what is not `writable` now is written later."""
        super().__init__(Path("/nowhere"), list(disk), clock=lambda: 0.0)
        self.disk = disk
        self.fate = fate
        self.writable = writable

    def write(
        self, event: Event, verb: str, plan: str, step: str = "", text: str = ""
    ) -> None:
        """Append one record; death comes before or after it."""
        self.fate.point()
        super().write(event, verb, plan, step, text)
        self.fate.point()

    def _append(self, path: Path) -> None:
        if self.writable():
            self.disk.extend(self._late)
            self._late.clear()


class Silent:
    """Hears and says nothing."""

    def step_begins(self, step: Step, number: int, total: int) -> None:
        """Ignore it."""

    def step_ends(self, step: Step, *, kept: bool) -> None:
        """Ignore it."""


class SimulatedWorld:
    """Acts on a machine in memory as the live world does on a real one."""

    def __init__(self, machine: Machine, fate: Fate) -> None:
        """Bind both."""
        self.machine = machine
        self.fate = fate
        self.started: set[str] = set()

    def close(self) -> None:
        """End what runs in the background."""
        self.started.clear()

    def holds(self, probe: Probe) -> bool:
        """Ask the machine."""
        answer = self.machine.query(probe.argv, probe.chroot)
        return fits(probe, answer) is probe.holds

    def act(self, action: Action) -> None:
        """Do it, or die before or after."""
        self.fate.point()
        self._act(action)
        self.fate.point()

    def _act(self, action: Action) -> None:  # noqa: C901 - one case for each
        files = self.machine.files
        match action:
            case Run():
                self._run(action)
            case WriteFile():
                files.make_directory(action.path.rpartition("/")[0])
                files.write(action.path, action.content)
            case Require():
                if not self.holds(action.probe):
                    raise StepFailedError(action.brief)
            case CopyTree():
                tree = (action.source, action.destination, action.exclude)
                files.copy(*tree, 3)
                self.fate.point()
                files.copy(*tree, 10**9)
            case CopyRounds():
                for tree in action.trees:
                    self._act(tree)
                    self.fate.point()
            case Arm():
                self._act(WriteFile(path=action.path, content="last_pass() {"))
            case Seal():
                windows = (self.machine.window(fs.target) for fs in action.sources)
                text = f"zfs-root-migrate:seal=v1 {'0' * 64} {' '.join(windows)}"
                self._run(Run(argv=("zfs", "set", text, action.dataset)))
            case CompareTrees():
                for pair in action.pairs:
                    self._compare(pair)
            case Start():
                # the machine knows no time: at once is one of the orders
                self.started.add(action.name)
                self._act(action.run)
            case Join():
                self.started.remove(action.name)
            case Consult():
                # whatever it says; but it needs the new root to say it of
                assert action.chroot is not None
            case Await():
                answer = self.machine.query(action.argv)
                done = Probe(argv=action.argv, matches=(action.done,))
                if not fits(done, answer):
                    raise StepFailedError(f"waits for ever while {action.what}")

    def _run(self, action: Run) -> None:
        if action.when is not None and not self.holds(action.when):
            return
        status, _ = self.machine.start(action.argv, action.stdin or "", action.chroot)
        if status not in action.accept:
            raise StepFailedError(f"{' '.join(action.argv)} ended with {status}")

    def _compare(self, pair: CopyTree) -> None:
        out = pair.exclude
        for inner, content in self.machine.files.below(pair.source).items():
            if not any(inner == e or inner.startswith(e + "/") for e in out):
                found = self.machine.files.read(pair.destination + inner)
                if found != content:
                    raise VerificationError(f"{pair.destination}{inner}: {found}")


class EffectWorld:
    """Effects are names: `do NAME` has it, `drop NAME` loses it, `has NAME` asks."""

    def __init__(self, fate: Fate) -> None:
        """Begin with no effects."""
        self.effects: set[str] = set()
        self.fate = fate
        self.acted: list[str] = []
        self.before_act: Callable[[Action], None] = lambda _: None

    def holds(self, probe: Probe) -> bool:
        """Look the effect up."""
        status = 0 if probe.argv[1] in self.effects else 1
        return fits(probe, Answer(probe.argv, status, "", "")) is probe.holds

    def act(self, action: Action) -> None:
        """Have or lose an effect."""
        assert isinstance(action, Run)
        self.before_act(action)
        self.fate.point()
        verb, name = action.argv
        if verb == "do":
            self.effects.add(name)
        elif verb == "fail":
            raise StepFailedError(name)
        elif verb == "interrupt":
            raise KeyboardInterrupt
        else:
            self.effects.discard(name)
        self.acted.append(name)
        self.fate.point()

    def reboot(self) -> None:
        """Lose the effects that do not outlive a boot."""
        self.effects = {e for e in self.effects if not e.startswith("transient")}


def carry_out(
    world: SimulatedWorld | EffectWorld, disk: list[Record], plan: Plan
) -> bool:
    """Run a plan in a process of its own; tell whether it lived to the end."""
    try:
        executor_of(world, disk).run(plan)
    except DeathError:
        return False
    return True


def executor_of(
    world: "SimulatedWorld | EffectWorld", disk: list[Record]
) -> Executor:
    """Return an executor with a journal that lies on the old root."""
    if isinstance(world, EffectWorld):
        return Executor(world, MemoryJournal(disk, world.fate), Silent())
    files = world.machine.files
    journal = MemoryJournal(
        disk, world.fate, lambda: files.place(STATE)[0] not in files.read_only
    )
    return Executor(world, journal, Silent())


def take_back(
    world: SimulatedWorld | EffectWorld, disk: list[Record], plan: Plan
) -> bool:
    """Undo a plan in a process of its own; tell whether it lived to the end."""
    try:
        executor_of(world, disk).undo(plan)
    except DeathError:
        return False
    return True

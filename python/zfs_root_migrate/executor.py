"""Carries out plans: intent, deed, proof. The only code that acts on steps.

Every step is bracketed by fsynced journal records. A step whose proof holds already is
kept; a step whose proof does not hold after its deeds has failed. Undo goes backwards
over the steps that the journal says may have left something.
"""

from collections.abc import Callable
from typing import Protocol

from zfs_root_migrate.errors import MigrateError, StepFailedError
from zfs_root_migrate.journal import Event, Journal, touched
from zfs_root_migrate.plan import Plan
from zfs_root_migrate.step import Action, Probe, Step


class World(Protocol):
    """What can be done to a machine, and asked of it."""

    def holds(self, probe: Probe) -> bool:
        """Tell whether the probe's answer is the expected one."""

    def act(self, action: Action) -> None:
        """Do it, or raise StepFailedError."""


class Monitor(Protocol):
    """Who is told how it goes."""

    def step_begins(self, step: Step, number: int, total: int) -> None:
        """A step begins; `number` counts from 1."""

    def step_ends(self, step: Step, *, kept: bool) -> None:
        """The step is done; `kept` where its effect was there already."""


class Executor:
    """Runs and undoes plans in a world, with a journal."""

    def __init__(self, world: World, journal: Journal, monitor: Monitor) -> None:
        """Bind the three together; nothing is done yet."""
        self._world = world
        self._journal = journal
        self._monitor = monitor
        self._digest = ""

    def run(self, plan: Plan) -> None:
        """Bring every step of the plan to its end, keeping what is there already."""
        self._digest = plan.digest
        self._note(plan, Event.BEGIN)
        for number, step in enumerate(plan.steps, 1):
            self._monitor.step_begins(step, number, len(plan.steps))
            kept = self._is_there(step)
            if kept:
                self._note(plan, Event.KEPT, step)
            else:
                self._guarded(plan, step, lambda s=step: self._carry_out(s))  # type: ignore[misc]
                self._note(plan, Event.DONE, step)
            self._monitor.step_ends(step, kept=kept)
        self._note(plan, Event.END)

    def undo(self, plan: Plan) -> None:
        """Take back every step that may have left something, the last one first."""
        self._digest = plan.digest
        open_steps = touched(self._journal.records, plan.verb)
        steps = [step for step in reversed(plan.steps) if step.id in open_steps]
        for number, step in enumerate(steps, 1):
            self._monitor.step_begins(step, number, len(steps))
            for action in step.undo:
                self._world.act(action)
            self._note(plan, Event.UNDONE, step)
            self._monitor.step_ends(step, kept=not step.undo)

    def _is_there(self, step: Step) -> bool:
        if step.always or not step.proof:
            return False
        return all(self._world.holds(p) for p in step.proof)

    def _carry_out(self, step: Step) -> None:
        for action in step.actions:
            self._world.act(action)
        for probe in step.proof:
            if not self._world.holds(probe):
                raise StepFailedError(
                    f"{step.title}: it was done, but the proof does not hold",
                    details=describe_failure(probe),
                )

    def _guarded(self, plan: Plan, step: Step, deed: Callable[[], None]) -> None:
        """Write the intent, act, and see that every other ending is in the journal."""
        self._note(plan, Event.INTENT, step)
        try:
            deed()
        except MigrateError as error:
            self._note(plan, Event.FAILED, step, error.brief)
            raise
        except KeyboardInterrupt:
            self._note(plan, Event.INTERRUPTED, step)
            raise

    def _note(
        self, plan: Plan, event: Event, step: Step | None = None, text: str = ""
    ) -> None:
        name = step.id if step else ""
        self._journal.write(event, plan.verb, self._digest, name, text)


def describe_failure(probe: Probe) -> str:
    """Say what was asked and what was expected, for people."""
    parts = [f"asked: {' '.join(probe.argv)}"]
    if probe.status is not None:
        parts.append(f"expected exit status {probe.status}")
    parts += [f"expected to find: {text}" for text in probe.matches]
    parts += [f"expected not to find: {text}" for text in probe.absent]
    if not probe.holds:
        parts.append("(or rather the opposite of all this)")
    return "\n".join(parts)

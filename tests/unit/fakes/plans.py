"""Plans made up for tests, whose actions have and lose effects that are names."""

from dataclasses import replace

from hypothesis import strategies as st

from zfs_root_migrate.plan import Plan
from zfs_root_migrate.step import Hazard, Probe, Run, Step


def has(effect: str) -> Probe:
    """Ask for an effect."""
    return Probe(argv=("has", effect))


def make_step(name: str, *effects: str, proven: bool = True, **more: object) -> Step:
    """Return a step that has these effects and loses them when it is undone."""
    lasting = [e for e in effects if not e.startswith("transient")]
    fields: dict[str, object] = {
        "id": name,
        "title": f"title of {name}",
        "reason": "a test",
        "hazard": Hazard.REVERSIBLE if lasting else Hazard.READS,
        "actions": tuple(Run(argv=("do", effect)) for effect in effects),
        "undo": tuple(Run(argv=("drop", effect)) for effect in reversed(lasting)),
        "proof": tuple(map(has, effects)) if proven else (),
        **more,
    }
    return Step(**fields)  # type: ignore[arg-type]


def make_plan(*steps: Step) -> Plan:
    """Return a plan of these steps."""
    return Plan(verb="run", steps=steps)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Draw a plan with lasting, transient, unproven and elsewhere undone steps."""
    steps: list[Step] = []
    for n in range(draw(st.integers(1, 5))):
        kinds = draw(st.lists(st.sampled_from(("lasting", "transient")), max_size=3))
        effects = [f"{kind} {n}.{m}" for m, kind in enumerate(kinds)]
        step = make_step(f"step-{n}", *effects, proven=draw(st.booleans()))
        if steps and step.undo and draw(st.booleans()):
            step = _taken_along(step, steps, draw(st.integers(0, n - 1)))
        steps.append(step)
    return make_plan(*steps)


def _taken_along(step: Step, steps: list[Step], holder: int) -> Step:
    """Let an earlier step's undo take the effects of a step along."""
    if steps[holder].undone_by or not steps[holder].undo:
        return step
    more = (*step.undo, *steps[holder].undo)
    steps[holder] = replace(steps[holder], undo=more)
    return replace(step, undo=(), undone_by=(steps[holder].id,))

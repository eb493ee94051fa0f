"""Checks must judge any facts that can be decoded, without an error of their own."""

import dataclasses
from enum import Enum
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.checks.cases import CASES
from tests.unit.checks.machines import base
from zfs_root_migrate.checks import run_checks
from zfs_root_migrate.finding import finding_json

TEXTS = st.sampled_from(
    [
        "",
        "/",
        "vda",
        "vdb",
        "/dev/vdb",
        "/boot",
        "ext4",
        "zfs",
        "\udcff",
        "a b'\"\n",
        "0",
    ]
)


def _same_kind(value: object) -> st.SearchStrategy[Any]:
    if isinstance(value, bool):
        return st.booleans()
    if isinstance(value, Enum):
        return st.sampled_from(type(value))
    if isinstance(value, int):
        return st.sampled_from([0, 1, 512, 4096, 1 << 20, 1 << 40, 1 << 62])
    if isinstance(value, str):
        return TEXTS
    if isinstance(value, tuple) and value:
        return st.lists(st.sampled_from(value), max_size=len(value) + 2).map(tuple)
    return st.just(value)


@st.composite
def mutated(draw: st.DrawFn, value: Any) -> Any:  # noqa: ANN401
    """Change some fields of a value, at any depth, to others of their kind."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        chosen = draw(st.lists(st.sampled_from(names), max_size=3, unique=True))
        changes = {name: draw(mutated(getattr(value, name))) for name in chosen}
        return dataclasses.replace(value, **changes)
    if isinstance(value, tuple) and value and draw(st.booleans()):
        at = draw(st.integers(0, len(value) - 1))
        return (*value[:at], draw(mutated(value[at])), *value[at + 1 :])
    return draw(_same_kind(value))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_facts_crash_a_check(data: st.DataObject) -> None:
    """Whatever is in the facts, there are findings and no error."""
    case = data.draw(st.sampled_from(CASES))
    facts = data.draw(mutated(case.change(base())))
    config = dataclasses.replace(
        case.config,
        target=data.draw(st.lists(TEXTS, max_size=4).map(tuple)),
        overwrite=data.draw(st.lists(TEXTS, max_size=2).map(tuple)),
        exclude=data.draw(st.lists(TEXTS, max_size=2).map(tuple)),
        join_old_disk=data.draw(st.booleans()),
        swap_size=data.draw(st.sampled_from([None, 0, 1 << 62])),
        boot_size=data.draw(st.sampled_from([None, 0, 1 << 62])),
    )
    for finding in run_checks(facts, config):
        assert finding_json(finding)["seen"]

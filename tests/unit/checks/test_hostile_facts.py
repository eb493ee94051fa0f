"""Checks must judge any facts that can be decoded, without an error of their own."""

import dataclasses
import io
import os
import re
import tempfile
import types
import typing
from contextlib import redirect_stderr, redirect_stdout
from enum import Enum
from functools import cache
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.checks.cases import CASES
from tests.unit.checks.machines import NEW, base
from zfs_root_migrate import model
from zfs_root_migrate.checks import run_checks
from zfs_root_migrate.cli import main
from zfs_root_migrate.facts import dump_facts
from zfs_root_migrate.finding import finding_json

NUMBERS = [0, 1, 512, 4096, 1 << 20, 1 << 40, 1 << 62, (1 << 63) - 1, -1]
TEXTS = st.sampled_from(
    [
        "",
        "/",
        "//",
        "/usr/../..",
        "-rf",
        "$(reboot)",
        "6.12.31-gentoo",
        "99999999999999999999.1",
        "sys-fs/zfs-2.3.4",
        "=sys-fs/zfs",
        "sys-fs/zfs-",
        "MODULES=y",
        "=",
        "x" * 5000,
        "\x1b[31m",
        "\x1b]0;title\x07\r\n  rm -rf /\x9b2J",
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


def _of_type(kind: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401
    """Return values of a field's type, whatever the field holds now."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        return st.one_of(*map(_of_type, inner))
    if origin is tuple:
        return st.lists(_of_type(inner[0]), max_size=3).map(tuple)
    if kind is types.NoneType:
        return st.none()
    if dataclasses.is_dataclass(kind):
        return st.deferred(lambda: _built(kind))
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    return {bool: st.booleans(), int: st.sampled_from(NUMBERS), str: TEXTS}[kind]


@cache
def _built(kind: type) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{name: _of_type(hint) for name, hint in hints.items()})


def _same_kind(value: object) -> st.SearchStrategy[Any]:
    if isinstance(value, bool):
        return st.booleans()
    if isinstance(value, Enum):
        return st.sampled_from(type(value))
    if isinstance(value, int):
        return st.sampled_from(NUMBERS)
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
        hints = typing.get_type_hints(type(value))
        changes = {
            name: draw(
                _of_type(hints[name])
                if draw(st.integers(0, 3)) == 0
                else mutated(getattr(value, name))
            )
            for name in chosen
        }
        return dataclasses.replace(value, **changes)
    if isinstance(value, tuple) and value and draw(st.booleans()):
        at = draw(st.integers(0, len(value) - 1))
        return (*value[:at], draw(mutated(value[at])), *value[at + 1 :])
    return draw(_same_kind(value))


@pytest.mark.slow
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


def test_every_type_of_the_model_is_drawn() -> None:
    """A field of a new type is mutated as well, or this fails."""
    for kind in vars(model).values():
        if dataclasses.is_dataclass(kind):
            for name, hint in typing.get_type_hints(kind).items():
                assert _of_type(hint) is not None, (kind, name)


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_no_facts_crash_a_verb(data: st.DataObject) -> None:
    """Whatever loads is judged, listed, shown and planned; the rest is refused."""
    facts = data.draw(mutated(data.draw(st.sampled_from(CASES)).change(base())))
    wishes = data.draw(
        st.sampled_from(
            [[], ["--set", f"target={NEW}"], ["--set", "layout=boot-environments"]]
        )
    )
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write(dump_facts(facts))
        file.flush()
        told = {verb: call(verb, file.name, wishes) for verb in VERBS}
    refused = {verb for verb, (status, _) in told.items() if status == 2}
    assert refused in (set(), set(VERBS)), told
    for verb, (status, text) in told.items():
        assert status in (0, 2, 3), verb
        assert not OBEYED.search(text), verb
        if status == 2:
            assert file.name in text
            assert "field " in text


# what a terminal would obey
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
VERBS = ("check", "list", "show", "plan")


def call(verb: str, facts: str, wishes: list[str]) -> tuple[int, str]:
    """Return the status of a verb on a facts file, and what it said."""
    words = [verb, "--facts", facts, *wishes, "--config", os.devnull]
    out, err = io.StringIO(), io.StringIO()
    with (
        redirect_stdout(out),
        redirect_stderr(err),
        mock.patch("signal.signal"),
        mock.patch("os.umask"),
    ):
        status = main(words)
    return status, out.getvalue() + err.getvalue()

"""Values survive the way through JSON; what is not a value is named by its path."""

import json
from dataclasses import dataclass
from enum import IntEnum, StrEnum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zfs_root_migrate.codec import canonical, decode, encode
from zfs_root_migrate.errors import UsageError
from zfs_root_migrate.model import Facts, Mount, PortageFacts

# what the bytes of a file name can become
NAMES = st.binary(max_size=8).map(
    lambda data: data.replace(b"\0", b"").decode("utf-8", "surrogateescape")
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


class Colour(StrEnum):
    """An enumeration of texts."""

    RED = "red"


class Level(IntEnum):
    """An enumeration of numbers."""

    LOW = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    """One member of a union."""

    radius: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """The other member of a union."""

    side: int
    colour: Colour = Colour.RED


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Every kind of field there is."""

    title: str
    shapes: tuple[Circle | Square, ...]
    level: Level
    note: str | None = None
    done: bool = False
    tags: tuple[str, ...] = ()
    frame: Circle | Square | None = None


def build(kind):
    """Build values of a type with names of all sorts in them."""
    numbers = st.integers(-(1 << 63) + 1, (1 << 63) - 1)
    with_names = {str: NAMES, int: numbers, bool: st.booleans()}
    for plain, strategy in with_names.items():
        st.register_type_strategy(plain, strategy)
    return st.from_type(kind)


@given(build(Drawing))
def test_round_trip(drawing):
    """What is encoded and written as JSON is read as an equal value."""
    text = json.dumps(encode(drawing))
    assert decode(Drawing, json.loads(text)) == drawing


@settings(max_examples=20)
@given(build(Facts))
def test_facts_round_trip(facts):
    """Facts of any content survive, lone surrogates in names included."""
    assert decode(Facts, json.loads(json.dumps(encode(facts)))) == facts


@given(build(Drawing))
def test_one_text_for_one_value(drawing):
    """Equal values have one canonical text, which a digest can be made of."""
    again = decode(Drawing, json.loads(canonical(drawing)))
    assert canonical(again) == canonical(drawing)


@given(ANYTHING)
def test_nothing_but_usage_errors(data):
    """Whatever JSON holds, decoding gives a value or a UsageError."""
    for kind in (Facts, Mount, Drawing):
        try:
            assert isinstance(decode(kind, data), kind)
        except UsageError as error:
            assert "field" in error.brief  # noqa: PT017 - not every input is wrong


GOOD = {"title": "t", "shapes": [{"type": "Circle", "radius": 1}], "level": 0}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"title": 1}, "field title: wanted text"),
        ({"title": "a\0b"}, "field title: wanted text that a file name can be"),
        ({"title": None}, "field title"),
        ({"done": 1}, "field done: wanted bool"),
        ({"level": 7}, "field level: wanted one of 0"),
        ({"level": []}, "field level: wanted one of 0"),
        ({"shapes": {}}, "field shapes: wanted a list"),
        ({"shapes": [None]}, "field shapes[0]: wanted one of Circle, Square"),
        ({"shapes": [{"type": "Star"}]}, "field shapes[0]"),
        ({"shapes": [{"type": "Circle", "radius": 1.0}]}, "shapes[0].radius"),
        ({"shapes": [{"type": "Circle", "radius": True}]}, "shapes[0].radius"),
        ({"shapes": [{"type": "Circle"}]}, "missing field shapes[0].radius"),
        ({"tags": ["a", 2]}, "field tags[1]"),
        ({"frame": {"type": "Square", "side": 1, "colour": "x"}}, "frame.colour"),
        ({"extra": 1}, "unknown field extra"),
    ],
)
def test_the_bad_field_is_named(change, named):
    """An error names the field by its path."""
    with pytest.raises(UsageError) as caught:
        decode(Drawing, {**GOOD, **change})
    assert named in caught.value.brief


def test_a_long_value_is_cut():
    """An error does not repeat a whole file."""
    with pytest.raises(UsageError) as caught:
        decode(PortageFacts, {"version": ["x" * 10_000]})
    assert len(caught.value.brief) < 200


def test_optional_fields_may_be_missing():
    """A field with a default need not be in the document: it can be older."""
    assert decode(Drawing, GOOD).note is None

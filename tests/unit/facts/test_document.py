"""Facts from a file are well-formed, or the bad field is named."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfs_root_migrate.errors import UsageError
from zfs_root_migrate.facts import dump_facts, load_facts

MACHINES = Path(__file__).parents[2] / "machines"
TEXT = (MACHINES / "occupied" / "facts.json").read_text()
DOCUMENT = json.loads(TEXT)
HOSTILE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 70), 1 << 70),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["", "/", "..", "a\0b", "\udcff", "-rf", "$(reboot)", "x" * 9999]),
    st.lists(st.text(max_size=2), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)


def test_round_trip():
    """What is written is read as the same facts."""
    facts = load_facts(TEXT, "test")
    assert load_facts(dump_facts(facts), "test") == facts


def refused(text):
    """Return how a document is refused, or None where it is read."""
    try:
        load_facts(text, "bug.json")
    except UsageError as error:
        return error.brief
    return None


@given(st.integers(0, len(TEXT) - 2))
def test_truncated(length):
    """A file that ends early is no JSON."""
    assert refused(TEXT[:length]).startswith("bug.json is not a JSON file")


@given(st.text())
def test_anything(text):
    """Any text is refused in words."""
    assert refused(text)


def places(value, path=()):
    """Yield every place in a document."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items if isinstance(value, dict | list) else ():
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, key))
        else:
            yield (*path, key)


PLACES = [path for path in places(DOCUMENT) if path]


def changed(path, value):
    """Return the document with one place changed."""
    document = json.loads(TEXT)
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return json.dumps(document)


def written(path):
    """Return a path the way errors name it."""
    return "".join(f"[{k}]" if isinstance(k, int) else f".{k}" for k in path)[1:]


@given(st.sampled_from(PLACES), HOSTILE)
def test_any_field_may_be_anything(path, value):
    """One hostile value anywhere is accepted as a value or refused by name."""
    brief = refused(changed(path, value))
    assert brief is None or brief.startswith("bug.json")


@given(st.sampled_from([p for p in PLACES if p[-1] != "type"]))
def test_the_wrong_type_is_named(path):
    """An object where none belongs is refused with the field's whole path."""
    brief = refused(changed(path, {"type": "Nothing", "x": 1}))
    assert written(path) in brief


@given(st.sampled_from([p for p in PLACES if not isinstance(p[-1], int)]))
def test_a_missing_field_is_named(path):
    """A field that is gone has a default or is named."""
    document = json.loads(TEXT)
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    brief = refused(json.dumps(document))
    assert brief is None or written(path).rpartition("]")[2].lstrip(".") in brief


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("schema",), "other", "field schema"),
        (("version",), 2, "field version"),
        (("version",), True, "field version"),
        (("version",), "1", "field version"),
        (("storage", "devices", 0, "size"), -1, "storage.devices[0].size"),
        (("storage", "devices", 0, "logical_sector"), 0, "logical_sector"),
        (("storage", "devices", 0, "parents"), ["sda"], "devices[0].parents"),
        (("storage", "devices", 1, "parents"), ["sdz"], "devices[1].parents"),
        (("storage", "devices", 1, "name"), "sda", "devices[1].name"),
        (("storage", "devices", 1, "name"), "", "devices[1].name"),
        (("storage", "mounts", 0, "used"), -1, "storage.mounts[0].used"),
        (("storage", "swaps", 0, "size"), -1, "storage.swaps[0].size"),
        (("system", "memory"), -1, "system.memory"),
        (("elsewhere",), "mnt", "field elsewhere"),
        (("tree",), {"files": -1, "directories": 0}, "tree.files"),
        (("tree",), {"files": 0, "directories": -1}, "tree.directories"),
        (
            ("tree",),
            {"files": 0, "directories": 0, "unreadable": ["/x"]},
            "tree.unreadable_found",
        ),
        (("tree",), {"files": 0}, "tree.directories"),
        (("tree",), {"files": "many", "directories": 0}, "tree.files"),
        (
            ("tree",),
            {"files": 0, "directories": 0, "links": [{"paths": [1], "links": 2}]},
            "tree.links[0].paths[0]",
        ),
        (("boot", "firmware"), "coreboot", "boot.firmware"),
        (("system", "init"), "runit", "system.init"),
    ],
)
def test_impossible_values(path, value, named):
    """A value of the right type can still be impossible."""
    assert named in refused(changed(path, value))


@pytest.mark.parametrize("depth", [10, 500, 950, 980, 990, 995, 1200, 5000, 90000])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize(
    "path", [("system",), ("system", "memory"), ("storage", "devices", 0, "links", 0)]
)
def test_any_depth(depth, begin, end, path):
    """However deep a value is, it is refused in words, by the field or as a whole."""
    deep = begin * depth + "1" + end * depth
    brief = refused(changed(path, "HERE").replace('"HERE"', deep))
    whole = brief.startswith("bug.json is not a JSON file")
    assert whole or "unknown field system.a" in brief or written(path) in brief


@pytest.mark.parametrize("number", [1 << 63, -(1 << 63), 10**4000, 10**30])
@pytest.mark.parametrize(
    "field", [("system", "memory"), ("storage", "mounts", 0, "used")]
)
def test_numbers_are_of_64_bits(field, number):
    """Sizes that nothing can have overflow in arithmetic; they are named instead."""
    brief = refused(changed(field, number))
    assert f"{written(field)}: wanted a number of 64 bits" in brief
    assert len(brief) < 200


def test_numbers_without_end():
    """Python refuses to read numbers of many thousand digits; so do we."""
    assert refused(changed(("system", "memory"), 0).replace(": 0", ": " + "9" * 9999))

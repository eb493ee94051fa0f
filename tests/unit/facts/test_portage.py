"""Portage's answer is read, and its silence has a reason."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.machines.compose.system import portage
from zfs_root_migrate.facts.portage import (
    ASK,
    SCRIPT,
    gather_portage,
    parse_portage,
)
from zfs_root_migrate.model import PortageFacts
from zfs_root_migrate.reader import Recording, RecordingReader, ReplayReader


def test_an_answer():
    """What Portage said before the answer does not matter."""
    found = parse_portage("!!! Invalid\n" + portage("sys-fs/zfs-2.3.6"))
    assert found == PortageFacts(
        version="3.0.79",
        profile="default/linux/amd64/23.0",
        repository="/var/db/repos/gentoo",
        distdir="/var/cache/distfiles",
        pkgdir="/var/cache/binpkgs",
        packages=("sys-apps/portage-3.0.79", "sys-fs/zfs-2.3.6"),
    )


def test_a_reason():
    """Portage that cannot be imported says why."""
    text = json.dumps({"reason": "ModuleNotFoundError: No module named 'portage'"})
    assert parse_portage(text).reason.startswith("ModuleNotFoundError")


@pytest.mark.parametrize("text", ["", "no", "[]", "1", "[" * 100_000])
def test_no_answer(text):
    """An answer that cannot be read is a reason, not an error."""
    assert parse_portage(text).reason


@given(st.dictionaries(st.sampled_from(["version", "packages", "reason"]), st.text()))
def test_strange_answers(found):
    """A field of the wrong type is unknown."""
    assert parse_portage(json.dumps(found)).packages == ()


@pytest.mark.parametrize(
    ("status", "stderr", "reason"),
    [
        (127, "python3: not found", "python3: not found"),
        (1, "Traceback\nSyntaxError: invalid\n", "SyntaxError: invalid"),
        (124, "", "python3 ended with status 124"),
    ],
)
def test_python_fails(status, stderr, reason):
    """A process that fails takes nothing with it."""
    reader = RecordingReader(ReplayReader(Recording()))
    gather_portage(reader)
    (asked,) = reader.recording.queries
    world = Recording(queries={asked: (status, "", stderr)})
    assert gather_portage(ReplayReader(world)) == PortageFacts(reason=reason)


def test_the_script_is_python_that_writes_nothing():
    """It compiles; Python is told to leave no files and to heed no variables."""
    compile(SCRIPT, "script", "exec")
    assert ASK[1] == "-IBc"

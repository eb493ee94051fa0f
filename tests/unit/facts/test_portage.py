"""Portage's answer is read, and its silence has a reason."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.machines.compose.portage import Gentoo, answer, fields
from zfs_root_migrate.codec import encode
from zfs_root_migrate.facts.portage import ask_portage, parse_portage
from zfs_root_migrate.model import Ebuild, Installed, Package, PlaceKind, PortageFacts
from zfs_root_migrate.portage_query import query_files, query_portage
from zfs_root_migrate.reader import Recording, ReplayReader

NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
FIELDS = st.sampled_from(list(PortageFacts.__dataclass_fields__))


def test_an_answer():
    """What Portage said before the answer does not matter."""
    found = parse_portage("!!! Invalid\n" + answer(Gentoo()))
    assert found.reason is None
    assert (found.version, found.profile) == ("3.0.79", "default/linux/amd64/23.0")
    assert (found.arch, found.accept_keywords) == ("amd64", ("amd64",))
    assert {place.kind for place in found.places} == {PlaceKind.DIRECTORY}
    assert found.merging == found.resumes == found.updates == found.preserved == ()
    modules = found.package("sys-fs/zfs-kmod")
    assert modules
    (installed,) = modules.installed
    assert (installed.cpv, installed.linux_max) == ("sys-fs/zfs-kmod-2.3.6", "6.19")
    assert "initramfs" in installed.use
    zfs = found.package("sys-fs/zfs")
    assert zfs
    assert zfs.candidate == "sys-fs/zfs-2.4.3"
    assert [e.keyword for e in zfs.ebuilds] == ["~amd64", None, "~amd64", None, "**"]


def test_nothing_is_lost():
    """Every field of the answer is a field of the facts."""
    told = fields(Gentoo())
    read = without_kinds(encode(parse_portage(answer(Gentoo()))))
    assert {"reason"} == set(read) - set(told)
    for package in read["packages"]:
        assert package.pop("reason") is None
    assert {name: read[name] for name in told} == told


def without_kinds(data):
    """Take the names of the kinds out of an encoded value."""
    if isinstance(data, dict):
        return {k: without_kinds(v) for k, v in data.items() if k != "type"}
    return [without_kinds(item) for item in data] if isinstance(data, list) else data


def test_a_reason():
    """Portage that cannot be asked says why, and the files' facts are there."""
    row = {"name": "sys-fs/zfs", "installed": [{"cpv": "sys-fs/zfs-2.3.6"}]}
    text = json.dumps({"reason": "python3 (3.14) has no Portage", "packages": [row]})
    found = parse_portage(text)
    assert found.reason == "python3 (3.14) has no Portage"
    installed = (Installed(cpv="sys-fs/zfs-2.3.6"),)
    assert found.packages == (Package(name="sys-fs/zfs", installed=installed),)


@pytest.mark.parametrize("text", ["", "no", "[]", "1", "[" * 100_000])
def test_no_answer(text):
    """An answer that cannot be read is a reason, not an error."""
    assert parse_portage(text).reason


@given(st.dictionaries(FIELDS, NESTED))
def test_strange_answers(found):
    """A field of the wrong type is unknown; the others are read."""
    read = parse_portage(json.dumps({**found, "pkgdir": "/p"}))
    assert isinstance(read, PortageFacts)
    assert read.pkgdir == "/p"


@given(st.dictionaries(st.sampled_from(list(Ebuild.__dataclass_fields__)), NESTED))
def test_one_strange_package(ebuild):
    """What is wrong with a package takes no other with it."""
    strange = {"name": "a/b", "ebuilds": [ebuild]}
    text = json.dumps({"packages": [strange, 7, {"name": "c/d"}]})
    names = [package.name for package in parse_portage(text).packages]
    assert names == ["a/b", "c/d"]


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
    world = Recording(queries={"script portage": (status, "", stderr)})
    assert ask_portage(ReplayReader(world))() == PortageFacts(reason=reason)


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["/usr/bin/python3.13", "-b", "/x/emerge", "-av", "vim"], "emerge -av vim"),
        (["python3", "/usr/bin/emerge", "--sync"], "emerge --sync"),
        (["/usr/bin/python3.13", "/usr/bin/ebuild", "a.ebuild", "merge"], "ebuild a.e"),
        (["/usr/bin/emerge", "-pv", "vim"], None),
        (["python3", "/usr/bin/emerge", "--info"], None),
        (["vim", "/usr/bin/emerge"], None),
        (["man", "emerge"], None),
        (["less", "-R", "emerge"], None),
        (["python3", "-IB", "/x/portage_query"], None),
        ([], None),
    ],
)
def test_merges_that_run(words, command):
    """Only what merges counts, not what is called like it."""
    found = query_files.merge_command(words)
    assert found is None if command is None else found.startswith(command)


def test_another_python(tmp_path, monkeypatch):
    """The Python that emerge has is taken where this one has no Portage; only once."""
    for name, program in (("python3.13", "emerge"), ("python3.14", "other")):
        (tmp_path / "exec" / name).mkdir(parents=True)
        (tmp_path / "exec" / name / program).touch()
        (tmp_path / name).touch(mode=0o755)
    started = []
    monkeypatch.setattr(query_portage, "PROGRAMS", str(tmp_path / "exec"))
    monkeypatch.setattr(query_portage, "PYTHONS", str(tmp_path))
    monkeypatch.setattr(query_portage.sys, "argv", ["/q", "--root", "/r"])
    monkeypatch.setattr(os, "execv", lambda *argv: started.append(argv))
    monkeypatch.delenv(query_portage.TRIED, raising=False)
    query_portage.use_another_python(ValueError("no"))
    assert not started
    for _ in range(2):
        query_portage.use_another_python(ModuleNotFoundError(name="portage"))
    python = str(tmp_path / "python3.13")
    assert started == [(python, [python, "-IB", "/q", "--root", "/r"])]
    monkeypatch.delenv(query_portage.TRIED)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ModuleNotFoundError("No module", name="portage"), "has no Portage"),
        (ModuleNotFoundError("no yaml", name="yaml"), "cannot load Portage: no yaml"),
        (SyntaxError("bad"), "cannot load Portage: bad"),
        (query_portage.UnusableError("no profile"), "no profile"),
        (SystemExit(1), "Portage cannot use its configuration: SystemExit: 1"),
        (ValueError("a\n b"), "Portage cannot use its configuration: ValueError: a b"),
    ],
)
def test_reasons_are_one_line(error, said):
    """They end up in a finding."""
    text = query_portage.explain(error)
    assert text.endswith(said)
    assert "\n" not in text

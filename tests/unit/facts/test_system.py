"""The rest of the system, from small files and one question to the shell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfs_root_migrate.facts.system import (
    FIND_TOOLS,
    gather_init,
    gather_runlevels,
    gather_symlinks,
    gather_system,
    is_root,
    parse_memory,
    parse_os_release,
    parse_tools,
    parse_zfs_version,
)
from zfs_root_migrate.model import Init, Runlevel
from zfs_root_migrate.reader import Recording, ReplayReader


def replay(**parts):
    """Return a reader of a recording with these parts."""
    return ReplayReader(Recording(**parts))


def test_os_release():
    """Values may be quoted either way; what is not closed is left out."""
    text = "ID=gentoo\n# x\nNAME='Gen''too'\nA=\"b \\\"c\"\nBAD='x\nnonsense\n"
    found = parse_os_release(text)
    assert found == {"ID": "gentoo", "NAME": "Gentoo", "A": 'b "c'}


@given(st.text())
def test_small_parsers_never_fail(text):
    """Whatever a file holds, the answer is a value."""
    parse_os_release(text)
    assert parse_memory(text) >= 0
    parse_zfs_version(text)
    parse_tools(text)


def test_tools():
    """Paths are believed; a shell built-in is no program."""
    found = {tool.name: tool.path for tool in parse_tools("/sbin/zpool\ntar\n/x/y\n")}
    assert found["zpool"] == "/sbin/zpool"
    assert found["tar"] is found["zfs"] is None
    assert "y" not in found


def test_tools_are_asked_for_at_once():
    """One shell looks for all of them."""
    assert FIND_TOOLS[:2] == ("sh", "-c")
    assert len(set(FIND_TOOLS)) == len(FIND_TOOLS) - 1  # sh is its own name


@pytest.mark.parametrize(("uid", "answer"), [("0\t0", True), ("1000\t1000", False)])
def test_root(uid, answer):
    """The effective user counts."""
    status = f"Name:\tpython3\nUid:\t{uid}\t0\t0\n"
    assert is_root(replay(files={"/proc/self/status": status})) is answer


def test_setuid_root():
    """A real user with root's rights has root's rights."""
    status = "Name:\tx\nUid:\t1000\t0\t0\t0\n"
    assert is_root(replay(files={"/proc/self/status": status}))


def test_init():
    """What runs is told by its traces in /run."""
    assert gather_init(replay()) is Init.UNKNOWN
    openrc = {"/run/openrc/softlevel": "default\n"}
    assert gather_init(replay(files=openrc)) is Init.OPENRC
    systemd = {"/run/systemd/system": ()}
    assert gather_init(replay(files=openrc, directories=systemd)) is Init.SYSTEMD


def test_runlevels():
    """Each directory is a runlevel; a stray file is none."""
    directories = {
        "/etc/runlevels": ("README", "boot", "default"),
        "/etc/runlevels/boot": ("fsck", "root"),
        "/etc/runlevels/default": (),
    }
    assert gather_runlevels(replay(directories=directories)) == (
        Runlevel(name="boot", services=("fsck", "root")),
        Runlevel(name="default", services=()),
    )


def test_symlinks():
    """A directory is none, a link is one, and so is what lies below it."""
    links = {"/home": "/usr/home", "/var": "/var", "/usr/src": None}
    found = gather_symlinks(replay(links=links), ("/home", "/var", "/usr/src", "/opt"))
    assert found == ("/home",)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("zfs-2.3.4-r0-gentoo\nzfs-kmod-2.3.4-r0-gentoo\n", "2.3.4-r0-gentoo"),
        ("zfs-2.2.8-1\n", "2.2.8-1"),
        ("", None),
        ("zfs-kmod-2.2.8-1\n", None),
    ],
)
def test_zfs_version(text, version):
    """The version of the programs, with or without the module's."""
    assert parse_zfs_version(text) == version


def test_mdadm_conf():
    """Gentoo's place first, then Debian's."""
    for path in ("/etc/mdadm.conf", "/etc/mdadm/mdadm.conf"):
        found = gather_system(replay(files={path: "x"}), (), state_dir="/s")
        assert (found.mdadm_conf_path, found.mdadm_conf) == (path, "x")
    nothing = gather_system(replay(), (), state_dir="/s")
    assert (nothing.mdadm_conf_path, nothing.mdadm_conf) == ("/etc/mdadm.conf", None)


def test_a_system_that_says_nothing():
    """Where nothing can be read, nothing is claimed."""
    found = gather_system(replay(), (), state_dir="/s")
    assert (found.os_id, found.machine, found.memory) == ("unknown", "unknown", 0)
    assert not found.merged_usr
    assert not found.is_root
    assert not found.state_writable

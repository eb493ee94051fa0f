"""The walk through all that is copied, on real directories."""

import errno
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.checks.machines import CONFIG, base, mount, mounts
from zfs_root_migrate import scan as scanning
from zfs_root_migrate import syscalls, walker
from zfs_root_migrate.facts.tree import Walk, find_mounted, plan_walks
from zfs_root_migrate.model import LinkGroup, Marked

PLACES = ("/home", "/var", "/var/log")


def walk(top, **changes):
    """Return a walk through a directory, as if it were /."""
    plain = Walk(top=str(top), shown="/", exclude=(), places=PLACES, room=4000)
    return replace(plain, **changes)


def look(top, **changes):
    """Walk through a directory."""
    return scanning.scan((walk(top, **changes),), lambda _: None)


def make(top, *paths):
    """Make files with the directories above them."""
    for path in paths:
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text("text")


def link(top, old, *names):
    """Give a file more names."""
    for name in names:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(top / old, top / name, follow_symlinks=False)


def attach(path, key, value):
    """Give a file an attribute, where there are any: not on every /var/tmp."""
    try:
        os.setxattr(path, key, value)
    except OSError:
        pytest.skip("no attributes on this file system")


def test_counts(tmp_path):
    """Everything but directories is a file; links are not followed."""
    make(tmp_path, "a", "b/c", "b/d/e")
    (tmp_path / "loop").symlink_to(".")
    (tmp_path / "gone").symlink_to("/no/such")
    os.mkfifo(tmp_path / "b/pipe")
    found = look(tmp_path)
    assert (found.files, found.directories) == (6, 3)
    assert replace(found, files=0, directories=0) == scanning.scan((), lambda _: None)


def test_links_between_places_are_found_with_all_names(tmp_path):
    """Names in one place are nobody's business, however many there are."""
    make(tmp_path, "home/a", "home/same", "etc/x", "usr/alone")
    link(tmp_path, "home/a", "home/deep/down/b", "var/c", "var/log/d")
    link(tmp_path, "home/same", "home/other/same")
    link(tmp_path, "etc/x", "etc/y", "usr/z")
    found = look(tmp_path)
    paths = ("/home/a", "/home/deep/down/b", "/var/c", "/var/log/d")
    assert found.links == (LinkGroup(paths=paths, links=4),)
    assert found.links_found == 1
    assert found.files == 10


def test_links_of_symlinks_and_pipes(tmp_path):
    """They have names like files."""
    for name in ("home", "var"):
        (tmp_path / name).mkdir()
    (tmp_path / "home/s").symlink_to("x")
    os.mkfifo(tmp_path / "home/p")
    link(tmp_path, "home/s", "var/s")
    link(tmp_path, "home/p", "var/p")
    groups = {group.paths for group in look(tmp_path).links}
    assert groups == {("/home/s", "/var/s"), ("/home/p", "/var/p")}


def test_a_name_that_is_left_out_is_none(tmp_path):
    """What is excluded is not walked into, and a file of one name left is whole."""
    make(tmp_path, "home/a", "var/tmp/deep/x", "tmp/var/tmp/y")
    link(tmp_path, "home/a", "var/tmp/b", "var/c")
    found = look(tmp_path, exclude=("/var/tmp", "/var/c"))
    assert found.links == ()
    assert found.files == 2
    assert look(tmp_path, exclude=("/var/tmp",)).links_found == 1


def test_lists_are_cut_and_numbers_are_not(tmp_path, monkeypatch):
    """What is kept of a tree full of trouble stays small."""
    monkeypatch.setattr(scanning, "LIST_MAX", 3)
    monkeypatch.setattr(scanning, "NAMES_MAX", 2)
    for number in range(5):
        make(tmp_path, f"home/{number}")
        link(tmp_path, f"home/{number}", *(f"home/d/{number}.{n}" for n in range(4)))
        link(tmp_path, f"home/{number}", f"var/{number}")
    found = look(tmp_path)
    assert (len(found.links), found.links_found) == (3, 5)
    for group in found.links:
        # one name of each place is there even where the list was cut
        assert len(group.paths) <= 3
        assert {path.split("/")[1] for path in group.paths} == {"home", "var"}
        assert group.links == 6


def test_odd_names_come_back(tmp_path):
    """Names that are not UTF-8 can be used to find the file again."""
    odd = os.fsdecode(b"\xff\n'\\")
    make(tmp_path, f"home/{odd}")
    link(tmp_path, f"home/{odd}", f"var/{odd}")
    (group,) = look(tmp_path).links
    assert group.paths == (f"/home/{odd}", f"/var/{odd}")


def test_attributes_are_told_of_the_uppermost(tmp_path, monkeypatch):
    """A directory hands encryption down; immutable is each file's own."""
    make(tmp_path, "a/secret/b/c", "a/plain", "fixed/x")

    class Statx(syscalls.Statx):
        def __call__(self, directory, name) -> tuple:
            attributes, *rest = super().__call__(directory, name)
            folder = Path(f"/proc/self/fd/{directory}").readlink()
            path = f"{folder}/{os.fsdecode(name)}"
            if "/a/secret" in path:
                attributes |= syscalls.ATTR_ENCRYPTED
            if "/fixed" in path:
                attributes |= syscalls.ATTR_IMMUTABLE
            return attributes, *rest

    monkeypatch.setattr(syscalls, "Statx", Statx)
    found = look(tmp_path)
    assert set(found.marked) == {
        Marked(path="/a/secret", attribute="encrypted"),
        Marked(path="/fixed", attribute="immutable"),
        Marked(path="/fixed/x", attribute="immutable"),
    }
    assert found.marked_found == 3


def test_one_attribute_does_not_crowd_out_another(tmp_path, monkeypatch):
    """Each has its share of the list."""
    make(tmp_path, *(f"d/{n}" for n in range(9)), "z/1")
    monkeypatch.setattr(walker, "MARKS_MAX", 2)
    monkeypatch.setattr(walker, "NAME_MAX", 0)
    for name in ("d/1", "d/2", "d/3", "z/1"):
        attach(tmp_path / name, "user.x", b"1")
    monkeypatch.setattr(walker, "_TAKEN", ("trusted.", "security."))
    found = look(tmp_path)
    kinds = [mark.attribute for mark in found.marked]
    assert sorted(kinds) == ["long-name"] * 2 + ["xattr user.x"] * 2
    # every name but that of the top is too long here, and four have the attribute
    assert found.marked_found == 12 + 4


def test_xattrs_that_zfs_takes_are_no_matter(tmp_path):
    """Users' own and ACLs get across."""
    make(tmp_path, "a")
    attach(tmp_path / "a", "user.test", b"x" * 2000)
    assert look(tmp_path).marked == ()


def test_deep_paths(tmp_path):
    """A path that is too long for rsync is told once, and walked through."""
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(60):
        os.mkdir("d" * 100, dir_fd=here)
        deeper = os.open("d" * 100, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    found = look(tmp_path)
    shutil.rmtree(tmp_path / ("d" * 100))
    assert [mark.attribute for mark in found.marked] == ["long-path"]
    assert found.directories == 61


@pytest.mark.slow
def test_many_levels(tmp_path):
    """Deeper than Python recurses and than a process has files open by default."""
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1900):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    found = look(tmp_path)
    assert (found.directories, found.unreadable) == (1901, ())
    # too deep for the recursion with which pytest would remove it
    for levels in range(1900, 0, -1):
        Path(str(tmp_path) + "/d" * levels).rmdir()


def test_descriptors_are_closed_and_limits_put_back(tmp_path):
    """Also where the walk is interrupted."""
    make(tmp_path, "a/b/c/d", "e/f")
    before = (len(os.listdir("/proc/self/fd")), limits())

    def interrupt(_):
        raise KeyboardInterrupt

    walker_every, walker.TELL_EVERY = walker.TELL_EVERY, 1
    try:
        with pytest.raises(KeyboardInterrupt):
            scanning.scan((walk(tmp_path),), interrupt)
    finally:
        walker.TELL_EVERY = walker_every
    look(tmp_path)
    assert (len(os.listdir("/proc/self/fd")), limits()) == before


def limits():
    """Return how many files may be open."""
    return scanning.resource.getrlimit(scanning.resource.RLIMIT_NOFILE)


def test_what_cannot_be_read_is_named(tmp_path, monkeypatch):
    """A directory that is broken is told with the reason, and the rest is walked."""
    make(tmp_path, "bad/x", "good/y")
    opened = walker._open_directory

    def fail(name, folder):
        if name == b"bad":
            raise OSError(errno.EIO, "Input/output error")
        return opened(name, folder)

    monkeypatch.setattr(walker, "_open_directory", fail)
    found = look(tmp_path)
    assert found.unreadable == ("/bad: Input/output error",)
    assert found.unreadable_found == 1
    assert found.files == 1


def test_what_vanishes_is_no_error(tmp_path, monkeypatch):
    """Names go and turn into other things while a system works."""
    make(tmp_path, "goes/x", "turns/y", "stays/z")
    opened = walker._open_directory

    def change(name, folder):
        if name == b"goes":
            (tmp_path / "goes/x").unlink()
            (tmp_path / "goes").rmdir()
        if name == b"turns":
            (tmp_path / "turns").rename(tmp_path / "was")
            (tmp_path / "turns").symlink_to("/")
        return opened(name, folder)

    monkeypatch.setattr(walker, "_open_directory", change)
    found = look(tmp_path)
    assert found.unreadable == ()
    assert found.files < 5


def test_a_top_that_is_missing_is_named(tmp_path):
    """Nothing found is not the same as nothing there."""
    found = look(tmp_path / "no")
    assert found.unreadable == ("/: No such file or directory",)
    assert (found.files, found.directories) == (0, 0)


def test_progress_is_told(tmp_path, monkeypatch):
    """Now and then, with the number of files so far, also in the second round."""
    monkeypatch.setattr(walker, "TELL_EVERY", 2)
    make(tmp_path, "home/a", "home/b", "home/c")
    link(tmp_path, "home/a", "var/a")
    told = []
    scanning.scan((walk(tmp_path),), told.append)
    assert told == [2, 4, 6, 8]


IN_A_NAMESPACE = """
import json, os, subprocess, sys
from zfs_root_migrate.codec import encode
from zfs_root_migrate.facts.tree import Walk
from zfs_root_migrate.scan import scan
from zfs_root_migrate import syscalls

top, way = sys.argv[1:]
run = lambda *words: subprocess.run(words, check=True)
os.chdir(top)
os.makedirs("fs/home"), os.makedirs("fs/srv"), os.makedirs("fs/etc")
run("mount", "-t", "tmpfs", "none", "fs")
for name in ("home", "srv", "etc"):
    os.makedirs("fs/" + name)
open("fs/home/hidden", "w").close()
os.link("fs/home/hidden", "fs/etc/visible")
os.link("fs/etc/visible", "fs/etc/other")
run("mount", "-t", "tmpfs", "none", "fs/home")
open("fs/home/above", "w").close()
run("mount", "--bind", "fs/etc", "fs/srv")
open("fs/file", "w").close()
run("mount", "--bind", "fs/etc/visible", "fs/file")
if way == "plain":
    syscalls.open_alone = lambda path: None
walk = Walk(top=top + "/fs", shown="/", exclude=("/home",), places=(), room=4000)
below = Walk(top=top + "/fs", inside="/home", shown="/home", exclude=(), places=(),
    room=4000, hidden=True)
print(json.dumps(encode(scan((walk, below), lambda _: None))))
"""


@pytest.mark.programs
@pytest.mark.parametrize("way", ["alone", "plain"])
def test_other_file_systems(tmp_path, needs, way):
    """They are not entered; what they hide is seen where the kernel allows that."""
    needs("unshare", "mount", root=True)
    package = Path(scanning.__file__).parents[1]
    argv = ["unshare", "--mount", sys.executable, "-c", IN_A_NAMESPACE]
    done = subprocess.run(
        [*argv, str(tmp_path), way],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(package)},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    if way == "alone":
        # visible, other, the file below the bind mount; and what /home hides
        assert (found["files"], found["directories"]) == (4, 4)
        assert found["unreadable"] == []
    else:
        assert (found["files"], found["directories"]) == (2, 2)
        assert found["unreadable"] == ["/home: hidden below a mount"]


@pytest.mark.programs
def test_real_flags(tmp_path, needs):
    """What chattr sets is seen, on a file system that has it."""
    needs("chattr", root=True)
    make(tmp_path, "fixed", "grows")
    for flag, name in (("+i", "fixed"), ("+a", "grows")):
        path = str(tmp_path / name)
        if subprocess.run(["chattr", flag, path], check=False).returncode:
            pytest.skip("no such flags on this file system")
    try:
        found = look(tmp_path)
    finally:
        subprocess.run(
            ["chattr", "-ia", str(tmp_path / "fixed"), str(tmp_path / "grows")],
            check=True,
        )
    assert {(m.path, m.attribute) for m in found.marked} == {
        ("/fixed", "immutable"),
        ("/grows", "append-only"),
    }


# what there is to walk through


def test_walks_are_what_is_copied():
    """One for each file system, and one for what each mount point hides."""
    facts = mounts(mount("/home", "vda5"))(base())
    facts = replace(
        facts,
        storage=replace(
            facts.storage,
            devices=(
                *facts.storage.devices,
                replace(facts.storage.devices[4], name="vda5", links=()),
            ),
        ),
    )
    walks = plan_walks(replace(CONFIG, exclude=("/var/tmp",)), facts)
    assert [(w.top, w.inside, w.shown, w.hidden) for w in walks] == [
        ("/", "", "/", False),
        ("/boot", "", "/boot", False),
        ("/home", "", "/home", False),
        ("/", "/boot", "/boot", True),
        ("/", "/home", "/home", True),
    ]
    assert {"/home", "/boot", "/var/tmp", "/var/lib/zfs-root-migrate"} <= set(
        walks[0].exclude
    )
    assert {"/home", "/usr/local", "/var", "/var/log", "/boot"} <= set(walks[0].places)
    assert all(0 < w.room < 4095 for w in walks)


def test_no_walk_without_a_root():
    """Where nothing is known to be mounted, there is nothing to walk through."""
    facts = replace(base(), storage=replace(base().storage, mounts=()))
    assert plan_walks(CONFIG, facts) == ()


def test_mount_points_of_a_tree_elsewhere():
    """Those in it, without what the running kernel mounts there."""
    points = (
        *("/", "/boot", "/mnt/gentoo", "/mnt/gentoo/boot", "/mnt/gentoo2/x"),
        *("/mnt/gentoo/proc", "/mnt/gentoo/dev/pts", "/mnt/gentoo/home/a\\040b"),
        *("/mnt/gentoo/boot", "/mnt/gentoo/devel"),
    )
    text = "".join(f"9 1 8:1 / {p} rw - ext4 /dev/sda1 rw\n" for p in points)
    expected = ("/boot", "/devel", "/home/a b")
    assert find_mounted("/mnt/gentoo", text) == expected


def test_a_tree_elsewhere_is_one_walk():
    """Its own file system, without what the running kernel mounts there."""
    facts = replace(base(), elsewhere="/mnt/gentoo")
    (only,) = plan_walks(CONFIG, facts)
    assert (only.top, only.shown, only.inside) == ("/mnt/gentoo", "/", "")
    assert {"/proc", "/sys", "/dev", "/run"} <= set(only.exclude)

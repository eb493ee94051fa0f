"""A tree that does not run is read as a chroot would see it, and never left."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfs_root_migrate import runner
from zfs_root_migrate.errors import UsageError
from zfs_root_migrate.facts.system import FIND_TOOLS, parse_tools
from zfs_root_migrate.reader import LiveReader
from zfs_root_migrate.reader_root import RootReader, find_root
from zfs_root_migrate.runner import Answer

RELEASE = "6.12.31-gentoo"


def write(path, text="text"):
    """Make a file with the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def tree(tmp_path):
    """Return a small system with links of every kind, and something outside of it."""
    top = tmp_path / "tree"
    write(top / "etc/os-release", "ID=gentoo\n")
    write(top / "usr/bin/rsync")
    (top / "usr/bin/rsync").chmod(0o755)
    write(top / "usr/bin/notes")
    (top / "bin").symlink_to("usr/bin")
    (top / "usr/src/linux-6.12").mkdir(parents=True)
    write(top / "usr/src/linux-6.12/.config", "CONFIG_MODULES=y\n")
    (top / "usr/src/linux").symlink_to("/usr/src/linux-6.12")
    write(tmp_path / "secret")
    for name, target in {
        "up": "../../../../secret",
        "far": str(tmp_path / "secret"),
        "loop": "loop",
        "mtab": "/proc/self/mounts",
        "here": "/etc/os-release",
        "dots": "../etc/./../etc/os-release",
    }.items():
        (top / "etc" / name).symlink_to(target)
    for name in ("proc", "sys", "dev", "run"):
        write(top / name / "version", "of the tree's builder")
    os.mkfifo(top / "etc/fifo")
    return top


def test_files_are_those_of_the_tree(tree):
    """Absolute links begin at the top of the tree."""
    reader = RootReader(str(tree))
    for path in ("/etc/os-release", "/etc/here", "/etc/dots", "//etc/../etc/here"):
        assert reader.read(path) == "ID=gentoo\n"
        assert reader.resolve(path) == "/etc/os-release"
        assert reader.part(path, 3, 4) == "gent"
    assert reader.read("/usr/src/linux/.config") == "CONFIG_MODULES=y\n"
    assert reader.resolve("/usr/src/linux") == "/usr/src/linux-6.12"
    assert reader.resolve("/bin") == reader.resolve("/usr/bin") == "/usr/bin"
    assert reader.names("/bin") == ("notes", "rsync")


@pytest.mark.parametrize("name", ["up", "far", "loop", "mtab", "no", "fifo"])
def test_nothing_leads_out_of_the_tree(tree, name):
    """Links that would, loops, and what would be waited for, are absent."""
    assert RootReader(str(tree)).read(f"/etc/{name}") is None
    assert RootReader(str(tree)).part(f"/etc/{name}", 0, 9) is None


@pytest.mark.parametrize("top", ["proc", "sys", "dev", "run"])
def test_what_the_kernel_shows_is_not_the_trees(tree, top):
    """Whatever is mounted there, or was left there, says nothing about the tree."""
    reader = RootReader(str(tree))
    assert reader.read(f"/{top}/version") is None
    assert reader.names(f"/{top}") is None
    assert reader.resolve(f"/{top}/version") is None
    assert reader.read(f"/etc/../{top}/version") is None


def test_nothing_can_be_written(tree):
    """It is only looked at."""
    assert RootReader(str(tree)).writable("/etc") is False


def test_tools_are_found_in_the_tree(tree):
    """What can be executed counts, and is named as it is in the tree."""
    (tree / "usr/bin/zpool").symlink_to("/usr/bin/notes")
    (tree / "usr/bin/zfs").symlink_to("/usr/bin/rsync")
    answer = RootReader(str(tree)).query(*FIND_TOOLS)
    found = {t.name: t.path for t in parse_tools(answer.stdout) if t.path}
    assert found == {"rsync": "/usr/bin/rsync", "zfs": "/usr/bin/zfs"}


@pytest.mark.parametrize(
    "argv", [("lsblk",), ("zfs", "--version"), ("sh", "-c", "reboot"), ("uname", "-m")]
)
def test_no_program_of_the_tree_is_started(tree, argv):
    """What only a machine can answer is not known; the guard sees that none starts."""
    assert RootReader(str(tree)).query(*argv).status == runner.NOT_FOUND


def test_modinfo_is_told_where_to_look(tree, monkeypatch):
    """And its paths are the tree's own again."""
    asked = []

    def query(argv, **_):
        asked.append(argv)
        text = f"filename:       {tree}/lib/modules/{RELEASE}/extra/zfs.ko\n"
        return Answer(tuple(argv), 0, text, "")

    monkeypatch.setattr(runner, "query", query)
    answer = RootReader(str(tree)).query("modinfo", "-k", RELEASE, "zfs")
    assert asked == [("modinfo", "-b", str(tree), "-k", RELEASE, "zfs")]
    assert answer.stdout == (
        f"filename:       /lib/modules/{RELEASE}/extra/zfs.ko\n"
    )


def test_without_modinfo_nothing_is_said_of_modules(tree, monkeypatch):
    """No answer is not the answer that there is no module."""
    monkeypatch.setattr(runner, "query", lambda argv, **_: Answer(argv, 127, "", ""))
    with pytest.raises(UsageError, match="modinfo is missing"):
        RootReader(str(tree)).query("modinfo", "-k", RELEASE, "zfs")


@pytest.mark.programs
def test_zgrep_reads_the_trees_files(tree, needs):
    """They are named as they were asked for; what leads out is not read."""
    needs("zgrep")
    paths = ("/usr/src/linux/.config", "/etc/far", "/proc/config.gz", "/etc/no")
    reader = RootReader(str(tree))
    answer = reader.query("zgrep", "-aEH", "-e", "^CONFIG|^text", "--", *paths)
    assert answer.stdout == "/usr/src/linux/.config:CONFIG_MODULES=y\n"
    paths = ("/usr/src/linux/.config", "/usr/src/linux-6.12/.config")
    answer = reader.query("zgrep", "-aEH", "-e", "^CONFIG", "--", *paths)
    assert answer.stdout == "".join(f"{path}:CONFIG_MODULES=y\n" for path in paths)
    assert reader.query("zgrep", "-aEH", "-e", ".", "--", "/proc/x").stdout == ""


def test_portage_is_told_where_to_look(tree, monkeypatch):
    """Our program is started once, with the tree as its root."""
    asked = []
    monkeypatch.setattr(
        LiveReader, "script", lambda _, *words: asked.append(words) or (lambda: None)
    )
    RootReader(str(tree)).script("portage")
    assert asked == [("portage", "--root", str(tree))]


def test_find_root(tree, tmp_path):
    """A real path; mistakes are named; the running root needs no option."""
    (tmp_path / "link").symlink_to(tree)
    assert find_root(str(tmp_path / "link")) == str(tree)
    assert find_root("/") is None
    wrongs = ("no", "tree/etc/os-release", "tree/etc/loop")
    for wrong in (tmp_path, *(tmp_path / name for name in wrongs)):
        with pytest.raises(UsageError) as caught:
            find_root(str(wrong))
        assert str(wrong) in caught.value.brief
    with pytest.raises(UsageError):
        find_root("a\0b")


PART = st.sampled_from(["a", "b", "..", ".", "", "l", "m", "out", "top"])


@given(st.lists(PART, max_size=12).map("/".join), st.data())
def test_no_path_whatever_leads_out(path, data):
    """Whatever links there are, what is found lies below the top."""


    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder, "top")
        (top / "a/b").mkdir(parents=True)
        Path(folder, "a").mkdir()
        for name in ("l", "m", "a/l", "a/b/m", "out"):
            parts = data.draw(st.lists(PART, min_size=1, max_size=5))
            slash = data.draw(st.sampled_from(["", "/"]))
            (top / name).symlink_to(slash + "/".join(parts) or ".")
        reader = RootReader(str(top))
        seen = reader.resolve("/" + path)
        assert seen is None or seen.startswith("/")
        outside = reader._outside("/" + path)
        if outside is not None and os.path.lexists(outside):
            real = os.path.realpath(outside)
            assert real == str(top) or real.startswith(f"{top}/")

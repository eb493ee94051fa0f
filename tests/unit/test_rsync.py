"""Copying by rsync: patterns against the real one, progress, and how it fails."""

import os
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.fakes.heard import Heard
from tests.vm import torture
from zfs_root_migrate import copier, runner
from zfs_root_migrate.comparison import compare_all
from zfs_root_migrate.errors import ExitStatus, StepFailedError
from zfs_root_migrate.model import Copier
from zfs_root_migrate.rsync import escape
from zfs_root_migrate.step import CopyTree

GIB = 1 << 30
ODD = (
    "plain",
    "a b",
    "a*b",
    "a?b",
    "a[b]c",
    "[!a]",
    "a\\b",
    "a\\*b",
    "a\\\\b",
    "end\\",
    "**",
    "***",
    "new\nline",
    "\udcff\udcfe",
    "ümläut",
    "- minus",
    "+ plus",
    "! clear",
    "#comment",
    "; semi",
    ": merge",
    ". dot",
    "a'b\"c",
    "$HOME`x`",
    " leading",
    "trailing ",
    "_",
)
# names that a wrong pattern for one of the others would catch
DECOYS = ("aXb", "acc", "abc", "ab", "a\\Xb", "b", "X", "aXXb", "end", "plainer", "x")


def tree(tmp_path, *exclude, source="old", destination="new"):
    """Return the copying of one directory to another."""
    for name in (source, destination):
        (tmp_path / name).mkdir(exist_ok=True)
    return CopyTree(
        source=str(tmp_path / source),
        destination=str(tmp_path / destination),
        exclude=exclude,
        size=0,
        files=0,
        copier=Copier.RSYNC,
    )


def names(top):
    """Return every path below a directory."""
    return {os.fsdecode(p)[len(str(top)) :] for p in map(str, Path(top).rglob("*"))}


@pytest.mark.programs
@pytest.mark.parametrize("place", ["file", "directory", "above"])
def test_excludes_are_paths_to_rsync(needs, tmp_path, place):
    """Each odd name is excluded, whatever is in it, and nothing else is."""
    needs("rsync")
    for number, name in enumerate(ODD if place == "file" else ODD[2:10]):
        here = tmp_path / str(number)
        here.mkdir()
        inner = {"file": name, "directory": f"{name}/in", "above": f"top/{name}"}
        wanted = "/" + inner[place].removesuffix("/in")
        copying = tree(here, wanted)
        for decoy in (*ODD, *DECOYS):
            path = here / "old" / inner[place].replace(name, decoy)
            path.parent.mkdir(exist_ok=True)
            path.write_text("x")
        (here / "old/deep/top").mkdir(parents=True)
        (here / "old/deep" / name).write_text("only at the top it is excluded")
        copier.copy_tree(copying, Heard())
        left = {
            p for p in names(copying.source) if not (p + "/").startswith(wanted + "/")
        }
        assert names(copying.destination) == left, name


@given(st.text(st.characters(exclude_characters="\0"), min_size=1))
def test_a_pattern_is_one_word(path):
    """Whatever the path, it stays one argument that begins with a slash."""
    pattern = escape("/" + path)
    assert pattern.startswith("/")
    assert shlex.split(shlex.join(["rsync", f"--exclude={pattern}"]))[1][10:] == pattern


@pytest.mark.programs
def test_excluded_paths_are_left_alone_at_the_destination(needs, tmp_path):
    """They are neither copied nor deleted; what else is too much goes."""
    needs("rsync")
    copying = tree(tmp_path, "/kept", "/dir/kept")
    for top in (copying.source, copying.destination):
        (Path(top) / "dir").mkdir()
    for name in ("kept", "dir/kept", "dir/gone", "gone"):
        (Path(copying.destination) / name).write_text("new")
    (Path(copying.source) / "kept").write_text("old")
    copier.copy_tree(copying, Heard())
    assert names(copying.destination) == {"/kept", "/dir", "/dir/kept"}
    assert (Path(copying.destination) / "kept").read_text() == "new"


@pytest.mark.programs
def test_copies_are_equal_by_the_other_judge(needs, tmp_path):
    """Links, holes, attributes, odd times and names: the comparison finds nothing."""
    needs("rsync")
    copying = tree(tmp_path)
    old = Path(copying.source)
    (old / "dir/deep/empty").mkdir(parents=True)
    for name in ODD:
        (old / "dir" / name).write_text(name.encode(errors="replace").decode())
    (old / "same").hardlink_to(old / "dir/plain")
    (old / "link").symlink_to("/no where")
    os.mkfifo(old / "fifo")
    with (old / "sparse").open("wb") as file:
        file.truncate(3 << 20)
    os.setxattr(old / "dir", "user.note", b"\0x")
    (old / "setuid").write_text("x")
    (old / "setuid").chmod(0o6711)
    os.utime(old / "setuid", ns=(0, -(10**17) - 1))
    os.utime(old / "link", ns=(7, 10**18 + 7), follow_symlinks=False)
    os.utime(old / "dir", ns=(0, 5))
    copier.copy_tree(copying, Heard())

    class Silent(Heard):
        """Hears nothing."""

    result = compare_all((copying,), since=2**40, progress=Silent())
    assert result.differences == []
    assert result.files == len(ODD) + 8
    assert (Path(copying.destination) / "sparse").stat().st_blocks < 100


@pytest.mark.programs
def test_a_rewrite_within_the_second_is_seen(needs, tmp_path):
    """Equal size and a time that differs in nanoseconds: the delta carries it over."""
    needs("rsync")
    copying = tree(tmp_path)
    file = Path(copying.source) / "file"
    file.write_text("one")
    os.utime(file, ns=(0, 10**18))
    copier.copy_tree(copying, Heard())
    file.write_text("two")
    os.utime(file, ns=(0, 10**18 + 5))
    copier.copy_tree(copying, Heard())
    assert (Path(copying.destination) / "file").read_text() == "two"


@pytest.mark.programs
def test_progress_of_real_rsync(needs, tmp_path):
    """Bytes and files are understood, never fall, and end at the whole."""
    needs("rsync")
    copying = tree(tmp_path)
    for n in range(30):
        (Path(copying.source) / str(n)).write_bytes(os.urandom(400_000))
    heard = Heard()
    copier.copy_tree(copying, heard)
    done = [size for size, _ in heard.progress]
    assert done == sorted(done)
    assert done[-1] == 30 * 400_000
    assert heard.progress[-1][1] >= 30
    assert heard.lines == []
    assert heard.trees == [copying]
    assert heard.commands == [shlex.join(copier.command(copying))]


@pytest.fixture
def rsync(monkeypatch):
    """Return a function that lets rsync say something and end with a status."""

    def says(status, *lines):
        def stream(argv, on_line, **_):
            for text, is_error in lines:
                on_line(text, is_error)
            return status

        monkeypatch.setattr(runner, "stream", stream)

    return says


# rsync 3.2.7 and 3.4.1, --info=progress2 --no-human-readable --outbuf=L
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("         32,768   1%    0.00kB/s    0:00:00  ", (32768, 0)),
        ("          32768   1%    0.00kB/s    0:00:00  ", (32768, 0)),
        (
            "     1234567890  57%  101.23MB/s    0:00:11 (xfr#3, ir-chk=1010/2022)",
            (1234567890, 1012),
        ),
        (
            "        4000000 100%   95.37MB/s    0:00:00 (xfr#10, to-chk=0/11)",
            (4000000, 11),
        ),
        ("              0   0%    0.00kB/s    0:00:00 (xfr#0, to-chk=5/6)", (0, 1)),
    ],
)
def test_progress_lines(rsync, tmp_path, line, expected):
    """Each form of the line is understood."""
    rsync(0, (line, False))
    heard = Heard()
    copier.copy_tree(tree(tmp_path), heard)
    assert heard.progress == [expected]


@pytest.mark.parametrize(
    "line", ["100% of nothing", "file 3 50%", "12 files", "skipping non-regular file"]
)
def test_other_lines(rsync, tmp_path, line):
    """What is no progress is said, and what is an error is never progress."""
    rsync(0, (line, False), ("  1 1% 0.00kB/s 0:00:00", True))
    heard = Heard()
    copier.copy_tree(tree(tmp_path), heard)
    assert heard.lines == [line, "  1 1% 0.00kB/s 0:00:00"]
    assert heard.progress == []


def test_vanished_files_are_normal(rsync, tmp_path):
    """24: a file went away on the running system."""
    rsync(24, ("file has vanished: x", True))
    copier.copy_tree(tree(tmp_path), Heard())


@pytest.mark.parametrize("status", [1, 10, 11, 12, 20, 23, 25, 30, 127, -9])
def test_every_other_status_is_a_failure(rsync, tmp_path, status):
    """23 above all: rsync then leaves deletions out as well."""
    rsync(status, ("rsync: [sender] read errors", True))
    with pytest.raises(StepFailedError, match=f"status {status}") as caught:
        copier.copy_tree(tree(tmp_path), Heard())
    assert "read errors" in caught.value.details
    assert caught.value.status is ExitStatus.STEP_FAILED


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("write failed on x: No space left on device (28)", "the new pool is full"),
        ("mkstemp failed: Disk quota exceeded (122)", "the new pool is full"),
        ("read errors mapping x: Input/output error (5)", "a disk cannot be read"),
        ("mkstemp failed: Operation not permitted (1)", "mend what rsync complains"),
    ],
)
def test_advice(rsync, tmp_path, said, advice):
    """What to do depends on what went wrong."""
    rsync(11, (said, True))
    with pytest.raises(StepFailedError) as caught:
        copier.copy_tree(tree(tmp_path), Heard())
    assert caught.value.resolution.startswith(advice)


@pytest.mark.programs
def test_a_full_disk(needs, tmp_path):
    """Real rsync on a real full file system: the message says what to do."""
    needs("rsync", "mount", "umount", root=True)
    copying = tree(tmp_path)
    for n in range(3):
        (Path(copying.source) / str(n)).write_bytes(os.urandom(1 << 20))
    options = ("-t", "tmpfs", "-o", "size=2m", "none", copying.destination)
    if runner.query(("mount", *options)).status:
        pytest.skip("no mounts here")
    try:
        with pytest.raises(StepFailedError) as caught:
            copier.copy_tree(copying, Heard())
        assert caught.value.resolution.startswith("the new pool is full")
        assert "No space left" in caught.value.details
    finally:
        runner.query(("umount", copying.destination))


def test_the_command_shown_is_the_command_run(rsync, tmp_path, monkeypatch):
    """Source and destination are directories' contents, excludes come before."""
    copying = tree(tmp_path, "/a", "/b*")
    words = copier.command(copying)
    assert words[0] == "rsync"
    assert words[-4:] == (
        "--exclude=/a",
        "--exclude=/b\\*",
        f"{copying.source}/",
        f"{copying.destination}/",
    )
    for option in ("--delete-before", "--numeric-ids", "-aHAX", "--modify-window=-1"):
        assert option in words
    assert "--sparse" in words
    assert "--sparse" not in copier.command(replace(copying, sparse=False))


@pytest.mark.programs
def test_changes_are_counted(tmp_path, needs):
    """Everything once, nothing the second time, then just what was changed."""
    needs("rsync", root=True)
    (tmp_path / "new").mkdir()
    (tmp_path / "old").mkdir()
    torture.build(tmp_path / "old/torture", seed=1, small=True)
    copying = tree(tmp_path)
    assert copier.copy_tree(copying, Heard()) > 50
    assert copier.copy_tree(copying, Heard()) == 0
    top = tmp_path / "old"
    os.utime(top, ns=(0, 5))
    assert copier.copy_tree(copying, Heard()) == 1
    (top / "one").write_text("x")
    (top / "two").symlink_to("one")
    # the directory's time as well
    assert copier.copy_tree(copying, Heard()) == 3
    (top / "one").chmod(0o600)
    assert copier.copy_tree(copying, Heard()) == 1
    (top / "two").unlink()
    assert copier.copy_tree(copying, Heard()) == 2
    assert copier.copy_tree(copying, Heard()) == 0

"""The command line: what is copied, what is not, what is said."""

import json
import math
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from tests.copy import flags, hard, judge
from tests.copy.conftest import Mount
from tests.copy.engine import OURS, Engine
from zfs_root_migrate.comparison import compare_all
from zfs_root_migrate.comparison_walk import UNLIKE_LINKS, Difference
from zfs_root_migrate.step import CopyTree

# a command line that is not refused may go on for ever
HANGS_S = 30
NUMBERS = (
    *("files", "directories", "bytes", "copied", "unchanged", "removed", "vanished"),
    "changed_meanwhile",
)


@pytest.fixture
def engine(mount: Mount, tmp_path: Path) -> Engine:
    """Return an engine between two empty file systems."""
    source, destination = mount("tmpfs", "old").path, mount("tmpfs", "new").path
    return Engine(source, destination, tmp_path / "state")


def with_options(engine: Engine, *options: str) -> Engine:
    """Return the same with options."""
    return Engine(engine.source, engine.destination, engine.state, options)


def test_report(engine: Engine) -> None:
    """The report counts what there is and what was done."""
    (engine.source / "folder").mkdir()
    (engine.source / "folder/file").write_bytes(b"12345")
    (engine.source / "again").hardlink_to(engine.source / "folder/file")
    (engine.source / "symlink").symlink_to("x")
    first = engine.run()
    assert (first.status, first.error) == (0, "")
    report = first.report
    assert (report["schema"], report["version"]) == ("zfs-root-migrate/copy", 1)
    assert (report["status"], report["method"]) == (0, "walk")
    assert all(isinstance(report[name], int) for name in NUMBERS)
    assert (report["errors"], report["not_kept"]) == ([], [])
    assert report["seconds"] > 0
    # what is linked is read once
    assert first.bytes == 5
    assert first.copied > 0
    (engine.source / "symlink").unlink()
    second = engine.run()
    assert (second.bytes, second.removed) == (0, 1)
    assert json.loads(json.dumps(report)) == report


def test_nothing_to_say(engine: Engine) -> None:
    """Without --json standard output is for people, and not JSON."""
    (engine.source / "file").write_text("text")
    done = subprocess.run(
        engine.argv()[:-1], capture_output=True, text=True, check=True
    )
    assert not done.stdout.startswith("{")
    assert (engine.destination / "file").read_text() == "text"


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("{old}",),
        ("{old}", "{new}", "--no-such-option"),
        ("{old}/none", "{new}"),
        ("{old}", "{new}/none"),
        ("{old}/file", "{new}"),
        ("{old}", "{old}/file"),
        ("{old}", "{new}", "--jobs", "-3"),
        ("{old}", "{new}", "--jobs", "many"),
        ("{old}", "{new}", "--exclude", "relative"),
        ("{old}", "{new}", "--detect", "magic"),
        ("{old}", "{old}"),
        ("{old}", "{old}/below"),
        ("{old}/below", "{old}"),
    ],
    ids=" ".join,
)
def test_usage(engine: Engine, words: tuple[str, ...]) -> None:
    """A command line that makes no sense gets status 2 and changes nothing."""
    (engine.source / "file").write_text("text")
    (engine.source / "below").mkdir()
    (engine.source / "below/inner").write_text("text")
    (engine.destination / "kept").write_text("text")
    before = judge.touched(engine.source), judge.touched(engine.destination)
    places = {"old": engine.source, "new": engine.destination}
    done = subprocess.run(
        [*OURS, *(word.format(**places) for word in words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=HANGS_S,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()
    assert (judge.touched(engine.source), judge.touched(engine.destination)) == before


def test_excluded(engine: Engine) -> None:
    """What is excluded is neither copied nor deleted, with all that is below it."""
    for name in ("keep/a/own", "keep/b", "foo/a", "odd\n[x]/a", "dir/x/y/z"):
        for top in (engine.source, engine.destination):
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_text(str(top))
    (engine.destination / "only-here").write_text("x")
    (engine.destination / "gone").write_text("x")
    (engine.source / "dir/x/y/other").write_text("x")
    names = ("/keep", "/odd\n[x]/a", "/only-here", "/dir/x/y/z", "/not-there", "/fo")
    chosen = with_options(engine, *(f"--exclude={name}" for name in names))
    new, old = engine.destination, engine.source
    for _ in range(2):
        assert chosen.run().status == 0
        for name in ("keep/a/own", "keep/b", "odd\n[x]/a", "dir/x/y/z"):
            assert (new / name).read_text() == str(new)
        assert (new / "only-here").exists()
        assert not (new / "gone").exists()
        assert (new / "foo/a").read_text() == str(old)
        assert (new / "dir/x/y/other").exists()


def test_excluded_below_what_is_gone(engine: Engine) -> None:
    """A directory that is gone is deleted, but for what is excluded in it."""
    (engine.destination / "gone/deep").mkdir(parents=True)
    (engine.destination / "gone/deep/own").write_text("own")
    (engine.destination / "gone/other").write_text("other")
    chosen = with_options(engine, "--exclude=/gone/deep/own")
    assert chosen.run().status == 0
    assert (engine.destination / "gone/deep/own").read_text() == "own"
    assert not (engine.destination / "gone/other").exists()


def test_other_excludes_with_the_same_state(engine: Engine) -> None:
    """What is no longer excluded is copied, though the state knows its directory."""
    (engine.source / "dir").mkdir()
    (engine.source / "dir/file").write_text("text")
    assert with_options(engine, "--exclude=/dir/file").run().status == 0
    assert not (engine.destination / "dir/file").exists()
    assert engine.run().status == 0
    assert judge.differences(engine.source, engine.destination) == []


@pytest.fixture
def inside(mount: Mount, engine: Engine) -> Iterator[Path]:
    """Mount another file system inside the source."""
    (engine.source / "mnt").mkdir()
    place = engine.source / "mnt/other"
    yield mount("tmpfs", "old/mnt/other").path
    assert place.is_mount()


def test_one_file_system(engine: Engine, inside: Path) -> None:
    """What is mounted inside the source is not entered; its mount point is copied."""
    (inside / "hidden").write_text("x")
    (engine.source / "seen").write_text("x")
    for _ in range(2):
        done = engine.run()
        assert (done.status, done.error) == (0, ""), done.complaints
        assert (engine.destination / "seen").exists()
        assert list((engine.destination / "mnt/other").iterdir()) == []


def test_target_datasets(mount: Mount, engine: Engine) -> None:
    """What is mounted inside the destination is filled: it is a target."""
    (engine.source / "home/larry").mkdir(parents=True)
    (engine.source / "home").chmod(0o751)
    (engine.source / "home/larry/file").write_text("text")
    (engine.source / "home/larry/link").hardlink_to(engine.source / "home/larry/file")
    below = mount("tmpfs", "new/home").path
    (below / "stale").write_text("x")
    for _ in range(2):
        done = engine.run()
        assert (done.status, done.error) == (0, ""), done.complaints
        assert judge.differences(engine.source, engine.destination) == []
    assert (below / "larry/file").exists()
    assert below.is_mount()


def test_split_links(mount: Mount, engine: Engine) -> None:
    """Names of one file on two targets are refused, unless that is allowed."""
    (engine.source / "home").mkdir()
    (engine.source / "file").write_text("text")
    for name in ("home/one", "home/two", "near"):
        (engine.source / name).hardlink_to(engine.source / "file")
    mount("tmpfs", "new/home")
    refused = engine.run()
    assert refused.status != 0
    named = str(refused.errors) + refused.error
    assert "/file" in named or "/home/" in named or "/near" in named
    assert "link" in named
    allowed = with_options(engine, "--allow-split-links")
    for _ in range(2):
        done = allowed.run()
        assert (done.status, done.error) == (0, ""), done.complaints
        new = engine.destination
        assert (new / "file").samefile(new / "near")
        assert (new / "home/one").samefile(new / "home/two")
        assert (new / "home/one").read_text() == "text"
        assert not (new / "file").samefile(new / "home/one")
    assert differences(engine, split_links=True) == []
    assert {d.what for d in differences(engine, split_links=False)} == {UNLIKE_LINKS}
    # each side is one file still
    (new / "home/two").unlink()
    (new / "home/two").write_text("text")
    assert {d.what for d in differences(engine, split_links=True)} >= {UNLIKE_LINKS}


def differences(engine: Engine, *, split_links: bool) -> list[Difference]:
    """Return what the tool's own comparison finds."""
    tree = CopyTree(
        source=str(engine.source),
        destination=str(engine.destination),
        exclude=(),
        size=0,
        files=0,
        split_links=split_links,
    )
    return compare_all((tree,), since=math.inf, progress=mock.Mock()).differences


def test_what_is_not_kept_is_named(mount: Mount) -> None:
    """A flag that the destination does not take is in the report of a full pass."""
    old, new = mount("ext4", "old").path, mount("tmpfs", "new").path
    (old / "file").write_text("text")
    subprocess.run(["chattr", "+S", old / "file"], check=True)
    for _ in range(2):
        done = Engine(old, new).run()
        assert done.status == 0
        rows = [row for row in done.not_kept if row["path"] == "/file"]
        assert len(rows) == 1, done.not_kept
        assert "flag" in rows[0]["what"]


def test_flags_of_links(engine: Engine) -> None:
    """An immutable file can have several names, and be changed later."""
    for kind, flag in (("i", flags.IMMUTABLE), ("a", flags.APPEND)):
        (engine.source / kind).write_text(kind)
        (engine.source / f"{kind}-again").hardlink_to(engine.source / kind)
        flags.change(engine.source / kind, add=flag)
    for state in (engine.state, None):
        done = Engine(engine.source, engine.destination, state).run()
        assert done.status == 0, done.complaints
        assert judge.differences(engine.source, engine.destination) == []
    flags.change(engine.source / "i", remove=flags.IMMUTABLE)
    (engine.source / "i").write_text("other")
    (engine.source / "more").hardlink_to(engine.source / "i")
    flags.change(engine.source / "i", add=flags.IMMUTABLE)
    done = engine.run()
    assert done.status == 0, done.complaints
    assert judge.differences(engine.source, engine.destination) == []


@pytest.mark.parametrize("letter", [flags.NODUMP, flags.NOATIME], ids=["d", "A"])
def test_flags_are_not_handed_down(engine: Engine, letter: int) -> None:
    """What is made in a directory with flags would have them, and must not."""
    (engine.source / "folder/below").mkdir(parents=True)
    (engine.source / "folder/file").write_text("text")
    flags.change(engine.source / "folder", add=letter)
    for _ in range(2):
        assert Engine(engine.source, engine.destination).run().status == 0
        assert judge.differences(engine.source, engine.destination) == []


def test_verify(engine: Engine) -> None:
    """What was copied can be read back and compared."""
    hard.build(engine.source / "t", hard.Wanted(small=True, crowd=20))
    done = with_options(engine, "--verify").run()
    assert (done.status, done.error) == (0, ""), done.complaints
    assert judge.differences(engine.source, engine.destination) == []


@pytest.mark.parametrize("jobs", ["1", "7"])
def test_jobs(engine: Engine, jobs: str) -> None:
    """Any number of workers comes to the same."""
    hard.build(engine.source / "t", hard.Wanted(small=True, crowd=20))
    chosen = with_options(engine, "--jobs", jobs)
    for _ in range(2):
        done = chosen.run()
        assert (done.status, done.error) == (0, ""), done.complaints
        assert judge.differences(engine.source, engine.destination) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", bytes(5000), b"garbage\n", None],
    ids=["empty", "json", "zeros", "garbage", "half"],
)
def test_broken_state(engine: Engine, content: bytes | None) -> None:
    """A state that cannot be read, or is half written, means a full pass."""
    (engine.source / "file").write_text("text")
    assert engine.run().status == 0
    assert engine.state is not None
    whole = engine.state.read_bytes()
    engine.state.write_bytes(whole[: len(whole) // 2] if content is None else content)
    (engine.source / "file").chmod(0o600)
    done = engine.run()
    assert done.status == 0, done.complaints
    assert judge.differences(engine.source, engine.destination) == []


def test_state_of_another_tree(mount: Mount, engine: Engine) -> None:
    """A state of another source, or for another destination, is not believed."""
    (engine.source / "file").write_text("text")
    assert engine.run().status == 0
    other = mount("tmpfs", "other").path
    elsewhere = Engine(engine.source, other, engine.state)
    assert elsewhere.run().status == 0
    assert judge.differences(engine.source, other) == []


def test_destination_that_was_changed(engine: Engine) -> None:
    """Without a state a pass mends what somebody did to the destination."""
    hard.build(engine.source / "t", hard.Wanted(small=True, crowd=20, plain=True))
    assert engine.run().status == 0
    (engine.destination / "t/crowd/name-000000").write_text("other")
    (engine.destination / "t/names").rename(engine.destination / "t/elsewhere")
    (engine.destination / "t/large").chmod(0o700)
    os.setxattr(engine.destination / "t/large", "user.more", b"x")
    again = Engine(engine.source, engine.destination)
    assert again.run().status == 0
    assert judge.differences(engine.source, engine.destination) == []


def test_fifo_is_not_opened(engine: Engine) -> None:
    """A fifo that nobody writes to stops nothing, nor does one that was a file."""
    (engine.source / "pipe").write_text("text")
    assert engine.run().status == 0
    (engine.source / "pipe").unlink()
    os.mkfifo(engine.source / "pipe")
    assert engine.run().status == 0
    assert judge.differences(engine.source, engine.destination) == []


def test_source_is_left_alone(engine: Engine) -> None:
    """Copying changes nothing at the source, times of access included."""
    hard.build(engine.source / "t", hard.Wanted(small=True, crowd=20))
    before = judge.touched(engine.source)
    names = [path for path in engine.source.glob("t/*/*") if not path.is_symlink()]
    stamps = {path: path.lstat().st_atime_ns for path in names}
    assert engine.run().status == 0
    assert judge.touched(engine.source) == before
    files = [path for path in names if path.is_file()]
    assert files
    assert all(path.lstat().st_atime_ns == stamps[path] for path in files)

"""What can go wrong with a disk: full, unreadable, read-only; clear, and it goes on."""

import errno
import os
import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.copy import hard, judge
from tests.copy.conftest import Mount
from tests.copy.engine import OURS, Engine, Pass
from tests.copy.volumes import MIB, Volume, volume
from tests.vm import manifest
from zfs_root_migrate import copier
from zfs_root_migrate.model import Copier
from zfs_root_migrate.step import CopyTree

# the kernel says ENOSPC in these words
FULL = os.strerror(errno.ENOSPC)
BLOCK = 4096
NOBODY = 65534


def one_error(done: Pass) -> dict[str, str]:
    """Return the one error of a pass that failed, which is no crash."""
    assert done.status == 1
    assert "Traceback" not in done.error
    assert len(done.errors) == 1, done.errors
    found: dict[str, str] = done.errors[0]
    return found


def equal_after(engine: Engine, *except_for: bytes) -> Pass:
    """Make a pass that has to end the work, and return it."""
    done = engine.run()
    assert (done.status, done.error) == (0, ""), done.complaints
    found = judge.differences(engine.source, engine.destination, *except_for)
    assert found == []
    return done


@pytest.mark.parametrize(
    "kind", ["tmpfs", pytest.param("ext4", marks=pytest.mark.slow)]
)
def test_full_destination(mount: Mount, tmp_path: Path, kind: str) -> None:
    """A full disk is named as such; after it was enlarged the pass goes on."""
    source, new = mount("tmpfs", "old").path, mount(kind, "new", 24 * MIB)
    for number in range(120):
        folder = source / str(number % 7)
        folder.mkdir(exist_ok=True)
        content = random.Random(number).randbytes(400_000 + number)
        (folder / f"file-{number}").write_bytes(content)
    engine = Engine(source, new.path, tmp_path / "state")
    for _ in range(2):
        done = engine.run()
        assert done.status == 1
        assert FULL in done.complaints
        assert "Traceback" not in done.error
        # one message, not one for each file that has no room
        assert len(done.error.splitlines()) < 15
        assert judge.pretenders(source, new.path) == []
    new.grow(256 * MIB)
    equal_after(engine)


def write_on(file: int, size: int) -> None:
    """Write pieces until there is no room for another."""
    while os.write(file, b"\xa5" * size):
        pass


def fill(place: Path) -> None:
    """Write into a file of no interest until not a byte more can be written."""
    file = os.open(place, os.O_WRONLY | os.O_CREAT)
    try:
        for size in (MIB, BLOCK, 1):
            with pytest.raises(OSError, match=FULL):
                write_on(file, size)
    finally:
        os.close(file)


def take_file(large: Path) -> None:
    """Free room at the source: one file of many."""
    (large / "first").unlink()


def take_tree(large: Path) -> None:
    """Free room at the source: a directory with all that is in it."""
    shutil.rmtree(large)


def move_tree(large: Path) -> None:
    """Free a little; what is left needs room twice until its old place is cleared."""
    take_file(large)
    large.rename(large.with_name("moved"))


def file_for_tree(large: Path) -> None:
    """Put a file where a directory was."""
    shutil.rmtree(large)
    large.write_text("a file now\n")


CHANGES = (take_file, take_tree, move_tree, file_for_tree)


def crowded(
    mount: Mount, kind: str, change: Callable[[Path], None], *folders: str
) -> Engine:
    """Copy two folders; then change the first, and have the second need room."""
    source, new = mount("tmpfs", "old").path, mount(kind, "new", 24 * MIB).path
    freed, filled = (source / folder for folder in folders)
    large = freed / "large"
    for folder in (source / "one", source / "two", large, large / "below"):
        folder.mkdir()
    for number, name in enumerate(("first", "below/second")):
        content = random.Random(number).randbytes(5 * MIB)
        (large / name).write_bytes(content)
    for number in range(60):
        (filled / f"{number:0200}").write_bytes(b"small" * number)
    own = new / "own"
    own.mkdir()
    engine = Engine(source, new, own / "state", ("--exclude", "/own"))
    equal_after(engine, b"own")
    change(large)
    (filled / "later").write_bytes(random.Random(3).randbytes(3 * MIB))
    fill(own / "filling")
    return engine


@pytest.mark.parametrize(
    "kind", ["tmpfs", pytest.param("ext4", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("change", CHANGES)
# one of them is visited first
@pytest.mark.parametrize("folders", [("one", "two"), ("two", "one")])
def test_room_is_made(
    mount: Mount, kind: str, change: Callable[[Path], None], folders: tuple[str, str]
) -> None:
    """What the source has no more makes room for what it has, also for the ledger.

    On the new disk they share the room, and people free it at the source.
    """
    engine = crowded(mount, kind, change, *folders)
    assert equal_after(engine, b"own").removed
    assert engine.run().status == 0
    again = engine.run()
    assert (again.status, again.copied, again.removed) == (0, 0, 0)


@pytest.mark.parametrize("change", CHANGES)
def test_rsync_makes_room_too(mount: Mount, change: Callable[[Path], None]) -> None:
    """As the copier that people may choose instead."""
    engine = crowded(mount, "tmpfs", change, "two", "one")
    tree = CopyTree(
        source=str(engine.source),
        destination=str(engine.destination),
        exclude=("/own",),
        size=0,
        files=0,
        copier=Copier.RSYNC,
    )
    subprocess.run(copier.command(tree), check=True, capture_output=True)
    assert judge.differences(engine.source, engine.destination, b"own") == []


@pytest.mark.parametrize(
    "kind", ["tmpfs", pytest.param("ext4", marks=pytest.mark.slow)]
)
def test_no_room_to_make(mount: Mount, kind: str) -> None:
    """Where nothing can be taken away a full disk stays one, and nothing is lost."""
    source, new = mount("tmpfs", "old").path, mount(kind, "new", 24 * MIB).path
    (source / "kept").write_bytes(random.Random(1).randbytes(MIB))
    (new / "own").mkdir()
    engine = Engine(source, new, new / "own/state", ("--exclude", "/own"))
    equal_after(engine, b"own")
    (source / "more").write_bytes(random.Random(2).randbytes(MIB))
    fill(new / "own/filling")
    done = engine.run()
    assert done.status == 1
    assert FULL in done.complaints
    assert "Traceback" not in done.error
    assert judge.pretenders(source, new) == []
    (new / "own/filling").unlink()
    equal_after(engine, b"own")


@pytest.mark.slow
def test_no_room_for_names(mount: Mount, tmp_path: Path) -> None:
    """A file system can also run out of inodes."""
    source = mount("tmpfs", "old").path
    new = mount("ext4", "new", 64 * MIB, options=("-N", "200"))
    for number in range(400):
        (source / str(number)).touch()
    done = Engine(source, new.path, tmp_path / "state").run()
    assert done.status == 1
    assert FULL in done.complaints


def bad_sector(volume: Volume, name: str) -> None:
    """Let the device end within a file: what is behind cannot be read (EIO).

    The loop device reads nothing from a file that has become too short, and says so.
    Metadata of a file system this small lie before all data.
    """
    said = subprocess.run(
        ["debugfs", "-R", f"blocks /{name}", volume.device],
        capture_output=True,
        text=True,
        check=True,
    )
    blocks = [int(block) for block in said.stdout.split()]
    assert volume.image is not None
    os.truncate(volume.image, blocks[len(blocks) // 2] * BLOCK)
    volume.again("ro")
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        (volume.path / name).read_bytes()


@pytest.mark.slow
def test_bad_sector(mount: Mount, tmp_path: Path) -> None:
    """A file that cannot be read is named, and everything else is copied."""
    options = ("-b", str(BLOCK), "-O", "^has_journal")
    old = mount("ext4", "old", 64 * MIB, options=options)
    hard.build(old.path / "t", hard.Wanted(small=True, crowd=50, plain=True))
    os.sync()
    # one of the last to get blocks
    (old.path / "zz-bad").write_bytes(random.Random(9).randbytes(MIB))
    (old.path / "again").hardlink_to(old.path / "zz-bad")
    old.again()
    bad_sector(old, "zz-bad")
    engine = Engine(old.path, mount("tmpfs", "new").path, tmp_path / "state")
    bad = {manifest.entry_path(one) for one in judge.scan(old.path) if "error" in one}
    # both are one file, and it may be called by either name
    both = {b"zz-bad", b"again"}
    assert both <= bad
    for _ in range(2):
        done = engine.run()
        assert done.status == 1
        named = {error["path"].encode()[1:] for error in done.errors}
        assert named & both
        assert named | both == bad
        assert os.strerror(errno.EIO) in done.complaints
        assert judge.pretenders(old.path, engine.destination) == []
        assert judge.differences(old.path, engine.destination, *bad) == []


def test_bad_sector_does_not_destroy(mount: Mount, tmp_path: Path) -> None:
    """An older copy of what cannot be read any more stays, and nothing is deleted."""
    options = ("-b", str(BLOCK), "-O", "^has_journal")
    old, new = mount("ext4", "old", 64 * MIB, options=options), mount("tmpfs", "new")
    (old.path / "bad").write_bytes(random.Random(9).randbytes(MIB))
    engine = Engine(old.path, new.path, tmp_path / "state")
    equal_after(engine)
    good = (new.path / "bad").read_bytes()
    (old.path / "bad").chmod(0o600)
    old.again()
    bad_sector(old, "bad")
    assert one_error(engine.run())["path"] == "/bad"
    assert judge.pretenders(old.path, new.path) == []
    assert (new.path / "bad").read_bytes() in (good, good[: len(good) // 2])


@pytest.mark.slow
def test_read_only_destination(mount: Mount, tmp_path: Path) -> None:
    """A destination that is read-only from the beginning is said to be so, once."""
    source, new = mount("tmpfs", "old").path, mount("ext4", "new")
    hard.build(source / "t", hard.Wanted(small=True, crowd=10))
    new.remount("ro")
    engine = Engine(source, new.path, tmp_path / "state")
    done = engine.run()
    assert done.status == 1
    assert os.strerror(errno.EROFS) in done.complaints
    assert len(done.error.splitlines()) < 15
    new.remount("rw")
    equal_after(engine)


@pytest.mark.slow
def test_destination_that_becomes_read_only(mount: Mount, tmp_path: Path) -> None:
    """A disk that fails under it (ext4 then stops) ends the pass, clearly."""
    source, new = mount("tmpfs", "old").path, mount("ext4", "new")
    hard.build(source / "t", hard.Wanted(small=True, crowd=20_000))
    engine = Engine(source, new.path, tmp_path / "state")
    running = engine.start()
    while not (new.path / "t/crowd").exists():
        assert running.process.poll() is None
    # as if the kernel had found an error: ext4(5), abort
    new.remount("abort")
    done = running.end()
    assert done.status == 1
    assert re.search(
        f"{os.strerror(errno.EROFS)}|{os.strerror(errno.EIO)}", done.complaints
    )
    assert "Traceback" not in done.error
    assert len(done.error.splitlines()) < 15


@pytest.fixture
def open_place(secluded: None) -> Iterator[Path]:
    """Return a mounted file system that everybody may go to."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        with volume("tmpfs", Path(name), "top", 16 * MIB) as mounted:
            yield mounted.path


def test_as_somebody_else(open_place: Path) -> None:
    """Without root what cannot be read is named, and the rest is copied."""
    source, new = open_place / "old", open_place / "new"
    for path in (source / "below", source / "closed", new):
        path.mkdir(parents=True)
    names = ("one", "below/two", "secret", "closed/three", "foreign")
    for name in names:
        (source / name).write_text(name)
    for path in (source, new, *source.rglob("*")):
        if path.name != "foreign":
            os.chown(path, NOBODY, NOBODY)
    for path in (source / "secret", source / "closed"):
        path.chmod(0)
    setpriv = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    try_it = subprocess.run(
        [*setpriv, *OURS, "--help"], capture_output=True, check=False
    )
    if try_it.returncode:
        pytest.skip("only root can read this checkout")
    done = Engine(source, new, command=(*setpriv, *OURS)).run()
    assert done.status == 1
    assert "Traceback" not in done.error
    assert {"/secret", "/closed"} <= {error["path"] for error in done.errors}
    assert (new / "below/two").read_text() == "below/two"
    assert (new / "one").read_text() == "one"
    assert judge.pretenders(source, new) == []
    # that the owner was not kept is said, not passed over
    told = {row["path"] for row in (*done.errors, *done.not_kept)}
    assert "/foreign" in told

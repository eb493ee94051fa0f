"""What can go wrong with a disk: full, unreadable, read-only; clear, and it goes on."""

import errno
import os
import random
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.copy import hard, judge
from tests.copy.conftest import Mount
from tests.copy.engine import OURS, Engine, Pass
from tests.copy.volumes import MIB, Volume, volume
from tests.vm import manifest

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


def equal_after(engine: Engine) -> None:
    """Make a pass that has to end the work."""
    done = engine.run()
    assert (done.status, done.error) == (0, ""), done.complaints
    assert judge.differences(engine.source, engine.destination) == []


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

"""The comparator sees every kind of change, and no change where there is none."""

import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.vm import manifest, torture
from tests.vm.manifest import RECORD, Difference, Entry, Scan, compare, count_holes

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes device nodes")
UNIT = 64 * 1024


def scan(root: Path, *excluded: bytes) -> list[Entry]:
    """Scan a tree and take the result through JSON, as the program does."""
    lines = [json.dumps(entry) for entry in Scan(frozenset(excluded)).run(root)]
    return [json.loads(line) for line in lines]


def changed(found: list[Difference]) -> set[tuple[str, str]]:
    """Return paths and fields."""
    return {(os.fsdecode(one.path), one.field) for one in found}


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Build the same torture tree twice."""
    base = tmp_path_factory.mktemp("twins")
    for name in ("a", "b"):
        torture.build(base / name, seed=7, small=True)
    return base / "a", base / "b"


def test_same_seed_gives_equal_trees(twins: tuple[Path, Path]) -> None:
    """Two builds of one seed differ in nothing."""
    first, second = map(scan, twins)
    assert len(first) > 180
    assert compare(first, second) == []


def test_every_type_is_there(twins: tuple[Path, Path]) -> None:
    """The torture tree has files of all types."""
    assert {entry["type"] for entry in scan(twins[0])} == set(manifest.TYPES.values())


def test_reading_leaves_no_trace(tmp_path: Path) -> None:
    """A scan does not change what it looks at."""
    file = tmp_path / "f"
    file.write_text("x")
    os.utime(file, ns=(1, 2))
    scan(tmp_path)
    assert file.stat().st_atime_ns == 1


Change = Callable[[Path], None]


def _put(path: Path, action: Change) -> None:
    """Change a path but not its time."""
    before = path.lstat()
    action(path)
    times = (before.st_atime_ns, before.st_mtime_ns)
    os.utime(path, ns=times, follow_symlinks=False)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def _shorten(path: Path) -> None:
    path.write_bytes(b"short")


def _retarget(path: Path) -> None:
    path.unlink()
    path.symlink_to("y")


def _renumber(path: Path) -> None:
    path.unlink()
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))


def _copy_for_link(path: Path) -> None:
    data = path.read_bytes()
    mode, owner = path.stat().st_mode, path.stat().st_uid
    path.unlink()
    path.write_bytes(data)
    path.chmod(mode)
    os.chown(path, owner, owner)


def _fill(path: Path) -> None:
    size = path.stat().st_size
    path.write_bytes(bytes(size))


def _no_acl(path: Path) -> None:
    os.removexattr(path, "system.posix_acl_default")


def _no_capability(path: Path) -> None:
    os.removexattr(path, "security.capability")


def _other_value(path: Path) -> None:
    os.setxattr(path, "user.empty", b"full")


def _link_xattr(path: Path) -> None:
    os.setxattr(path, "trusted.on-a-link", b"x", follow_symlinks=False)


CHANGES: list[tuple[str, Change, str]] = [
    ("sizes/4096-bytes", _flip, "sha256"),
    ("sizes/4096-bytes", _shorten, "size"),
    ("modes/file-4755", lambda p: p.chmod(0o755), "mode"),
    ("modes/directory-7777", lambda p: p.chmod(0o777), "mode"),
    ("owners/1000-1000", lambda p: os.chown(p, 1001, -1), "uid"),
    ("owners/1000-1000", lambda p: os.chown(p, -1, 1001), "gid"),
    ("owners/link-1000", lambda p: os.chown(p, 0, 0, follow_symlinks=False), "uid"),
    ("symlinks/short", _retarget, "target"),
    ("special/char", _renumber, "rdev"),
    ("links/a/again-1", _copy_for_link, "links"),
    ("holes/nothing-else", _fill, "holes"),
    ("acls/directory", _no_acl, "xattr system.posix_acl_default"),
    ("attributes/capability", _no_capability, "xattr security.capability"),
    ("attributes/empty", _other_value, "xattr user.empty"),
    ("symlinks/dangling", _link_xattr, "xattr trusted.on-a-link"),
]


@pytest.mark.parametrize(("name", "change", "expected"), CHANGES)
def test_change_is_found(
    tmp_path: Path, name: str, change: Change, expected: str
) -> None:
    """Each kind of change shows at its path and in its field."""
    torture.build(tmp_path / "t", seed=7, small=True)
    before = scan(tmp_path / "t")
    try:
        _put(tmp_path / "t" / name, change)
    except OSError as error:
        pytest.skip(f"not on this file system: {error}")
    assert (name, expected) in changed(compare(before, scan(tmp_path / "t")))


def test_one_nanosecond_is_found(tmp_path: Path) -> None:
    """A time that lost its last digit is another time."""
    file = tmp_path / "f"
    file.touch()
    os.utime(file, ns=(0, 1_234_567_890_123_456_789))
    before = scan(tmp_path)
    os.utime(file, ns=(0, 1_234_567_890_123_456_788))
    assert changed(compare(before, scan(tmp_path))) == {("f", "mtime_ns")}


def test_missing_added_and_renamed(tmp_path: Path) -> None:
    """Composed and decomposed names are not the same name."""
    (tmp_path / "caf\u00e9").touch()
    before = scan(tmp_path)
    (tmp_path / "caf\u00e9").rename(tmp_path / "cafe\u0301")
    found = changed(compare(before, scan(tmp_path), ignore=["mtime_ns"]))
    assert found == {("caf\u00e9", "missing"), ("cafe\u0301", "added")}


def test_another_type_is_found(tmp_path: Path) -> None:
    """A fifo that became a file is told from a fifo."""
    os.mkfifo(tmp_path / "x")
    before = scan(tmp_path)
    (tmp_path / "x").unlink()
    (tmp_path / "x").touch()
    assert ("x", "type") in changed(compare(before, scan(tmp_path)))


def test_merged_link_groups_are_found(tmp_path: Path) -> None:
    """Two pairs of links are not one group of four."""
    for name in "ac":
        (tmp_path / name).write_text("same")
        os.utime(tmp_path / name, ns=(0, 0))
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    (tmp_path / "d").hardlink_to(tmp_path / "c")
    before = scan(tmp_path)
    for name in "cd":
        (tmp_path / name).unlink()
        (tmp_path / name).hardlink_to(tmp_path / "a")
    found = compare(before, scan(tmp_path), ignore=["mtime_ns"])
    assert changed(found) == {("c", "links"), ("d", "links")}


def test_names_that_are_not_text(tmp_path: Path) -> None:
    """A name of any bytes survives being written down."""
    name = b"\xff\n\\"
    (tmp_path / os.fsdecode(name)).touch()
    paths = [manifest.entry_path(entry) for entry in scan(tmp_path)]
    assert name in paths


def test_paths_of_any_length(tmp_path: Path) -> None:
    """A tree may be deeper than a path may be long, and than Python may recurse."""
    levels = 1200
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("deep", dir_fd=here)
        below = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("end", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    before = scan(tmp_path)
    os.mkfifo("other", dir_fd=here)
    after = scan(tmp_path)
    os.close(here)
    bottom = "deep/" * levels
    found = changed(compare(before, after, ignore=["mtime_ns"]))
    assert found == {(bottom + "other", "added")}
    assert manifest.entry_path(before[-1]) == f"{bottom}end".encode()
    subprocess.run(["rm", "-rf", tmp_path / "deep"], check=True)


def test_flags_are_found(tmp_path: Path) -> None:
    """Flags are compared where their letters are given."""
    file, folder = tmp_path / "f", tmp_path / "d"
    file.touch()
    folder.mkdir()

    def flags() -> dict[bytes, str]:
        entries = Scan(flags="iad").run(tmp_path)
        return {manifest.entry_path(one): one["flags"] for one in entries}

    before = flags()
    if subprocess.run(["chattr", "+d", file, folder], check=False).returncode:
        pytest.skip("no flags on this file system")
    assert before == {b".": "", b"d": "", b"f": ""}
    assert flags() == {b".": "", b"d": "d", b"f": "d"}


def test_holes_that_appear_are_no_difference(tmp_path: Path) -> None:
    """A file system that makes holes of zeros by itself loses nothing."""
    (tmp_path / "f").write_bytes(bytes(8 * RECORD))
    before = scan(tmp_path)
    (tmp_path / "f").unlink()
    with (tmp_path / "f").open("wb") as stream:
        stream.truncate(8 * RECORD)
    assert compare(before, scan(tmp_path), ignore=["mtime_ns"]) == []


def test_holes_are_counted_by_record() -> None:
    """Data in every record leaves no hole, however small it is."""
    scattered = [(number * RECORD, number * RECORD + 1) for number in range(4)]
    assert count_holes(scattered, 4 * RECORD) == 0
    assert count_holes([(0, 1)], RECORD + 1) == 1
    assert count_holes([], 10 * RECORD) == 10 * RECORD


def test_excluded_paths_are_left_out(tmp_path: Path) -> None:
    """What is excluded is neither scanned nor compared, its namesakes are."""
    (tmp_path / "proc/1").mkdir(parents=True)
    (tmp_path / "process").mkdir()
    paths = [entry["path"] for entry in scan(tmp_path, b"proc")]
    assert paths == [".", "process"]
    before = scan(tmp_path)
    (tmp_path / "proc/1").rmdir()
    assert compare(before, scan(tmp_path), exclude=[b"proc"]) == []
    assert compare(before, scan(tmp_path)) != []


def test_a_difference_is_one_line() -> None:
    """No name can break the report."""
    line = str(Difference(b"a\n\x1b[31m\xff", "mode", "0644", "0600"))
    assert line.isprintable()

"""Two real trees: whatever differs is found, whatever does not is not."""

import math
import os
import random
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from zfs_root_migrate import comparison, comparison_files, comparison_walk
from zfs_root_migrate.comparison import Comparison, compare_all
from zfs_root_migrate.comparison_walk import Difference
from zfs_root_migrate.errors import StepFailedError
from zfs_root_migrate.step import CopyTree
from zfs_root_migrate.syscalls import open_below

pytestmark = pytest.mark.programs
NEVER = time.time() + 10**6
# user::rw-, user:1000:r--, group::r--, mask::r--, other::---, acl(5) on Linux
ACL = bytes.fromhex(
    "02000000 01000600ffffffff 02000400e8030000 04000400ffffffff"
    "10000400ffffffff 20000000ffffffff"
)


class Silent:
    """Counts what it is told."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self.trees, self.told = [], []

    def tree_begins(self, tree):
        """Remember the tree."""
        self.trees.append(tree)

    def advance(self, *, bytes_done, files_done):
        """Remember how far it is."""
        self.told.append((bytes_done, files_done))


class Trees:
    """An old and a new tree."""

    def __init__(self, path, jobs) -> None:
        """Make both, empty; so many processes compare them."""
        self.jobs = jobs
        self.old, self.new = path / "old", path / "new"
        self.both = (self.old, self.new)
        for top in self.both:
            top.mkdir()

    def write(self, name, text="text"):
        """Write a file on both sides."""
        for top in self.both:
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_text(text)

    def settle(self):
        """Give everything on both sides the same time."""
        for top in self.both:
            for folder, folders, files in os.walk(os.fsencode(top), topdown=False):
                for name in (*folders, *files):
                    path = folder + b"/" + name
                    os.utime(path, ns=(0, 10**18), follow_symlinks=False)
            os.utime(top, ns=(0, 10**18))

    def compare(self, *exclude, since=NEVER):
        """Compare, and return the result."""
        tree = CopyTree(
            source=str(self.old),
            destination=str(self.new),
            exclude=exclude,
            size=0,
            files=comparison.SEVERAL,
        )
        return compare_all((tree,), since=since, progress=Silent(), jobs=self.jobs)

    def found(self, *exclude):
        """Return path in the tree and kind of each difference."""
        top = len(str(self.new))
        return [(d.path[top:], d.what) for d in self.compare(*exclude).differences]


@pytest.fixture(params=[1, 3], ids=["alone", "together"])
def trees(request, tmp_path):
    """Return two equal trees with some of everything, to be compared both ways."""
    made = Trees(tmp_path, request.param)
    made.write("dir/file")
    made.write("dir/empty", "")
    for top in made.both:
        (top / "link").symlink_to("dir/file")
        (top / "dir/same").hardlink_to(top / "dir/file")
        os.mkfifo(top / "fifo")
    made.settle()
    return made


def test_equal_trees(trees):
    """Equal trees have no difference, and everything was looked at."""
    result = trees.compare()
    assert (result.differences, result.changed_since) == ([], [])
    # dir, file, same, empty, fifo, link; the bytes of a link group once
    assert (result.files, result.bytes) == (6, 4)


def rewrite(trees):
    """Change content, size and time kept."""
    (trees.new / "dir/file").write_text("tExt")


def grow(trees):
    """Make a file longer."""
    (trees.new / "dir/empty").write_text("more")


def make_mode(trees):
    """Set a bit."""
    (trees.new / "dir/file").chmod(0o4644)


def remove(trees):
    """Lose a file."""
    (trees.new / "dir/empty").unlink()


def add(trees):
    """Have one file too many."""
    (trees.new / "dir/more").write_text("")


def relink(trees):
    """Point the link elsewhere, with a text as long."""
    (trees.new / "link").unlink()
    (trees.new / "link").symlink_to("dir/fill")


def retype(trees):
    """Make a directory of a file."""
    (trees.new / "dir/empty").unlink()
    (trees.new / "dir/empty").mkdir()


def split_links(trees):
    """Make two files of one."""
    (trees.new / "dir/same").unlink()
    (trees.new / "dir/same").write_text("text")


def merge_links(trees):
    """Make one file of two equal ones."""
    for top in trees.both:
        (top / "dir/other").write_text("text")
    (trees.new / "dir/other").unlink()
    (trees.new / "dir/other").hardlink_to(trees.new / "dir/file")


LINKS = "not the same hard link group"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (rewrite, ("/dir/file", "content")),
        (grow, ("/dir/empty", "size 4 instead of 0")),
        (make_mode, ("/dir/file", "mode 4644, was 644")),
        (remove, ("/dir/empty", "missing on the new root")),
        (add, ("/dir/more", "only on the new root")),
        (relink, ("/link", "link text")),
        (retype, ("/dir/empty", "another kind of file")),
        (split_links, ("/dir/same", LINKS)),
        (merge_links, ("/dir/other", LINKS)),
    ],
)
def test_each_kind_of_difference(trees, change, expected):
    """A single change is found, by its path and its kind."""
    change(trees)
    trees.settle()
    found = trees.found()
    assert expected in found
    assert len({path for path, _ in found} - {expected[0], "/dir/same"}) == 0


def test_swapped_links(trees):
    """Two groups that exchanged a member are seen, all else being equal."""
    for top, second in zip(trees.both, ("a", "b"), strict=True):
        for name in "ab":
            (top / name).write_text("text")
        (top / "c").hardlink_to(top / second)
    trees.settle()
    assert LINKS in {what for _, what in trees.found()}


def across(trees):
    """Give one file names in many directories, on both sides."""
    for number in range(9):
        for top in trees.both:
            (top / f"d{number}").mkdir()
            (top / f"d{number}/name").hardlink_to(top / "dir/file")


def test_links_between_directories(trees):
    """Whoever compares which directory, one that left the group is seen."""
    across(trees)
    trees.settle()
    assert trees.found() == []
    (trees.new / "d7/name").unlink()
    (trees.new / "d7/name").write_text("text")
    trees.settle()
    assert LINKS in {what for _, what in trees.found()}
    # and two files of one, which is the other way round
    (trees.old / "d7/name").unlink()
    (trees.old / "d7/name").write_text("text")
    (trees.new / "d7/name").unlink()
    (trees.new / "d7/name").hardlink_to(trees.new / "dir/file")
    trees.settle()
    assert LINKS in {what for _, what in trees.found()}


def test_links_that_are_changed_meanwhile(trees):
    """By the running system, which is no fault of the copy."""
    across(trees)
    trees.settle()
    (trees.new / "d7/name").unlink()
    (trees.new / "d7/name").write_text("text")
    trees.settle()
    assert trees.compare(since=time.time() - 60).differences == []


def test_all_shares_are_all_there_is(trees):
    """Together they look at each name once, whatever their number."""
    for number in range(50):
        trees.write(f"{number}/{number}", str(number))
    trees.settle()
    alone = trees.compare()
    for jobs in (2, 3, 8):
        trees.jobs = jobs
        assert trees.compare() == alone


def test_a_process_that_ends_without_an_answer(trees, monkeypatch):
    """What it should have compared is not taken for equal."""
    if trees.jobs == 1:
        pytest.skip("there is no other process")
    ours, started = os.getpid(), []
    compare, fork = comparison_walk.Walk.compare, os.fork

    def end(walk):
        if os.getpid() != ours and walk.found.files == 0:
            os._exit(9)
        compare(walk)

    def start():
        started.append(fork())
        return started[-1]

    monkeypatch.setattr(comparison_walk.Walk, "compare", end)
    monkeypatch.setattr(os, "fork", start)
    with pytest.raises(StepFailedError, match="without an answer"):
        trees.compare()
    assert started
    for pid in started:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


@pytest.mark.parametrize("name", ["dir/file", "dir", "link", "fifo", "."])
def test_a_nanosecond(trees, name):
    """Times are compared to the nanosecond, of everything, the top included."""
    os.utime(trees.new / name, ns=(0, 10**18 + 1), follow_symlinks=False)
    inner = "/" + name.strip(".")
    shown = "modified 1000000000000000001 ns, was 1000000000000000000"
    assert (inner, shown) in trees.found()


@pytest.mark.parametrize("name", ["dir/file", "dir", "link", "."])
def test_owner(needs, trees, name):
    """Owner and group are compared, of links as well."""
    needs(root=True)
    os.chown(trees.new / name, 1, 2, follow_symlinks=False)
    os.utime(trees.new / "link", ns=(0, 10**18), follow_symlinks=False)
    assert ("/" + name.strip("."), "owner 1:2, was 0:0") in trees.found()


@pytest.mark.parametrize("name", ["dir/file", "dir", "."])
@pytest.mark.parametrize(
    ("key", "value"),
    [("user.note", b"x"), ("user.note", b""), ("system.posix_acl_access", ACL)],
)
def test_attributes(trees, name, key, value):
    """Extended attributes and ACLs count, of files and of directories."""
    for top in trees.both:
        (top / name).chmod(0o640)
    try:
        os.setxattr(trees.new / name, key, value)
    except OSError:
        pytest.skip("no attributes on this file system")
    what = "extended attributes or ACL"
    inner = "/" + name.strip(".")
    assert (inner, what) in trees.found()
    os.setxattr(trees.old / name, key, value)
    assert trees.found() == []
    if key == "user.note":
        os.setxattr(trees.old / name, key, b"other")
        assert (inner, what) in trees.found()


def test_capabilities_and_attributes_of_links(needs, trees):
    """A capability is an attribute, and a link has attributes of its own."""
    needs(root=True)
    value = bytes.fromhex("0100000200040000000000000000000000000000")
    os.setxattr(trees.new / "dir/file", "security.capability", value)
    os.setxattr(trees.new / "link", "trusted.note", b"", follow_symlinks=False)
    assert [path for path, _ in trees.found()] == ["/dir/file", "/link"]


def test_device_numbers(needs, trees):
    """A device node is compared by its number, a socket by its being one."""
    needs(root=True)
    for top, minor in zip(trees.both, (3, 5), strict=True):
        os.mknod(top / "null", 0o020666, os.makedev(1, minor))
        os.mknod(top / "socket", 0o140666)
    trees.settle()
    assert trees.found() == [("/null", "device number")]


def test_names_that_are_not_utf8(trees):
    """Names are bytes; they are found and can be shown."""
    for top in trees.both:
        Path(top / os.fsdecode(b"\xff\n\x1b")).write_text(top.name)
    trees.settle()
    result = trees.compare()
    assert [d.what for d in result.differences] == ["content"]
    assert "\n" not in str(result.differences[0])
    assert "\\x1b" in str(result.differences[0])
    result.report().encode("utf-8", "surrogateescape")


def test_paths_of_any_length(trees):
    """Paths may be longer than the kernel takes in one piece."""
    for top in trees.both:
        folder = os.open(top, os.O_RDONLY)
        for _ in range(25):
            os.mkdir("d" * 200, dir_fd=folder)
            inner = os.open("d" * 200, os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = inner
        flags = os.O_CREAT | os.O_WRONLY
        file = os.open("end", flags, dir_fd=folder)
        os.write(file, b"old" if top is trees.old else b"new")
        os.utime(file, ns=(0, 10**18))
        os.setxattr(file, "user.top", os.fsencode(top))
        os.close(file)
        os.close(folder)
    whats = [d.what for d in trees.compare().differences if d.path.endswith("/end")]
    assert whats == ["content", "extended attributes or ACL"]
    for top in trees.both:
        shutil.rmtree(top)  # pytest could not: it walks by path


def test_holes(trees):
    """A hole equals zeros; a late byte behind a hole is found."""
    for top in trees.both:
        with (top / "sparse").open("wb") as file:
            file.truncate(5 << 20)
    with (trees.new / "sparse").open("r+b") as file:
        file.write(bytes(1 << 20))
    trees.settle()
    assert trees.found() == []
    with (trees.new / "sparse").open("r+b") as file:
        file.seek((4 << 20) + 1)
        file.write(b"x")
    trees.settle()
    assert trees.found() == [("/sparse", "content")]


def test_large_contents(trees):
    """Every chunk is read, the odd last one as well."""
    data = bytearray(random.Random(1).randbytes(comparison_files.CHUNK * 2 + 7))
    for place in (0, comparison_files.CHUNK, len(data) - 1):
        (trees.old / "large").write_bytes(data)
        data[place] ^= 1
        (trees.new / "large").write_bytes(data)
        trees.settle()
        assert trees.found() == [("/large", "content")]


@pytest.mark.parametrize("exclude", ["/dir", "/dir/more", "/dir/more/deep"])
@pytest.mark.parametrize("side", [0, 1])
def test_excludes(trees, exclude, side):
    """What is excluded is on neither side looked at, nor are its ancestors missed."""
    (trees.both[side] / "dir/more/deep").mkdir(parents=True)
    (trees.both[side] / "dir/more/deep/file").write_text("x")
    trees.settle()
    found = [path for path, _ in trees.found(exclude)]
    if side == 1 or exclude != "/dir/more/deep":
        assert found == []
    else:
        assert found == ["/dir/more"]


def test_an_exclude_is_a_path_and_no_pattern(trees):
    """Neither a wildcard nor the beginning of a name excludes anything."""
    remove(trees)
    trees.settle()
    for exclude in ("/dir/emp", "/dir/*", "/empty", "/dir/empty/x", "dir/empty"):
        assert trees.found(exclude) == [("/dir/empty", "missing on the new root")]
    assert trees.found("/dir/empty") == []


def test_changes_since_the_copy_are_counted_apart(trees):
    """What the running system wrote later is no fault of the copy."""
    rewrite(trees)
    remove(trees)
    os.utime(trees.new / "dir/file", ns=(0, 10**18))
    result = trees.compare(since=time.time() - 60)
    assert result.differences == []
    assert {path.rpartition("/")[2] for path in result.changed_since} >= {"empty"}


def test_old_differences_are_never_taken_for_changes(trees):
    """A file that the running system did not touch since must be the same."""
    rewrite(trees)
    trees.settle()
    result = trees.compare(since=time.time() + 60)
    assert [d.what for d in result.differences] == ["content"]
    assert result.changed_since == []


def test_a_change_below_leaves_no_doubt_about_the_top(trees):
    """An extra file of an old directory is a difference, not a change since."""
    add(trees)
    trees.settle()
    assert [d.what for d in trees.compare(since=time.time() + 60).differences] == [
        "only on the new root"
    ]


@pytest.mark.parametrize("victim", ["dir/file", "dir", "link"])
def test_what_vanishes_during_the_walk(trees, monkeypatch, victim):
    """A name that goes away between listing and looking is a change since."""
    real = os.listdir

    def listdir(where):
        names = real(where)
        # several processes come here, and one of them is first
        with suppress(FileNotFoundError):
            (trees.old / victim).rename(trees.old.parent / "gone")
        return names

    monkeypatch.setattr(os, "listdir", listdir)
    result = trees.compare(since=time.time() - 60)
    assert [d for d in result.differences if victim in d.path] == []
    assert any(path.endswith(victim) for path in result.changed_since)


def test_a_file_without_permission_is_not_passed_over(trees, monkeypatch):
    """What cannot be read is not taken for equal."""
    real = os.open

    def refuse(path, flags, *args, **more):
        if path == b"file":
            raise PermissionError(13, "no", path)
        return real(path, flags, *args, **more)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StepFailedError, match="dir/file'"):
        trees.compare()


def test_attributes_that_cannot_be_read_are_not_passed_over(trees, monkeypatch):
    """A disk that fails is not taken for a file without attributes."""

    def fail(path, **_):
        raise OSError(5, "Input/output error", path)

    monkeypatch.setattr(os, "listxattr", fail)
    with pytest.raises(StepFailedError, match="Input/output"):
        trees.compare()


def test_no_access_times_are_changed(needs, trees):
    """Reading leaves the old system as it was."""
    needs(root=True)
    file = trees.old / "dir/file"
    os.utime(file, ns=(5, 10**18))
    trees.compare()
    assert file.stat().st_atime_ns == 5


def test_several_trees_are_one_comparison(trees):
    """Counts add up; progress of each tree begins at nought."""
    tree = CopyTree(
        source=str(trees.old), destination=str(trees.new), exclude=(), size=0, files=0
    )
    trees.write("one more")
    progress = Silent()
    result = compare_all((tree, tree), since=NEVER, progress=progress)
    assert progress.trees == [tree, tree]
    assert result.files == 14
    trees.settle()


def test_progress_counts_from_the_tree_s_beginning(trees, monkeypatch):
    """What came before is not counted again."""
    monkeypatch.setattr(comparison_walk, "EVERY", 1)
    tree = CopyTree(
        source=str(trees.old), destination=str(trees.new), exclude=(), size=0, files=0
    )
    progress = Silent()
    compare_all((tree, tree), since=NEVER, progress=progress)
    assert progress.told[:6] == progress.told[6:]
    assert [files for _, files in progress.told[:6]] == [1, 2, 3, 4, 5, 6]


def test_report():
    """The report names every path in a line of its own."""
    result = Comparison(files=3, bytes=9)
    result.differences.append(Difference(path="/a\nb", what="content"))
    result.changed_since.append("/c")
    lines = result.report().splitlines()
    assert lines == [result.summary(), "differs: '/a\\nb': content", lines[2]]
    assert lines[2] == "changed since: '/c'"
    assert "3 files and 9 bytes compared, 1 differ, 1 were changed" in lines[0]


@pytest.mark.slow
def test_deep_trees(trees):
    """Depth costs neither descriptors nor the stack."""
    for top in trees.both:
        folder = os.open(top, os.O_RDONLY)
        for _ in range(2500):
            os.mkdir("d", dir_fd=folder)
            os.utime(folder, ns=(0, 10**18))
            inner = os.open("d", os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = inner
        file = os.open("end", os.O_CREAT | os.O_WRONLY, dir_fd=folder)
        os.write(file, b"old" if top is trees.old else b"new")
        for one in (file, folder):
            os.utime(one, ns=(0, 10**18))
            os.close(one)
    (found,) = trees.compare().differences
    assert found.what == "content"
    assert found.path == f"{trees.new}/{'d/' * 2500}end"
    subprocess.run(["rm", "-r", *map(str, trees.both)], check=True)


def test_a_directory_that_becomes_a_link_meanwhile(trees, monkeypatch):
    """It is never followed, and counts as changed."""
    trees.write("folder/file")
    trees.settle()

    def open_late(top, path):
        if path == b"/folder" and not (trees.old / "folder").is_symlink():
            (trees.old / "folder").rename(trees.old.parent / "aside")
            (trees.old / "folder").symlink_to(trees.old.parent / "aside")
        return open_below(top, path)

    monkeypatch.setattr(comparison_walk, "open_below", open_late)
    result = trees.compare(since=NEVER if trees.jobs == 1 else time.time() - 60)
    assert result.differences == []
    # another process may have found a link there, which is no directory to walk
    assert trees.jobs > 1 or result.changed_since == ["/folder"]


def test_only_changed_files_are_read(trees, monkeypatch):
    """Those whose inode was changed since; all else about the others is compared."""
    for name in ("a", "b"):
        trees.write(name, "same")
    (trees.new / "a").write_text("else")
    trees.settle()
    tree = CopyTree(
        source=str(trees.old),
        destination=str(trees.new),
        exclude=(),
        size=0,
        files=0,
    )

    def compare(contents_since):
        result = compare_all(
            (tree,),
            since=math.inf,
            contents_since=contents_since,
            progress=Silent(),
        )
        assert result.changed_since == []
        return [(d.path.rpartition("/")[2], d.what) for d in result.differences]

    now = time.time()
    assert compare(0.0) == compare(now - 60) == [("a", "content")]
    # both were written long before that
    assert compare(now + 60) == []
    (trees.new / "b").chmod(0o600)
    assert [name for name, _ in compare(now + 60)] == ["b"]
    (trees.new / "b").chmod(0o644)
    (trees.new / "b").write_text("longer")
    trees.settle()
    assert compare(now + 60) == [("b", "size 6 instead of 4")]


def test_the_manifest_is_of_all_names(trees):
    """Equal trees have the same one; any name, mode, owner, size or time changes it."""
    for name in ("a", "d/b"):
        trees.write(name)
    trees.settle()
    first = trees.compare().manifest
    assert trees.compare().manifest == first
    seen = {first}
    for change in (
        lambda: trees.write("c"),
        lambda: [(top / "a").chmod(0o600) for top in trees.both],
        lambda: trees.write("a", "longer"),
        lambda: [os.utime(top / "d", ns=(0, 5)) for top in trees.both],
    ):
        change()
        seen.add(trees.compare().manifest)
    assert len(seen) == 5

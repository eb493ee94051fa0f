"""The torture tree and every kind of change to it, through three passes."""

import mmap
import os
import random
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.copy import hard, judge
from tests.copy.changes import NOT_FOR_RSYNC, UNSEEN_IN_MEMORY, content
from tests.copy.changes.tree import Tree
from tests.copy.conftest import Mount
from tests.copy.engine import RSYNC, Engine
from tests.copy.mutate import NOTHING, REFUSED, Mutator
from tests.copy.passes import settled, three_passes

Change = Callable[[Tree], None]
WALK, TABLES = ("--detect", "walk"), ("--detect", "tables")

@pytest.fixture
def fast_tree(mount: Mount) -> tuple[Path, Path]:
    """Return a torture tree in memory, and room for a copy."""
    source, destination = mount("tmpfs", "old").path, mount("tmpfs", "new").path
    refused = hard.build(source / "t", hard.Wanted(small=True, crowd=300))
    assert refused == []
    return source, destination


@pytest.mark.slow
def test_torture_in_memory(fast_tree: tuple[Path, Path], tmp_path: Path) -> None:
    """Everything is kept, every kind of change is seen, and then there is no more."""
    engine = Engine(*fast_tree, state=tmp_path / "state", options=WALK)
    mutator = Mutator(fast_tree[0] / "t", random.Random(1))
    three_passes(engine, mutator, 8, without=UNSEEN_IN_MEMORY)


def test_without_state(fast_tree: tuple[Path, Path]) -> None:
    """Without a state every pass is a full one, over what is there already."""
    engine = Engine(*fast_tree)
    first = settled(engine)
    Mutator(fast_tree[0] / "t", random.Random(2)).each(3)
    second = settled(engine)
    assert judge.differences(*fast_tree) == []
    assert second.copied > 0.5 * first.copied


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "detect"),
    [
        ("ext4", "ext4", WALK),
        ("ext4", "tmpfs", TABLES),
        ("xfs", "ext4", WALK),
        ("btrfs", "ext4", WALK),
        ("tmpfs", "btrfs", WALK),
    ],
)
def test_torture_on_disks(
    mount: Mount, tmp_path: Path, old: str, new: str, detect: tuple[str, str]
) -> None:
    """The same between the file systems that there are, and on a larger scale."""
    source, destination = mount(old, "old").path, mount(new, "new").path
    # what a file system has no room for, such as many large attributes, is left out
    hard.build(source / "t", hard.Wanted())
    engine = Engine(source, destination, tmp_path / "state", detect)
    without = UNSEEN_IN_MEMORY if old == "tmpfs" else NOTHING
    three_passes(engine, Mutator(source / "t", random.Random(3)), 12, without=without)


@pytest.mark.slow
def test_crowd(mount: Mount, tmp_path: Path) -> None:
    """A directory may have 100,000 names."""
    source = mount("ext4", "old", options=("-N", "150000")).path
    destination = mount("tmpfs", "new").path
    hard.build(source / "t", hard.Wanted(small=True, crowd=100_000))
    engine = Engine(source, destination, tmp_path / "state")
    three_passes(engine, Mutator(source / "t", random.Random(4)), 5)


@pytest.mark.slow
def test_walk_and_tables_see_the_same(mount: Mount, tmp_path: Path) -> None:
    """The raw inode tables lead to the same copy as the walk, pass by pass."""
    source = mount("ext4", "old").path
    engines = [
        Engine(
            source,
            mount("tmpfs", detect[1]).path,
            tmp_path / f"{detect[1]}-state",
            detect,
        )
        for detect in (WALK, TABLES)
    ]
    hard.build(source / "t", hard.Wanted(small=True, crowd=500))
    mutator = Mutator(source / "t", random.Random(5))
    for number in range(6):
        walk, tables = map(settled, engines)
        # where nothing is known yet, all has to be walked through
        found = "tables" if number else "walk"
        assert (walk.method, tables.method) == ("walk", found)
        assert walk.copied == tables.copied
        assert walk.removed == tables.removed
        for engine in engines:
            assert judge.differences(source, engine.destination) == []
        mutator.each(2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "detect",
    [WALK, TABLES],
    ids=lambda d: d[1],
)
def test_store_to_a_page_that_is_dirty(
    mount: Mount, tmp_path: Path, detect: tuple[str, str]
) -> None:
    """A second store by a mapping does not move ctime, unless somebody synced."""
    source, destination = mount("ext4", "old").path, mount("tmpfs", "new").path
    file = source / "mapped"
    file.write_bytes(bytes(8192))
    engine = Engine(source, destination, tmp_path / "state", detect)
    with file.open("r+b") as stream, mmap.mmap(stream.fileno(), 8192) as mapped:
        for number in range(4):
            mapped[number] = 1 + number
            settled(engine)
            assert (destination / "mapped").read_bytes() == file.read_bytes()
            # to the page that was clean after the sync of that pass, and twice
            mapped[100] = 1 + number
            mapped[200 + number] = 9
    settled(engine)
    assert judge.differences(source, destination) == []


@pytest.mark.slow
def test_rsync_cross_check(mount: Mount) -> None:
    """The comparator agrees with rsync wherever rsync keeps what there is."""
    source, destination = mount("tmpfs", "old").path, mount("tmpfs", "new").path
    hard.build(source / "t", hard.Wanted(small=True, crowd=300, plain=True))
    engine = Engine(source, destination, command=RSYNC)
    mutator = Mutator(source / "t", random.Random(6))
    for _ in range(2):
        done = engine.run()
        assert done.status == 0, done.error
        assert judge.differences(source, destination) == []
        mutator.each(3, without=NOT_FOR_RSYNC)


# what needs more than a tree of plain files to begin with
MORE = {"leave_links", "move", "unprotect"}


@pytest.mark.parametrize("kind", sorted(NOT_FOR_RSYNC - MORE))
def test_the_changes_bite(mount: Mount, kind: str) -> None:
    """What rsync misses by size and time is found by the comparator."""
    source, destination = mount("tmpfs", "old").path, mount("tmpfs", "new").path
    for number in range(20):
        (source / str(number)).write_bytes(os.urandom(5000))
        os.utime(source / str(number), ns=(0, 10**18))
    (source / "folder").mkdir()
    engine = Engine(source, destination, command=RSYNC)
    assert engine.run().status == 0
    mutator = Mutator(source, random.Random(7))
    for _ in range(3):
        mutator.one(kind)
    assert mutator.done[kind] > 0
    assert judge.differences(source, destination) != []
    assert engine.run().status == 0
    assert judge.differences(source, destination) != []


@pytest.mark.parametrize("change", content.CHANGES, ids=lambda c: c.__name__)
def test_the_changes_open_files_only(tmp_path: Path, change: Change) -> None:
    """A name that has become a fifo since the tree was listed is not written to."""
    path = tmp_path / "name"
    path.write_bytes(b"content")
    tree = Tree(tmp_path, random.Random(8))
    tree.list()
    path.unlink()
    os.mkfifo(path)
    # an open would succeed at once
    other_end = os.open(path, os.O_RDWR)
    with pytest.raises(REFUSED):
        change(tree)
    os.close(other_end)
    assert stat.S_ISFIFO(path.lstat().st_mode)

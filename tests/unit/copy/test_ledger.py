"""What is remembered from pass to pass, and what a power cut leaves of it."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfs_root_migrate.copy.doubt import doubt
from zfs_root_migrate.copy.identity import Identity
from zfs_root_migrate.copy.ledger import Ledger
from zfs_root_migrate.copy.listing import DOUBTFUL, Listing, void, voids

ROOT = 2
IDENTITY = Identity(
    source=7, source_root=ROOT, destination=8, destination_root=34, exclude=("/x",)
)
DIRECTORY, FILE = 4, 8
NAMES = st.text(
    st.characters(blacklist_characters="/\0", codec="utf-8"), min_size=1
).filter(lambda name: name not in (".", ".."))


def listing(inode, parent, *rows, ctime=10):
    """Return a directory with rows of name, inode, change time and kind."""
    made = Listing(inode, parent, ctime)
    for row in rows:
        made.add(*row)
    return made


TREE = (
    listing(ROOT, 0, ("etc", 3, 1, DIRECTORY), ("file", 20, 200, FILE)),
    listing(3, ROOT, ("deep", 4, 1, DIRECTORY), ("fstab", 21, 210, FILE)),
    listing(4, 3, ("a\nb", 22, 220, FILE), ("\udcff", 23, 230, FILE)),
)


@pytest.fixture
def path(tmp_path):
    """Return where the ledger is, with the tree in it."""
    path = str(tmp_path / "state")
    keep(Ledger(path, IDENTITY), TREE)
    return path


def keep(ledger, listings, *, complete=True):
    """Write listings and let them count."""
    writer = ledger.append()
    for item in listings:
        writer.write(item if isinstance(item, bytes) else item.encode())
    writer.close()
    ledger.count(ledger.log.stat().st_size, complete=complete)


def test_what_is_written_is_read(path):
    """All of it, odd names as well."""
    ledger = Ledger(path, IDENTITY)
    assert ledger.is_complete
    assert len(ledger) == len(TREE)
    for item in TREE:
        assert ledger.find(item.inode) == item
    assert ledger.find(99) is None


@given(st.lists(st.tuples(NAMES, st.integers(1, 2**64 - 1)), unique_by=lambda r: r[0]))
def test_any_name_comes_back(tmp_path_factory, rows):
    """Whatever is in it."""
    path = str(tmp_path_factory.mktemp("ledger") / "state")
    item = listing(ROOT, 0, *((name, n, n >> 2, FILE) for name, n in rows))
    keep(Ledger(path, IDENTITY), [item])
    assert Ledger(path, IDENTITY).find(ROOT) == item


@pytest.mark.parametrize("field", ["source", "source_root", "destination_root"])
def test_other_trees_know_nothing_of_it(path, field):
    """The numbers of another file system mean nothing."""
    other = replace(IDENTITY, **{field: 999})
    assert len(Ledger(path, other)) == 0


def test_another_exclude_is_another_tree(path):
    """What was left out was not copied."""
    assert len(Ledger(path, replace(IDENTITY, exclude=()))) == 0


def test_a_later_record_counts(path):
    """The log is only added to."""
    newer = listing(3, ROOT, ("fstab", 21, 999, FILE), ctime=11)
    keep(Ledger(path, IDENTITY), [newer])
    assert Ledger(path, IDENTITY).find(3) == newer


def test_a_void_record_takes_back(path):
    """And a still later one counts again."""
    keep(Ledger(path, IDENTITY), [void(3)])
    assert Ledger(path, IDENTITY).find(3) is None
    keep(Ledger(path, IDENTITY), [TREE[1]])
    assert Ledger(path, IDENTITY).find(3) == TREE[1]


def test_what_was_taken_back_stays_so(path):
    """Where the pass died and nothing of it counts; and where the next one dies too."""
    ledger = Ledger(path, IDENTITY)
    writer = ledger.append()
    writer.write(listing(4, 3, ctime=77).encode())
    writer.take_back([3])
    for _ in range(2):
        again = Ledger(path, IDENTITY)
        assert again.find(3) is None
        # not what the same pass wrote: it need not be on the disk
        assert again.find(4) == TREE[2]
        assert not again.is_complete


def test_what_is_only_read_is_left_as_it_is(path, tmp_path):
    """What does not count does not, and is there still; also what was taken back."""
    with closing(Ledger(path, IDENTITY).append()) as writer:
        writer.write(listing(4, 3, ctime=77).encode())
        writer.take_back([3])
    (tmp_path / "state.tables.9").touch()
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    ledger = Ledger(path, IDENTITY, only_read=True)
    assert ledger.find(3) is None
    assert ledger.find(4) == TREE[2]
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_of_no_ledger_nothing_is_read(tmp_path):
    """And none is made."""
    assert len(Ledger(str(tmp_path / "state"), IDENTITY, only_read=True)) == 0
    assert list(tmp_path.iterdir()) == []


def test_what_was_taken_back_after_a_torn_record(path):
    """A process was killed while it wrote, another went on."""
    ledger = Ledger(path, IDENTITY)
    writer = ledger.append()
    writer.write(listing(3, ROOT, ("name", 9, 9, FILE)).encode()[:-7])
    writer.write(void(3))
    writer.close()
    assert Ledger(path, IDENTITY).find(3) is None
    # and counts, as a pass does that could not end
    keep(Ledger(path, IDENTITY), [*TREE, TREE[1].encode()[:20], void(4), TREE[2]])
    again = Ledger(path, IDENTITY)
    assert (again.find(3), again.find(4)) == (TREE[1], None)


@given(st.integers(1, 2**64 - 1), st.binary(max_size=200), st.binary(max_size=200))
def test_all_voids_are_found(inode, before, after):
    """Between whatever."""
    assert inode in voids(before + void(inode) + after, 0)
    assert list(voids(void(inode) * 3, 1)) == [inode] * 2


def test_what_was_seen_elsewhere_is_not_taken_back(path):
    """Whichever of its two places the pass came to first."""
    for order in (1, -1):
        ledger = Ledger(path, IDENTITY)
        moved = listing(4, ROOT, ctime=77)
        keep(ledger, [moved.encode(), void(4), void(3)][::order], complete=False)
        ledger.reread()
        assert (ledger.find(4), ledger.find(3)) == (moved, None)
        ledger.complete(None)
        again = Ledger(path, IDENTITY)
        assert (again.find(4), again.find(3)) == (moved, None)
        keep(again, TREE)


def test_a_directory_and_all_below_it(path):
    """Where it was in this one; nothing where it was in another."""
    ledger = Ledger(path, IDENTITY)
    assert sorted(ledger.below([3], ROOT)) == [3, 4]
    assert list(ledger.below([4], 3)) == [4]
    assert list(ledger.below([3, 99], 4)) == []
    keep(ledger, [replace(TREE[2], parent=ROOT)])
    assert list(Ledger(path, IDENTITY).below([3], ROOT)) == [3]


def test_what_is_said_is_of_one_place(path):
    """Of no other directory of the destination, nor one of another file system."""
    keep(Ledger(path, IDENTITY), [replace(TREE[1], place=(2**64 - 1, 5))])
    ledger = Ledger(path, IDENTITY)
    assert ledger.find(3).place == (2**64 - 1, 5)
    assert ledger.is_at(3, ROOT, (2**64 - 1, 5))
    assert not ledger.is_at(3, ROOT, (2**64 - 1, 6))
    assert not ledger.is_at(3, ROOT, (0, 5))
    assert not ledger.is_at(3, 4, (2**64 - 1, 5))
    assert not ledger.is_at(99, ROOT, (2**64 - 1, 5))
    assert (3 in ledger, 99 in ledger) == (True, False)


def test_inode_tables_belong_to_what_counts(path):
    """A pass that dies between the two has changed neither."""
    ledger = Ledger(path, IDENTITY)
    assert ledger.tables is None
    ledger.complete(lambda place: place.write_bytes(b"first"))
    first = Ledger(path, IDENTITY)
    assert first.tables.read_bytes() == b"first"

    def die(place):
        place.write_bytes(b"second")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.complete(die)
    assert Ledger(path, IDENTITY).tables.read_bytes() == b"first"
    Ledger(path, IDENTITY).complete(lambda place: place.write_bytes(b"third"))
    third = Ledger(path, IDENTITY)
    assert third.tables.read_bytes() == b"third"
    assert len(list(Path(path).parent.glob("state.tables*"))) == 1
    third.complete(None)
    assert Ledger(path, IDENTITY).tables is None
    assert not list(Path(path).parent.glob("state.tables*"))


def test_what_does_not_count_is_cut_off(path):
    """It was written, and what it speaks of may not be on the disk."""
    ledger = Ledger(path, IDENTITY)
    length = ledger.log.stat().st_size
    writer = ledger.append()
    writer.write(listing(3, ROOT, ctime=77).encode())
    writer.close()
    again = Ledger(path, IDENTITY)
    assert again.find(3) == TREE[1]
    assert again.log.stat().st_size == length


@pytest.mark.parametrize("cut", [1, 7, 60])
def test_a_log_that_lost_its_end_is_worth_nothing(path, cut):
    """The head promises more than there is."""
    ledger = Ledger(path, IDENTITY)
    data = ledger.log.read_bytes()
    ledger.log.write_bytes(data[:-cut])
    again = Ledger(path, IDENTITY)
    assert not again.is_complete
    assert len(again) == 0


def test_a_log_with_a_hole_ends_there(path):
    """What comes before it is whole."""
    ledger = Ledger(path, IDENTITY)
    data = bytearray(ledger.log.read_bytes())
    place = len(TREE[0].encode())
    data[place : place + 4] = b"\0\0\0\0"
    ledger.log.write_bytes(data)
    again = Ledger(path, IDENTITY)
    assert again.find(ROOT) == TREE[0]
    assert again.find(3) is None
    assert not again.is_complete


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "other"}', "null"])
def test_a_head_that_is_none(path, text):
    """It is as if there were no state."""
    Path(path).write_text(text)
    assert len(Ledger(path, IDENTITY)) == 0


def test_where_changed_inodes_are(path):
    """Directories that are changed, and those that hold what is."""
    ledger = Ledger(path, IDENTITY)
    assert set(ledger.held_by({22})) == {4}
    assert set(ledger.held_by({3})) == {3, ROOT}
    assert set(ledger.held_by({20, 21})) == {ROOT, 3}
    assert set(ledger.held_by({999})) == set()


def test_the_doubtful_are_looked_at_always(path):
    """A directory's own time or that of a name in it."""
    doubtful = (
        replace(TREE[1], ctime=DOUBTFUL),
        listing(4, 3, ("a\nb", 22, DOUBTFUL, FILE)),
    )
    keep(Ledger(path, IDENTITY), doubtful)
    ledger = Ledger(path, IDENTITY)
    assert set(ledger.held_by(set())) == {3, 4}
    assert set(ledger.held_by(set(), with_doubtful=False)) == set()
    keep(ledger, TREE)
    assert set(Ledger(path, IDENTITY).held_by(set())) == set()


def test_paths(path):
    """From the directory that holds each."""
    ledger = Ledger(path, IDENTITY)
    assert ledger.path_of(ROOT) == ""
    assert ledger.path_of(4) == "/etc/deep"
    assert ledger.path_of(99) is None


def test_paths_that_lead_in_a_circle(path):
    """Two directories that were exchanged, half of it remembered."""
    rows = (
        listing(3, 4, ("deep", 4, 1, DIRECTORY)),
        listing(4, 3, ("etc", 3, 1, DIRECTORY)),
    )
    keep(Ledger(path, IDENTITY), rows)
    assert Ledger(path, IDENTITY).path_of(4) is None


def test_an_old_log_is_written_anew(path):
    """When most of it is out of date; and it is not lost in between."""
    many = listing(4, 3, *((f"{n:060}", n, n, FILE) for n in range(1, 9000)))
    ledger = Ledger(path, IDENTITY)
    keep(ledger, [many, many, many, many])
    ledger.reread()
    before = ledger.log
    ledger.complete(None)
    assert ledger.log != before
    assert not before.exists()
    again = Ledger(path, IDENTITY)
    assert again.log.stat().st_size < 2 * len(many.encode())
    assert again.is_complete
    assert [again.find(n) for n in (ROOT, 3, 4)] == [*TREE[:2], many]


def test_a_log_that_nobody_wants(path):
    """A power cut between the new log and the old one's removal."""
    other = Path(f"{path}.7")
    other.write_bytes(b"old")
    Ledger(path, IDENTITY)
    assert not other.exists()


def test_a_doubted_name_is_doubtful(path):
    """With its directory, and nothing else."""
    doubt(path, ["/etc/deep/a\nb"])
    ledger = Ledger(path, IDENTITY)
    here = ledger.find(4)
    assert (here.ctime, list(here.ctimes)) == (DOUBTFUL, [DOUBTFUL, 230])
    assert ledger.find(3) == TREE[1]
    assert ledger.is_complete


def test_a_doubted_directory_is_doubtful(path):
    """Itself, and the one that holds it; a name that is not there as well."""
    doubt(path, ["/etc/deep", "/etc/more"])
    ledger = Ledger(path, IDENTITY)
    assert ledger.find(4).ctime == DOUBTFUL
    assert ledger.find(3).ctime == DOUBTFUL
    assert list(ledger.find(4).ctimes) == [220, 230]


@pytest.mark.parametrize("odd", ["/no/such", "/file/below", "/etc/no/deeper"])
def test_doubt_of_what_is_not_known(path, odd):
    """It will be copied anyway."""
    doubt(path, [odd])
    assert len(Ledger(path, IDENTITY)) == len(TREE)


def test_doubt_of_a_state_that_is_broken(path):
    """The next pass takes it for none."""
    Path(path).write_text(json.dumps({"source": [1]}))
    doubt(path, ["/etc"])
    assert len(Ledger(path, IDENTITY)) == 0

"""The journal on a real disk: order, torn and damaged lines, one instance."""

import errno
import fcntl
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfs_root_migrate.errors import ExitStatus, MigrateError, UsageError
from zfs_root_migrate.journal import (
    Event,
    Journal,
    Lock,
    Record,
    holder,
    last,
    read_records,
    touched,
    write_state,
)


@pytest.fixture
def path(tmp_path):
    """Return where the journal is."""
    return tmp_path / "journal.jsonl"


def written(path, *rows):
    """Write records in one process and return them as another one reads them."""
    journal = Journal.open(path)
    for event, step in rows:
        journal.write(event, "run", "digest", step)

    return read_records(path)[0]


def test_records_survive(path):
    """What one process wrote the next one reads, and goes on behind it."""
    first = written(path, (Event.BEGIN, ""), (Event.INTENT, "a"))
    assert [(r.event, r.step) for r in first] == [
        (Event.BEGIN, ""),
        (Event.INTENT, "a"),
    ]
    assert written(path, (Event.DONE, "a"))[:2] == first
    assert len(read_records(path)[0]) == 3


@given(text=st.text(), step=st.text())
def test_any_text_survives(tmp_path_factory, text, step):
    """Newlines, odd bytes and line separators of Unicode stay in one line."""
    path = tmp_path_factory.mktemp("journal") / "j"
    journal = Journal.open(path)
    journal.write(Event.FAILED, "run", "d", step, text)

    (record,) = read_records(path)[0]
    assert (record.step, record.text) == (step, text)


def test_a_torn_last_line_is_dropped(path):
    """Wherever a power cut tears the last line, the rest is good and goes on."""
    written(path, (Event.BEGIN, ""), (Event.INTENT, "a"))
    data = path.read_bytes()
    first = data.index(b"\n") + 1
    for length in range(first, len(data)):
        path.write_bytes(data[:length])
        assert len(read_records(path)[0]) == 1
        after = written(path, (Event.DONE, "b"))
        assert [r.event for r in after] == [Event.BEGIN, Event.DONE]
        for line in path.read_text().splitlines():
            json.loads(line)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{}",
        "[]",
        "7",
        "null",
        '{"event": "no"}',
        '{"event": "done", "verb": "run", "plan": "d", "more": 1}',
        "\0\0\0\0",
        "\\xff",
    ],
)
def test_a_damaged_line_is_an_error(path, line):
    """A line in the middle that is no record stops with its number; none is lost."""
    written(path, (Event.BEGIN, ""), (Event.INTENT, "a"))
    lines = path.read_text().splitlines()
    text = "\n".join([lines[0], line, *lines[1:], ""])
    path.write_bytes(text.encode().replace(b"\\xff", b"\xff"))
    with pytest.raises(UsageError, match="line 2 is damaged"):
        read_records(path)
    with pytest.raises(UsageError):
        Journal.open(path)
    assert path.read_bytes().count(b"\n") == 3


def test_records_are_on_the_disk_when_write_returns(path, monkeypatch):
    """Each record is flushed and fsynced; the new file's directory entry as well."""
    synced = []
    real = os.fsync

    def fsync(descriptor):
        name = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        synced.append((name, os.fstat(descriptor).st_size))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    journal = Journal.open(path)
    assert [name for name, _ in synced] == [str(path.parent)]
    for event in (Event.BEGIN, Event.INTENT):
        journal.write(event, "run", "d")
        assert synced[-1] == (str(path), path.stat().st_size)

    assert synced[-1][1] > synced[-2][1] > 0


def test_only_root_reads_it(path):
    """The journal is nobody else's business."""
    written(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_times_come_from_the_clock(path):
    """Records carry the Unix time."""
    journal = Journal.open(path)
    journal.clock = lambda: 12.5
    journal.write(Event.BEGIN, "run", "d")

    assert read_records(path)[0][0].time == 12.5


def test_no_journal_is_an_empty_one(path):
    """Before the first record there is nothing."""
    assert read_records(path) == ((), 0)


def record(event, step="", verb="run"):
    """Return a record."""
    return Record(event=event, verb=verb, plan="d", step=step)


def test_touched():
    """Tried and not undone since; kept steps and other verbs do not count."""
    records = [
        record(Event.INTENT, "a"),
        record(Event.DONE, "a"),
        record(Event.KEPT, "k"),
        record(Event.INTENT, "f"),
        record(Event.FAILED, "f"),
        record(Event.INTENT, "s", verb="sync"),
        record(Event.INTENT, "u"),
        record(Event.UNDONE, "u"),
        record(Event.INTENT, "v"),
        record(Event.UNDONE, "v"),
        record(Event.INTENT, "v"),
    ]
    assert touched(records, "run") == {"a", "f", "v"}
    assert touched(records, "sync") == {"s"}


def test_last():
    """The newest record of an event, of a step where one is named."""
    records = [record(Event.DONE, "a"), record(Event.DONE, "b"), record(Event.END)]
    assert last(records, Event.DONE) is records[1]
    assert last(records, Event.DONE, Event.END) is records[2]
    assert last(records, Event.DONE, step="a") is records[0]
    assert last(records, Event.FAILED) is None


def test_state_files_are_whole(tmp_path, monkeypatch):
    """The content is synced before it gets its name, and the directory after."""
    path, order = tmp_path / "plan.json", []
    path.write_text("old")
    real = os.fsync

    def fsync(descriptor):
        order.append(
            (str(Path(f"/proc/self/fd/{descriptor}").readlink()), path.read_text())
        )
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_state(path, "new")
    assert order == [(f"{path}.part", "old"), (str(tmp_path), "new")]
    assert os.listdir(tmp_path) == ["plan.json"]


def test_a_full_disk_leaves_the_old_state_file(tmp_path, monkeypatch):
    """Where the new one cannot be written the old one stays."""
    path = tmp_path / "plan.json"
    path.write_text("old")

    def fsync(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="No space"):
        write_state(path, "new")
    assert path.read_text() == "old"


def test_one_instance_at_a_time(tmp_path):
    """The second one is told who the first is, and the first is undisturbed."""
    path = tmp_path / "lock"
    assert holder(path) is None
    with Lock(path):
        assert holder(path) == str(os.getpid())
        with pytest.raises(MigrateError, match="at work") as caught:
            Lock(path)
        assert str(os.getpid()) in caught.value.details
        assert caught.value.status is ExitStatus.STEP_FAILED
        assert holder(path) == str(os.getpid())
    assert holder(path) is None
    with Lock(path):
        pass


def test_a_stale_lock_file_stops_nobody(tmp_path):
    """What counts is the kernel's lock, not what a killed process left in the file."""
    path = tmp_path / "lock"
    path.write_text("999999999")
    assert holder(path) is None
    with Lock(path):
        assert path.read_text() == str(os.getpid())


def test_asking_for_the_holder_takes_nothing(tmp_path):
    """`status` must not stop a `run` that begins just then for longer than a moment."""
    path = tmp_path / "lock"
    with Lock(path):
        pass
    holder(path)
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.fixture
def frozen(path, monkeypatch):
    """Return a list; while it has an error number, the journal cannot be written."""
    numbers: list[int] = []
    real = Path.open

    def open_file(self, *args, **more):
        if numbers and self == path and args:
            raise OSError(numbers[0], "no", str(self))
        return real(self, *args, **more)

    monkeypatch.setattr(Path, "open", open_file)
    return numbers


def names(path):
    """Return the steps in a journal, by their order."""
    return [record.step for record in read_records(path)[0]]


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOENT])
def test_what_cannot_be_written_is_written_later(path, tmp_path, frozen, number):
    """In its order, and in a copy elsewhere once there is a place for it."""
    aside = tmp_path / "new" / "journal.jsonl"
    journal = Journal.open(path, aside=aside)
    journal.write(Event.INTENT, "seal", "d", "a")
    frozen.append(number)
    journal.write(Event.DONE, "seal", "d", "b")
    assert names(path) == ["a"]
    aside.parent.mkdir()
    journal.write(Event.INTENT, "seal", "d", "c")
    assert names(path) == ["a"]
    assert names(aside) == ["a", "b", "c"]
    frozen.clear()
    journal.write(Event.FAILED, "seal", "d", "e")
    assert names(path) == ["a", "b", "c", "e"]
    assert [r.step for r in journal.records] == names(path)


@pytest.mark.parametrize("aside", [True, False])
def test_other_failures_are_none_of_that(path, tmp_path, frozen, aside):
    """A full disk stops everything, and so does any failure without a place aside."""
    place = tmp_path / "new" / "j" if aside else None
    journal = Journal.open(path, aside=place)
    frozen.append(errno.ENOSPC if aside else errno.EROFS)
    with pytest.raises(OSError, match="no"):
        journal.write(Event.INTENT, "seal", "d", "a")


def test_nothing_keeps_the_file_open(path):
    """Its file system can be made read-only between two records."""
    journal = Journal.open(path)
    journal.write(Event.BEGIN, "seal", "d")
    held = [link.resolve() for link in Path("/proc/self/fd").iterdir()]
    assert path.resolve() not in held
    assert path.stat().st_mode & 0o777 == 0o600

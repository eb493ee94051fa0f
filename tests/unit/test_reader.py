"""Recorded questions are answered as they were; others are answered with nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfs_root_migrate import runner
from zfs_root_migrate.errors import UsageError
from zfs_root_migrate.reader import (
    LiveReader,
    Recording,
    RecordingReader,
    ReplayReader,
    dump_recording,
    load_recording,
)
from zfs_root_migrate.runner import Answer

TEXT = st.text(st.characters(exclude_characters="\0"))
RECORDINGS = st.builds(
    Recording,
    queries=st.dictionaries(TEXT, st.tuples(st.integers(0, 255), TEXT, TEXT)),
    files=st.dictionaries(TEXT, st.none() | TEXT),
    directories=st.dictionaries(TEXT, st.none() | st.lists(TEXT).map(tuple)),
    links=st.dictionaries(TEXT, st.none() | TEXT),
    write=st.dictionaries(TEXT, st.booleans()),
)


def test_bytes_survive_reading(tmp_path):
    """A file's bytes come back, carriage returns and stray bytes included."""
    data = b"\r\n\xff\xfe\r"
    (tmp_path / "hostid").write_bytes(data)
    text = LiveReader().read(str(tmp_path / "hostid"))
    assert text.encode("utf-8", "surrogateescape") == data


def test_absence_is_an_answer(tmp_path):
    """What is not there is None; what could be made in a writable place is writable."""
    reader, missing = LiveReader(), str(tmp_path / "no" / "such")
    assert reader.read(missing) is None
    assert reader.read(str(tmp_path)) is None
    assert reader.names(missing) is None
    assert reader.resolve(missing) is None
    assert reader.writable(missing)


def test_a_part_of_a_file(tmp_path):
    """Only that is read, also where it is binary; beyond the end there is nothing."""
    path = tmp_path / "image"
    path.write_bytes(b"\0\r\nHdrS\xff\xfe end")
    reader = RecordingReader(LiveReader())
    assert reader.part(str(path), 3, 6) == "HdrS\udcff\udcfe"
    assert reader.part(str(path), 10, 99) == "end"
    assert reader.part(str(path), 999, 1) == ""
    assert reader.part(str(tmp_path), 0, 1) is None
    assert reader.part(str(tmp_path / "none"), 0, 1) is None
    replay = ReplayReader(reader.recording)
    assert replay.part(str(path), 3, 6) == "HdrS\udcff\udcfe"
    assert replay.part(str(path), 3, 5) is None


def test_directories_and_links(tmp_path):
    """Names are sorted, links followed, loops are nothing."""
    for name in "ba":
        (tmp_path / name).touch()
    (tmp_path / "l").symlink_to("a")
    (tmp_path / "loop").symlink_to("loop")
    reader = LiveReader()
    assert reader.names(str(tmp_path)) == ("a", "b", "l", "loop")
    assert reader.resolve(str(tmp_path / "l")) == str((tmp_path / "a").resolve())
    assert reader.resolve(str(tmp_path / "loop")) is None


def test_replay_gives_what_was_recorded(tmp_path, monkeypatch):
    """A replay answers like the system did, also about what was missing."""
    asked = []

    def query(argv, **_):
        asked.append(argv)
        return Answer(tuple(argv), 3, "out\n", "err")

    monkeypatch.setattr(runner, "query", query)
    (tmp_path / "file").write_text("text")
    here, missing = str(tmp_path), str(tmp_path / "missing")
    recorder = RecordingReader(LiveReader())
    text = dump_recording_after_use(recorder, here, missing)
    replay = ReplayReader(load_recording(text, "test"))
    assert use(replay, here, missing) == use(recorder, here, missing)
    assert replay.query("lsblk", "a b").stdout == "out\n"
    assert asked[0] == ("lsblk", "a b")


def use(reader, here, missing):
    """Ask every kind of question."""
    return (
        reader.query("lsblk", "a b"),
        reader.read(f"{here}/file"),
        reader.read(missing),
        reader.names(here),
        reader.names(missing),
        reader.resolve(here),
        reader.resolve(missing),
        reader.writable(here),
    )


def dump_recording_after_use(recorder, here, missing):
    """Ask, then write down what was recorded."""
    use(recorder, here, missing)
    return dump_recording(recorder.recording)


def test_unrecorded_is_absent():
    """What was not asked then is not there now."""
    replay = ReplayReader(Recording())
    answer = replay.query("zpool", "list")
    assert (answer.status, answer.stdout) == (127, "")
    assert replay.read("/a") is replay.names("/a") is replay.resolve("/a") is None
    assert replay.writable("/a") is False


@given(RECORDINGS)
def test_round_trip(recording):
    """What is written is read again, whatever the names are."""
    assert load_recording(dump_recording(recording), "test") == recording


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{", "test is not a JSON file"),
        ("[" * 100_000, "test is not a JSON file"),
        ("[]", "field test"),
        ("{}", "schema"),
        ('{"schema": "zfs-root-migrate/recording", "version": 2}', "version"),
        ('{HEAD, "files": []}', "field files"),
        ('{HEAD, "files": {"/a": 1}}', "field files[/a]"),
        ('{HEAD, "files": {"/a": [1]}}', "field files[/a]"),
        ('{HEAD, "directories": {"/a": "b"}}', "field directories[/a]"),
        ('{HEAD, "links": {"/a": {}}}', "field links[/a]"),
        ('{HEAD, "write": {"/a": 1}}', "field write[/a]"),
        ('{HEAD, "queries": {"ls": 0}}', "field queries[ls]"),
        ('{HEAD, "queries": {"ls": {"status": "0"}}}', "field queries[ls].status"),
    ],
)
def test_a_bad_field_is_named(text, named):
    """A wrong recording is refused with the name of the field."""
    head = '"schema": "zfs-root-migrate/recording", "version": 1'
    with pytest.raises(UsageError) as caught:
        load_recording(text.replace("HEAD", head), "test")
    assert named in caught.value.brief + caught.value.details

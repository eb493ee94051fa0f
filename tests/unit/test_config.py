"""Settings: every row, bad values, the file and how one line of it is changed."""

import contextlib
import dataclasses
import tomllib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zfs_root_migrate.config import (
    SETTINGS,
    Config,
    config_rows,
    find_setting,
    format_size,
    parse_config,
    parse_setting,
    parse_size,
    read_settings,
    show_value,
)
from zfs_root_migrate.errors import ExitStatus, UsageError
from zfs_root_migrate.model import Copier, Topology
from zfs_root_migrate.settings_file import change_settings

GOOD: list[tuple[str, tuple[str, ...], Any]] = [
    ("target", ("/dev/vdb",), ("/dev/vdb",)),
    ("target", ("/dev/vdb/", "/dev/vdc"), ("/dev/vdb", "/dev/vdc")),
    ("target", (), ()),
    *(("topology", (name,), Topology(name)) for name in Topology),
    ("layout", ("tutorial",), "tutorial"),
    ("layout", ("boot-environments",), "boot-environments"),
    ("pool", ("rpool",), "rpool"),
    ("pool", ("z.a_b-c:9",), "z.a_b-c:9"),
    ("pool", ("logs",), "logs"),
    ("overwrite", ("S1", "S 2"), ("S1", "S 2")),
    ("join-old-disk", ("yes",), True),
    ("join-old-disk", ("no",), False),
    ("split-links", ("yes",), True),
    ("boot-size", ("auto",), None),
    ("boot-size", ("1G",), 1 << 30),
    ("swap-size", ("0",), 0),
    ("swap-size", ("512MiB",), 512 << 20),
    *(("compression", (name,), name) for name in ("lz4", "zstd", "on", "off")),
    ("copier", ("own",), Copier.OWN),
    ("copier", ("rsync",), Copier.RSYNC),
    ("exclude", ("/var/tmp/", "/"), ("/var/tmp", "/")),
    *(("consistency", (name,), name) for name in ("shutdown", "now")),
]
BAD: list[tuple[str, tuple[str, ...]]] = [
    ("target", ("vdb",)),
    ("target", ("",)),
    ("topology", ("stripe",)),
    ("topology", ()),
    ("topology", ("single", "mirror")),
    ("layout", ("default",)),
    ("pool", ("",)),
    ("pool", ("9pool",)),
    ("pool", ("a b",)),
    ("pool", ("a/b",)),
    ("pool", ("mirror1",)),
    ("pool", ("raidz",)),
    ("pool", ("draidx",)),
    ("pool", ("spares",)),
    ("pool", ("log",)),
    ("pool", ("x" * 300,)),
    ("pool", ("rpool\n",)),
    ("join-old-disk", ("true",)),
    ("join-old-disk", ("",)),
    ("split-links", ("maybe",)),
    ("boot-size", ("-1",)),
    ("boot-size", ("1.5G",)),
    ("boot-size", ("512 MB x",)),
    ("boot-size", ("9" * 5000,)),
    ("swap-size", ("none",)),
    ("swap-size", ("",)),
    ("compression", ("gzip",)),
    ("copier", ("cp",)),
    ("copier", ("own", "rsync")),
    ("exclude", ("var/tmp",)),
]
TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12
)
SIZES = st.one_of(st.none(), st.integers(0, 1 << 60))


@pytest.mark.parametrize(("name", "words", "value"), GOOD)
def test_good_values(name: str, words: tuple[str, ...], value: object) -> None:
    """Each setting takes its values into its own field."""
    assert parse_setting(name, words) == value
    config = parse_config({name: words})
    assert getattr(config, find_setting(name).field) == value


def test_every_setting_has_a_good_value_and_a_manual_text() -> None:
    """The table of rows is complete, and so is this test."""
    assert {name for name, _, _ in GOOD} == {setting.name for setting in SETTINGS}
    assert {s.field for s in SETTINGS} == {f.name for f in dataclasses.fields(Config)}
    for setting in SETTINGS:
        assert setting.help
        assert setting.values


@pytest.mark.parametrize(("name", "words"), BAD)
def test_bad_values_are_named(name: str, words: tuple[str, ...]) -> None:
    """A bad value ends in a usage error that says which setting."""
    with pytest.raises(UsageError, match=f"setting {name}") as caught:
        parse_setting(name, words)
    assert caught.value.status is ExitStatus.USAGE


def test_unknown_setting_names_the_ones_there_are() -> None:
    """A misspelling is answered with the list."""
    with pytest.raises(UsageError) as caught:
        parse_setting("traget", ("x",))
    assert "target" in caught.value.resolution


def test_defaults() -> None:
    """No settings at all are the defaults, which change nothing by themselves."""
    assert parse_config({}) == Config()
    assert Config().target == ()
    assert Config().overwrite == ()
    assert all(is_default for _, _, is_default in config_rows(Config()))


def test_rows_tell_what_differs_from_the_default() -> None:
    """`show` marks what the user chose."""
    rows = {name: (text, d) for name, text, d in config_rows(Config(pool="tank"))}
    assert rows["pool"] == ("tank", False)
    assert rows["target"] == ("(none)", True)
    assert rows["join-old-disk"] == ("yes", True)
    assert rows["boot-size"] == ("auto", True)
    assert len(rows) == len(SETTINGS)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "yes"),
        (False, "no"),
        ((), "(none)"),
        (("a", "b"), "a b"),
        (None, "auto"),
        (0, "0"),
        (1 << 30, "1G"),
        (Topology.RAIDZ2, "raidz2"),
    ],
)
def test_show_value(value: object, text: str) -> None:
    """Values are shown the way they are set."""
    assert show_value(value) == text


@given(size=SIZES)
def test_sizes_survive_the_way_through_text(size: int | None) -> None:
    """What is shown can be given back."""
    assert parse_size(format_size(size)) == size


def test_file_is_read() -> None:
    """Text, numbers, truth values and lists all become words."""
    text = """
        # the new disk
        target = ["/dev/vdb", '/dev/vdc']   # two of them
        pool = "tank"
        topology = "mirror"
        join-old-disk = false
        swap-size = 1073741824
        exclude = "/srv"
    """
    config = parse_config(read_settings(text, "x.toml"))
    assert config == Config(
        target=("/dev/vdb", "/dev/vdc"),
        pool="tank",
        topology=Topology.MIRROR,
        join_old_disk=False,
        swap_size=1 << 30,
        exclude=("/srv",),
    )
    assert read_settings("", "x.toml") == {}


@pytest.mark.parametrize(
    "text",
    [
        "pool = ",
        "pool",
        "pool = 'a'\npool = 'b'",
        "pool = 1.5",
        "pool = {a = 1}",
        "[pool]\na = 1",
        "target = [['/dev/vdb']]",
        "target = [1.5]",
        "pool = 2020-01-01",
        "nope = 1",
        "pool = ''",
        "topology = ['single', 'mirror']",
        "boot-size = -5",
        "pool = true",
        "overwrite = true",
        "overwrite = ['S1', false]",
        "compression = true",
        "swap-size = false",
    ],
)
def test_bad_file_is_a_usage_error(text: str) -> None:
    """Whatever is wrong in the file, it is said and nothing is assumed."""
    with pytest.raises(UsageError):
        read_settings(text, "x.toml")


@given(text=TEXT)
def test_any_text_is_settings_or_a_usage_error(text: str) -> None:
    """A damaged file never ends in another error."""
    with contextlib.suppress(UsageError):
        parse_config(read_settings(text, "x.toml"))


FILE = """\
# chosen by hand, see the label
target = [
  "/dev/disk/by-id/a]b",  # the ] is part of it
]
# name
pool = "tank"

exclude = ["/srv", "/var/tmp"]
"""


def test_change_keeps_the_rest_as_it_was() -> None:
    """One setting changes; comments and the other lines stay."""
    changed = change_settings(FILE, "pool", ("zwei",))
    assert changed == FILE.replace('"tank"', '"zwei"')
    changed = change_settings(FILE, "target", ("/dev/vdb",))
    assert read_settings(changed, "x")["target"] == ("/dev/vdb",)
    assert changed.startswith("# chosen by hand")
    assert changed.endswith(FILE[FILE.index("# name") :])


def test_change_takes_out_and_appends() -> None:
    """No words at all take a setting out; a new one goes to the end."""
    gone = change_settings(FILE, "target", ())
    assert "target" not in read_settings(gone, "x")
    assert change_settings(gone, "target", ()) == gone
    added = change_settings("pool = 'a'", "swap-size", ("2G",))
    assert added == "pool = 'a'\nswap-size = \"2G\"\n"


VALUES: dict[str, st.SearchStrategy[tuple[str, ...]]] = {
    "overwrite": st.lists(TEXT, min_size=1, max_size=3).map(tuple),
    "exclude": st.lists(TEXT.map("/".__add__), min_size=1, max_size=3).map(tuple),
    "pool": st.just(("tank",)),
    "topology": st.sampled_from([(str(t),) for t in Topology]),
    "swap-size": SIZES.map(lambda size: (format_size(size),)),
}
CHANGES = st.sampled_from(sorted(VALUES)).flatmap(
    lambda name: st.tuples(st.just(name), VALUES[name])
)


@given(changes=st.lists(CHANGES, max_size=6))
@example(changes=[("overwrite", ("]", '"', "\\", "#", "\U000e0001", "\x85"))])
@example(changes=[("exclude", ("/a\nb = 1",)), ("exclude", ("/]\n[x]",))])
@example(changes=[("overwrite", ("pool = 1\n",)), ("pool", ("tank",))])
def test_changes_round_trip(changes: list[tuple[str, tuple[str, ...]]]) -> None:
    """What was set last is what is read, and setting it again changes nothing."""
    text, wanted = FILE, read_settings(FILE, "x")
    for name, words in changes:
        text = change_settings(text, name, words)
        wanted[name] = words
        assert change_settings(text, name, words) == text
    assert read_settings(text, "x") == wanted
    assert "# chosen by hand" in text
    assert tomllib.loads(text)


def test_what_toml_cannot_hold_is_refused() -> None:
    """A name that is not UTF-8 must not end as a file that cannot be read."""
    with pytest.raises(UsageError):
        change_settings("", "exclude", ("/\udcff",))


def test_a_file_that_cannot_be_changed_safely_is_refused() -> None:
    """Better no change than one that is read as something else."""
    for text in ('pool = """\ntank"""\n', '"pool" = "tank"\n'):
        with pytest.raises(UsageError, match="pool"):
            change_settings(text, "pool", ("zwei",))


def test_a_bad_setting_can_be_mended_beside_another() -> None:
    """`set` works on a file in which other settings are wrong as well."""
    text = change_settings('pool = "9"\ntopology = "x"\n', "pool", ("tank",))
    assert text == 'pool = "tank"\ntopology = "x"\n'

"""What the user wants: one row per setting, read from a TOML file and from flags.

The rows below are the only place that knows the settings: the parser, `show`, `set`
and the manual's list are made from them.
"""

import dataclasses
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from zfs_root_migrate.errors import UsageError
from zfs_root_migrate.model import Copier, Topology

SETTINGS_FILE = "/etc/zfs-root-migrate.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings, checked."""

    target: tuple[str, ...] = ()
    topology: Topology = Topology.SINGLE
    layout: str = "tutorial"
    pool: str = "rpool"
    overwrite: tuple[str, ...] = ()
    join_old_disk: bool = True
    boot_size: int | None = None
    swap_size: int | None = None
    compression: str = "lz4"
    copier: Copier = Copier.OWN
    split_links: bool = False
    exclude: tuple[str, ...] = ()
    consistency: str = "shutdown"

    @property
    def splits_links(self) -> bool:
        """Whether hard links between datasets may become files of their own."""
        return self.split_links and self.copier is Copier.OWN

    @property
    def seals(self) -> bool:
        """Whether the last pass is made while the system goes down."""
        return self.consistency == "shutdown"


Value = str | int | bool | tuple[str, ...] | Topology | Copier | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One row: the name in the file, its field, its reader and its manual text."""

    name: str
    parse: Callable[[str], Value]
    values: str
    help: str
    many: bool = False

    @property
    def field(self) -> str:
        """Name of the field of Config."""
        return self.name.replace("-", "_")


def parse_size(text: str) -> int | None:
    """Read a size in bytes: `512M`, `2G`, `1048576`, or `auto` for None.

    >>> parse_size("512M")
    536870912
    """
    if text == "auto":
        return None
    found = re.fullmatch(r"(\d+)\s*([KMGT]?)(?:iB|B)?", text)
    if not found:
        raise ValueError("wanted a size such as 512M or 2G, or auto")
    return int(found[1]) << {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}[found[2]]


def format_size(size: int | None) -> str:
    """Write a size the way `parse_size` reads it, in the largest exact unit."""
    if size is None:
        return "auto"
    for shift, unit in ((40, "T"), (30, "G"), (20, "M"), (10, "K")):
        if size and size % (1 << shift) == 0:
            return f"{size >> shift}{unit}"
    return str(size)


def _pool_name(text: str) -> str:
    # zpoolconcepts(7): these begin with a letter and must not be vdev type names
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.:-]{0,200}", text) or re.match(
        r"(mirror|raidz|draid|spare|log$)", text
    ):
        raise ValueError("not a name that a pool can have, see zpoolconcepts(7)")
    return text


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError("wanted an absolute path")
    return text.rstrip("/") or "/"


def _one_of(*names: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in names:
            raise ValueError("wanted one of: " + ", ".join(names))
        return text

    return parse


def _yes_no(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError("wanted yes or no")
    return text == "yes"


def _topology(text: str) -> Topology:
    try:
        return Topology(text)
    except ValueError:
        names = ", ".join(Topology)
        raise ValueError(f"wanted one of: {names}") from None


def _copier(text: str) -> Copier:
    return Copier(_one_of(*Copier)(text))


SETTINGS = (
    Setting(
        name="target",
        parse=_path,
        many=True,
        values="PATH...",
        help="the new disks, by their links in /dev/disk/by-id",
    ),
    Setting(
        name="topology",
        parse=_topology,
        values=" | ".join(Topology),
        help="how the new disks make up the pool; with single, the old disk joins "
        "as a mirror later",
    ),
    Setting(
        name="layout",
        parse=_one_of("tutorial", "boot-environments"),
        values="tutorial | boot-environments",
        help="the datasets: the tutorial's (root is POOL/ROOT) or one that leaves "
        "room for boot environments (root is POOL/ROOT/gentoo)",
    ),
    Setting(name="pool", parse=_pool_name, values="NAME", help="name of the new pool"),
    Setting(
        name="overwrite",
        parse=str,
        many=True,
        values="SERIAL...",
        help="serial numbers of target disks whose present content may be destroyed",
    ),
    Setting(
        name="join-old-disk",
        parse=_yes_no,
        values="yes | no",
        help="size the partitions so that the old disk can become the mirror "
        "(topology single only)",
    ),
    Setting(
        name="boot-size",
        parse=parse_size,
        values="SIZE | auto",
        help="size of /boot; auto: twice what the present one holds, 512M at least",
    ),
    Setting(
        name="swap-size",
        parse=parse_size,
        values="SIZE | auto",
        help="size of the swap partition on each disk, 0 for none; auto: as much as "
        "is active now",
    ),
    Setting(
        name="compression",
        parse=_one_of("lz4", "zstd", "on", "off"),
        values="lz4 | zstd | on | off",
        help="compression property of the pool's file systems",
    ),
    Setting(
        name="copier",
        parse=_copier,
        values=" | ".join(Copier),
        help="what copies the files; rsync is slower, reads the holes of sparse files "
        "and does not keep what chattr(1) sets",
    ),
    Setting(
        name="split-links",
        parse=_yes_no,
        values="yes | no",
        help="whether hard links between what become different datasets may become "
        "files of their own; they are refused otherwise (copier own only)",
    ),
    Setting(
        name="exclude",
        parse=_path,
        many=True,
        values="PATH...",
        help="paths of the running system that are not copied",
    ),
    Setting(
        name="consistency",
        parse=_one_of("shutdown", "now"),
        values="shutdown | now",
        help="shutdown: the last pass is made while the system goes down, so that "
        "nothing is lost; now: none is, and what is written after run or sync is "
        "on the old disk only",
    ),
)


def find_setting(name: str) -> Setting:
    """Return the row of a setting, or name the ones there are."""
    for setting in SETTINGS:
        if setting.name == name:
            return setting
    raise UsageError(
        f"there is no setting {name!r}",
        resolution="the settings are: " + ", ".join(s.name for s in SETTINGS),
    )


def parse_setting(name: str, words: tuple[str, ...]) -> Value:
    """Read a setting's value from the words that were given for it."""
    setting = find_setting(name)
    if not setting.many and len(words) != 1:
        raise UsageError(f"setting {name}: takes one value: {setting.values}")
    try:
        if setting.many:
            return tuple(str(setting.parse(word)) for word in words)
        return setting.parse(words[0])
    except ValueError as error:
        raise UsageError(f"setting {name}: {' '.join(words)!r}: {error}") from None


def parse_config(values: Mapping[str, tuple[str, ...]]) -> Config:
    """Make a Config of setting names and the words given for them."""
    read: dict[str, Any] = {
        find_setting(name).field: parse_setting(name, words)
        for name, words in values.items()
    }
    return Config(**read)


def read_settings(text: str, path: str) -> dict[str, tuple[str, ...]]:
    """Read the settings file's text into setting names and words."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"{path} is not a TOML file: {error}", resolution=f"mend or remove {path}"
        ) from None
    values = {}
    for name, value in table.items():
        words = value if isinstance(value, list) else [value]
        if not all(isinstance(word, str | int) for word in words):
            raise UsageError(f"{path}: {name}: wanted text, a number or a list of them")
        # true and false mean yes and no only where these are asked for: a pool called
        # "yes" is nobody's wish
        if find_setting(name).parse is not _yes_no and any(
            isinstance(word, bool) for word in words
        ):
            raise UsageError(
                f"{path}: {name}: true and false are no values for it",
                resolution=f"wanted: {find_setting(name).values}",
            )
        values[name] = tuple(_word(word) for word in words)
        parse_setting(name, values[name])
    return values


def _word(value: str | int) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def show_value(value: object) -> str:
    """Write a setting's value for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " ".join(value) if value else "(none)"
    if value is None or isinstance(value, int):
        return format_size(value)
    return str(value)


def config_rows(config: Config) -> tuple[tuple[str, str, bool], ...]:
    """Return name, value and whether it is the default, for every setting."""
    default = Config()
    return tuple(
        (s.name, show_value(now), now == getattr(default, s.field))
        for s in SETTINGS
        for now in (getattr(config, s.field),)
    )


assert {s.field for s in SETTINGS} == {f.name for f in dataclasses.fields(Config)}

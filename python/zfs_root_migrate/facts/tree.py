"""What there is to walk through, worked out from the facts. Pure; scan.py walks.

The walks are the transfers of the copy, each on the file system that it reads from: so
what is looked at is what is copied, and nothing else.
"""

from dataclasses import dataclass, replace

from zfs_root_migrate import topology
from zfs_root_migrate.config import Config
from zfs_root_migrate.datasets import LAYOUTS
from zfs_root_migrate.facts.mounts import parse_mountinfo
from zfs_root_migrate.layout import design
from zfs_root_migrate.model import Facts, Mount
from zfs_root_migrate.paths import SOURCES
from zfs_root_migrate.steps.copying import transfers

# the kernel's limit of a path (limits.h): what is longer is marked, and is no trouble
# but to rsync, which opens files by whole paths
PATH_MAX = 4095
# the running machine's, whatever a tree elsewhere has mounted there
NOT_OF_THE_TREE = ("/dev", "/proc", "/run", "/sys")


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """One tree to walk through.

    `top` is where its file system is mounted and `inside` the directory in it to begin
    at, which other file systems may hide (`hidden`). `shown` is the path that stands
    for this directory in reports. `exclude` are paths below it, with a leading slash,
    that are not looked at; `places` directories that may become datasets, as they are
    shown. A path below it that is longer than `room` bytes cannot be copied by rsync.
    """

    top: str
    shown: str
    exclude: tuple[str, ...]
    places: tuple[str, ...]
    room: int
    inside: str = ""
    hidden: bool = False
    files: int = 0


def plan_walks(config: Config, facts: Facts) -> tuple[Walk, ...]:
    """Return the walks that see all that would be copied; none without a root."""
    if facts.elsewhere is not None:
        return _walk_elsewhere(config, facts, facts.elsewhere)
    if topology.root_mount(facts.storage) is None:
        return ()
    layout = design(config, facts)
    mounts, places = layout.sources, candidates(config, facts)
    made = []
    for tree in transfers(config, facts, layout):
        number, _, rest = tree.source.removeprefix(SOURCES + "/").partition("/")
        top, inside = mounts[int(number)].target, f"/{rest}" if rest else ""
        made.append(
            Walk(
                top=top,
                inside=inside,
                shown=top.rstrip("/") + inside or "/",
                exclude=tree.exclude,
                places=places,
                room=PATH_MAX - max(len(tree.source), len(tree.destination)),
                hidden=bool(inside),
                files=tree.files,
            )
        )
    return tuple(made)


def candidates(config: Config, facts: Facts) -> tuple[str, ...]:
    """Return the directories that become datasets in one of the layouts.

    Whatever is mounted now is among them, and /boot, which has a file system of its
    own on the new disk.
    """
    layouts = [design(replace(config, layout=name), facts) for name in LAYOUTS]
    found = {
        "/boot",
        *(mount.target for mount in facts.storage.mounts),
        *(str(dataset.mountpoint) for made in layouts for dataset in made.mounts),
    }
    return tuple(sorted(path for path in found if path.startswith("/") and path != "/"))


def find_mounted(top: str, mountinfo: str) -> tuple[str, ...]:
    """Return the mount points in a tree, as they are called there.

    >>> find_mounted("/mnt", "9 1 8:1 / /mnt/boot rw - ext4 /dev/sda1 rw\\n")
    ('/boot',)
    """
    above = top.rstrip("/") + "/"
    targets = {row.mount.target for row in parse_mountinfo(mountinfo)}
    below = sorted(f"/{t[len(above) :]}" for t in targets if t.startswith(above))
    kernels = tuple(f"{path}/" for path in NOT_OF_THE_TREE)
    return tuple(path for path in below if not f"{path}/".startswith(kernels))


def _walk_elsewhere(config: Config, facts: Facts, top: str) -> tuple[Walk, ...]:
    """Return one walk through the tree as if it were a root without other mounts."""
    root = Mount(target="/", source=top, fs_type="ext4", options="ro")
    layout = replace(design(config, facts), sources=(root,))
    (tree,) = transfers(config, facts, layout)
    return (
        Walk(
            top=top,
            shown="/",
            exclude=(*tree.exclude, *NOT_OF_THE_TREE),
            places=candidates(config, facts),
            room=PATH_MAX - max(len(tree.source), len(tree.destination)),
        ),
    )

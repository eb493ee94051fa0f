"""The datasets of each layout, by rules that are data.

The tutorial's names stay; where they are mounted follows what the running system has.
"""

from dataclasses import dataclass, replace

from zfs_root_migrate.model import Facts, PortageFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A dataset; mountpoint None means that it only holds others."""

    name: str
    mountpoint: str | None
    legacy: bool = False
    explicit: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """One row of a dataset layout.

    `place` "inherit" takes the mount point from the parent, "container" is never
    mounted, "usr" is the rule of the tutorial: /bin and /sbin belong to the root
    dataset, and on a merged-usr system they are below /usr. "portage" asks Portage.
    """

    name: str
    place: str = "inherit"


_COMMON = (
    _Rule(name="home"),
    _Rule(name="usr", place="usr"),
    _Rule(name="usr/local"),
    _Rule(name="usr/portage", place="portage"),
    _Rule(name="usr/src"),
)
LAYOUTS: dict[str, tuple[str, tuple[_Rule, ...]]] = {
    "tutorial": ("ROOT", (*_COMMON, _Rule(name="var"), _Rule(name="var/log"))),
    # Portage's database of installed packages must go with the root it describes, so
    # /var itself belongs to the boot environment
    "boot-environments": (
        "ROOT/gentoo",
        (*_COMMON, _Rule(name="var", place="container"), _Rule(name="var/log")),
    ),
}


def datasets(
    pool: str,
    root: str,
    rules: tuple[_Rule, ...],
    facts: Facts,
    stays: frozenset[str],
) -> tuple[Dataset, ...]:
    """Return the datasets of a pool whose root is `root`, the containers first.

    `stays` are mount points whose file systems the new system goes on using: a dataset
    there would be mounted over, or be in the way.
    """
    *containers, _ = root.split("/")
    made = [
        Dataset(name=f"{pool}/{name}", mountpoint=None, reason="holds the roots")
        for name in containers
    ]
    made.append(
        Dataset(
            name=f"{pool}/{root}",
            mountpoint="/",
            legacy=True,
            reason="the root: /bin, /sbin, /etc, /lib and all that is not below",
        )
    )
    for rule in rules:
        made.extend(_dataset(pool, rule, facts, stays))
    return tuple(made)


def _dataset(
    pool: str, rule: _Rule, facts: Facts, stays: frozenset[str]
) -> tuple[Dataset, ...]:
    plain = Dataset(name=f"{pool}/{rule.name}", mountpoint=f"/{rule.name}")
    if rule.place == "container":
        return (replace(plain, mountpoint=None, reason="only holds others"),)
    if rule.place == "usr":
        reason = (
            "never mounted: /bin, /sbin and /lib are below /usr, in the root"
            if facts.system.merged_usr
            else "never mounted: the initramfs would have to mount /usr before init"
        )
        return (replace(plain, mountpoint=None, reason=reason),)
    if rule.place == "portage":
        return _portage_datasets(plain, facts.portage)
    if plain.mountpoint in stays:
        return (replace(plain, mountpoint=None, reason="stays where it is"),)
    if plain.mountpoint in facts.system.symlinks:
        # a file system cannot be mounted where the system has a symbolic link
        return (replace(plain, mountpoint=None, reason="a symbolic link there now"),)
    return (plain,)


def _portage_datasets(plain: Dataset, portage: PortageFacts) -> tuple[Dataset, ...]:
    """Put the tutorial's usr/portage where Portage keeps its files today."""
    repository = portage.repository or "/usr/portage"
    made = [
        replace(
            plain,
            mountpoint=repository,
            explicit=repository != plain.mountpoint,
            reason="Portage's repository",
        )
    ]
    for name, path in (("distfiles", portage.distdir), ("packages", portage.pkgdir)):
        if path and not path.startswith(repository + "/"):
            made.append(
                Dataset(
                    name=f"{plain.name}/{name}",
                    mountpoint=path,
                    explicit=True,
                    reason=f"Portage's {name}",
                )
            )
    return tuple(made)

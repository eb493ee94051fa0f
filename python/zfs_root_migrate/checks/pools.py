"""Checks of pools that there are, of the new pool's name, and of the hostid."""

import re
from collections.abc import Iterator

from zfs_root_migrate import topology
from zfs_root_migrate.checks.choice import targets
from zfs_root_migrate.checks.target import may_overwrite
from zfs_root_migrate.config import Config
from zfs_root_migrate.finding import Finding, Severity
from zfs_root_migrate.layout import BAD_HOSTIDS
from zfs_root_migrate.model import Facts, Pool


class PoolImported(Finding):
    """A pool with the name of the new one is imported.

    Two pools cannot have one name at a time. Other pools do not matter.
    """

    key = "pool-imported"
    severity = Severity.INHIBITOR
    title = "a pool of that name is in use"


class PoolNameTaken(Finding):
    """A disk carries the labels of another pool with the name of the new one.

    The initramfs imports by name: with two pools of one name the boot stops
    (openzfs/zfs#14869, #18027, #7443). Such labels are often ghosts of an earlier
    attempt, and come back when only the newest of them was cleared.
    """

    key = "pool-name-taken"
    severity = Severity.INHIBITOR
    title = "another pool has the new pool's name"


class PoolsUnknown(Finding):
    """Which pools there are could not be found out.

    `zpool` answers root only, and only when the module is loaded. A second pool of the
    new one's name would stop the boot, so this is not left to chance.
    """

    key = "pools-unknown"
    severity = Severity.INHIBITOR
    title = "which pools there are is not known"


class PoolsImportedAtBoot(Finding):
    """The running system imports every pool that it finds when it starts.

    After a power cut in the middle of the migration it would import the half-made pool
    and mount its /home and /var over its own. The new root does not need this setting.
    """

    key = "pools-imported-at-boot"
    severity = Severity.INHIBITOR
    title = "this system imports any pool it sees when it starts"


class HostidBad(Finding):
    """The hostid is one that many machines share, or none at all.

    A pool belongs to a hostid. 00000000 means no owner, and 00bab10c is written by
    some installers on every machine: the guard against importing a pool that another
    machine uses is then off (openzfs/zfs#8059, #8283, zgenhostid(8)).
    """

    key = "hostid-bad"
    severity = Severity.INHIBITOR
    title = "the hostid is no good"


class HostidNew(Finding):
    """/etc/hostid is not there; one is made before the pool is.

    Gentoo has none until something makes one. `hostid` prints a number all the same,
    derived from the network address, which ZFS does not use.
    """

    key = "hostid-new"
    severity = Severity.INFO
    title = "a hostid will be made"


class HostidDiffers(Finding):
    """The option spl_hostid names another hostid than /etc/hostid.

    A pool is made for the hostid that the kernel's module has: that of the option,
    where there is one (on the kernel's command line, or in modprobe.d). Programs and
    an initramfs look at /etc/hostid. Where the two differ, the pool may be taken for
    another machine's after a crash, and the boot stops (openzfs/zfs#8059, #8283).
    """

    key = "hostid-differs"
    severity = Severity.WARNING
    title = "two hostids are set"


def check_pools(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look for other pools of the new pool's name."""
    pools = facts.storage.pools
    if pools is None and facts.system.zfs_userland is not None:
        yield PoolsUnknown(
            seen="zpool could not be asked which pools there are",
            why="Two pools of one name stop the boot.",
            remedy=(
                "As root:",
                "  modprobe zfs",
                "  zpool import",
                "  zfs-root-migrate check",
            ),
        )
    for pool in pools or ():
        if pool.name == config.pool and not _goes_away(facts, config, pool):
            yield _same_name(pool, _free_name(config.pool, pools or ()))


def _goes_away(facts: Facts, config: Config, pool: Pool) -> bool:
    # its labels lie only on disks that the user gave to be overwritten
    chosen = targets(facts, config)
    below = {
        disk
        for path in pool.devices
        for disk in topology.disk_below(facts.storage, path)
    }
    known = all(topology.find_device(facts.storage, path) for path in pool.devices)
    return (
        not pool.imported
        and known
        and bool(below)
        and all(d in chosen and may_overwrite(facts.storage, config, d) for d in below)
    )


def _free_name(name: str, pools: tuple[Pool, ...]) -> str:
    taken = {pool.name for pool in pools}
    stem = name.rstrip("0123456789")
    return next(new for n in range(2, 99) if (new := f"{stem}{n}") not in taken)


def _same_name(pool: Pool, free: str) -> Finding:
    where = ", ".join(pool.devices) or "no device that is known"
    if pool.imported:
        return PoolImported(
            seen=f"the pool {pool.name} ({pool.guid}) is imported, on {where}",
            why="A second one of that name cannot be made.",
            remedy=("Choose another name:", f"  zfs-root-migrate set pool {free}"),
        )
    return PoolNameTaken(
        seen=f"the pool {pool.name} ({pool.guid}) is on {where}",
        why="Two pools of one name stop the boot (zfs#14869, #7443).",
        remedy=("Choose another name:", f"  zfs-root-migrate set pool {free}"),
    )


def check_import_all(facts: Facts, config: Config) -> Iterator[Finding]:
    """See that a reset in mid-migration leaves the new pool alone."""
    path = facts.system.imports_all_pools
    if path is not None:
        yield PoolsImportedAtBoot(
            seen=f"{path} has ZPOOL_IMPORT_ALL_VISIBLE=yes",
            why="After a power cut the half-made pool would be mounted over /home.",
            remedy=(
                "Switch it off; pools in use are in the cache file and stay known:",
                f"  sed -i 's/^\\s*ZPOOL_IMPORT_ALL_VISIBLE=/#&/' {path}",
            ),
        )


def check_hostid(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at /etc/hostid."""
    hostid = facts.boot.hostid
    if hostid is None:
        yield HostidNew(
            seen="/etc/hostid is not there",
            why="The pool, the initramfs and the new root need one and the same.",
            remedy=(),
        )
    elif not re.fullmatch(r"[0-9a-f]{8}", hostid) or int(hostid, 16) in BAD_HOSTIDS:
        yield HostidBad(
            seen=f"/etc/hostid holds {hostid}",
            why="The guard against importing another machine's pool is off.",
            remedy=(
                "If no pool of this machine depends on it, take it away; a new one is "
                "made:",
                "  mv /etc/hostid /etc/hostid.bad",
            ),
        )
    yield from _other_hostid(facts, hostid)


def _other_hostid(facts: Facts, hostid: str | None) -> Iterator[Finding]:
    """Compare /etc/hostid with what the module is told; 0 is as if nothing were."""
    named = [
        (number, place)
        for text, place in _options(facts)
        if (number := read_hostid(text)) and f"{number:08x}" != hostid
    ]
    if named:
        number, place = named[-1]
        yield HostidDiffers(
            seen=f"{place} sets {number:08x}, /etc/hostid "
            + (f"holds {hostid}" if hostid else "is not there"),
            why="The pool may be taken for another machine's at boot (zfs#8059).",
            remedy=(
                "Make them the same; or take the option away, if no pool needs it:",
                f"  zgenhostid -f {number:08x}",
            ),
        )


def _options(facts: Facts) -> Iterator[tuple[str, str]]:
    """Return each value of spl_hostid and where it stands, the one that counts last."""
    boot = facts.boot
    if boot.spl_hostid and boot.spl_hostid_file:
        yield boot.spl_hostid, boot.spl_hostid_file
    for word in boot.cmdline.split():
        found = re.fullmatch(r"(spl\.)?spl_hostid=(\S+)", word)
        if found:
            # dracut reads the short form as zgenhostid does: hexadecimal in any case
            bare = not found[1] and not found[2].startswith("0x")
            text = f"0x{found[2]}" if bare else found[2]
            yield text, f"{found[0]} on the kernel command line"


def read_hostid(text: str) -> int | None:
    """Return the number that the kernel reads: decimal, octal or hexadecimal.

    >>> read_hostid("0x1badcafe") == read_hostid("464374526"), read_hostid("x")
    (True, None)
    """
    try:
        number = int(text, 8 if re.fullmatch(r"0[0-7]+", text) else 0)
    except ValueError:
        return None
    return number if 0 <= number < 1 << 32 else None

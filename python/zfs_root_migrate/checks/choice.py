"""Checks of the setting `target`: that it names enough disks, and disks only."""

import shlex
from collections import Counter
from collections.abc import Iterator

from zfs_root_migrate import topology
from zfs_root_migrate.amounts import show_size
from zfs_root_migrate.config import Config
from zfs_root_migrate.finding import Finding, Severity
from zfs_root_migrate.model import BlockDevice, Facts, Storage, Topology

LIST = "  zfs-root-migrate list"


class TargetUnset(Finding):
    """No new disk is chosen.

    `zfs-root-migrate list` shows the disks there are, and `zfs-root-migrate set target`
    takes one of them by its link in /dev/disk/by-id. Names such as /dev/sdb are
    accepted, but can mean another disk after the next boot.
    """

    key = "target-unset"
    severity = Severity.INHIBITOR
    title = "no new disk is chosen"


class TargetUnknown(Finding):
    """The setting `target` names something that is no disk of this machine.

    A disk that was unplugged, a misspelt link, or a serial number that two disks share
    end here.
    """

    key = "target-unknown"
    severity = Severity.INHIBITOR
    title = "a chosen disk is not there"


class TargetNotDisk(Finding):
    """The setting `target` names a partition, a volume, an array or an image.

    The new system needs whole disks: a boot loader goes in front of the partitions, and
    /boot, swap and the pool each get one.
    """

    key = "target-not-disk"
    severity = Severity.INHIBITOR
    title = "a chosen target is not a whole disk"


class TargetIsOldDisk(Finding):
    """The setting `target` names the disk (or a part of it) that the system runs from.

    That disk is the way back until `mirror`, and is never written to before.
    """

    key = "target-is-old-disk"
    severity = Severity.INHIBITOR
    title = "a chosen disk is the one the system runs from"


class TargetTwice(Finding):
    """The setting `target` names one disk twice, perhaps by two of its links.

    A mirror of a disk with itself protects nothing.
    """

    key = "target-twice"
    severity = Severity.INHIBITOR
    title = "one disk is chosen twice"


class TargetByName(Finding):
    """A chosen disk is named by its kernel name, such as /dev/sdb.

    Kernel names are given in the order in which disks are found: after the next boot
    sdb can be another disk (rear/rear#1271). Links in /dev/disk/by-id stay with the
    disk. A virtual disk has such a link when it is given a serial number.
    """

    key = "target-by-name"
    severity = Severity.WARNING
    title = "a chosen disk has no lasting name"


class TooFewTargets(Finding):
    """Fewer new disks are chosen than the topology needs.

    mirror takes two at least, raidz1 three, raidz2 four, raidz3 five.
    """

    key = "too-few-targets"
    severity = Severity.INHIBITOR
    title = "too few disks for the topology"


class TooManyTargets(Finding):
    """The topology single takes exactly one new disk, and more are chosen.

    Several disks in a row without redundancy lose the whole pool with any one of them.
    This is never made.
    """

    key = "too-many-targets"
    severity = Severity.INHIBITOR
    title = "too many disks for the topology single"


def targets(facts: Facts, config: Config) -> tuple[BlockDevice, ...]:
    """Return the chosen disks that there are, each once."""
    found = (topology.find_disk(facts.storage, text) for text in config.target)
    return tuple(dict.fromkeys(disk for disk in found if disk is not None))


def check_choice(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at what the setting `target` names."""
    if not config.target:
        yield TargetUnset(
            seen="the setting target is empty",
            why="There is nothing to put the new system on.",
            remedy=_suggest(facts.storage),
        )
    for text in config.target:
        yield from _named(facts.storage, text)
    yield from _unstable(facts.storage, config)
    counts = Counter(topology.find_disk(facts.storage, text) for text in config.target)
    for disk, count in counts.items():
        if disk is not None and count > 1:
            yield TargetTwice(
                seen=f"{disk.name} is chosen {count} times",
                why="One disk cannot stand in for two.",
                remedy=(_set_target(targets(facts, config)),),
            )


def _unstable(storage: Storage, config: Config) -> Iterator[Finding]:
    chosen = [(t, d) for t in config.target if (d := topology.find_disk(storage, t))]
    for text, disk in chosen:
        if text in (disk.name, disk.path):
            remedy = _set_target(tuple(dict.fromkeys(d for _, d in chosen)))
            yield TargetByName(
                seen=f"{text} is {show_disk(disk)}",
                why="After the next boot, that name can mean another disk.",
                remedy=("Name it by its link:", remedy)
                if disk.links
                else ("If it is a virtual disk, give it a serial number.",),
            )


def _set_target(chosen: tuple[BlockDevice, ...]) -> str:
    words = ("zfs-root-migrate", "set", "target", *map(topology.stable_path, chosen))
    return "  " + shlex.join(words)


def _suggest(storage: Storage) -> tuple[str, ...]:
    free = [
        disk
        for disk in topology.disks(storage)
        if topology.is_blank(storage, disk) and not topology.uses(storage, disk)
    ]
    if len(free) == 1:
        return (f"One disk is empty, {show_disk(free[0])}:", _set_target((free[0],)))
    return (
        "Look at the disks and choose one:",
        LIST,
        "  zfs-root-migrate set target NUMBER",
    )


def _named(storage: Storage, text: str) -> Iterator[Finding]:
    disk = topology.find_disk(storage, text)
    device = disk or topology.find_device(storage, text)
    below = topology.disk_below(storage, device.name) if device else ()
    if set(below) & set(topology.old_disks(storage)):
        yield TargetIsOldDisk(
            seen=f"{text} is on {below[0].name}, which holds the running root",
            why="It is the only way back until the new system has proved itself.",
            remedy=("Choose another disk:", LIST),
        )
    elif device is None:
        yield TargetUnknown(
            seen=f"there is no disk {text}",
            why="A name that means no disk now could mean the wrong one later.",
            remedy=("Choose one of those that are there:", LIST),
        )
    elif disk is None:
        yield TargetNotDisk(
            seen=f"{text} is {device.name}, of kind {device.kind}",
            why="The new system needs whole disks to boot from.",
            remedy=("Choose whole disks:", _set_target(below) if below else LIST),
        )


def check_number(facts: Facts, config: Config) -> Iterator[Finding]:
    """Compare the number of chosen disks with the topology."""
    chosen, fewest = targets(facts, config), config.topology.fewest_disks
    if 0 < len(chosen) < fewest:
        yield TooFewTargets(
            seen=f"{config.topology} with {len(chosen)} of at least {fewest} disks",
            why="The pool could not be made.",
            remedy=("Choose more disks, or another topology:", LIST),
        )
    if config.topology is Topology.SINGLE and len(chosen) > 1:
        yield TooManyTargets(
            seen=f"single with {len(chosen)} disks",
            why="Without redundancy, any one of them takes the whole pool with it.",
            remedy=(
                "Choose one disk, or make them a mirror:",
                _set_target(chosen[:1]),
                "  zfs-root-migrate set topology mirror",
            ),
        )


def show_disk(disk: BlockDevice) -> str:
    """Write a disk the way its sticker does, for people."""
    words = (disk.model, f"serial {disk.serial}" if disk.serial else "no serial number")
    about = ", ".join(word for word in words if word)
    return f"{disk.name} ({about}, {show_size(disk.size)})"

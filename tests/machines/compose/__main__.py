"""Write the recordings of all described machines, and the facts made from them."""

import shlex
from dataclasses import replace
from pathlib import Path

from tests.machines.compose import occupied, plain, source, stacked
from zfs_root_migrate.facts import dump_facts, gather
from zfs_root_migrate.facts.system import FIND_TOOLS
from zfs_root_migrate.reader import (
    Recording,
    RecordingReader,
    ReplayReader,
    dump_recording,
    load_recording,
)

MACHINES = Path(__file__).parent.parent
STATE_DIR = "/var/lib/zfs-root-migrate"
TOOL_VERSION = "0.1.0"
DESCRIBED = {
    function.__name__.replace("_", "-"): function
    for function in (
        source.openrc_bios,
        source.openrc_bios_user,
        plain.openrc_bios_nvme,
        plain.systemd_uefi,
        plain.raidz,
        plain.split_usr,
        stacked.lvm,
        stacked.luks,
        stacked.btrfs_root,
        stacked.md_root,
        occupied.occupied,
    )
}


def compose(name: str) -> Recording:
    """Return the recording of a described machine."""
    reader = RecordingReader(DESCRIBED[name]())
    gather(reader, state_dir=STATE_DIR, tool_version=TOOL_VERSION)
    return reader.recording


def renew(recording: Recording) -> Recording:
    """Put today's questions in place of those that a real machine was asked.

    The list of tools changes; what was answered then still has the same form. What
    /sys/firmware has was not asked formerly; a machine that told of its partitions
    showed that as well.
    """
    queries = dict(recording.queries)
    begin = shlex.join(FIND_TOOLS[:2])
    for asked in [key for key in queries if key.startswith(begin)]:
        queries[shlex.join(FIND_TOOLS)] = queries.pop(asked)
    told = any(p.startswith("/sys/class/block/") for p in recording.files)
    directories = {"/sys/firmware": ("acpi",) if told else None}
    directories |= recording.directories
    return replace(recording, queries=queries, directories=directories)


def facts_text(recording: Recording) -> str:
    """Return the facts document that a recording leads to."""
    reader = ReplayReader(renew(recording))
    return dump_facts(gather(reader, state_dir=STATE_DIR, tool_version=TOOL_VERSION))


def write(name: str) -> None:
    """Write the two files of a machine."""
    directory = MACHINES / name
    directory.mkdir(exist_ok=True)
    text = dump_recording(compose(name))
    (directory / "recording.json").write_text(text)
    facts = facts_text(load_recording(text, name))
    (directory / "facts.json").write_text(facts)


if __name__ == "__main__":
    for described in DESCRIBED:
        write(described)

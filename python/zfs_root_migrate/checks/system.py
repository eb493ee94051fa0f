"""Checks of the rest: rights, machine, distribution, memory and programs."""

from collections.abc import Iterator

from zfs_root_migrate.basics import BASICS
from zfs_root_migrate.checks.loader import holding
from zfs_root_migrate.config import Config
from zfs_root_migrate.finding import Finding, Severity
from zfs_root_migrate.model import Copier, Facts
from zfs_root_migrate.needs import has_tools
from zfs_root_migrate.wishes import install_remedy

GIB = 1 << 30

# package of every program that a step starts and that no other check names
_PROGRAMS = {
    **BASICS,
    "net-misc/rsync": ("rsync",),
    "sys-boot/grub": ("grub-script-check",),
    "sys-fs/mdadm": ("mdadm",),
    "sys-fs/zfs": ("zdb", "zgenhostid"),
    "sys-kernel/dracut": ("lsinitrd",),
    "virtual/udev": ("udevadm",),
}
_WHOLE = {
    "sys-boot/grub": ("grub-install", "grub-mkconfig"),
    "sys-fs/zfs": ("zfs", "zpool"),
    "sys-kernel/dracut": ("dracut",),
}
TOOL_ATOMS = {name: atom for atom, names in _PROGRAMS.items() for name in names}
# bytes: MemTotal of a machine with 2 GiB is 6 to 8 % less, without the kernel's own
_LITTLE = 7 * GIB // 4


class NotRoot(Finding):
    """The machine was looked at by an ordinary user.

    What is on a disk, which pools there are and whether a hibernated system waits can
    be read by root only. `check` reports what it can; whether the machine is ready can
    be said by root alone, and `run` needs root.
    """

    key = "not-root"
    severity = Severity.INHIBITOR
    title = "only root can say whether this machine is ready"


class FactsIncomplete(Finding):
    """Something that every machine has could not be read.

    /proc may be missing or restricted, as in a container. What is not known is not
    guessed; the checks that need it could not be made.
    """

    key = "facts-incomplete"
    severity = Severity.WARNING
    title = "not everything about the machine is known"


class MachineUnsupported(Finding):
    """The machine is not a PC of 64 bits (x86_64).

    Boot loader and partition types are made for that one.
    """

    key = "machine-unsupported"
    severity = Severity.INHIBITOR
    title = "this kind of machine is not supported"
    unsupported = True


class NotGentoo(Finding):
    """The system does not say that it is Gentoo.

    Systems derived from Gentoo work as long as they keep to its places and names. On
    others, files lie elsewhere and the new system may not start.
    """

    key = "not-gentoo"
    severity = Severity.WARNING
    title = "this is not Gentoo"


class DistributionForeign(Finding):
    """This is neither Gentoo nor derived from it: there is no Portage.

    Files lie elsewhere, services are others, and what findings say is to be typed calls
    for Portage. Nothing of that would work here.
    """

    key = "distribution-foreign"
    severity = Severity.INHIBITOR
    title = "this is not Gentoo, nor derived from it"
    unsupported = True


class StateNotWritable(Finding):
    """The directory for the journal, /var/lib/zfs-root-migrate, cannot be written.

    Every step is written down there before it is done. Without that record a run that
    was cut short could be neither continued nor undone.
    """

    key = "state-not-writable"
    severity = Severity.INHIBITOR
    title = "the journal cannot be written"


class MemoryLow(Finding):
    """The machine has less than 2 GiB of memory.

    ZFS works with less, but its cache and the copy compete with everything else
    (openzfs/zfs#1469, #2611). Do not build packages while copying, least of all with
    PORTAGE_TMPDIR in memory.
    """

    key = "memory-low"
    severity = Severity.WARNING
    title = "there is little memory"


class ToolMissing(Finding):
    """A program that the migration calls is not installed.

    All of them are in packages that a Gentoo system usually has; the remedy names the
    package.
    """

    key = "tool-missing"
    severity = Severity.INHIBITOR
    title = "a program is missing"


def check_rights(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at what the user may do."""
    if not facts.system.is_root:
        yield NotRoot(
            seen="the machine was looked at without root's rights",
            why="The content of disks, pools and hibernation are root's to read.",
            remedy=("As root:", "  zfs-root-migrate check"),
        )
    elif not facts.system.state_writable:
        yield StateNotWritable(
            seen="/var/lib/zfs-root-migrate cannot be written",
            why="A run that was cut short could be neither continued nor undone.",
            remedy=(
                "See whether the file system is full or read-only, and mend that:",
                "  df /var/lib",
                "  findmnt --target /var/lib",
                "Where ro is among the options: mount -o remount,rw and what stands "
                "under TARGET.",
            ),
        )


def check_completeness(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look for what every machine has and is not known of this one."""
    values = {
        "the memory": facts.system.memory,
        "the running kernel": facts.boot.running_kernel,
        "the kernel command line": facts.boot.cmdline,
    }
    unknown = [name for name, value in values.items() if not value]
    if unknown:
        yield FactsIncomplete(
            seen="not known: " + ", ".join(unknown),
            why="What depends on it could not be checked.",
            remedy=("Start from the booted system, with /proc and /sys mounted.",),
        )


def check_machine(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at the machine."""
    system = facts.system
    if system.machine != "x86_64":
        yield MachineUnsupported(
            seen=f"the machine is {system.machine}",
            why="The new disk would not start here.",
            remedy=("Nothing can be done about it: this version is for x86_64.",),
        )
    if 0 < system.memory < _LITTLE:
        builds = _builds_in_memory(facts)
        yield MemoryLow(
            seen=f"{system.memory >> 20} MiB of memory"
            + (f", and Portage builds in {builds}, in memory" if builds else ""),
            why="Copying competes with everything else (zfs#1469, #2611).",
            remedy=(
                "Stop what is not needed, and build nothing while copying.",
                *((_TMPDIR,) if builds else ()),
            ),
        )


_TMPDIR = "To build elsewhere, set PORTAGE_TMPDIR in make.conf to a place on a disk."


def _builds_in_memory(facts: Facts) -> str | None:
    """Return the directory that packages are built in, where that is in memory."""
    if facts.portage.tmpdir is None:
        return None
    path = f"{facts.portage.tmpdir.rstrip('/')}/portage"
    mount = holding(facts, path)
    return path if mount and mount.fs_type in ("tmpfs", "ramfs") else None


def is_foreign(facts: Facts) -> bool:
    """Tell whether this is another distribution, without Portage."""
    answered = facts.portage.reason is None or facts.portage.version is not None
    return facts.system.os_id != "gentoo" and not answered and lacks_emerge(facts)


def lacks_emerge(facts: Facts) -> bool:
    """Tell whether emerge was looked for and is not there."""
    # facts of an older version of this tool do not say
    return any(t.name == "emerge" and not t.path for t in facts.system.tools)


def check_distribution(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at which distribution it is."""
    system = facts.system
    if is_foreign(facts):
        yield DistributionForeign(
            seen=f"/etc/os-release says ID={system.os_id} ({system.os_name}), and "
            "there is no Portage",
            why="Files lie elsewhere, and the commands below would not work here.",
            remedy=("Nothing can be done about it: this tool is for Gentoo.",),
        )
    elif system.os_id != "gentoo":
        yield NotGentoo(
            seen=f"/etc/os-release says ID={system.os_id} ({system.os_name})",
            why="Files may lie elsewhere, and the new system may not start.",
            remedy=(
                "If it is derived from Gentoo, try it in a virtual machine first.",
            ),
        )


def check_tools(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look for the programs that the steps start."""
    missing: dict[str, list[str]] = {}
    for name in (tool.name for tool in facts.system.tools if not tool.path):
        atom = TOOL_ATOMS.get(name)
        if name == "rsync" and config.copier is not Copier.RSYNC:
            continue
        # where the whole package is missing, another finding says so
        if atom is not None and has_tools(facts, *_WHOLE.get(atom, ())):
            missing.setdefault(atom, []).append(name)
    for atom, names in missing.items():
        yield ToolMissing(
            seen=f"not found: {', '.join(names)}",
            why="The migration calls it.",
            remedy=install_remedy(facts, config, atom),
        )

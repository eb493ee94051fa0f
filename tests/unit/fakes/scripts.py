"""The shell scripts of the plans, known by what they call."""

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.unit.fakes.machine import Machine, Result


def run(machine: "Machine", script: str, words: tuple[str, ...]) -> "Result":
    """Do what one of the scripts does."""
    for mark, does in _SCRIPTS:
        if mark in script:
            return does(machine, script, words)
    raise AssertionError(f"the machine knows no script {script}")


def _freshly(machine: "Machine", _: str, words: tuple[str, ...]) -> "Result":
    return machine.start((*words[1:], words[0]))


def _replace(machine: "Machine", _: str, words: tuple[str, ...]) -> "Result":
    one, two = (machine.top + word for word in words)
    text = machine.files.read(one)
    if text is None:
        return 1, ""
    machine.files.remove(one)
    machine.files.write(two, text)
    return 0, ""


def _attach(machine: "Machine", _: str, words: tuple[str, ...]) -> "Result":
    return machine.start(("zpool", "attach", *words))


def _add(machine: "Machine", _: str, words: tuple[str, ...]) -> "Result":
    return machine.start(("mdadm", "--add", *words))


def _fstab(machine: "Machine", _: str, words: tuple[str, ...]) -> "Result":
    line, uuid = words
    text = machine.files.read("/etc/fstab") or ""
    if f"UUID={uuid} " not in text:
        machine.files.write("/etc/fstab", text + line + "\n")
    return 0, ""


def _image(machine: "Machine", script: str, words: tuple[str, ...]) -> "Result":
    text = machine.files.read(machine.top + words[0])
    if text is None:
        return 1, ""
    lines = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
    if "vermagic" in script:
        found = [path for path in words[3:] if path in text]
        said = [
            f"vermagic {lines['release']} SMP preempt mod_unload ",
            f"hostid {lines['hostid']}",
            *("program zpool", "program mount.zfs"),
            *(f"runs {name}" for name in ("init", *words[2].split())),
            *(f"cache {path}" for path in found),
            f"hook {lines['hook']}",
        ]
        return int(found != list(words[3:])), "\n".join(said) + "\n"
    return (0, "") if all(path in text for path in words[1:]) else (1, "")


def _clear_disk(machine: "Machine", _: str, words: tuple[str, ...]) -> "Result":
    path = words[0]
    if machine._is_busy(path):
        return 1, ""
    for part in machine.disks[path].partitions:
        machine.content.pop(part.path, None)
    machine.tables.pop(path, None)
    machine.loaders.discard(path)
    return 0, ""


def _copy_conf(machine: "Machine", _: str, words: tuple[str, ...]) -> "Result":
    new, old = words
    machine.files.make_directory(new)
    machine.files.copy(old, new, (), 10**9)
    return 0, ""


def _inside(_machine: "Machine", _script: str, _: tuple[str, ...]) -> "Result":
    return 0, ""


def _grub(machine: "Machine", script: str, _: tuple[str, ...]) -> "Result":
    top = machine.top
    for command in script.split(" && "):
        status, said = machine.start(tuple(shlex.split(command)), chroot=top)
        if status:
            return status, said
    return 0, ""


_SCRIPTS = (
    ("grub-install", _grub),
    ("lsinitrd", _image),
    ("realpath", _inside),
    ("cp -a", _copy_conf),
    ("blockdev --flushbufs", _freshly),
    ("mv -f", _replace),
    ("labelclear", _clear_disk),
    ("zpool attach", _attach),
    ("--add", _add),
    ("/etc/fstab", _fstab),
)

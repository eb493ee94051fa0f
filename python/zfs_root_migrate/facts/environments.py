"""Facts about boot environments: what zfs lists, and what is found in each of them."""

import re
from dataclasses import replace

from zfs_root_migrate.environments import (
    HOME,
    Environment,
    Environments,
    Image,
    Inside,
    Snapshot,
)
from zfs_root_migrate.errors import UsageError
from zfs_root_migrate.facts.boot import find_images, parse_hostid
from zfs_root_migrate.facts.mounts import parse_mountinfo
from zfs_root_migrate.model import Mount
from zfs_root_migrate.reader import Reader

MENU = "/boot/grub/grub.cfg"
MOUNTS = "/proc/self/mountinfo"
PACKAGES = "/var/db/pkg"
LIST = (
    *("zfs", "list", "-Hp", "-t", "filesystem,snapshot", "-s", "createtxg", "-r"),
    # not used: that of a root which the others lie in has theirs in it
    *(
        "-o",
        "name,type,origin,clones,usedbydataset,usedbysnapshots,creation,"
        "mountpoint,canmount,mounted",
    ),
)
# properties that say how files are kept, and that a clone does not take from its origin
_KEPT = (
    *("acltype", "aclmode", "aclinherit", "atime", "checksum", "compression", "copies"),
    *("dnodesize", "logbias", "primarycache", "recordsize", "redundant_metadata"),
    *("relatime", "secondarycache", "snapdir", "special_small_blocks", "sync", "xattr"),
)
# In a mount namespace of its own, so the mount ends with the program in any case.
# But then the kernel lets go of it a moment later, when `zfs destroy` may be at work.
# What is mounted read-write already cannot be mounted read-only beside that (EBUSY).
_LOOK = """\
mine=
at=$(findmnt --noheadings --first-only --types zfs --source "$0" --output TARGET) || {
    at=/tmp mine=yes
    mount -t zfs -o ro "$0" "$at"
}
chroot "$at" test -x /sbin/init && echo init
[ ! -e "$at/etc/hostid" ] || echo "hostid $(od -An -tx4 "$at/etc/hostid" | tr -d ' ')"
for dep in "$at"/lib/modules/*/modules.dep; do
    grep -Eqs '(^|/)zfs[.]ko' "$dep" "${dep%.dep}.builtin" || continue
    dep=${dep%/*}
    echo "modules ${dep##*/}"
done
for name in "$@"; do
    [ ! -e "$at$name" ] || { echo "file $name"; sed 's/^/|/' "$at$name"; echo; }
done
[ -z "$mine" ] || umount "$at"
"""


def gather_environments(
    reader: Reader, *, files: tuple[str, str], is_root: bool
) -> Environments:
    """Read all boot environments of the running root's pool.

    `files` are GRUB's settings and the script of its menu, to be read in each of them.
    """
    mounts = [row.mount for row in parse_mountinfo(_text(reader, MOUNTS))]
    running = running_root(mounts)
    pool = running.partition("/")[0]
    home = f"{pool}/{HOME}"
    if home not in (running, running.rpartition("/")[0]):
        raise UsageError(
            f"the running root {running} is not where boot environments are looked for",
            details=f"that is {home}, or a dataset in it",
        )
    listed = reader.query(*LIST, home)
    if listed.status != 0:
        raise UsageError("zfs does not list the roots", details=listed.stderr.strip())
    found, datasets, snapshots = parse_list(listed.stdout, home)
    bootfs = reader.query("zpool", "get", "-H", "-o", "value", "bootfs", pool)
    menu = reader.read(MENU)
    return Environments(
        running=running,
        bootfs=_value(bootfs.stdout.strip()),
        menu=first_entry(menu or ""),
        found=tuple(
            replace(e, inside=_look(reader, e.dataset, files))
            if is_root and e.mountpoint == "legacy"
            else e
            for e in found
        ),
        datasets=datasets,
        snapshots=snapshots,
        images=tuple(
            Image(release=release, path=path, initramfs=initramfs)
            for release, path, initramfs in find_images(reader)
        ),
        hostid=parse_hostid(reader.read("/etc/hostid")) or "",
        boot_is_mounted=any(m.target == "/boot" for m in mounts),
        has_menu=menu is not None,
        kept=_kept(reader, running),
        packages=_source_of(PACKAGES, mounts),
    )


def _text(reader: Reader, path: str) -> str:
    return reader.read(path) or ""


def _value(text: str) -> str | None:
    return text if text not in ("", "-") else None


def running_root(mounts: list[Mount]) -> str:
    """Return the dataset that is mounted on /, or say that there is none."""
    roots = [m for m in mounts if m.target == "/"]
    if not roots or roots[-1].fs_type != "zfs":
        raise UsageError(
            "the running root is not on ZFS, so there are no boot environments",
            details=f"it is {roots[-1].source} ({roots[-1].fs_type})" if roots else "",
            resolution="zfs-root-migrate status",
        )
    return roots[-1].source


def parse_list(
    text: str, home: str
) -> tuple[tuple[Environment, ...], tuple[str, ...], tuple[Snapshot, ...]]:
    r"""Read what LIST prints: environments, all file systems, and snapshots.

    >>> row = "rpool/ROOT/try\tfilesystem\t-\t-\t9\t0\t1\tlegacy\tnoauto\tno\n"
    >>> parse_list(row, "rpool/ROOT")[0][0].name
    'try'
    """
    found: list[Environment] = []
    datasets: list[str] = []
    snapshots: list[Snapshot] = []
    for line in text.splitlines():
        name, kind, origin, clones, *more = line.split("\t")
        if kind == "snapshot":
            words = (_value(clones) or "").split(",")
            snapshots.append(Snapshot(name=name, clones=tuple(filter(None, words))))
            continue
        datasets.append(name)
        used, snapshots_use, creation, mountpoint, canmount, mounted = more
        # a container, or something below an environment
        if canmount == "off" or home not in (name, name.rpartition("/")[0]):
            continue
        found.append(
            Environment(
                dataset=name,
                origin=_value(origin),
                used=int(used) + int(snapshots_use),
                creation=int(creation),
                mountpoint=mountpoint,
                mounted=mounted == "yes",
            )
        )
    return tuple(found), tuple(datasets), tuple(snapshots)


def _look(reader: Reader, dataset: str, files: tuple[str, str]) -> Inside:
    """Look into an environment, by a program that mounts it for itself alone."""
    apart = ("unshare", "--mount", "--propagation", "private")
    answer = reader.query(*apart, "sh", "-ec", _LOOK, dataset, *files)
    if answer.status != 0:
        lines = answer.stderr.strip().splitlines() or [f"status {answer.status}"]
        return Inside(failure=lines[-1])
    return parse_look(answer.stdout, files)


def parse_look(text: str, files: tuple[str, str]) -> Inside:
    r"""Read what the look into an environment has printed.

    >>> parse_look("init\nmodules 6.12\nfile /a\n|b\n", ("/a", "/c")).grub_default
    'b\n'
    """
    words: dict[str, list[str]] = {}
    texts: dict[str, str] = {}
    for line in text.split("\n"):
        if line.startswith("|"):
            texts[words["file"][-1]] += line[1:] + "\n"
        elif line:
            key, _, value = line.partition(" ")
            words.setdefault(key, []).append(value)
            if key == "file":
                texts[value] = ""
    return Inside(
        has_init="init" in words,
        hostid=words.get("hostid", [""])[0],
        modules=tuple(words.get("modules", ())),
        grub_default=texts.get(files[0]),
        menu_script=texts.get(files[1]),
    )


def first_entry(menu: str) -> str | None:
    r"""Return the dataset that grub.cfg's first entry starts; the last root= counts.

    >>> first_entry("\tlinux\t/k root=x root=ZFS=rpool/ROOT ro\n\tlinux /k root=ZFS=b")
    'rpool/ROOT'
    """
    line = re.search(r"(?m)^\s*linux\s.*$", menu)
    roots = re.findall(r"\sroot=(\S+)", line[0]) if line else []
    return roots[-1][4:] if roots and roots[-1].startswith("ZFS=") else None


def _kept(reader: Reader, dataset: str) -> tuple[tuple[str, str], ...]:
    """Return the local properties of a dataset that say how files are kept."""
    argv = ("zfs", "get", "-Hp", "-s", "local,received", "-o", "property,value")
    rows = reader.query(*argv, "all", dataset).stdout.splitlines()
    pairs = (row.partition("\t") for row in rows)
    return tuple((name, value) for name, _, value in pairs if name in _KEPT)


def _source_of(path: str, mounts: list[Mount]) -> str | None:
    """Return the source of the file system that a path is on."""
    above = [m for m in mounts if f"{path}/".startswith(m.target.rstrip("/") + "/")]
    deepest = max(above, key=lambda m: len(m.target), default=None)
    return deepest.source if deepest else None

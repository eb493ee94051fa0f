"""What files tell of Portage without Portage: its database and what it leaves behind.

A fact that cannot be had is None. Everything here takes milliseconds.
"""

from __future__ import annotations

import bz2
import glob
import gzip
import json
import lzma
import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from typing import Any

PACKAGES = (
    *("app-portage/gentoolkit", "dev-vcs/git", "net-misc/rsync", "sys-apps/coreutils"),
    *("sys-apps/diffutils", "sys-apps/kmod", "sys-apps/openrc", "sys-apps/portage"),
    *("sys-apps/systemd", "sys-apps/util-linux", "sys-boot/grub", "sys-fs/e2fsprogs"),
    *("sys-fs/mdadm", "sys-fs/zfs", "sys-fs/zfs-kmod", "sys-kernel/dracut"),
    *("sys-kernel/genkernel", "sys-kernel/gentoo-kernel"),
    *("sys-kernel/gentoo-kernel-bin", "sys-kernel/gentoo-sources"),
    *("sys-kernel/installkernel", "sys-kernel/ugrd", "virtual/dist-kernel"),
)
# those that carry the kernel module
MODULES = ("sys-fs/zfs", "sys-fs/zfs-kmod")
PLACES = (
    *("package.accept_keywords", "package.license", "package.mask", "package.use"),
)
VDB = "var/db/pkg"
MERGING = "-MERGING-"
# a walk through CONFIG_PROTECT ends after so many names, the answer after so many files
MOST_NAMES = 200_000
MOST_UPDATES = 1000

_VERSION = re.compile(r"\d+(\.\d+)*[a-z]?(_(alpha|beta|pre|rc|p)\d*)*(-r\d+)?")
# as emerge finds them: no backup copies of theirs
_UPDATE = re.compile(r"\._cfg\d{4}_.+(?<!~)(?<!\.bak)")
# emerge's actions that merge nothing
_HARMLESS = re.compile(
    r"-[a-zA-Z]*[hpsSV][a-zA-Z]*|--(help|info|pretend|search|searchdesc|version)"
)

Fields = dict[str, Any]


def read(root: str) -> Fields:
    """Return what can be known of the system, or of the tree in `root`."""
    vdb = os.path.join(root, VDB)
    return {
        "packages": [
            {"name": name, "installed": list(read_installed(root, name))}
            for name in PACKAGES
        ],
        "places": [
            {"path": f"/etc/portage/{name}", "kind": tell_kind(root, name)}
            for name in PLACES
        ],
        "resumes": read_resumes(root),
        "merging": find_merging(vdb),
        "at_work": find_merges() if root == "/" else None,
        "preserved": read_preserved(root),
    }


def read_text(path: str) -> str | None:
    """Return a file's text; empty where it is not there, None if it is unreadable."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except FileNotFoundError:
        return ""
    except OSError:
        return None


def list_names(path: str) -> list[str]:
    """Return the sorted names in a directory; none where it cannot be read."""
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


# Installed packages


def read_installed(root: str, name: str) -> Iterator[Fields]:
    """Read the installed versions of a package, from the oldest to the newest."""
    category, _, package = name.partition("/")
    above = os.path.join(root, VDB, category)
    versions = [
        directory[len(package) + 1 :]
        for directory in list_names(above)
        if directory.startswith(f"{package}-")
    ]
    for version in sorted(filter(_VERSION.fullmatch, versions), key=_numbers):
        where = os.path.join(above, f"{package}-{version}")
        iuse = {flag.lstrip("+-") for flag in _words(where, "IUSE")}
        oldest, newest = built_for(root, name, version)
        yield {
            "cpv": f"{name}-{version}",
            "slot": "".join(_words(where, "SLOT")[:1]) or "0",
            "repository": "".join(_words(where, "repository")[:1]) or None,
            "use": name_flags(iuse.intersection(_words(where, "USE"))),
            "iuse": name_flags(iuse),
            "linux_min": oldest,
            "linux_max": newest,
        }


def _numbers(version: str) -> list[int]:
    """Order what is installed; Portage's own order is for ebuilds."""
    return [int(number) for number in re.findall(r"\d+", version)]


def _words(where: str, file: str) -> list[str]:
    return (read_text(os.path.join(where, file)) or "").split()


def name_flags(names: Iterable[str]) -> list[str]:
    """Return USE flags in order, without the many that choose a Python."""
    many = ("python_targets_", "python_single_target_")
    return sorted(name for name in names if not name.startswith(many))


def built_for(root: str, name: str, version: str) -> tuple[str | None, str | None]:
    """Return the oldest and the newest kernel that an installed package was made for.

    META is what the sources said; the ebuild's own numbers are the second best, and the
    live ebuild has a newest one that it does not heed.
    """
    if name not in MODULES:
        return None, None
    package = f"{name.partition('/')[2]}-{version}"
    docs = os.path.join(root, "usr/share/doc", glob.escape(package), "META*")
    said = r"(?m)^Linux-(Min|Max)imum:\s*(\d+\.\d+)"
    found: dict[str, str] = {}
    for path in sorted(glob.glob(docs)):
        found = {**dict(re.findall(said, unpack(path))), **found}
    if len(found) < 2:
        where = os.path.join(root, VDB, f"{name}-{version}", "environment.bz2")
        line = r'(?m)^declare [-\w]+ MODULES_KERNEL_(MIN|MAX)="(\d+\.\d+)'
        for end, kernel in re.findall(line, unpack(where)):
            if end == "MIN" or not version.startswith("9999"):
                found.setdefault(end.capitalize(), kernel)
    return found.get("Min"), found.get("Max")


def unpack(path: str) -> str:
    """Return the text of a file that may be compressed; empty if that fails."""
    kinds: dict[str, Any] = {".bz2": bz2.open, ".gz": gzip.open, ".xz": lzma.open}
    suffix = os.path.splitext(path)[1]
    try:
        if suffix == ".zst":
            return _unpack_zst(path)
        with kinds.get(suffix, open)(path, "rb") as stream:
            return bytes(stream.read()).decode("utf-8", "replace")
    except (OSError, EOFError, lzma.LZMAError, ValueError):
        return ""


def _unpack_zst(path: str) -> str:
    # before Python 3.14 there is no module for it
    command = ["zstd", "-dcq", "--", path]
    done = subprocess.run(command, capture_output=True, check=False)
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


# The user's configuration


def tell_kind(root: str, name: str) -> str:
    """Tell what lies at a place of the configuration."""
    path = os.path.join(root, "etc/portage", name)
    if os.path.isdir(path):
        return "directory"
    return "file" if os.path.exists(path) else "absent"


def find_updates(root: str, protected: Iterable[str]) -> list[str] | None:
    """Return the configuration files that wait below CONFIG_PROTECT.

    None where a part could not be looked at, or there is too much to look at, and the
    rest has none.
    """
    found: set[str] = set()
    # what is in `todo` twice is looked at twice: no harm
    todo = [os.path.join(root, place.lstrip("/")) for place in protected]
    whole, seen = True, 0
    while todo and seen < MOST_NAMES:
        place = todo.pop()
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    seen += 1
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
                    elif _UPDATE.fullmatch(entry.name):
                        found.add(_from(root, entry.path))
        except NotADirectoryError:
            above, name = os.path.split(place)
            found.update(
                _from(root, os.path.join(above, other))
                for other in list_names(above)
                if _UPDATE.fullmatch(other) and other.endswith(f"_{name}")
            )
        except FileNotFoundError:
            continue
        except OSError:
            whole = False
    if not found and (todo or not whole):
        return None
    return sorted(found)[:MOST_UPDATES]


def _from(root: str, path: str) -> str:
    return f"/{os.path.relpath(path, root)}"


# What merges leave behind


def read_resumes(root: str) -> list[str] | None:
    """Return the packages that `emerge --resume` would go on with."""
    data = _load(os.path.join(root, "var/cache/edb/mtimedb"))
    if data is None:
        return None
    for key in ("resume", "resume_backup"):
        kept = data.get(key)
        merges = kept.get("mergelist") if isinstance(kept, dict) else None
        if isinstance(merges, list) and merges:
            return [str(row[2]) for row in merges if _is_row(row)]
    return []


def _is_row(row: object) -> bool:
    # type, root, cpv, operation
    return isinstance(row, list) and len(row) > 2


def read_preserved(root: str) -> list[str] | None:
    """Return the libraries that are kept for packages that need a rebuild."""
    data = _load(os.path.join(root, "var/lib/portage/preserved_libs_registry"))
    if data is None:
        return None
    paths = {
        path
        for row in data.values()
        if _is_row(row) and isinstance(row[2], list)
        for path in row[2]
        if isinstance(path, str)
    }
    # Portage itself forgets those that are gone when it next looks
    return sorted(
        path for path in paths if os.path.lexists(os.path.join(root, path.lstrip("/")))
    )


def _load(path: str) -> dict[str, Any] | None:
    """Read an object of JSON; empty where there is no file, None if it is none."""
    text = read_text(path)
    if text == "":
        return {}
    try:
        data = json.loads(text or "null")
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def find_merging(vdb: str) -> list[str] | None:
    """Return the packages whose merge into the file system was cut short."""
    try:
        categories = sorted(os.listdir(vdb))
    except OSError:
        return None
    return [
        f"{category}/{name[len(MERGING) :]}"
        for category in categories
        for name in list_names(os.path.join(vdb, category))
        if name.startswith(MERGING)
    ]


def find_merges() -> list[str] | None:
    """Return the emerge and ebuild commands that run now, each after its pid."""
    if read_text("/proc/1/cmdline") in (None, ""):
        return None  # no /proc, or one that hides what others run
    found = []
    for pid in sorted(int(n) for n in list_names("/proc") if n.isdigit()):
        words = (read_text(f"/proc/{pid}/cmdline") or "").split("\0")[:-1]
        command = merge_command(words)
        if command and not _is_elsewhere(pid):
            found.append(f"{pid} {command}")
    return found


def _is_elsewhere(pid: int) -> bool:
    """Tell whether a process has another root: a chroot, a container."""
    try:
        return not os.path.samefile(f"/proc/{pid}/root", "/")
    except OSError:
        return False  # only root can see that of others


def merge_command(words: list[str]) -> str | None:
    """Return the command of a process that merges something, else None.

    >>> merge_command(["/usr/bin/python3.13", "-b", "/usr/bin/emerge", "-av", "vim"])
    'emerge -av vim'
    >>> merge_command(["python3", "/usr/bin/emerge", "--pretend", "vim"])
    """
    # Python and its options stand before the script
    for number, word in enumerate(words[:6]):
        name = word.rpartition("/")[2]
        if name in ("emerge", "ebuild"):
            options = words[number + 1 :]
            if name == "emerge" and any(map(_HARMLESS.fullmatch, options)):
                return None
            return " ".join((name, *options))
        if not name.startswith(("python", "-")):
            return None
    return None

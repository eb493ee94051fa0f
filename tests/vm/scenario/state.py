"""What a running guest is like: asked of the guest with its own programs."""

import json
import re
from dataclasses import dataclass

from tests.vm.guest import BEGUN, Guest

# what OpenRC, mount, dracut and the kernel write when a boot goes wrong
TROUBLE = re.compile(
    r"\[ !! \]|\* ERROR:|Give root password|maintenance|Emergency shell|"
    r"Kernel panic|cannot import|FATAL:"
)
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


@dataclass(frozen=True, slots=True)
class Dataset:
    """A row of `zfs list`."""

    name: str
    mountpoint: str
    mounted: bool
    canmount: str

    @property
    def wanted(self) -> bool:
        """Tell whether it has a place of its own where it should be mounted."""
        return self.canmount == "on" and self.mountpoint.startswith("/")


@dataclass(frozen=True, slots=True)
class Mounted:
    """A line of /proc/mounts."""

    source: str
    target: str
    kind: str
    options: tuple[str, ...]


def line(guest: Guest, command: str) -> str:
    """Return what a command says, without the last newline."""
    return guest.run(command, timeout=300).output.strip()


def root(guest: Guest) -> str:
    """Return source and type of the root file system."""
    return " ".join(line(guest, "findmnt -no SOURCE,FSTYPE /").split())


def tool_package(guest: Guest) -> tuple[str, set[str]]:
    """Return the package that Portage has of the tool, and its files."""
    name = line(guest, "cd /var/db/pkg && echo app-admin/zfs-root-migrate-*")
    rows = line(guest, f"cat /var/db/pkg/{name}/CONTENTS").splitlines()
    return name, {row.split()[1] for row in rows if row.startswith("obj ")}


def datasets(guest: Guest) -> list[Dataset]:
    """Return all datasets."""
    text = line(guest, "zfs list -H -o name,mountpoint,mounted,canmount")
    rows = [row.split("\t") for row in text.splitlines()]
    return [Dataset(n, place, m == "yes", can) for n, place, m, can in rows]


def mounts(guest: Guest) -> list[Mounted]:
    """Return all mounts, in the order in which they were made."""
    rows = [row.split() for row in line(guest, "cat /proc/mounts").splitlines()]
    return [Mounted(r[0], r[1], r[2], tuple(r[3].split(","))) for r in rows]


def misplaced(guest: Guest) -> list[str]:
    """Return what is wrong with the datasets' mounts: place, kind, order."""
    table = mounts(guest)
    places = [m.target for m in table if m.kind == "zfs"]
    running = [m.source for m in table if m.target == "/"][-1:]
    wrong = []
    for dataset in datasets(guest):
        found = [m for m in table if m.source == dataset.name and m.kind == "zfs"]
        is_root = [dataset.name] == running and dataset.mountpoint == "legacy"
        wanted = "/" if is_root else dataset.mountpoint
        if not (dataset.wanted or is_root):
            wrong += [f"{dataset.name} is mounted" for _ in found]
        elif [m.target for m in found] != [wanted] or not dataset.mounted:
            wrong.append(f"{dataset.name} is not mounted at {wanted} (only): {found}")
    for number, place in enumerate(places):
        above = [p for p in places[number + 1 :] if _is_below(place, p)]
        wrong += [f"{p} was mounted after {place}, which hides it" for p in above]
    return wrong


def _is_below(path: str, top: str) -> bool:
    return path != top and path.startswith(top.rstrip("/") + "/")


def hidden(guest: Guest, directory: str) -> dict[str, list[str]]:
    """Return what lies in a file system below each of the mounts upon it.

    The keys are mount points, the values the paths that the mounts hide.
    """
    points = [m.target for m in mounts(guest) if _is_below(m.target, directory)]
    bind = "/run/below"
    guest.run(f"mkdir -p {bind} && mount --bind {directory} {bind}", timeout=60)
    try:
        found = {}
        for point in points:
            inside = bind + point[len(directory.rstrip("/")) :]
            text = line(guest, f"find '{inside}' -mindepth 1 2>/dev/null || true")
            if text:
                paths = [path.replace(bind, "", 1) for path in text.splitlines()]
                found[point] = sorted(paths)
        return found
    finally:
        guest.run(f"umount {bind}", timeout=60)


def services_in_trouble(guest: Guest) -> list[str]:
    """Return what has crashed, and what the console has against the last boot."""
    # its status is 1 where nothing has crashed
    wrong = line(guest, "rc-status --crashed || true").splitlines()
    before = ""
    last_boot = guest.console().rpartition(BEGUN)[2]
    for text in _ESCAPES.sub("", last_boot).splitlines():
        # after a power cut fsck mends an ext2 file system, and says so by its status
        if TROUBLE.search(text) and "File systems repaired" not in before:
            wrong.append(f"{before} {text}".strip())
        before = text.strip() or before
    return wrong


def pool_is_healthy(guest: Guest) -> bool:
    """Tell whether no pool has anything wrong."""
    return "all pools are healthy" in line(guest, "zpool status -x")


def vdevs(guest: Guest, pool: str = "rpool") -> dict[str, str]:
    """Return the state of every vdev of the pool, by its path or its kind."""
    text = line(guest, f"zpool status -P {pool}")
    config = text.partition("config:")[2].partition("errors:")[0]
    rows = [row.split() for row in config.splitlines() if len(row.split()) > 1]
    return {row[0]: row[1] for row in rows if row[0] != "NAME"}


def array_slots(guest: Guest) -> str:
    """Return which halves of /boot's array are there, `UU` when both are."""
    found = re.findall(r"\[([U_]+)\]", line(guest, "cat /proc/mdstat"))
    assert len(found) == 1, f"not one array: {line(guest, 'cat /proc/mdstat')}"
    return str(found[0])


def boot_source(guest: Guest) -> str:
    """Return what is mounted on /boot: its device's type and the file system's."""
    text = line(guest, "lsblk -nro TYPE,FSTYPE $(findmnt -no SOURCE /boot)")
    return text.splitlines()[0]


def swaps(guest: Guest) -> list[str]:
    """Return the links, by disk, of the swap areas in use."""
    text = line(
        guest,
        "for d in $(tail -n +2 /proc/swaps | cut -d' ' -f1); do "
        "find -L /dev/disk/by-id -samefile $d -name 'virtio-*'; done",
    )
    return sorted(text.splitlines())


def lsblk(guest: Guest, device: str) -> str:
    """Return all that identifies a disk and its partitions."""
    columns = "NAME,SIZE,TYPE,FSTYPE,UUID,LABEL,PTUUID,PARTUUID,PARTTYPE"
    text = line(guest, f"udevadm settle; lsblk --json -o {columns} {device}")
    return json.dumps(json.loads(text), indent=1)


def leftovers(guest: Guest) -> list[str]:
    """Return processes and mounts of the tool that should be gone by now."""
    return line(
        guest,
        # a moment for the kernel to end what has lost its parent; the brackets keep
        # the search from finding itself
        "sleep 2; pgrep -a rsync; pgrep -a dracut; pgrep -af '[b]in/zfs-root-migrate'; "
        "grep -sH -e zfs-root-migrate -e ' zfs ' /proc/[0-9]*/mounts; true",
    ).splitlines()


def what_is_on(guest: Guest, device: str) -> list[str]:
    """Return every trace of use on a disk; none on a blank one."""
    script = f"""
        d=$(readlink -f {device})
        blockdev --flushbufs $d; udevadm settle
        wipefs --no-act --noheadings $d
        lsblk -nro NAME $d | tail -n +2
        zdb -l $d >/dev/null 2>&1 && echo 'a ZFS label'
        size=$(blockdev --getsize64 $d)
        cmp -n 1048576 $d /dev/zero
        cmp -n 1048576 -i $((size - 1048576)):0 $d /dev/zero
        true
    """
    return line(guest, script).splitlines()

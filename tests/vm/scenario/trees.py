"""Whole trees compared from outside the copier: what was there, and what is now.

Each path that is not compared has its reason here, and there are few.
"""

import base64
import gzip
import json
from collections.abc import Iterable

from tests.vm import manifest
from tests.vm.guest import Guest
from tests.vm.scenario.lab import Lab

# not part of the system on the disk: the kernel's own, or memory
VIRTUAL = ("proc", "sys", "dev", "run", "tmp")
TORTURE = ("srv/torture", "home/larry/torture")

# changed by every boot and by whoever is logged in, on any root
BOOTS_CHANGE = {
    "etc/adjtime": "hwclock writes it at a shutdown",
    "usr/lib/rc/cache": "OpenRC's savecache, at a shutdown with a sound clock",
    "var/lib/seedrng": "a new seed at every boot",
    "var/log/dmesg": "a new one at every boot",
    "var/log/rc.log": "OpenRC's log",
    "var/log/wtmp": "logins",
    "var/log/busy.log": "written to all the time by the test",
    "var/log/acks": "written to all the time by the test",
    "home/larry/acks": "the same",
    "srv/acks": "the same",
    "home/larry/busy": "written to all the time by the test",
    "home/larry/busy.new": "the same",
}
# what the migration is to change
TOOL_CHANGES = {
    "boot/grub/fonts": "GRUB is installed anew",
    "boot/grub/grub.cfg": "names the new root",
    "boot/grub/grubenv": "GRUB is installed anew",
    "boot/grub/i386-pc": "GRUB is installed anew",
    "boot/grub/locale": "GRUB is installed anew",
    "boot/lost+found": "made by mke2fs, and the new one is another",
    "etc/default/grub": "names the new root",
    "usr/lib/dracut/modules.d/95zfs-root-migrate": "looks at the seal",
    "etc/dracut.conf.d/zfs-root-migrate.conf": "made for the new root",
    "etc/fstab": "written for the new root",
    "etc/hostid": "made by the tool",
    "etc/init.d/zfs-root-migrate-boot": "starts the array under /boot",
    "etc/mdadm.conf": "names the array",
    "etc/runlevels/boot/zfs-import": "the new root needs it",
    "etc/runlevels/boot/zfs-load-key": "the new root needs it",
    "etc/runlevels/boot/zfs-mount": "the new root needs it",
    "etc/runlevels/boot/zfs-root-migrate-boot": "the new root needs it",
    "etc/runlevels/default/zfs-zed": "the new root needs it",
    "etc/zfs/zpool.cache": "the new root's pool",
    "etc/zfs-root-migrate.toml": "the settings",
    "home/lost+found": "made by mke2fs, and ZFS has none",
    "lost+found": "made by mke2fs, and ZFS has none",
    "var/lib/zfs-root-migrate": "the tool's state",
    "var/log/zfs-root-migrate.log": "the tool's log",
}
# directories in which one of the above is made or replaced: only their time may differ
TIMES_CHANGE = (
    "boot",
    "boot/grub",
    "etc",
    # where the last pass is armed, on the old disk; times of directories are copied
    "etc/conf.d",
    "etc/runlevels/shutdown",
    "home/larry",
    "srv",
    "usr/lib/dracut/modules.d",
    "usr/lib/rc",
    "var/lib",
    "var/log",
)

Entries = list[manifest.Entry]


def scan(
    lab: Lab, guest: Guest, root: str = "/", *, leave_out: Iterable[str] = VIRTUAL
) -> Entries:
    """Write down a tree of a guest: every path with all that it is."""
    left_out = " ".join(leave_out)
    command = (
        f"python3 -B /run/share/manifest.py scan {root} "
        + (f"--exclude {left_out} " if left_out else "")
        + "| gzip -1 | base64 -w 4000"
    )
    with lab.timed(f"look at every file of {guest.name}:{root}"):
        text = guest.run(f"set -o pipefail; {command}", timeout=1800).output
    lines = gzip.decompress(base64.b64decode(text)).decode().splitlines()
    name = f"manifest-{guest.name}{root.rstrip('/').replace('/', '-')}.jsonl"
    (lab.directory / name).write_text("\n".join(lines) + "\n")
    return [json.loads(line) for line in lines]


def part(entries: Entries, top: str) -> Entries:
    """Return what a scan of this directory alone would have given."""
    prefix = top.encode() + b"/"
    found = []
    for entry in entries:
        path = manifest.entry_path(entry)
        if path == top.encode():
            found.append(entry | {"path": "."})
        elif path.startswith(prefix):
            found.append(_seen_from(top, entry, path.removeprefix(prefix)))
    return found


def _seen_from(top: str, entry: manifest.Entry, path: bytes) -> manifest.Entry:
    made = {key: entry[key] for key in entry.keys() - {"path", "path_base64"}}
    if "links" in made:
        made["links"] = made["links"].removeprefix(f"{top}/")
    return made | {"path_base64": base64.b64encode(path).decode()}


def differences(
    before: Entries, after: Entries, reasons: Iterable[str], *, exact: bool = False
) -> list[str]:
    """Return what differs, but for the paths with a reason."""
    exclude = [path.encode() for path in reasons]
    times = {name.encode() for name in (() if exact else TIMES_CHANGE)}
    return [
        str(found)
        for found in manifest.compare(before, after, exclude=exclude)
        if not (found.field == "mtime_ns" and found.path in times)
    ]

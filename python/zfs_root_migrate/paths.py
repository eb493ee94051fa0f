"""Where the tool keeps its own things."""

from pathlib import Path

STATE = "/var/lib/zfs-root-migrate"
# property of the root dataset, set whenever the new root starts
BOOTED = "zfs-root-migrate:booted"
# what the last comparison found
REPORT = f"{STATE}/differences.txt"
LOCK = Path("/run/zfs-root-migrate.lock")
LOG = "/var/log/zfs-root-migrate.log"
# on the tmpfs of the running system, gone with a reboot; the mounts below it exist only
# in the tool's own mount namespace
WORK = "/run/zfs-root-migrate"
NEW = f"{WORK}/new"
SOURCES = f"{WORK}/source"
UNDER = f"{WORK}/under"
# never /etc/zfs/zpool.cache of the running system: after a power cut that system would
# import the half-made pool and mount its /home over the live one
CACHE = f"{WORK}/zpool.cache"


def in_new(path: str) -> str:
    """Return the path under which a file of the new root is reached now."""
    return NEW if path == "/" else NEW + path

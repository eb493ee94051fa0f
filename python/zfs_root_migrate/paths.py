"""Where the tool keeps its own things."""

from pathlib import Path

STATE = "/var/lib/zfs-root-migrate"
# property of the root dataset, set whenever the new root starts
BOOTED = "zfs-root-migrate:booted"
# property of the root dataset: `open` while it may lack something that the old root has
SEAL = "zfs-root-migrate:seal"
SNAPSHOT = "sealed"
# there where a pass is to be made while the system goes down, and how it is started
ARMED = "/etc/conf.d/zfs-root-migrate-seal"
ARMED_SCRIPT = "/etc/init.d/zfs-root-migrate-seal"
ARMED_LINK = "/etc/runlevels/shutdown/zfs-root-migrate-seal"
PORTAGE = "/etc/portage"
# the name of our own files there; Portage reads what is neither hidden nor ends in ~
OWN_NAME = "zfs-root-migrate"
# what the last comparison found
REPORT = f"{STATE}/differences.txt"
# what a second opinion of the new root was
OPINION = f"{STATE}/second-opinion.txt"
LOCK = Path("/run/zfs-root-migrate.lock")
LOG = "/var/log/zfs-root-migrate.log"
JOURNAL = "journal.jsonl"
# on the tmpfs of the running system, gone with a reboot; the mounts below it exist only
# in the tool's own mount namespace
WORK = "/run/zfs-root-migrate"
NEW = f"{WORK}/new"
SOURCES = f"{WORK}/source"
UNDER = f"{WORK}/under"
# the log of the pass during shutdown, when nothing else can be written to
SEAL_LOG = f"{WORK}/seal.log"
SEAL_REPORT = f"{WORK}/seal-differences.txt"
# what is needed only while the initramfs is made
BUILD = f"{WORK}/build"
# never /etc/zfs/zpool.cache of the running system: after a power cut that system would
# import the half-made pool and mount its /home over the live one
CACHE = f"{WORK}/zpool.cache"


def in_new(path: str) -> str:
    """Return the path under which a file of the new root is reached now."""
    return NEW if path == "/" else NEW + path

"""Files of the new root that differ from the old one's: fstab, mdadm.conf, cache."""

from dataclasses import replace

from zfs_root_migrate import topology
from zfs_root_migrate.devices import is_zvol_swap
from zfs_root_migrate.layout import DiskLayout, Layout, Role
from zfs_root_migrate.model import Facts, FstabLine
from zfs_root_migrate.paths import CACHE, NEW, STATE, in_new
from zfs_root_migrate.step import Hazard, Probe, Require, Run, Step, WriteFile
from zfs_root_migrate.steps import grub, initramfs, probes
from zfs_root_migrate.steps.host import has_hostid
from zfs_root_migrate.steps.probes import has_content, make_directory
from zfs_root_migrate.steps.services import services


def fstab(facts: Facts, layout: Layout) -> str:
    """Return the new root's fstab.

    Lines of the copied file systems and of what is on the old disk are kept as
    comments; all others stay as they are. The datasets need no line: zfs-mount mounts
    them, and a line for one of them would mount it over the others' heads.
    """
    before: list[FstabLine] = []
    kept: list[FstabLine] = []
    for line in facts.storage.fstab:
        (before if _is_replaced(facts, layout, line) else kept).append(line)
    lines = [
        "# Written by zfs-root-migrate. / and the other datasets of "
        f"{layout.pool} are not listed:",
        "# the initramfs and the service zfs-mount mount them.",
        f"UUID={layout.array.fs_uuid} /boot ext2 noatime 0 2",
        *(_swap_line(disk) for disk in layout.disks if disk.part(Role.SWAP)),
        *(_fstab_line(line) for line in kept),
        "# Before the migration:",
        *(f"# {_fstab_line(line)}" for line in before),
    ]
    return "\n".join(lines) + "\n"


def _fstab_line(line: FstabLine) -> str:
    words = (line.spec, line.file, line.fs_type, line.options)
    return f"{' '.join(map(_escape, words))} {line.freq} {line.passno}"


def _escape(word: str) -> str:
    # fstab(5): blanks are written as octal numbers
    return "".join(f"\\{ord(c):03o}" if c in " \t\n\\" else c for c in word)


def _is_replaced(facts: Facts, layout: Layout, line: FstabLine) -> bool:
    if line.file in {mount.target for mount in layout.sources} | {"/", "/boot"}:
        return True
    if is_zvol_swap(line):
        return True
    device = topology.find_device(facts.storage, line.spec)
    if device is None:
        # a swap file lies on a file system that is copied, and is left out there
        is_path = line.spec.startswith("/") and not line.spec.startswith("/dev/")
        return line.fs_type == "swap" and is_path
    below = set(topology.disk_below(facts.storage, device.name))
    on_old = below and below <= set(topology.old_disks(facts.storage))
    return bool(on_old) and (layout.old_disk is not None or line.fs_type == "swap")


def _swap_line(disk: DiskLayout) -> str:
    # nofail: the system must start with this disk gone
    return f"UUID={disk.swap_uuid} none swap sw,nofail 0 0"


def add_swap_command(disk: DiskLayout) -> tuple[str, ...]:
    """Return the command that adds a disk's swap to the running root's fstab."""
    line = _swap_line(disk)
    script = 'grep -q "^UUID=$1 " /etc/fstab || printf "%s\\n" "$0" >> /etc/fstab'
    return ("sh", "-ec", script, line, disk.swap_uuid)


def mdadm_conf(facts: Facts, layout: Layout) -> str:
    """Return mdadm.conf with the array for /boot added to what is there."""
    line = f"ARRAY /dev/md/boot metadata=1.0 UUID={layout.array.uuid}"
    text = facts.system.mdadm_conf or ""
    if line in text.splitlines():
        return text
    return text + ("\n" if text and not text.endswith("\n") else "") + line + "\n"


# where this step, the boot loader and the hand-over write
OWN_DIRECTORIES = (
    *("boot", "etc/default", "etc/dracut.conf.d", "etc/init.d", "etc/runlevels/boot"),
    *("etc/runlevels/default", "etc/zfs", "usr/lib/dracut", "var/lib"),
)
# an absolute link would be followed into the running system
_INSIDE = (
    'for d; do case $(realpath -m "$0/$d") in "$0"/*) ;; '
    '*) echo "$d"; exit 1 ;; esac; done'
)


def files(facts: Facts, layout: Layout) -> Step:
    """Return the step that writes the system files of the new root."""
    wants = services(facts, layout)
    wanted = (
        WriteFile(path=in_new("/etc/fstab"), content=fstab(facts, layout)),
        WriteFile(
            path=in_new(facts.system.mdadm_conf_path),
            content=mdadm_conf(facts, layout),
        ),
        *(replace(file, path=in_new(file.path)) for file in wants.files),
        *initramfs.files(facts.boot),
        grub.default_file(facts, layout),
    )
    cache = in_new("/etc/zfs/zpool.cache")
    make_links = [
        Run(argv=("ln", "-sfn", target, in_new(path))) for path, target in wants.links
    ]
    return Step(
        id="files",
        title="Write fstab, mdadm.conf, services and pool cache of the new root",
        reason="what the new root must know of its disks, and a cache file that lists "
        "only this pool",
        hazard=Hazard.REVERSIBLE,
        needs=("copy",),
        undone_by=("pool",),
        actions=(
            Require(
                probe=Probe(argv=("sh", "-ec", _INSIDE, NEW, *OWN_DIRECTORIES)),
                brief="a directory of the new root is a link that leads out of it",
                resolution="the command above names it; make the link a relative one "
                "on the running system, so that it leads to the same place in both",
            ),
            *wanted,
            make_directory(in_new("/etc/zfs")),
            # now, so that the last pass puts right the time of /var/lib
            make_directory(in_new(STATE)),
            Run(argv=("cp", CACHE, cache)),
            *make_links,
        ),
        proof=(
            *(has_content(file.path, file.content) for file in wanted),
            *(probes.links_to(in_new(path), target) for path, target in wants.links),
            Probe(
                argv=("zdb", "-C", "-U", cache, layout.pool),
                matches=tuple(rf"path: '{vdev}'" for vdev in layout.vdevs),
            ),
            has_hostid(in_new("/etc/hostid"), layout.hostid),
        ),
        seconds=2,
    )


def hostid_proof(layout: Layout) -> tuple[Probe, ...]:
    """The hostid in the pool's label is the one in the new root."""
    label = Probe(
        argv=("zdb", "-l", layout.vdevs[0]),
        matches=(rf"^ +hostid: {int(layout.hostid, 16)}$",),
    )
    return (label, has_hostid(in_new("/etc/hostid"), layout.hostid))

"""The initramfs by dracut."""

import re

from zfs_root_migrate.model import Kernel, System
from zfs_root_migrate.paths import BUILD, CACHE, OWN_NAME, STATE
from zfs_root_migrate.shipped import DRACUT_HOOK, DRACUT_SETUP, shipped
from zfs_root_migrate.step import Action, Join, Probe, Run, Start, WriteFile
from zfs_root_migrate.steps import probes

CONF_DIRECTORY = "/etc/dracut.conf.d"
CONF = f"{CONF_DIRECTORY}/zfs-root-migrate.conf"
ZPOOL_CACHE = "/etc/zfs/zpool.cache"
STARTED = "dracut"
MODULES = "/usr/lib/dracut/modules.d"
# the part of the image that looks at the seal
MODULE = f"{MODULES}/95{OWN_NAME}"
# the programs of an image without which no root is found
PROGRAMS = ("zpool", "mount.zfs", "modprobe", "udevadm")
OTHER_ROOTS = (
    "btrfs cifs crypt dm dmraid fcoe fcoe-uefi iscsi lvm mdraid multipath nbd nfs "
    "overlay-root overlayfs virtfs virtiofs"
)


def conf(*items: str) -> str:
    """Return dracut's configuration, with these files in the image.

    hostonly is off: the image has to start the machine with either disk, behind
    whichever controller it is found.
    """
    return (
        "# Written by zfs-root-migrate: the root is on ZFS.\n"
        'hostonly="no"\n'
        f'add_dracutmodules+=" zfs {OWN_NAME} "\n'
        f'install_items+=" {" ".join(items)} "\n'
        "# for roots of other kinds; they only make the image larger\n"
        f'omit_dracutmodules+=" {OTHER_ROOTS} "\n'
    )


def module(directory: str) -> tuple[WriteFile, ...]:
    """Return the files of the part that looks at the seal, in this directory."""
    return tuple(
        WriteFile(path=f"{directory}/{name}", content=shipped(name), mode=0o755)
        for name in (DRACUT_SETUP, DRACUT_HOOK)
    )


def command(release: str, image: str) -> tuple[str, ...]:
    """Return the command that makes the image of a kernel."""
    return ("dracut", "--force", "--tmpdir", STATE, "--kver", release, image)


# dracut compresses at a level (-15) that can take as long as all the rest of its work.
# It takes the program from the environment, with or without its options; which method
# there is to be, it decides as ever, and a program that cannot be run is none.
_ZSTD = "#!/bin/sh\nexec zstd -3 -q -T0\n"
# the user's own configuration and modules count, and ours come in among them
_COPY = 'rm -rf "$0"; mkdir "$0"; [ ! -d "$1" ] || cp -a "$1/." "$0"'


def ahead(release: str, image: str) -> tuple[Action, ...]:
    """Return what starts making an image for the new root in the running one.

    The programs and modules are the same in both. The pool cache is not: what the
    running root has in its place is hidden behind the new one, in the tool's own mount
    namespace, and where it has none, dracut is given it. So are dracut's modules, which
    lie in one directory that it cannot be told.
    """
    confs, modules = f"{BUILD}/dracut.conf.d", f"{BUILD}/modules.d"
    zstd = f"{BUILD}/zstd"
    return (
        Run(argv=("sh", "-ec", _COPY, confs, CONF_DIRECTORY)),
        Run(argv=("sh", "-ec", _COPY, modules, MODULES)),
        *module(f"{modules}/{MODULE.rpartition('/')[2]}"),
        Run(argv=("mount", "--bind", modules, MODULES)),
        WriteFile(
            path=f"{confs}/{CONF.rpartition('/')[2]}", content=conf("/etc/hostid")
        ),
        Run(
            argv=("mount", "--bind", CACHE, ZPOOL_CACHE),
            when=probes.exists(ZPOOL_CACHE),
        ),
        WriteFile(path=zstd, content=_ZSTD),
        Run(argv=("chmod", "755", zstd), when=Probe(argv=("zstd", "--version"))),
        Start(
            name=STARTED,
            run=Run(
                argv=(
                    *("env", f"DRACUT_COMPRESS_ZSTD={zstd}", "dracut", "--force"),
                    *("--tmpdir", BUILD, "--confdir", confs),
                    *("--include", CACHE, ZPOOL_CACHE, "--kver", release, image),
                )
            ),
        ),
    )


def joined() -> tuple[Action, ...]:
    """Return what waits for the image that `ahead` began."""
    return (
        Join(name=STARTED),
        Run(argv=("umount", ZPOOL_CACHE), when=probes.is_mounted(ZPOOL_CACHE)),
        Run(argv=("umount", MODULES), when=probes.is_mounted(MODULES)),
    )


def proof(
    kernel: Kernel, image: str, hostid: str, vdevs: tuple[str, ...], chroot: str | None
) -> tuple[Probe, ...]:
    """Look into the image: this very kernel's module, hostid, pool cache, hook.

    And have its programs run, by its own loader and libraries. A module of another
    kernel, or of none, is the usual reason for a shell at boot that cannot find its
    root (openzfs/zfs#14309).
    """
    module = (kernel.zfs_module or "").rpartition("/")[2]
    return (
        Probe(
            argv=("sh", "-ec", _LOOK_INTO, image, module, " ".join(PROGRAMS), *vdevs),
            matches=(
                rf"^vermagic {re.escape(kernel.release)} ",
                rf"^hostid {hostid}$",
                r"^program zpool$",
                r"^program mount\.zfs$",
                *(rf"^runs {re.escape(name)}$" for name in ("init", *PROGRAMS)),
                *(rf"^cache {re.escape(vdev)}$" for vdev in vdevs),
                f"^hook {probes.digest(shipped(DRACUT_HOOK))}$",
            ),
            chroot=chroot,
        ),
    )


# All of it is unpacked, in memory (runner: /tmp in a chroot), and what the boot starts
# with is run there: dracut ends well also where it could not copy a program's library.
# With a pattern lsinitrd does not decompress the image three times more, to look for a
# squashed one. cpio reads 512 bytes at a time unless told otherwise (-C), which took
# two thirds of the time; to bash a function in the environment comes before a program.
# dracut strips modules, so the one in the image is asked, not compared; the cache file
# is an XDR list, the paths stand in it as text. An empty file would run, as a script.
_LOOK_INTO = """\
module=$1; programs=$2; shift 2
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT; cd "$d"
env 'BASH_FUNC_cpio%%=() { command cpio -C 65536 "$@"; }' lsinitrd --unpack "$0" '*'
echo "vermagic $(modinfo -F vermagic "$(find . -type f -name "$module" | head -n 1)")"
echo "hostid $(od -An -tx4 etc/hostid | tr -d ' ')"
for name in zpool mount.zfs; do
    head -c 4 "$(find . -type f -name "$name" | head -n 1)" | grep -q ELF
    echo "program $name"
done
runs() {
    status=0; chroot . "$@" >&2 || status=$?
    # 126, 127: it is not there, or not one of its libraries
    [ "$status" -lt 126 ]
}
for name in $programs; do
    ! runs "$name" --help || echo "runs $name"
done
case $(readlink init) in
*systemd) ! runs /init --version || echo "runs init" ;;
*) ! chroot . sh -c '[ -x /init ]' || echo "runs init" ;;
esac
for path; do grep -aqF "$path" etc/zfs/zpool.cache; echo "cache $path"; done
hook=$(find . -type f -path '*/hooks/pre-pivot/*-zfs-root-migrate-sealed.sh')
echo "hook $(sha256sum <"$hook" | cut -d ' ' -f 1)"
"""


def reads_cache(system: System) -> bool:
    """Tell whether an image made on this system may import by its pool cache.

    Without systemd, which dracut takes from the system, the root pool is imported by
    its labels and the cache is never read (openzfs contrib/dracut/90zfs/mount-zfs.sh);
    with systemd, zfs-import-cache.service reads it.
    """
    return any(tool.path for tool in system.tools if tool.name == "systemctl")


# succeeds where the image does not read the cache, or has one that lists every path
_CACHE_IS_FRESH = (
    'lsinitrd -f "*/zfs-import-cache.service" "$0" | grep -q . || exit 0; '
    'for path; do lsinitrd -f etc/zfs/zpool.cache "$0" | grep -aqF "$path"; done'
)


def cache_is_fresh(image: str, vdevs: tuple[str, ...], *, holds: bool = True) -> Probe:
    """No pool cache that the image reads lacks one of the disks."""
    return Probe(argv=("sh", "-ec", _CACHE_IS_FRESH, image, *vdevs), holds=holds)

"""The initramfs of the new root, by whichever generator the system uses.

A generator is one row of `MAKERS`: its configuration, its command and the proof of what
is in the image. Nothing else knows which one it is.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from zfs_root_migrate.layout import BUILD_ROOM, Layout
from zfs_root_migrate.model import Boot, Facts, Generator, Kernel, System
from zfs_root_migrate.paths import BUILD, NEW, in_new
from zfs_root_migrate.step import Action, Hazard, Probe, Run, Start, Step, WriteFile
from zfs_root_migrate.steps import dracut, probes
from zfs_root_migrate.steps.probes import make_directory

ImageProof = Callable[
    [Kernel, str, str, tuple[str, ...], str | None], tuple[Probe, ...]
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """What a generator needs to be told, and how its image is looked into.

    `files` are the new root's own, as paths in it, and `written` is where they lie.
    `ahead` starts making an image of a release in the running root, at a path; `joined`
    waits for it. `reads_cache` tells whether its images may import by the pool cache
    that is in them.
    """

    files: tuple[WriteFile, ...]
    written: tuple[str, ...]
    command: Callable[[str, str], tuple[str, ...]]
    ahead: Callable[[str, str], tuple[Action, ...]]
    joined: Callable[[], tuple[Action, ...]]
    proof: ImageProof
    reads_cache: Callable[[System], bool]
    cache_is_fresh: Callable[..., Probe]


MAKERS = {
    Generator.DRACUT: Maker(
        files=(
            WriteFile(
                path=dracut.CONF, content=dracut.conf("/etc/hostid", dracut.ZPOOL_CACHE)
            ),
            *dracut.module(dracut.MODULE),
        ),
        written=(dracut.CONF, dracut.MODULE),
        command=dracut.command,
        ahead=dracut.ahead,
        joined=dracut.joined,
        proof=dracut.proof,
        reads_cache=dracut.reads_cache,
        cache_is_fresh=dracut.cache_is_fresh,
    ),
}


def maker(boot: Boot) -> Maker:
    """Return the maker for a system; the checks have seen that there is one."""
    known = [g for g in boot.generators if g in MAKERS]
    return MAKERS[known[0] if known else Generator.DRACUT]


def image_path(kernel: Kernel) -> str:
    """Return the name that the boot loader already knows for a kernel's image."""
    return kernel.initramfs or f"/boot/initramfs-{kernel.release}.img"


def bootable(boot: Boot) -> tuple[Kernel, ...]:
    """Return the kernels that can mount the new root."""
    return tuple(k for k in boot.kernels if k.zfs_module and k.image)


def written(boot: Boot) -> tuple[str, ...]:
    """Return the files of the new root that `initramfs` makes."""
    images = [image_path(kernel) for kernel in bootable(boot)]
    return (*maker(boot).written, *images, *(f"{image}.new" for image in images))


# a power cut must find the old image or the new one: /boot has just the one
_REPLACE = 'sync "$0"; mv -f "$0" "$1"; sync "$1"'


def make(boot: Boot, kernel: Kernel, *, chroot: str | None) -> Run:
    """Return the action that makes a kernel's image beside the present one."""
    part = f"{image_path(kernel)}.new"
    return Run(argv=maker(boot).command(kernel.release, part), chroot=chroot)


def place(kernel: Kernel, *, chroot: str | None) -> Run:
    """Return the action that puts a new image in the place of the present one."""
    image = image_path(kernel)
    return Run(argv=("sh", "-ec", _REPLACE, f"{image}.new", image), chroot=chroot)


def files(boot: Boot) -> tuple[WriteFile, ...]:
    """Return the generator's files in the new root."""
    return tuple(replace(file, path=in_new(file.path)) for file in maker(boot).files)


def _build_dataset(layout: Layout) -> str:
    return f"{layout.pool}/zfs-root-migrate-build"


def _has_build(layout: Layout, *, holds: bool = True) -> Probe:
    return Probe(argv=("zfs", "list", "-H", _build_dataset(layout)), holds=holds)


# the first kernel's, until /boot is to have it
IMAGE = f"{BUILD}/image"


def begin(facts: Facts, layout: Layout) -> Step:
    """Return the step that begins to make the first kernel's initramfs.

    It keeps a processor busy and the disks idle, and what follows does the opposite. It
    is made where there is room for certain, on the new disk, and room is kept for it.
    """
    kernel = bootable(facts.boot)[0]
    dataset = _build_dataset(layout)
    return Step(
        id="initramfs-begin",
        title="Begin to make the initramfs",
        reason="it needs nothing but the pool and what the running root has as well, "
        "so it is made while the files are copied",
        hazard=Hazard.REVERSIBLE,
        needs=("open",),
        undone_by=("pool",),
        actions=(
            make_directory(BUILD),
            Run(
                argv=(
                    *("zfs", "create", "-u", "-o", "mountpoint=legacy"),
                    *("-o", f"refreservation={BUILD_ROOM}", dataset),
                ),
                when=_has_build(layout, holds=False),
            ),
            Run(
                argv=("mount", "-t", "zfs", dataset, BUILD),
                when=probes.is_mounted(BUILD, holds=False),
            ),
            *maker(facts.boot).ahead(kernel.release, IMAGE),
        ),
        always=True,
    )


def initramfs(facts: Facts, layout: Layout, *meanwhile: Start) -> Step:
    """Return the step that has the initramfs of every kernel that has ZFS in place.

    To look into an image keeps one processor busy: `meanwhile` is started before.
    """
    kernels = bootable(facts.boot)
    others = kernels[1:]
    used = maker(facts.boot)
    return Step(
        id="initramfs",
        title="Put the initramfs in place",
        reason="the initramfs imports the pool and mounts the root; the module, the "
        "hostid and the pool cache in it are looked at",
        hazard=Hazard.REVERSIBLE,
        needs=("files", "initramfs-begin"),
        undone_by=("pool", "array", "partition-1"),
        actions=(
            *used.joined(),
            Run(argv=("cp", IMAGE, in_new(f"{image_path(kernels[0])}.new"))),
            Run(argv=("umount", BUILD), when=probes.is_mounted(BUILD)),
            Run(
                argv=("zfs", "destroy", _build_dataset(layout)),
                when=_has_build(layout),
            ),
            *(make(facts.boot, kernel, chroot=NEW) for kernel in others),
            *(place(kernel, chroot=NEW) for kernel in kernels),
            *meanwhile,
        ),
        proof=tuple(
            probe
            for kernel in kernels
            for probe in used.proof(
                kernel, image_path(kernel), layout.hostid, layout.vdevs, NEW
            )
        ),
        always=True,
        seconds=20 + 40 * len(others),
    )

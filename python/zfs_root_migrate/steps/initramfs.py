"""The initramfs of the new root, by whichever generator the system uses.

A generator is one row of `MAKERS`: its configuration, its command and the proof of what
is in the image. Nothing else knows which one it is.
"""

from collections.abc import Callable
from dataclasses import dataclass

from zfs_root_migrate.layout import Layout
from zfs_root_migrate.model import Boot, Facts, Generator, Kernel, System
from zfs_root_migrate.paths import NEW, in_new
from zfs_root_migrate.step import Beside, Hazard, Meanwhile, Probe, Run, Step, WriteFile
from zfs_root_migrate.steps import dracut

ImageProof = Callable[
    [Kernel, str, str, tuple[str, ...], str | None], tuple[Probe, ...]
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """What a generator needs to be told, and how its image is looked into.

    `reads_cache` tells whether its images may import by the pool cache that is in them.
    """

    conf_path: str
    conf: str
    command: Callable[[str, str], tuple[str, ...]]
    proof: ImageProof
    reads_cache: Callable[[System], bool]
    cache_is_fresh: Callable[..., Probe]


MAKERS = {
    Generator.DRACUT: Maker(
        conf_path=dracut.CONF,
        conf=dracut.conf(),
        command=dracut.command,
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
    return (maker(boot).conf_path, *images, *(f"{image}.new" for image in images))


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


def conf_file(boot: Boot) -> WriteFile:
    """Return the generator's configuration in the new root."""
    used = maker(boot)
    return WriteFile(path=in_new(used.conf_path), content=used.conf)


def initramfs(facts: Facts, layout: Layout, meanwhile: tuple[Meanwhile, ...]) -> Step:
    """Return the step that makes the initramfs of every kernel that has ZFS.

    It keeps one processor busy and the disks idle: `meanwhile` is done beside the first
    image. It is always done anew, as what is done meanwhile has no proof.
    """
    first, *others = bootable(facts.boot)
    kernels = (first, *others)
    return Step(
        id="initramfs",
        title="Make the initramfs; meanwhile copy what changed and compare every file",
        reason="the initramfs imports the pool and mounts the root; it is made in the "
        "new root, where its hostid and pool cache are. Every file is read back from "
        "the new disks by code that shares nothing with the copier",
        hazard=Hazard.REVERSIBLE,
        needs=("files",),
        undone_by=("pool", "array"),
        actions=(
            Beside(run=make(facts.boot, first, chroot=NEW), meanwhile=meanwhile),
            *(make(facts.boot, kernel, chroot=NEW) for kernel in others),
            *(place(kernel, chroot=NEW) for kernel in kernels),
        ),
        proof=tuple(
            probe
            for kernel in kernels
            for probe in maker(facts.boot).proof(
                kernel, image_path(kernel), layout.hostid, layout.vdevs, NEW
            )
        ),
        always=True,
        seconds=40 * len(kernels),
    )

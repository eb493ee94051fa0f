"""The pool, its datasets, and the new root's mounts."""

import re

from zfs_root_migrate.datasets import Dataset
from zfs_root_migrate.layout import Layout
from zfs_root_migrate.model import Topology
from zfs_root_migrate.paths import BOOTED, CACHE, NEW, SEAL, WORK, in_new
from zfs_root_migrate.step import Action, Hazard, Probe, Require, Run, Step
from zfs_root_migrate.steps import probes
from zfs_root_migrate.steps.array import array_runs, assemble, stop_array
from zfs_root_migrate.steps.disks import clear, partition_ids, wipe
from zfs_root_migrate.steps.probes import make_directory


def pool(layout: Layout) -> Step:
    """Return the step that makes the pool."""
    options = {"ashift": str(layout.ashift), "cachefile": CACHE}
    options["autotrim"] = "on" if layout.autotrim else "off"
    kind = () if layout.topology is Topology.SINGLE else (str(layout.topology),)
    argv = [
        "zpool",
        "create",
        *(word for item in options.items() for word in ("-o", "=".join(item))),
        *(word for item in file_system_properties(layout) for word in ("-O", item)),
        *("-R", NEW, layout.pool, *kind, *layout.vdevs),
    ]
    return Step(
        id="pool",
        title=f"Make the pool {layout.pool}",
        reason="its own cache file: the running system must not import the half-made "
        "pool after a power cut",
        hazard=Hazard.REVERSIBLE,
        needs=("modules", *partition_ids(layout)),
        actions=(
            make_directory(WORK, NEW),
            *clear(layout.vdevs, unless=probes.is_imported(layout.pool)),
            Run(argv=tuple(argv), when=probes.is_imported(layout.pool, holds=False)),
        ),
        undo=(
            # after a reboot; zpool does not load the module by itself (zpool(8),
            # ZFS_MODULE_LOADING) and labelclear would fail
            Run(argv=("modprobe", "zfs")),
            Run(
                argv=("zpool", "destroy", "-f", layout.pool),
                when=is_ours(layout),
            ),
            *(
                Run(
                    argv=("zpool", "labelclear", "-f", vdev),
                    when=_has_label(layout, vdev),
                )
                for vdev in layout.vdevs
            ),
            *wipe(layout.vdevs),
        ),
        proof=tuple(_has_label(layout, vdev) for vdev in layout.vdevs),
        seconds=4,
    )


def file_system_properties(layout: Layout) -> tuple[str, ...]:
    """Return the properties that every dataset of the pool inherits.

    acltype, xattr and dnodesize keep ACLs and attributes, fast; no normalization, as
    it would refuse names that are not UTF-8 (openzfs/zfs#1904).
    """
    return (
        "mountpoint=/",
        "canmount=off",
        "acltype=posixacl",
        "xattr=sa",
        "dnodesize=auto",
        "relatime=on",
        f"compression={layout.compression}",
        "normalization=none",
    )


def _has_label(layout: Layout, vdev: str) -> Probe:
    return Probe(
        argv=("zdb", "-l", vdev),
        matches=(rf"^ +name: '{layout.pool}'$", rf"^ +path: '{vdev}'$"),
    )


def is_ours(layout: Layout) -> Probe:
    """The imported pool of that name is the one on the new disks."""
    return Probe(
        argv=("zpool", "status", "-P", layout.pool),
        matches=tuple(rf"^\s+{vdev}\s" for vdev in layout.vdevs),
    )


def refuse_booted(layout: Layout) -> Require:
    """Stop where the new root was booted: the next pass would delete what it wrote."""
    return Require(
        probe=Probe(
            argv=("zfs", "get", "-H", "-o", "value", BOOTED, layout.root),
            # the dataset need not be there yet
            status=None,
            absent=("^yes$",),
        ),
        brief="the new root was booted: something may have been written there that the "
        "old root has not",
        resolution="`zfs-root-migrate sync --discard` gives it up and copies anew; to "
        "keep it, boot from the new disk and stay there",
    )


def forget_booted(layout: Layout) -> Run:
    """Give up what was written in the new root."""
    return Run(argv=("zfs", "inherit", BOOTED, layout.root))


def unseal(layout: Layout, *, wanted: bool) -> tuple[Run, ...]:
    """Say that the new root may lack something, before anything is written to it.

    Its initramfs then refuses to start it, until a pass has come to its end. Where no
    seal is `wanted`, there is nothing to say.
    """
    say = Run(argv=("zfs", "set", f"{SEAL}=open", layout.root))
    return (say,) if wanted else ()


def open_pool(layout: Layout, *then: Run | Require, udev: bool = True) -> Step:
    """Return the step that imports the pool after an interruption or a close."""
    # -d with the very paths: the pool keeps them, whatever other links there are
    search = tuple(word for vdev in layout.vdevs for word in ("-d", vdev))
    import_it = (
        *("zpool", "import", "-N", "-R", NEW, "-o", f"cachefile={CACHE}"),
        *(*search, layout.pool),
    )
    return Step(
        id="open",
        title="Open the new disks",
        reason="starts the array and imports the pool below the working directory",
        hazard=Hazard.READS,
        needs=("array", "pool"),
        actions=(
            make_directory(NEW),
            *assemble(layout, udev=udev),
            Run(argv=import_it, when=probes.is_imported(layout.pool, holds=False)),
            Require(
                probe=is_ours(layout),
                brief=f"another pool is called {layout.pool}",
                resolution=f"export it first: zpool export {layout.pool}",
            ),
            *then,
        ),
        proof=(array_runs(layout), is_ours(layout), _altroot(layout)),
        seconds=2,
    )


def _altroot(layout: Layout) -> Probe:
    return Probe(
        argv=("zpool", "get", "-H", "-o", "value", "altroot", layout.pool),
        matches=(f"^{NEW}$",),
    )


def datasets(layout: Layout) -> Step:
    """Return the step that makes the datasets and names the root one."""
    # -u: mounting is the next step's business; -p: one that is there already is fine
    make = ("zfs", "create", "-p", "-u")
    return Step(
        id="datasets",
        title="Make the datasets",
        reason="the root is a dataset of its own, so that what it is set to is not "
        "inherited by the others",
        hazard=Hazard.REVERSIBLE,
        needs=("open",),
        undone_by=("pool",),
        actions=(
            *(
                Run(argv=(*make, *_dataset_options(dataset), dataset.name))
                for dataset in layout.datasets
            ),
            Run(argv=("zpool", "set", f"bootfs={layout.root}", layout.pool)),
        ),
        proof=(
            Probe(
                argv=(
                    *("zfs", "get", "-H", "-r", "-t", "filesystem"),
                    *("-o", "name,property,value", "mountpoint,canmount", layout.pool),
                ),
                matches=tuple(_dataset_line(dataset) for dataset in layout.datasets),
            ),
            Probe(
                argv=("zpool", "get", "-H", "-o", "value", "bootfs", layout.pool),
                matches=(f"^{re.escape(layout.root)}$",),
            ),
        ),
        seconds=len(layout.datasets) // 4 + 1,
    )


def _dataset_options(dataset: Dataset) -> tuple[str, ...]:
    if dataset.legacy:
        return ("-o", "mountpoint=legacy")
    if dataset.mountpoint is None:
        return ("-o", "canmount=off")
    if dataset.explicit:
        return ("-o", f"mountpoint={dataset.mountpoint}")
    return ()


def _dataset_line(dataset: Dataset) -> str:
    name = re.escape(dataset.name)
    if dataset.legacy:
        return rf"^{name}\tmountpoint\tlegacy$"
    if dataset.mountpoint is None:
        return rf"^{name}\tcanmount\toff$"
    return rf"^{name}\tmountpoint\t{re.escape(in_new(dataset.mountpoint))}$"


def mount(layout: Layout) -> Step:
    """Return the step that mounts the new root, for this process alone."""
    actions: list[Action] = []
    for ds in layout.mounts:
        place = in_new(str(ds.mountpoint))
        how = ("mount", "-t", "zfs", ds.name, place)
        actions.append(
            Run(
                argv=how if ds.legacy else ("zfs", "mount", ds.name),
                when=probes.is_mounted(place, holds=False),
            )
        )
        if ds.legacy:
            boot = in_new("/boot")
            actions += [
                make_directory(boot),
                Run(
                    argv=("mount", "-t", "ext2", layout.array.path, boot),
                    when=probes.is_mounted(boot, holds=False),
                ),
            ]
    return Step(
        id="mount",
        title="Mount the new root",
        reason="in a mount namespace of the tool's own: no other process sees it, and "
        "it is gone when the tool ends, however it ends",
        hazard=Hazard.READS,
        needs=("datasets", "array"),
        actions=tuple(actions),
        proof=(
            probes.are_mounted(
                [*(in_new(str(d.mountpoint)) for d in layout.mounts), in_new("/boot")]
            ),
        ),
        seconds=2,
    )


def unmount(release: tuple[Run, ...]) -> tuple[Run, ...]:
    """Unmount the new root; `release` comes first."""
    return (
        *release,
        Run(argv=("umount", "--recursive", NEW), when=probes.is_mounted(NEW)),
        Run(argv=("sync",)),
    )


def let_go(layout: Layout, release: tuple[Run, ...]) -> tuple[Run, ...]:
    """Unmount the new root, export the pool, stop the array."""
    return (
        *unmount(release),
        Run(
            argv=("zpool", "export", layout.pool),
            when=probes.is_imported(layout.pool),
        ),
        *stop_array(layout),
    )


def is_closed(layout: Layout) -> Probe:
    """The pool was exported; POOL_STATE_EXPORTED, sys/fs/zfs.h."""
    return Probe(argv=("zdb", "-l", layout.vdevs[0]), matches=(r"^ +state: 1$",))


def close(layout: Layout, release: tuple[Run, ...]) -> Step:
    """Return the step that lets go of the new disks; `release` comes first."""
    return Step(
        id="close",
        title="Unmount and export the pool",
        reason="an exported pool is imported at boot without force",
        hazard=Hazard.READS,
        actions=let_go(layout, release),
        proof=(probes.is_imported(layout.pool, holds=False), is_closed(layout)),
        seconds=5,
    )

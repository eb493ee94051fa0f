"""No turning back: the old disk becomes the second half of pool, array and boot.

At every moment of these steps the new disk holds a complete and bootable system.
"""

from dataclasses import replace

from zfs_root_migrate.layout import DiskLayout, Layout, Role
from zfs_root_migrate.model import Facts
from zfs_root_migrate.step import Action, Await, Hazard, Probe, Require, Run, Step
from zfs_root_migrate.steps import array, disks, grub, initramfs, probes, sealing
from zfs_root_migrate.steps.system import add_swap_command

CACHE = "/etc/zfs/zpool.cache"
RESILVER_PER_SECOND = 80 << 20

# the leaf's own guid names it whatever path the pool was imported by
_ATTACH = (
    'guid=$(zdb -l "$1" | sed -n "s/^    guid: //p" | head -n 1); '
    'exec zpool attach -o ashift="$2" "$0" "$guid" "$3"'
)


# mdadm 4.4 takes no long name here ("cannot be set as devname")
_ADD = 'exec mdadm "$(readlink -f "$0")" --add "$1"'


def mirror_steps(facts: Facts, layout: Layout, old: DiskLayout) -> tuple[Step, ...]:
    """Return the steps of `mirror`.

    The layout is the one that was recorded before the migration; the facts are those of
    the new root, whose kernels may have changed since.
    """
    new = layout.disks[0]
    swap = (_swap(old),) if old.part(Role.SWAP) else ()
    # the resilver can take hours, and the firmware may know no other disk than this one
    return (
        _ready(facts, layout),
        _table(old),
        _array(layout, old),
        _attach(layout, new, old),
        *swap,
        _cache(facts, layout, new, old),
        _whole(layout),
        _grub(facts, layout, old),
        _resilver(layout, old),
        _forget_seal(layout),
    )


def running_from(layout: Layout) -> Probe:
    """The running root is the migrated one."""
    return Probe(
        argv=("findmnt", "--noheadings", "--output=SOURCE,FSTYPE", "/"),
        matches=(rf"^{layout.root} +zfs\s*$",),
    )


def _ready(facts: Facts, layout: Layout) -> Step:
    chain: list[Action] = [
        Require(
            probe=probe,
            brief="the new disk could not start the machine alone",
            resolution="make the boot chain whole first: mount /boot, dracut --force, "
            "grub-install, grub-mkconfig; the old disk was not touched by this step",
        )
        for probe in grub.proof(facts, layout, root="/")
    ]
    return Step(
        id="ready",
        title="Look at the running system once more",
        reason="the old disk is only given up when the new one is complete and can "
        "start the machine",
        hazard=Hazard.READS,
        actions=(
            Require(
                probe=running_from(layout),
                brief=f"the running root is not {layout.root}",
                resolution="boot from the new disk first",
            ),
            Require(
                # a resilver that an interrupted `mirror` left behind is healthy too
                probe=Probe(
                    argv=("zpool", "status", layout.pool),
                    matches=(r"^ *state: ONLINE", "errors: No known data errors"),
                ),
                brief=f"the pool {layout.pool} is not healthy",
                resolution=f"look at: zpool status -v {layout.pool}",
            ),
            Require(
                probe=probes.is_mounted("/boot"),
                brief="/boot is not mounted",
                resolution="mount /boot",
            ),
            *chain,
        ),
        seconds=3,
    )


def _table(old: DiskLayout) -> Step:
    return Step(
        id="table",
        title=f"Clear the old disk and partition it as the new one: {old.path}",
        reason="the same table with identifiers of its own",
        hazard=Hazard.FINAL,
        needs=("ready",),
        actions=(
            Require(
                probe=Probe(
                    argv=(
                        *("lsblk", "--noheadings", "--output=MOUNTPOINTS,TYPE"),
                        old.path,
                    ),
                    # a mount point or [SWAP], or anything stacked on a partition
                    absent=(r"^ *(/|\[)", r"\b(lvm|crypt|raid\d+|mpath)\b"),
                ),
                brief=f"the old disk {old.path} is in use",
                resolution="see what holds it with lsblk; unmount it, swapoff, or stop "
                "the array, then run mirror again",
            ),
            *disks.clear_disk(old),
            *disks.write_table(old),
        ),
        proof=(probes.has_table(old),),
        old_disk=("everything on it is destroyed",),
        seconds=4,
    )


def _array(layout: Layout, old: DiskLayout) -> Step:
    part, path = old.part_path(Role.BOOT), layout.array.path
    member = Probe(
        argv=("mdadm", "--examine", part),
        matches=(rf"Array UUID : {layout.array.uuid}\b",),
    )
    return Step(
        id="array",
        title="Add the old disk's half of /boot",
        reason="the array has waited for it since it was made",
        hazard=Hazard.FINAL,
        needs=("table",),
        actions=(
            *disks.clear((part,), unless=member),
            Run(
                argv=("sh", "-ec", _ADD, path, part),
                when=replace(member, holds=False),
            ),
        ),
        proof=(member,),
        seconds=2,
    )


def _whole(layout: Layout) -> Step:
    """Wait for the array, which the kernel has rebuilt beside the steps before."""
    detail = ("mdadm", "--detail", layout.array.path)
    complete = rf"Active Devices : {layout.array.slots}\b"
    return Step(
        id="whole",
        title="See that /boot is on both disks",
        reason="the kernel rebuilds the array while the steps before are done",
        hazard=Hazard.FINAL,
        needs=("array",),
        actions=(
            Await(
                argv=detail,
                done=complete,
                failed=r"State : .*FAILED",
                progress=r"Rebuild Status : (\d+)%",
                what="the array is being rebuilt",
            ),
        ),
        proof=(Probe(argv=detail, matches=(complete,)),),
        seconds=max(2, layout.array.size // RESILVER_PER_SECOND),
    )


def _pool_status(layout: Layout) -> tuple[str, ...]:
    return ("zpool", "status", "-P", layout.pool)


def _joined(layout: Layout, old: DiskLayout) -> tuple[str, ...]:
    """Return what the pool's status says when the old disk is a half of it."""
    return (r"^\s+mirror-0\s+ONLINE", rf"^\s+{old.part_path(Role.ZFS)}\s+ONLINE")


def _attach(layout: Layout, new: DiskLayout, old: DiskLayout) -> Step:
    here, there = new.part_path(Role.ZFS), old.part_path(Role.ZFS)
    attached = Probe(argv=_pool_status(layout), matches=(rf"^\s+{there}\s",))
    return Step(
        id="attach",
        title="Attach the old disk to the pool",
        reason="zpool attach, never add: an added disk would be striped and could not "
        "be taken out again (openzfs/zfs#10254)",
        hazard=Hazard.FINAL,
        needs=("table",),
        actions=(
            *disks.clear((there,), unless=attached),
            Run(
                argv=(
                    *("sh", "-ec", _ATTACH, layout.pool),
                    *(here, str(layout.ashift), there),
                ),
                when=replace(attached, holds=False),
            ),
        ),
        proof=(Probe(argv=_pool_status(layout), matches=_joined(layout, old)),),
        seconds=2,
    )


def _resilver(layout: Layout, old: DiskLayout) -> Step:
    """Wait for the pool, which is resilvered beside the steps before."""
    return Step(
        id="resilver",
        title="See that the pool is on both disks",
        reason="ZFS fills the old disk while the steps before are done",
        hazard=Hazard.FINAL,
        needs=("attach",),
        actions=(
            Await(
                argv=_pool_status(layout),
                done=r"scan: resilvered .* with 0 errors",
                failed=r"errors: (?!No known data errors)",
                progress=r"([\d.]+)% done",
                what="the pool is being resilvered",
            ),
        ),
        proof=(
            Probe(
                argv=_pool_status(layout),
                matches=(*_joined(layout, old), r"errors: No known data errors"),
                absent=("resilver in progress",),
            ),
        ),
        seconds=60,
    )


def _swap(old: DiskLayout) -> Step:
    part = old.part_path(Role.SWAP)
    used = Probe(
        argv=("swapon", "--noheadings", "--show=UUID"),
        matches=(rf"^{old.swap_uuid}\s*$",),
    )
    return Step(
        id="swap",
        title="Make the old disk's swap area",
        reason="each disk has its own, so that the system starts with either",
        hazard=Hazard.FINAL,
        needs=("table",),
        actions=(
            Run(
                argv=("mkswap", "--quiet", "--uuid", old.swap_uuid, part),
                when=replace(array.has_swap(old), holds=False),
            ),
            Run(argv=add_swap_command(old)),
            Run(argv=("swapon", part), when=replace(used, holds=False)),
        ),
        proof=(
            array.has_swap(old),
            Probe(argv=("grep", "-q", f"^UUID={old.swap_uuid} ", "/etc/fstab")),
            used,
        ),
    )


def _cache(facts: Facts, layout: Layout, new: DiskLayout, old: DiskLayout) -> Step:
    vdevs = (new.part_path(Role.ZFS), old.part_path(Role.ZFS))
    used = initramfs.maker(facts.boot)
    kernels = initramfs.bootable(facts.boot) if used.reads_cache(facts.system) else ()
    images = [initramfs.image_path(kernel) for kernel in kernels]
    renew = tuple(
        replace(action, when=used.cache_is_fresh(image, vdevs, holds=False))
        for kernel, image in zip(kernels, images, strict=True)
        for action in (
            initramfs.make(facts.boot, kernel, chroot=None),
            initramfs.place(kernel, chroot=None),
        )
    )
    return Step(
        id="cache",
        title="Renew the pool cache",
        reason="it must list both disks, also in an initramfs that reads it "
        "(openzfs/zfs#8343)",
        hazard=Hazard.FINAL,
        needs=("attach",),
        actions=(
            Run(argv=("zpool", "set", f"cachefile={CACHE}", layout.pool)),
            Run(argv=("sync",)),
            *renew,
        ),
        proof=(
            Probe(argv=("zdb", "-C", "-U", CACHE, layout.pool), matches=vdevs),
            *(used.cache_is_fresh(image, vdevs) for image in images),
        ),
        seconds=4,
    )


def _forget_seal(layout: Layout) -> Step:
    return Step(
        id="forget-seal",
        title="Forget the seal and the snapshot that belongs to it",
        reason="the old root that they speak of is gone",
        hazard=Hazard.FINAL,
        needs=("resilver", "grub"),
        actions=sealing.forget_seal(layout),
        proof=(
            sealing.not_sealed(layout),
            sealing.has_snapshot(layout, holds=False),
        ),
    )


def _grub(facts: Facts, layout: Layout, old: DiskLayout) -> Step:
    return Step(
        id="grub",
        title="Install GRUB on the old disk",
        reason="each disk must be able to start the machine alone; the menu finds "
        "/boot by its file system's UUID, on whichever disk it is",
        hazard=Hazard.FINAL,
        needs=("whole",),
        actions=(grub.install(old.path), Run(argv=("sync",))),
        proof=(
            *grub.proof(facts, layout, root="/"),
            *grub.has_loader(old),
        ),
        seconds=6,
    )

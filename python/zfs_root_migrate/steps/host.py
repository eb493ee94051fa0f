"""What the running system needs before any disk is touched: modules and hostid."""

from zfs_root_migrate.layout import Layout
from zfs_root_migrate.step import Hazard, Probe, Run, Step
from zfs_root_migrate.steps import probes


def prepare(layout: Layout) -> tuple[Step, ...]:
    """Return the steps that touch the running system before any disk is touched."""
    steps = [
        Step(
            id="modules",
            title="Load the kernel modules",
            reason="ZFS, and RAID1 for /boot",
            hazard=Hazard.READS,
            actions=(Run(argv=("modprobe", "-a", "zfs", "raid1")),),
            proof=(
                probes.exists("/sys/module/zfs"),
                Probe(argv=("grep", "-q", "raid1", "/proc/mdstat")),
            ),
            old_disk=(
                "the kernel modules zfs and raid1 are loaded until the next boot",
            ),
        )
    ]
    if layout.hostid_is_new:
        steps.append(_hostid(layout))
    return tuple(steps)


def has_hostid(path: str, hostid: str) -> Probe:
    """The file holds this hostid."""
    return Probe(argv=("od", "-An", "-tx4", path), matches=(rf"^ *{hostid}\s*$",))


def _hostid(layout: Layout) -> Step:
    return Step(
        id="hostid",
        title=f"Give the machine the hostid {layout.hostid}",
        reason="the pool, its initramfs and the new root must agree on it, or the "
        'import at boot fails with "previously in use from another system"',
        hazard=Hazard.REVERSIBLE,
        actions=(Run(argv=("zgenhostid", "-o", "/etc/hostid", layout.hostid)),),
        undo=(
            Run(
                argv=("rm", "-f", "/etc/hostid"),
                when=has_hostid("/etc/hostid", layout.hostid),
            ),
        ),
        proof=(has_hostid("/etc/hostid", layout.hostid),),
        old_disk=("/etc/hostid is made",),
    )

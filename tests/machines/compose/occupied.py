"""A machine whose disks are all taken by something."""

from tests.machines.compose.devices import (
    GIB,
    LINUX,
    MIB,
    RAID,
    SWAP,
    ZFS,
    Device,
    disk,
    file_system,
    part,
)
from tests.machines.compose.machine import Machine, Mounted
from tests.machines.compose.source import (
    HOME_UUID,
    SOURCE_MOUNTS,
    TB,
    openrc_bios,
    sata,
    source_disk,
)
from tests.machines.compose.stacked import PV_UUID
from tests.machines.compose.system import swaps

POOL = "14512369214787216353"
OLD_POOL = f"""\
   pool: oldtank
     id: {POOL}
  state: DEGRADED
status: The pool was last accessed by another system.
 action: The pool can be imported despite missing or damaged devices.  The
\tfault tolerance of the pool may be compromised if imported.
   see: https://openzfs.github.io/openzfs-docs/msg/ZFS-8000-EY
 config:

\toldtank                                                            DEGRADED
\t  mirror-0                                                         DEGRADED
\t    /dev/disk/by-id/ata-WDC_WD10EZEX-08WN4A0_WD-WCC6Y1OCC003-part1  ONLINE
\t    5117426431894162031  UNAVAIL  cannot open
"""


def occupied() -> Machine:
    """Every disk besides the system's own carries or serves something."""
    ntfs = file_system("ntfs", "5E3C8F0B3C8EDE4D", "Windows")
    pool = file_system("zfs_member", POOL, "oldtank")
    member = file_system("linux_raid_member", HOME_UUID.replace("e4", "a7"), "nas:0")
    serial = "WD-WCC6Y1OCC00{}".format
    devices = (
        source_disk(),
        sata("b", serial(2), part(1, 931 * GIB, "0x7", ntfs), table="dos"),
        sata("c", serial(3), part(1, 931 * GIB, ZFS, pool), part(9, 8 * MIB, ZFS)),
        sata("d", serial(4), part(1, 931 * GIB, RAID, member)),
        sata("e", serial(5), part(1, 931 * GIB, LINUX, file_system("ext4", POOL[:8]))),
        sata("f", serial(6), fs=file_system("LVM2_member", PV_UUID)),
        sata("g", serial(7), part(1, 931 * GIB, SWAP, file_system("swap", HOME_UUID))),
        # tables are gone, but an old file system still shows behind them
        sata("h", serial(8), signatures=(("ext4", "0x438"),)),
        disk(
            "sdi",
            15518924800,
            part(1, 15517876224, "0xc", file_system("vfat", "1A2B-3C4D", "STICK")),
            number="8:128",
            serial="4C530001230101112233",
            model="Ultra",
            by_id=("usb-SanDisk_Ultra_4C530001230101112233-0:0",),
            table="dos",
            tran="usb",
            rm=True,
            rota=True,
        ),
        # a card reader without a card, and a drive
        disk("sdj", 0, number="8:144", serial="9744", model="Reader", tran="usb"),
        Device(
            kname="sr0",
            kind="rom",
            size=1073741312,
            number="11:0",
            columns=(("model", "DVDRAM GH24NSD1"), ("tran", "sata"), ("rm", True)),
        ),
    )
    backup = Mounted(
        target="/mnt/backup",
        source="/dev/sde1",
        fs_type="ext4",
        number="8:65",
        size=TB - 70 * GIB,
        used=600 * GIB,
        files=80_112,
    )
    machine = openrc_bios(
        devices=devices,
        mounted=(*SOURCE_MOUNTS, backup),
        zpool_import=OLD_POOL,
    )
    machine.files["/proc/swaps"] = swaps(
        ("/dev/sda3", "partition", 8388604), ("/dev/sdg1", "partition", 976760828)
    )
    return machine

"""Pools are known from zpool where its module is loaded, else from their labels."""

from zfs_root_migrate.facts.pools import (
    IMPORT,
    LIST,
    gather_pools,
    parse_import,
    parse_list,
)
from zfs_root_migrate.model import BlockDevice, Pool
from zfs_root_migrate.reader import Recording, ReplayReader

# OpenZFS 2.3.9: rows of vdevs have all columns whatever -o says, those of classes begin
# where the pools' do
LISTED = (
    "old\t4962268374150417714\tONLINE\n"
    "\tmirror-0\t503316480\t157696\t503158784\t-\t-\t3\t0\t-\tONLINE\n"
    "\t/dev/disk/by-id/virtio-NEWDISK-part1\t524288000\t-\t-\t-\t-\t-\t-\t-\tONLINE\n"
    "\t/dev/disk/by-id/virtio-NEWDISK-part2\t524288000\t-\t-\t-\t-\t-\t-\t-\tONLINE\n"
    "logs                                          -      -      -        -         -"
    "      -      -      -         -\n"
    "\t/dev/disk/by-id/virtio-NEWDISK-part3\t524288000\t0\t503316480\t-\t-\t0\t0\t-"
    "\tONLINE\n"
    "cache                                         -      -      -        -         -"
    "      -      -      -         -\n"
    "\t/dev/disk/by-id/virtio-NEWDISK-part4\t524288000\t9216\t519559680\t-\t-\t0\t0"
    "\t-\tONLINE\n"
    "gone\t7\tUNAVAIL\n"
    "\t12005371\t-\tUNAVAIL\n"
)
# OpenZFS 2.3.9: with a comment all fields move to the right by one, see show_import()
IMPORTABLE = """\
   pool: second
     id: 9499859609842028725
  state: ONLINE
 action: The pool can be imported using its name or numeric identifier.
comment: the nas
 config:

\tsecond                                  ONLINE
\t  /dev/disk/by-id/virtio-NEWDISK-part5  ONLINE

  pool: old
    id: 4962268374150417714
 state: DEGRADED
status: One or more devices contains corrupted data.
action: The pool can be imported despite missing or damaged devices.  The
\tfault tolerance of the pool may be compromised if imported.
   see: https://openzfs.github.io/openzfs-docs/msg/ZFS-8000-4J
config:

\told                                       DEGRADED
\t  mirror-0                                DEGRADED
\t    /dev/disk/by-id/virtio-NEWDISK-part1  ONLINE
\t    /dev/disk/by-id/virtio-NEWDISK-part2  UNAVAIL  invalid label
\tcache
\t  /dev/disk/by-id/virtio-NEWDISK-part4
\tlogs\t
\t  /dev/disk/by-id/virtio-NEWDISK-part3    ONLINE

  pool: old tank
    id: 42
 state: UNAVAIL (DESTROYED)
status: One or more devices contains corrupted data.
action: The pool cannot be imported due to damaged devices or data.
config:

\told tank    UNAVAIL  insufficient replicas
\t  sdc       UNAVAIL  corrupted data
"""
PATH = "/dev/disk/by-id/virtio-NEWDISK-part{}".format
LABEL = BlockDevice(
    name="sdb1",
    kind="part",
    size=1,
    links=("/dev/disk/by-id/ata-B-part1",),
    fs_type="zfs_member",
    fs_uuid="99",
    fs_label="tank",
)
LABELLED = Pool(
    name="tank",
    guid="99",
    imported=False,
    health="UNKNOWN",
    devices=("/dev/disk/by-id/ata-B-part1",),
)


def test_imported_pools():
    """Pools with the paths of their vdevs, those of every class."""
    old, gone = parse_list(LISTED)
    assert (old.name, old.guid, old.health) == ("old", "4962268374150417714", "ONLINE")
    assert old.imported
    assert old.devices == tuple(PATH(n) for n in (1, 2, 3, 4))
    assert (gone.health, gone.devices) == ("UNAVAIL", ())


def test_importable_pools():
    """Name, guid, state and paths; a comment or a blank in the name is no trouble."""
    second, old, tank = parse_import(IMPORTABLE)
    assert (second.name, second.guid) == ("second", "9499859609842028725")
    assert second.devices == (PATH(5),)
    assert not second.imported
    assert (old.name, old.health) == ("old", "DEGRADED")
    assert old.devices == tuple(PATH(n) for n in (1, 2, 4, 3))
    assert (tank.name, tank.guid, tank.health) == ("old tank", "42", "UNAVAIL")
    assert tank.devices == ()


def test_no_pools():
    """Nothing is printed where there is none."""
    assert parse_list("") == parse_import("") == ()


def world(*, loaded, listed=LISTED, udev=True):
    """Return a reader of a machine with pools; the module may not be loaded."""
    queries = {" ".join(IMPORT): (0, IMPORTABLE, "")}
    if listed is not None:
        queries["zpool list -HpPv -o name,guid,health"] = (0, listed, "")
    return ReplayReader(
        Recording(
            queries=queries,
            files={"/sys/module/zfs/version": "2.3.6-1\n"} if loaded else {},
            links={"/run/udev/data": "/run/udev/data"} if udev else {},
        )
    )


def gathered(reader, *, has_zpool=True, is_root=True):
    """Return what is known of pools, by guid, or None."""
    found = gather_pools(reader, [LABEL], has_zpool=has_zpool, is_root=is_root)
    return None if found is None else {pool.guid: pool for pool in found}


def test_everything_is_asked():
    """Root with the module loaded knows pools of all three sources."""
    assert " ".join(LIST) == "zpool list -HpPv -o name,guid,health"
    found = gathered(world(loaded=True))
    assert {guid: pool.imported for guid, pool in found.items()} == {
        "4962268374150417714": True,
        "7": True,
        "9499859609842028725": False,
        "42": False,
        "99": False,
    }


def test_an_imported_pool_is_not_also_a_label():
    """What zpool list knows is believed over the label."""
    found = gathered(world(loaded=True, listed="tank\t99\tONLINE\n"))
    assert found["99"].imported


def test_no_module_is_loaded_for_a_look():
    """Without the module zpool is not run; the labels tell of the pools."""
    assert gathered(world(loaded=False, listed=None)) == {"99": LABELLED}


def test_a_user_cannot_ask_for_importable_pools():
    """An ordinary user knows imported pools and what udev has read of labels."""
    found = gathered(world(loaded=True), is_root=False)
    assert "42" not in found
    assert found["99"] == LABELLED


def test_unknown():
    """Without zpool, without its answer, without labels: not known, not none."""
    assert gathered(world(loaded=True), has_zpool=False) is None
    assert gathered(world(loaded=True, listed=None)) is None
    assert gathered(world(loaded=True, udev=False), is_root=False) is None

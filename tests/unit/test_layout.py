"""Wanted disks, over all sizes, sectors, settings and topologies."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.checks.machines import base
from tests.unit.fakes.machines import JOINING, WISHES, wished
from zfs_root_migrate.config import Config
from zfs_root_migrate.layout import (
    BAD_HOSTIDS,
    MIB,
    Role,
    boot_size,
    design,
    pool_size,
    swap_size,
)
from zfs_root_migrate.model import BlockDevice, Swap, Topology
from zfs_root_migrate.places import is_below

GIB = 1 << 30
SIZES = st.integers(16 * GIB // 512, 20 << 40 >> 9).map(lambda n: n * 512)
DISKS = st.tuples(
    SIZES, st.sampled_from(((512, 512), (512, 4096), (4096, 4096))), st.booleans()
)


def new_disk(number, size, sectors, linked):
    """Return a blank disk."""
    name = f"vd{chr(ord('b') + number)}"
    return BlockDevice(
        name=name,
        kind="disk",
        size=size // sectors[0] * sectors[0],
        serial=f"NEW{number}",
        links=(f"/dev/disk/by-id/virtio-NEW{number}",) if linked else (),
        logical_sector=sectors[0],
        physical_sector=sectors[1],
    )


@st.composite
def machines(draw):
    """Draw settings and facts that the checks would let through."""
    chosen = draw(st.sampled_from(list(Topology)))
    drawn = draw(st.lists(DISKS, min_size=chosen.fewest_disks, max_size=6))
    if chosen is Topology.SINGLE:
        drawn = drawn[:1]
    new = [new_disk(n, *row) for n, row in enumerate(drawn)]
    facts = base()
    old_size = draw(SIZES)
    devices = [
        replace(d, size=old_size) if d.name == "vda" else d
        for d in facts.storage.devices
        if d.name != "vdb"
    ]
    swap = draw(st.sampled_from((0, 1, 512 * MIB, 2 * GIB - 4096)))
    swaps = (Swap(path="/dev/vda3", is_file=False, size=swap),) if swap else ()
    storage = replace(facts.storage, devices=(*devices, *new), swaps=swaps)
    config = Config(
        target=tuple(d.links[0] if d.links else d.path for d in new),
        topology=chosen,
        join_old_disk=draw(st.booleans()),
        layout=draw(st.sampled_from(("tutorial", "boot-environments"))),
        boot_size=draw(st.sampled_from((None, 300 * MIB, GIB + 1))),
        swap_size=draw(st.sampled_from((None, 0, 1, GIB))),
    )
    return config, replace(facts, storage=storage)


@given(machines())
@settings(max_examples=60, deadline=None)
def test_partitions(machine):
    """They are aligned, lie one after the other and end before the backup table."""
    config, facts = machine
    layout = design(config, facts)
    everyone = (*layout.disks, *filter(None, [layout.old_disk]))
    for disk in everyone:
        end = MIB
        for number, part in enumerate(disk.partitions, 1):
            assert part.number == number
            assert part.start == end
            assert part.start % MIB == part.size % disk.sector == 0
            assert part.size > 0
            end = part.start + part.size
        assert end <= disk.size - MIB
    assert len({len(d.partitions) for d in everyone}) == 1


@given(machines())
@settings(max_examples=60, deadline=None)
def test_every_disk_can_replace_every_other(machine):
    """Partitions of a role have one size: an attach cannot fail for want of room."""
    config, facts = machine
    layout = design(config, facts)
    everyone = (*layout.disks, *filter(None, [layout.old_disk]))
    for role in Role:
        sizes = {p.size for d in everyone if (p := d.part(role)) is not None}
        assert len(sizes) <= 1
    assert layout.old_disk is None or layout.old_disk.size >= max(
        p.start + p.size for d in layout.disks for p in d.partitions
    )
    joins = config.topology is Topology.SINGLE and config.join_old_disk
    assert (layout.old_disk is not None) == joins


@given(machines())
@settings(max_examples=30, deadline=None)
def test_identifiers_are_unique_and_stable(machine):
    """No two things share a UUID, and a second look gives the same ones."""
    config, facts = machine
    layout = design(config, facts)
    everyone = (*layout.disks, *filter(None, [layout.old_disk]))
    uuids = [layout.array.fs_uuid, layout.array.uuid]
    for disk in everyone:
        uuids += [disk.table_uuid, disk.swap_uuid, *(p.uuid for p in disk.partitions)]
    assert len(set(uuids)) == len(uuids)
    assert design(config, facts) == layout


@given(machines())
@settings(max_examples=30, deadline=None)
def test_paths_are_stable(machine):
    """No kernel name outlives a boot where there is a better one."""
    config, facts = machine
    layout = design(config, facts)
    for path in (*layout.vdevs, *layout.array.members, layout.array.path):
        assert path.startswith(("/dev/disk/by-id/", "/dev/disk/by-partuuid/"))


@given(machines())
@settings(max_examples=30, deadline=None)
def test_pool(machine):
    """ashift suits the largest sector; size is what parity and mirrors leave."""
    config, facts = machine
    layout = design(config, facts)
    physical = max(d.physical_sector for d in facts.storage.devices if d.kind == "disk")
    assert 1 << layout.ashift >= max(4096, physical)
    one = layout.disks[0].part(Role.ZFS).size
    many = len(layout.disks)
    spare = {"raidz1": 1, "raidz2": 2, "raidz3": 3, "mirror": many - 1, "single": 0}
    assert pool_size(layout) == one * (many - spare[layout.topology])
    assert layout.array.slots == many + (layout.old_disk is not None)


def test_large_physical_sectors():
    """A disk with sectors of 8 KiB gets ashift 13, the others follow."""
    facts = base()
    devices = tuple(
        replace(d, physical_sector=8192) if d.name == "vdb" else d
        for d in facts.storage.devices
    )
    facts = replace(facts, storage=replace(facts.storage, devices=devices))
    config = Config(target=("/dev/disk/by-id/virtio-DISKB",))
    assert design(config, facts).ashift == 13


@pytest.mark.parametrize("rotational", [True, False])
def test_autotrim(rotational):
    """Only where every disk, the old one included, is solid."""
    facts = base()
    devices = tuple(
        replace(d, rotational=rotational) if d.name == "vda" else d
        for d in facts.storage.devices
    )
    facts = replace(facts, storage=replace(facts.storage, devices=devices))
    config = Config(target=("/dev/disk/by-id/virtio-DISKB",))
    assert design(config, facts).autotrim is not rotational
    alone = replace(config, join_old_disk=False)
    assert design(alone, facts).autotrim


def test_hostid():
    """The machine's own is kept; a new one is stable, and never a bad one."""
    config, facts = wished("guest-openrc-bios")
    layout = design(config, facts)
    assert layout.hostid_is_new
    assert int(layout.hostid, 16) not in BAD_HOSTIDS
    assert len(layout.hostid) == 8
    known = replace(facts, boot=replace(facts.boot, hostid="1badcafe"))
    assert design(config, known).hostid == "1badcafe"
    assert not design(config, known).hostid_is_new


def test_identifiers_differ_between_machines():
    """Two machines, or two pools of one, never get the same identifiers."""
    seeds = [wished(case) for case in WISHES if case != "raidz-mirror"]
    config, facts = seeds[0]
    seeds.append((replace(config, pool="tank"), facts))
    made = [design(*seed) for seed in seeds]
    assert len({x.array.uuid for x in made}) == len(made)
    assert len({x.disks[0].table_uuid for x in made}) == len(made)


@pytest.mark.parametrize("case", WISHES)
@pytest.mark.parametrize("layout", ["tutorial", "boot-environments"])
def test_datasets(case, layout):
    """One root; parents come first; no two are mounted at one place."""
    config, facts = wished(case)
    made = design(replace(config, layout=layout), facts)
    names = [d.name for d in made.datasets]
    for name in names:
        parent = name.rpartition("/")[0]
        assert parent == made.pool or parent in names[: names.index(name)]
    places = [d.mountpoint for d in made.mounts]
    assert len(set(places)) == len(places)
    assert places[0] == "/"
    assert [d.name for d in made.datasets if d.legacy] == [made.root]
    for place in places:
        above = [p for p in places if p != place and is_below(place, p)]
        assert all(places.index(p) < places.index(place) for p in above)
    # the tutorial's rule: what is needed to start belongs to the root dataset
    for path in ("/bin", "/sbin", "/etc", "/lib", "/usr", "/usr/bin", "/dev"):
        assert path not in places


def test_portage_s_directories_follow_portage():
    """The repository and what lies outside of it get datasets where they are."""
    config, facts = wished("guest-openrc-bios")
    portage = replace(
        facts.portage,
        repository="/var/db/repos/gentoo",
        distdir="/var/cache/distfiles",
        pkgdir="/var/db/repos/gentoo/packages",
    )
    places = {
        d.name: (d.mountpoint, d.explicit)
        for d in design(config, replace(facts, portage=portage)).datasets
    }
    assert places["rpool/usr/portage"] == ("/var/db/repos/gentoo", True)
    assert places["rpool/usr/portage/distfiles"] == ("/var/cache/distfiles", True)
    assert "rpool/usr/portage/packages" not in places


def test_no_dataset_where_the_system_has_a_link():
    """/home -> /data/home cannot be mounted upon."""
    config, facts = wished("guest-openrc-bios")
    system = replace(facts.system, symlinks=("/home",))
    (home,) = (
        d
        for d in design(config, replace(facts, system=system)).datasets
        if d.name == "rpool/home"
    )
    assert home.mountpoint is None


@pytest.mark.parametrize(
    ("wish", "used", "expected"),
    [
        (None, None, 512 * MIB),
        (None, 90 * MIB, 512 * MIB),
        (None, 400 * MIB + 1, 801 * MIB),
        (300 * MIB, 400 * MIB, 300 * MIB),
        (MIB + 1, None, 2 * MIB),
    ],
)
def test_boot_size(wish, used, expected):
    """A wish counts; else twice what is used, 512M at least; whole MiB."""
    facts = base()
    mounts = tuple(
        replace(m, used=used) if m.target == "/boot" else m
        for m in facts.storage.mounts
    )
    facts = replace(facts, storage=replace(facts.storage, mounts=mounts))
    assert boot_size(Config(boot_size=wish), facts) == expected


@pytest.mark.parametrize(
    ("wish", "areas", "expected"),
    [
        (None, (), 0),
        (None, (("/dev/vda3", GIB), ("/swapfile", MIB + 1)), GIB + 2 * MIB),
        (None, (("/dev/zram0", GIB), ("/dev/zd16", GIB)), 0),
        (0, (("/dev/vda3", GIB),), 0),
        (5, (), MIB),
    ],
)
def test_swap_size(wish, areas, expected):
    """A wish counts; else what is active now, but for memory and pools."""
    facts = base()
    swaps = tuple(Swap(path=p, is_file=False, size=s) for p, s in areas)
    facts = replace(facts, storage=replace(facts.storage, swaps=swaps))
    assert swap_size(Config(swap_size=wish), facts) == expected


@pytest.mark.parametrize("case", JOINING)
def test_the_old_disk_is_never_a_target(case):
    """The disk that joins is the one that runs the system."""
    config, facts = wished(case)
    layout = design(config, facts)
    assert layout.old_disk.path not in {d.path for d in layout.disks}

"""Partition tables with the real sfdisk on files, fstab and mdadm.conf."""

from dataclasses import replace

import pytest

from tests.unit.fakes.machines import JOINING, WISHES, wished
from zfs_root_migrate import runner
from zfs_root_migrate.facts.mounts import parse_fstab
from zfs_root_migrate.layout import MIB, Role, design
from zfs_root_migrate.model import FstabLine
from zfs_root_migrate.places import is_below, relative
from zfs_root_migrate.step import Run
from zfs_root_migrate.steps import disks, probes
from zfs_root_migrate.steps.copying import transfers
from zfs_root_migrate.steps.system import add_swap_command, fstab, mdadm_conf
from zfs_root_migrate.world import fits

SMALL = "guest-openrc-bios"


def holds(probe):
    """Ask a probe of this machine."""
    return fits(probe, runner.query(probe.argv)) is probe.holds


@pytest.fixture
def image(needs, tmp_path):
    """Return a new disk's layout, with a file in the disk's place."""
    needs("sfdisk", "wipefs")
    disk = design(*wished(SMALL)).disks[0]
    path = tmp_path / "disk"
    with path.open("wb") as file:
        file.truncate(disk.size)
    return replace(disk, path=str(path))


def write(disk):
    """Write the table as the plan does."""
    run = disks.write_table(disk)[0]
    assert isinstance(run, Run)
    return runner.query(run.argv, stdin=run.stdin)


@pytest.mark.programs
def test_the_table_is_written_and_proven(image):
    """sfdisk takes the script, and its dump is what the proof asks for."""
    assert holds(probes.is_blank(image.path))
    assert not holds(probes.has_table(image))
    answer = write(image)
    assert answer.status == 0, answer.stderr
    assert holds(probes.has_table(image))
    assert not holds(probes.is_blank(image.path))


@pytest.mark.programs
@pytest.mark.parametrize("case", [c for c in WISHES if c != SMALL])
def test_tables_of_all_machines(needs, tmp_path, case):
    """Large disks and every topology: each table is written as planned."""
    needs("sfdisk")
    layout = design(*wished(case))
    for disk in (*layout.disks, *filter(None, [layout.old_disk])):
        path = tmp_path / "disk"
        with path.open("wb") as file:
            file.truncate(disk.size)
        there = replace(disk, path=str(path))
        assert write(there).status == 0
        assert holds(probes.has_table(there))
        path.unlink()


def shifted(part, **more):
    """Return a partition with something changed."""
    return replace(part, **more)


@pytest.mark.programs
@pytest.mark.parametrize(
    "change",
    [
        lambda d, p: {"table_uuid": p.uuid},
        lambda d, p: {"partitions": (shifted(p, uuid=d.table_uuid), *d.partitions[1:])},
        lambda d, p: {"partitions": (shifted(p, role=Role.ZFS), *d.partitions[1:])},
        lambda d, p: {
            "partitions": (
                *d.partitions[:-1],
                shifted(d.partitions[-1], size=d.partitions[-1].size - MIB),
            )
        },
        lambda d, p: {
            "partitions": (
                *d.partitions[:-1],
                shifted(d.partitions[-1], start=d.partitions[-1].start + MIB),
            )
        },
    ],
)
def test_another_table_is_not_taken_for_it(image, change):
    """Any other identifier, type, start or size is another table."""
    write(image)
    other = replace(image, **change(image, image.partitions[0]))
    assert holds(probes.has_table(image))
    assert not holds(probes.has_table(other))


@pytest.mark.programs
def test_undo_leaves_a_blank_disk(image):
    """After the undo's wipefs no signature is found any more."""
    write(image)
    wipe = ("wipefs", "--all", "--quiet", "--force", image.path)
    assert runner.query(wipe).status == 0
    assert holds(probes.is_blank(image.path))
    assert not holds(probes.has_table(image))


def test_undo_clears_both_ends():
    """Loader and both tables are overwritten, and nothing beyond the disk."""
    disk = design(*wished(SMALL)).disks[0]
    ends = []
    for run in disks._zero_ends(disk):
        words = dict(zip(run.argv, run.argv[1:], strict=False))
        ends.append((int(words["--offset"]), int(words["--length"])))
        assert run.argv[-1] == disk.path
    (first, head), (tail, rest) = ends
    bios = disk.part(Role.BIOS)
    assert first == 0
    assert head >= bios.start + bios.size
    assert tail + rest == disk.size
    assert tail <= disk.size - 34 * disk.sector


def made_fstab(*lines, case=SMALL, **more):
    """Return the lines of the new fstab for an old one, comments apart."""
    config, facts = wished(case)
    facts = replace(facts, storage=replace(facts.storage, fstab=lines))
    text = fstab(facts, design(replace(config, **more), facts))
    return text, parse_fstab(text)


def line(spec, file, kind="ext4", options="defaults", **more):
    """Return a line of fstab."""
    return FstabLine(spec=spec, file=file, fs_type=kind, options=options, **more)


@pytest.mark.parametrize(
    ("old", "kept"),
    [
        (line("/dev/vda5", "/"), False),
        (line("LABEL=nowhere", "/"), False),
        (line("LABEL=nowhere", "/boot", "ext2"), False),
        (line("UUID=nowhere", "/home"), False),
        (line("/dev/vda3", "none", "swap"), False),
        (line("/swapfile", "none", "swap"), False),
        (line("/dev/zram0", "none", "swap"), True),
        (line("/dev/zvol/tank/swap", "none", "swap"), False),
        (line("/dev/zd16", "none", "swap"), False),
        (line("/dev/zvol/tank/disk", "/mnt/disk"), True),
        (line("nas:/x", "/mnt/nas", "nfs"), True),
        (line("tmpfs", "/tmp", "tmpfs", "size=1G", freq=1, passno=2), True),
        (line("LABEL=stick", "/mnt/my stick"), True),
        (line("//nas/x", "/mnt/a\tb\\c", "cifs", "user=a b"), True),
    ],
)
def test_fstab(old, kept):
    """What is replaced stays as a comment; what is not stays as it is, escaped."""
    text, lines = made_fstab(old)
    assert (old in lines) is kept
    assert ("# " + old.spec in text) is not kept
    assert lines[0].file == "/boot"
    assert not [found for found in lines if found.file == "/"]


@pytest.mark.parametrize("case", WISHES)
def test_fstab_has_no_line_of_the_pool(case):
    """A line for a dataset would mount it over the others' heads."""
    config, facts = wished(case)
    layout = design(config, facts)
    lines = parse_fstab(fstab(facts, layout))
    places = {d.mountpoint for d in layout.mounts}
    kept = {found.file for found in lines} & places
    # a file system that the user keeps on a disk which stays out
    assert kept <= set(config.exclude)
    assert layout.old_disk is None or not kept
    swaps = [found.spec for found in lines if found.fs_type == "swap"]
    assert swaps == [f"UUID={d.swap_uuid}" for d in layout.disks if d.part(Role.SWAP)]


@pytest.mark.programs
def test_swap_is_added_once(tmp_path):
    """`mirror` may be killed and begun again."""
    disk = design(*wished(SMALL)).old_disk
    file = tmp_path / "fstab"
    file.write_text("# mine\n")
    argv = tuple(w.replace("/etc/fstab", str(file)) for w in add_swap_command(disk))
    for _ in range(2):
        assert runner.query(argv).status == 0
    lines = file.read_text().splitlines()
    assert lines == ["# mine", f"UUID={disk.swap_uuid} none swap sw,nofail 0 0"]


def conf(text):
    """Return the new mdadm.conf for an old one, and the array's line."""
    config, facts = wished(SMALL)
    facts = replace(facts, system=replace(facts.system, mdadm_conf=text))
    layout = design(config, facts)
    made = mdadm_conf(facts, layout)
    arrays = (x for x in made.splitlines() if x.startswith("ARRAY"))
    (found,) = (x for x in arrays if layout.array.uuid in x)
    return made, found


@pytest.mark.parametrize(
    "text",
    [None, "", "DEVICE partitions\n", "MAILADDR root", "ARRAY /dev/md0 UUID=1:2:3:4\n"],
)
def test_mdadm_conf(text):
    """The array is added in a line of its own, once, and the rest stays."""
    made, found = conf(text)
    before = (text or "").rstrip("\n")
    assert made == (before + "\n" if before else "") + found + "\n"
    assert conf(made)[0] == made


def test_a_comment_is_no_array():
    """A line that is commented out does not count."""
    _, found = conf(None)
    made, again = conf(f"# {found}\n")
    assert again == found
    assert made.count(found) == 2


@pytest.mark.parametrize("case", WISHES)
def test_transfers(case):
    """Nothing is copied twice, into itself, or onto a running file system."""
    config, facts = wished(case)
    layout = design(config, facts)
    trees = transfers(config, facts, layout)
    assert len({t.destination for t in trees}) == len(trees)
    for tree in trees:
        assert tree.source.startswith("/run/zfs-root-migrate/source/")
        assert tree.destination.startswith("/run/zfs-root-migrate/")
        assert len(set(tree.exclude)) == len(tree.exclude)
        for path in tree.exclude:
            assert path.startswith("/")
            assert not path.endswith("/")
            assert not any(is_below(path, other) for other in tree.exclude)
    (root,) = (t for t in trees if t.destination == "/run/zfs-root-migrate/new")
    for mount in layout.sources:
        if mount.target != "/":
            assert mount.target in root.exclude
    for path in ("/etc/fstab", "/var/lib/zfs-root-migrate", "/etc/zfs/zpool.cache"):
        assert path in root.exclude
    assert "/etc/hostid" not in root.exclude


@pytest.mark.parametrize("case", JOINING)
def test_what_is_the_users_own_beside_grubs(case):
    """A font or a theme of the user's is copied, what grub-install brings is not."""
    config, facts = wished(case)
    trees = transfers(config, facts, design(config, facts))
    (tree, *_) = (t for t in trees if any("grub/grub.cfg" in e for e in t.exclude))
    menu = next(e for e in tree.exclude if e.endswith("/grub.cfg"))
    place = menu.removesuffix("grub.cfg")
    own = ["fonts/own.pf2", "themes/own/theme.txt", "custom.cfg", "bg.png"]
    grubs = ["fonts/unicode.pf2", "themes/starfield/theme.txt", "i386-pc/normal.mod"]
    left = {
        name
        for name in (*own, *grubs, "locale/de.mo", "grubenv", "grub.cfg")
        if any(f"{place}{name}/".startswith(f"{e}/") for e in tree.exclude)
    }
    assert left == {*grubs, "locale/de.mo", "grubenv", "grub.cfg"}


@pytest.mark.parametrize("case", JOINING)
def test_wishes_are_excluded(case):
    """A path that is not wanted is excluded where its file system is copied."""
    config, facts = wished(case)
    config = replace(config, exclude=("/var/tmp/a*b", "/boot/old"))
    trees = transfers(config, facts, design(config, facts))
    excluded = [path for tree in trees for path in tree.exclude]
    assert "/var/tmp/a*b" in excluded
    assert {"/boot/old", "/old"} & set(excluded)


@pytest.mark.parametrize(
    ("paths", "top", "expected"),
    [
        (["/a", "/a/b", "/ab"], "/", ("/a", "/ab")),
        (["/home/x", "/homes/x", "/home"], "/home", ("/x",)),
        (["/a", "/a"], "/", ("/a",)),
        ([], "/", ()),
    ],
)
def test_relative(paths, top, expected):
    """Paths inside, as seen from the top, without what is below another one."""
    assert relative(paths, top) == expected


@pytest.mark.programs
def test_are_mounted_reads_the_kernels_table(needs, tmp_path):
    """Every mount point counts, odd ones too, and one that is none is missed."""
    needs("mount", "umount", root=True)
    place = tmp_path / "a b\\c#d"
    place.mkdir()
    if runner.query(("mount", "-t", "tmpfs", "none", str(place))).status:
        pytest.skip("no mounts here")
    try:
        assert holds(probes.are_mounted([str(place), "/proc"]))
        assert not holds(probes.are_mounted(["/proc", str(tmp_path)]))
    finally:
        runner.query(("umount", str(place)))

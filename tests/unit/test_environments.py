"""Boot environments: which there are, what would not boot, what may be destroyed."""

from dataclasses import replace

import pytest

from tests.unit.fakes.roots import Roots
from zfs_root_migrate.environment_reports import (
    environments_data,
    environments_text,
    porcelain,
    shared_remark,
)
from zfs_root_migrate.environments import (
    Environments,
    Image,
    Inside,
    Snapshot,
    default_entry,
    new_snapshot,
    plan_removal,
    require_menu,
    require_startable,
)
from zfs_root_migrate.errors import InhibitedError, UsageError
from zfs_root_migrate.facts.environments import (
    first_entry,
    gather_environments,
    parse_list,
    parse_look,
    running_root,
)
from zfs_root_migrate.facts.mounts import parse_mountinfo

FILES = ("/etc/default/grub", "/etc/grub.d/09_zfs-root-migrate")
# `zfs list` of a pool in each layout, as OpenZFS 2.3 prints it
SIBLINGS = (
    "rpool/ROOT\tfilesystem\t-\t-\t911659008\t0\t1794031001\t/ROOT\toff\tno\n"
    "rpool/ROOT/gentoo\tfilesystem\t-\t-\t911548416\t0\t1794031002\tlegacy\ton\tyes\n"
    "rpool/ROOT/gentoo@mine\tsnapshot\t-\t-\t-\t-\t1794031500\t-\t-\t-\n"
    "rpool/ROOT/gentoo@zfs-root-migrate-try\tsnapshot\t-\trpool/ROOT/try\t-\t-"
    "\t1794031600\t-\t-\t-\n"
    "rpool/ROOT/try\tfilesystem\trpool/ROOT/gentoo@zfs-root-migrate-try\t-\t86016\t0"
    "\t1794031601\tlegacy\tnoauto\tno\n"
    "rpool/ROOT/try/below\tfilesystem\t-\t-\t4000\t96\t1794031602\tlegacy\ton\tno\n"
)
NESTED = (
    "rpool/ROOT\tfilesystem\t-\t-\t911659008\t0\t1794031001\tlegacy\ton\tyes\n"
    "rpool/ROOT@zfs-root-migrate-a b\tsnapshot\t-\trpool/ROOT/a b,tank/x\t-\t-"
    "\t1794031600\t-\t-\t-\n"
    "rpool/ROOT/a b\tfilesystem\trpool/ROOT@zfs-root-migrate-a b\t-\t86016\t0"
    "\t1794031601\tlegacy\tnoauto\tno\n"
    "rpool/ROOT/more\tfilesystem\t-\t-\t1\t0\t1794031700\tlegacy\toff\tno\n"
)


def look(machine: Roots, *, is_root: bool = True) -> Environments:
    """Read the environments of a machine in memory."""
    return gather_environments(machine, files=FILES, is_root=is_root)


def made(*, tutorial: bool = False) -> Roots:
    """Return a machine with two environments: first `gentoo` or ROOT, then `try`."""
    machine = Roots(tutorial=tutorial)
    machine._zfs_snapshot(f"{machine.running}@zfs-root-migrate-try")
    clone(machine, f"{machine.running}@zfs-root-migrate-try", "try")
    return machine


def clone(machine: Roots, snapshot: str, name: str) -> None:
    """Make an environment as `create` does."""
    options = ("-o", "mountpoint=legacy", "-o", "canmount=noauto")
    machine._zfs_clone(*options, snapshot, f"rpool/ROOT/{name}")


# what is read


def test_siblings():
    """The container is none, nor is what lies below an environment."""
    found, datasets, snapshots = parse_list(SIBLINGS, "rpool/ROOT")
    assert [e.name for e in found] == ["gentoo", "try"]
    assert [e.mounted for e in found] == [True, False]
    assert found[1].origin == "rpool/ROOT/gentoo@zfs-root-migrate-try"
    assert (found[1].used, found[1].creation) == (86016, 1794031601)
    assert "rpool/ROOT/try/below" in datasets
    assert [s.clones for s in snapshots] == [(), ("rpool/ROOT/try",)]
    assert [s.is_ours for s in snapshots] == [False, True]


def test_nested():
    """POOL/ROOT is one itself; another container in it is not."""
    found, _, snapshots = parse_list(NESTED, "rpool/ROOT")
    assert [e.name for e in found] == ["ROOT", "a b"]
    assert snapshots[0].clones == ("rpool/ROOT/a b", "tank/x")


def test_look():
    """What is found in a root; files without a last newline get one."""
    inside = parse_look(
        "init\nhostid 01020304\nmodules 6.12.1-x\nmodules 7.0\n"
        f"file {FILES[0]}\n|A=1\n|\n|# b\n\nfile {FILES[1]}\n|#!/bin/sh\n",
        FILES,
    )
    assert inside == Inside(
        has_init=True,
        hostid="01020304",
        modules=("6.12.1-x", "7.0"),
        grub_default="A=1\n\n# b\n",
        menu_script="#!/bin/sh\n",
    )
    assert parse_look("", FILES) == Inside()


@pytest.mark.parametrize(
    ("menu", "root"),
    [
        ("", None),
        ("  linux /vmlinuz root=UUID=1 ro\n", None),
        ("  linux /vmlinuz root=UUID=1 ro root=ZFS=a/b quiet\n", "a/b"),
        ("# linux x root=ZFS=c\nlinux\t/k root=ZFS=a/b\n linux /k root=ZFS=c\n", "a/b"),
    ],
)
def test_first_entry_of_the_menu(menu, root):
    """The first kernel counts, and the last root= of its line."""
    assert first_entry(menu) == root


@pytest.mark.parametrize(
    "line",
    ["", "20 1 8:3 / / rw - ext4 /dev/sda3 rw\n", "21 1 0:2 / /x rw - zfs a rw\n"],
)
def test_a_root_that_is_not_on_zfs(line):
    """It has no boot environments."""
    with pytest.raises(UsageError, match="not on ZFS"):
        running_root([row.mount for row in parse_mountinfo(line)])


@pytest.mark.parametrize("root", ["tank", "tank/os/gentoo", "tank/ROOT/a/b"])
def test_a_root_in_another_place(root):
    """It is said where they are looked for."""
    machine = Roots(tutorial=True)
    machine.running = root
    with pytest.raises(UsageError, match="not where boot environments") as error:
        look(machine)
    assert "tank/ROOT" in error.value.details


@pytest.mark.parametrize("tutorial", [True, False])
def test_what_is_read_of_a_machine(tutorial):
    """Both layouts, as root and as somebody else."""
    machine = made(tutorial=tutorial)
    now = look(machine)
    assert [e.name for e in now.found] == ["ROOT" if tutorial else "gentoo", "try"]
    assert now.now.dataset == now.bootfs == now.menu == machine.running
    assert [now.obstacle(e) for e in now.found] == ["", ""]
    others = look(machine, is_root=False)
    assert [others.obstacle(e) for e in others.found] == [None, None]
    assert replace(others, found=now.found) == now


# what stands against one


BASE = look(made())
OTHER = BASE.found[1]
INSIDE = OTHER.inside or Inside()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"has_init": False}, "no /sbin/init"),
        ({"modules": ()}, "modules and ZFS for (none)"),
        ({"modules": ("5.0", "5.1")}, "modules and ZFS for (5.0, 5.1)"),
        ({"hostid": ""}, "missing"),
        ({"hostid": "11111111"}, "11111111, not 01020304"),
        ({"failure": "mount(2) system call failed"}, "mount(2)"),
    ],
)
def test_what_would_not_boot(change, word):
    """Each is refused with its reason, and nothing is planned."""
    other = replace(OTHER, inside=replace(INSIDE, **change))
    assert word in str(BASE.obstacle(other))
    with pytest.raises(InhibitedError, match="would not boot"):
        require_startable(BASE, other)


def test_other_obstacles():
    """Its properties, the name, and what only root can see."""
    assert "mountpoint is /x" in str(BASE.obstacle(replace(OTHER, mountpoint="/x")))
    assert "blank" in str(BASE.obstacle(replace(OTHER, dataset="rpool/ROOT/a b")))
    unmounted = replace(BASE, boot_is_mounted=False)
    assert unmounted.obstacle(OTHER) == "/boot is not mounted"
    with pytest.raises(UsageError, match="only root"):
        require_startable(BASE, replace(OTHER, inside=None))
    require_startable(BASE, OTHER)


def test_kernels():
    """The newest first; one without initramfs or modules does not count."""
    images = tuple(
        Image(release=r, path=f"/boot/vmlinuz-{r}", initramfs=i)
        for r, i in (("6.9", "i"), ("6.12", "i"), ("7.0", None), ("7.1", "i"))
    )
    inside = replace(INSIDE, modules=("6.9", "6.12", "7.0"))
    now, other = replace(BASE, images=images), replace(OTHER, inside=inside)
    assert [i.release for i in now.kernels(other)] == ["6.12", "6.9"]
    assert now.obstacle(other) == ""


def test_menu_is_needed():
    """A /boot that is not mounted, another boot loader, another first entry."""
    require_menu(BASE)
    with pytest.raises(InhibitedError, match="/boot is not mounted"):
        require_menu(replace(BASE, boot_is_mounted=False))
    with pytest.raises(InhibitedError, match=r"grub\.cfg"):
        require_menu(replace(BASE, has_menu=False))
    inside = replace(INSIDE, grub_default="GRUB_DEFAULT=0\n GRUB_DEFAULT='2>1' \n")
    here = replace(BASE.found[0], inside=inside)
    with pytest.raises(
        InhibitedError, match="GRUB_DEFAULT in /etc/default/grub is 2>1"
    ):
        require_menu(replace(BASE, found=(here, OTHER)))


@pytest.mark.parametrize(
    ("text", "value"),
    [("", ""), (None, ""), ('GRUB_DEFAULT="saved"', "saved"), ("#GRUB_DEFAULT=3", "")],
)
def test_default_entry(text, value):
    """As the last line of it has it."""
    inside = replace(INSIDE, grub_default=text)
    assert default_entry(replace(OTHER, inside=inside)) == value


# names


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ROOT",
        "12",
        "a b",
        "a/b",
        "a@b",
        "-a",
        ".a",
        "é",
        "a\n",
        "x" * 65,
        "a:b",
        "%a",
    ],
)
def test_bad_names(name):
    """Neither ZFS, nor GRUB, nor eselect, nor a shell could misread one."""
    with pytest.raises(UsageError):
        BASE.new_dataset(name)


@pytest.mark.parametrize("name", ["a", "6.12", "before-upgrade", "x_y", "2026-11-22"])
def test_good_names(name):
    """They become datasets beside the others."""
    assert BASE.new_dataset(name) == f"rpool/ROOT/{name}"


@pytest.mark.parametrize("name", ["try", "gentoo"])
def test_taken_names(name):
    """An environment is not made twice."""
    with pytest.raises(UsageError, match="is there already"):
        BASE.new_dataset(name)


def test_names_that_are_not_there():
    """Those that are there are named; datasets and others are none."""
    for name in ("no", "rpool/ROOT/try", "home", ""):
        with pytest.raises(UsageError, match="no boot environment") as error:
            BASE.named(name)
        assert "gentoo, try" in error.value.details


def test_snapshots_of_one_name():
    """A name that is taken anywhere gets a number: promotion would stop at it."""
    assert new_snapshot(BASE, "x") == "rpool/ROOT/gentoo@zfs-root-migrate-x"
    elsewhere = Snapshot(name="rpool/ROOT/old@zfs-root-migrate-x", clones=())
    now = replace(BASE, snapshots=(elsewhere,))
    assert new_snapshot(now, "x") == "rpool/ROOT/gentoo@zfs-root-migrate-x-2"


# what may be destroyed


def refused(machine: Roots, name: str) -> str:
    """Return why an environment stays."""
    with pytest.raises(InhibitedError) as error:
        plan_removal(look(machine), name)
    return error.value.brief


def test_a_plain_clone():
    """It goes, with its own snapshots and the one that it was made from."""
    machine = made()
    machine._zfs_snapshot("rpool/ROOT/try@monday")
    removal = plan_removal(look(machine), "try")
    assert removal.promoted is None
    assert removal.lost == ("rpool/ROOT/try@monday",)
    assert removal.tidied == "rpool/ROOT/gentoo@zfs-root-migrate-try"


def test_a_snapshot_of_somebody_else_stays():
    """Only what `create` made is tidied away."""
    machine = made()
    machine._zfs_snapshot("rpool/ROOT/gentoo@mine")
    clone(machine, "rpool/ROOT/gentoo@mine", "own")
    assert plan_removal(look(machine), "own").tidied is None


def test_what_stays():
    """Running, default, in the menu, holding others, mounted, cloned elsewhere."""
    machine = made()
    assert "running" in refused(machine, "gentoo")
    machine.bootfs = "rpool/ROOT/try"
    assert "is the default" in refused(machine, "try")
    machine.bootfs, old = "rpool/ROOT/gentoo", dict(machine.boot)
    machine.boot["/boot/grub/grub.cfg"] = " linux /k root=ZFS=rpool/ROOT/try\n"
    assert "boot menu starts it" in refused(machine, "try")
    machine.boot = old
    machine.mounts["/mnt"] = "rpool/ROOT/try"
    assert "mounted" in refused(machine, "try")
    machine.mounts = {}
    machine.roots["rpool/ROOT/try/x"] = machine.roots["rpool/ROOT/try"]
    assert "rpool/ROOT/try/x" in refused(machine, "try")
    del machine.roots["rpool/ROOT/try/x"]
    machine._zfs_snapshot("rpool/ROOT/try@s")
    now = look(machine)
    strange = replace(now.snapshots[-1], clones=("rpool/vm",))
    with pytest.raises(InhibitedError, match="rpool/vm"):
        plan_removal(replace(now, snapshots=(*now.snapshots[:-1], strange)), "try")


def test_the_first_root_of_the_tutorial_stays():
    """The others lie in it."""
    machine = made(tutorial=True)
    machine.running = machine.bootfs = "rpool/ROOT/try"
    machine.boot["/boot/grub/grub.cfg"] = " linux /k root=ZFS=rpool/ROOT/try\n"
    assert "the others lie in it" in refused(machine, "ROOT")


def test_the_heir():
    """The clone of the newest snapshot that has one takes over all that is needed."""
    machine = made()
    for snapshot, name in (("one", "a"), ("two", "b"), ("three", None)):
        machine._zfs_snapshot(f"rpool/ROOT/try@{snapshot}")
        if name:
            clone(machine, f"rpool/ROOT/try@{snapshot}", name)
    removal = plan_removal(look(machine), "try")
    assert removal.promoted == "rpool/ROOT/b"
    assert removal.lost == ("rpool/ROOT/try@three",)
    assert removal.tidied is None


# what is said


def test_text():
    """Numbered, the default starred, with what stands against booting one."""
    broken = replace(OTHER, inside=replace(INSIDE, has_init=False))
    now = replace(BASE, found=(BASE.found[0], broken))
    lines = environments_text(now, colour=False).splitlines()
    assert lines[0] == "Boot environments of rpool:"
    assert lines[1].startswith(
        "  [1]   gentoo *  (rpool/ROOT/gentoo, running, default,"
    )
    assert lines[2].startswith("  [2]   try  (rpool/ROOT/try, 4K of its own, made 1970")
    assert lines[3:] == ["        would not boot: there is no /sbin/init in it"]


def test_remarks():
    """What does not fit together, and what could not be seen."""
    text = environments_text(replace(BASE, menu="rpool/ROOT/try"), colour=False)
    assert "The boot menu starts rpool/ROOT/try" in text
    unseen = replace(BASE, found=tuple(replace(e, inside=None) for e in BASE.found))
    assert "Only root can see" in environments_text(unseen, colour=False)
    assert shared_remark(BASE) == ""
    assert "is on rpool/var" in shared_remark(replace(BASE, packages="rpool/var"))


def test_porcelain():
    """One line for each environment, and one for each kernel that it starts with."""
    broken = replace(
        OTHER, dataset="rpool/ROOT/bad", inside=replace(INSIDE, has_init=False)
    )
    unseen = replace(OTHER, dataset="rpool/ROOT/far", inside=None)
    now = replace(BASE, found=(*BASE.found, broken, unseen))
    used = str(BASE.found[0].used)
    here, there = ("rpool/ROOT/gentoo", "rpool/ROOT/try")
    kernel = ("6.12", "/boot/vmlinuz-6.12", "/boot/initramfs-6.12.img")
    no = "there is no /sbin/init in it"
    assert [tuple(line.split("\t")) for line in porcelain(now).splitlines()] == [
        ("environment", "gentoo", here, "running", "default", used, "2", "yes", "-"),
        ("environment", "try", there, "-", "-", used, "3", "yes", "-"),
        ("environment", "bad", "rpool/ROOT/bad", "-", "-", used, "3", "no", no),
        ("environment", "far", "rpool/ROOT/far", "-", "-", used, "3", "unknown", "-"),
        ("kernel", "gentoo", here, *kernel),
        ("kernel", "try", there, *kernel),
    ]


def test_data():
    """The same for programs."""
    data = environments_data(replace(BASE, found=(replace(OTHER, inside=None),)))
    assert (data["pool"], data["bootfs"]) == ("rpool", "rpool/ROOT/gentoo")
    (row,) = data["environments"]
    assert (row["boots"], row["obstacle"], row["kernels"]) == (None, None, [])
    assert row["origin"] == "rpool/ROOT/gentoo@zfs-root-migrate-try"
    (first, _) = environments_data(BASE)["environments"]
    assert (first["running"], first["default"], first["boots"]) == (True, True, True)
    assert first["kernels"][0]["release"] == "6.12"

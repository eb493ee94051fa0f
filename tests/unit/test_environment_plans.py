"""The plans of `environments`, on a machine in memory and from the command line."""

import copy
import json
import os
import re
from dataclasses import replace

import pytest

from tests.shells import complaints
from tests.unit.fakes.machines import JOINING, wished
from tests.unit.fakes.roots import MENU, Roots, RootsWorld
from tests.unit.fakes.world import DeathError, Fate
from tests.unit.test_environments import FILES, clone, look, made
from zfs_root_migrate import (
    environment_workflow,
    runner,
    sessions,
    workbench,
    workflow,
)
from zfs_root_migrate.cli import main
from zfs_root_migrate.environment_reports import porcelain
from zfs_root_migrate.environment_workflow import plan_change
from zfs_root_migrate.environments import Inside
from zfs_root_migrate.errors import ExitStatus, InhibitedError
from zfs_root_migrate.facts import environments
from zfs_root_migrate.model import Mount
from zfs_root_migrate.plan import plan_mirror, plan_run
from zfs_root_migrate.runner import Answer
from zfs_root_migrate.state import Recorded
from zfs_root_migrate.step import Require, Run
from zfs_root_migrate.steps import menu
from zfs_root_migrate.world import fits

LAYOUTS = pytest.mark.parametrize("tutorial", [True, False])
FIRST = {True: "ROOT", False: "gentoo"}


@pytest.fixture(autouse=True)
def own_places(tmp_path, monkeypatch):
    """Keep lock and log in the test's own directory, and be root."""
    monkeypatch.setattr(environment_workflow, "LOCK", tmp_path / "lock")
    monkeypatch.setattr(workbench, "LOG", str(tmp_path / "log"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(runner, "enter_own_mounts", lambda: None)


@pytest.fixture
def call(capsys, monkeypatch):
    """Return a function that types a command line on a machine in memory."""

    def run(machine, *words, at=None, fails=""):
        fate = Fate(at)
        run.fate = fate
        monkeypatch.setattr(sessions, "LiveReader", lambda: machine)
        monkeypatch.setattr(
            workbench,
            "LiveWorld",
            lambda *_, **__: RootsWorld(machine, fate, fails),
        )
        try:
            status = main(["environments", *words])
        except SystemExit as end:
            status = end.code
        out, err = capsys.readouterr()
        return status, out, err

    return run


def state(machine):
    """Return all that outlives a boot."""
    return copy.deepcopy(
        (machine.roots, set(machine.snapshots), machine.bootfs, machine.boot)
    )


# there and back


@LAYOUTS
def test_there_and_back(call, tutorial):
    """Make one, boot it, go back, destroy it: nothing of it is left."""
    machine, first = Roots(tutorial=tutorial), FIRST[tutorial]
    for words in (["create", "try"], ["activate", "try"]):
        status, out, err = call(machine, *words)
        assert status == 0, err
        assert "try" in out
    root = machine.roots["rpool/ROOT/try"]
    assert (root.mountpoint, root.canmount) == ("legacy", "noauto")
    assert machine.reboot() == "try"
    assert {e.name for e in look(machine).found} == {first, "try"}
    assert call(machine, "destroy", "try", "--yes")[0] == ExitStatus.INHIBITED
    assert call(machine, "activate", first)[0] == 0
    assert machine.reboot() == first
    assert call(machine, "destroy", "try", "--yes")[0] == 0
    assert machine.snapshots == {}
    assert [e.name for e in look(machine).found] == [first]
    assert machine.files["/etc/default/grub"].count("root=ZFS=") == 1
    assert set(machine.boot) == {MENU}


def test_on_and_on(call):
    """Create B from A, boot B, destroy A: what B needs becomes its own."""
    machine = Roots(tutorial=False)
    for name in ("b", "c", "d"):
        before = look(machine).now.name
        assert call(machine, "create", name)[0] == 0
        assert call(machine, "activate", name)[0] == 0
        assert machine.reboot() == name
        assert call(machine, "destroy", before, "--yes")[0] == 0
        assert [e.name for e in look(machine).found] == [name]
        assert machine.snapshots == {}
        assert machine.roots[machine.running].origin == "-"
        assert machine.reboot() == name


def test_the_one_between(call):
    """A clone of a clone outlives it, and keeps what both stand on."""
    machine = made()
    machine._zfs_snapshot("rpool/ROOT/try@zfs-root-migrate-third")
    clone(machine, "rpool/ROOT/try@zfs-root-migrate-third", "third")
    assert call(machine, "destroy", "try", "--yes")[0] == 0
    assert set(machine.snapshots) == {"rpool/ROOT/gentoo@zfs-root-migrate-try"}
    assert machine.roots["rpool/ROOT/third"].origin in machine.snapshots
    assert call(machine, "destroy", "third", "--yes")[0] == 0
    assert machine.snapshots == {}


def test_another_clone_of_the_same_snapshot(call):
    """The snapshot stays as long as one is left."""
    machine = made()
    snapshot = "rpool/ROOT/gentoo@zfs-root-migrate-try"
    clone(machine, snapshot, "other")
    assert call(machine, "destroy", "try", "--yes")[0] == 0
    assert set(machine.snapshots) == {snapshot}
    assert call(machine, "destroy", "other", "--yes")[0] == 0
    assert machine.snapshots == {}


def test_after_a_new_kernel(call):
    """The older environment is started with the kernel that it has modules of."""
    machine = made()
    machine.kernels.append("6.13")
    machine.files["/lib/modules/6.13"] = ""
    assert call(machine, "activate", "try")[0] == 0
    assert "vmlinuz-6.12 root=ZFS=rpool/ROOT/try" in machine.boot[MENU].split("\n")[0]
    assert machine.reboot() == "try"
    # whoever runs grub-mkconfig, and where: the default stays
    machine.start(("grub-mkconfig", "-o", MENU))
    assert machine.reboot() == "try"


def test_a_kernel_whose_modules_are_gone(call):
    """What would not boot is refused, and nothing is changed."""
    machine = made()
    del machine.roots["rpool/ROOT/try"].files["/lib/modules/6.12"]
    before = state(machine)
    status, _, err = call(machine, "activate", "try")
    assert status == ExitStatus.INHIBITED
    assert "no kernel that it has modules and ZFS for" in err
    assert state(machine) == before


def test_properties_that_say_how_files_are_kept(call):
    """A clone takes them from its place, not from its origin."""
    machine = Roots(tutorial=False)
    own = {"acltype": "posix", "compression": "zstd", "quota": "5G", "my:note": "x"}
    machine.roots[machine.running].own = own
    assert call(machine, "create", "try")[0] == 0
    kept = {"acltype": "posix", "compression": "zstd"}
    assert machine.roots["rpool/ROOT/try"].own == kept


def test_what_grub_remembers(call):
    """An entry that was chosen before does not come before the new default."""
    machine = made()
    machine.grubenv = {"saved_entry": "x", "next_entry": "y", "kept": "z"}
    assert call(machine, "activate", "try")[0] == 0
    assert machine.grubenv == {"kept": "z"}


# what goes wrong


@pytest.mark.parametrize("words", [("create", "new"), ("activate", "try")])
@pytest.mark.parametrize("fails", ["zfs", "zpool", "grub-mkconfig", "mount", "sh"])
def test_what_fails_is_taken_back(call, words, fails):
    """At any command: the machine is as it was, but for the script of the menu."""
    machine = made()
    machine.grubenv = {"saved_entry": "x"}
    before = state(machine)
    status, _, err = call(machine, *words, fails=fails)
    if status == 0:
        assert machine.reboot() == ("try" if words[0] == "activate" else "gentoo")
        return
    assert status == ExitStatus.STEP_FAILED
    assert "Taking back" in err
    machine.boot.pop(menu.MADE, None)
    assert state(machine) == before


def test_a_menu_that_would_start_something_else(call):
    """It never takes the place of the present one."""
    machine = made()

    def other(_o, path):
        machine.boot[path] = "\tlinux\t/vmlinuz-6.12 root=ZFS=rpool/ROOT/gentoo ro\n"
        return 0, ""

    machine._grub_mkconfig = other
    before = machine.boot[MENU]
    status, _, err = call(machine, "activate", "try")
    assert status == ExitStatus.STEP_FAILED
    assert "would not start the default" in err
    assert (machine.boot[MENU], machine.bootfs) == (before, "rpool/ROOT/gentoo")


@LAYOUTS
@pytest.mark.parametrize("action", ["create", "activate", "destroy"])
def test_killed_anywhere(call, tutorial, action):
    """The machine boots one of its roots, and the same command brings it to its end."""
    name = {"create": "new", "activate": "third", "destroy": "try"}[action]
    words = (action, name, *(("--yes",) if action == "destroy" else ()))

    def begun():
        machine = made(tutorial=tutorial)
        machine._zfs_snapshot("rpool/ROOT/try@zfs-root-migrate-third")
        clone(machine, "rpool/ROOT/try@zfs-root-migrate-third", "third")
        return machine

    whole = begun()
    assert call(whole, *words)[0] == 0
    for at in range(1, call.fate.points + 1):
        machine = begun()
        with pytest.raises(DeathError):
            call(machine, *words, at=at)
        booted = machine.reboot()
        assert booted in {FIRST[tutorial], "third"}, at
        assert machine.bootfs in machine.roots
        again = call(machine, *words)
        is_done = f"rpool/ROOT/{name}" in machine.roots
        if action == "create":
            # made already; or made now
            assert (again[0] == 0) or ("is there already" in again[2])
            assert is_done
        elif action == "activate":
            assert again[0] == 0, again
            assert machine.reboot() == "third"
        else:
            assert not is_done
            assert machine.roots["rpool/ROOT/third"].origin in {*machine.snapshots, "-"}
        assert machine.reboot()


# the command line


def test_list_forms(call):
    """For people, for programs, for scripts; with and without the word."""
    machine = made()
    status, out, err = call(machine)
    assert (status, err) == (0, "")
    assert call(machine, "list")[1] == out
    assert "[2]   try" in out
    data = json.loads(call(machine, "--json")[1])
    assert (data["schema"], data["version"]) == ("zfs-root-migrate/environments", 1)
    assert [e["name"] for e in data["environments"]] == ["gentoo", "try"]
    lines = call(machine, "--porcelain")[1].splitlines()
    assert [line.split("\t")[:2] for line in lines[:2]] == [
        ["environment", "gentoo"],
        ["environment", "try"],
    ]


@pytest.mark.parametrize(
    "words",
    [["list", "try"], ["create"], ["activate"], ["destroy"], ["forget", "try"]],
)
def test_wrong_words(call, words):
    """Status 2, and nothing is done."""
    machine = made()
    before = state(machine)
    status, out, err = call(machine, *words)
    assert (status, out) == (ExitStatus.USAGE, "")
    assert err
    assert state(machine) == before


@pytest.mark.parametrize(
    "words", [["create", "new"], ["activate", "try"], ["destroy", "try"]]
)
def test_shown_and_not_done(call, words):
    """Every command is shown, and nothing is changed."""
    machine = made()
    before = state(machine)
    status, out, _ = call(machine, *words, "--pretend")
    assert status == 0
    assert f"Steps of `environments {words[0]}`" in out
    commands = [
        " ".join(action.argv)
        for step in plan_change(look(machine), *words).steps
        for action in step.actions
        if isinstance(action, Run) and action.argv[0] != "sh"
    ]
    assert len(commands) > 1
    assert [command for command in commands if command not in out] == []
    assert state(machine) == before


def test_asking(call, monkeypatch):
    """`destroy` asks; nobody is there; a no changes nothing."""
    machine = made()
    before = state(machine)
    status, _, err = call(machine, "destroy", "try")
    assert (status, "nobody is there" in err) == (ExitStatus.USAGE, True)
    monkeypatch.setattr("zfs_root_migrate.terminal.Terminal.ask", lambda *_: "no")
    monkeypatch.setattr(
        "zfs_root_migrate.environment_verbs.confirmer",
        lambda *_: lambda question: False,
    )
    for words in (["destroy", "try"], ["create", "x", "-a"], ["activate", "try", "-a"]):
        status, _, err = call(machine, *words)
        assert (status, "nothing was changed" in err) == (ExitStatus.USAGE, True)
    assert state(machine) == before


@pytest.mark.parametrize(
    "words", [["create", "new"], ["activate", "try"], ["destroy", "try", "--yes"]]
)
def test_only_root_changes(call, monkeypatch, words):
    """Others may look."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    machine = made()
    before = state(machine)
    status, _, err = call(machine, *words)
    assert (status, "needs root" in err) == (ExitStatus.USAGE, True)
    assert state(machine) == before
    assert call(machine)[0] == 0


@pytest.mark.parametrize(
    "words", [["create", "new"], ["activate", "try"], ["destroy", "try", "--yes"]]
)
def test_a_boot_that_is_not_mounted(call, words):
    """Kernels and menu would be written below the mount point."""
    machine = made()
    machine.mounted_boot = False
    before = state(machine)
    status, _, err = call(machine, *words)
    assert (status, "mount /boot" in err) == (ExitStatus.INHIBITED, True)
    assert state(machine) == before


def test_shared_packages_are_told(call):
    """In the tutorial's layout /var is everybody's."""
    machine = Roots(tutorial=True)
    inner = machine._mountinfo
    machine._mountinfo = lambda: inner() + "30 1 0:9 / /var rw - zfs rpool/var rw\n"
    status, _, err = call(machine, "create", "try")
    assert (status, "is on rpool/var" in err) == (0, True)
    assert "is on" not in call(Roots(tutorial=False), "create", "try")[2]


# the rest of the tool, in a clone


class Findmnt:
    """A reader that knows what the root is."""

    def __init__(self, line) -> None:
        """Keep the answer."""
        self.line = line

    def query(self, *argv):
        """Answer findmnt."""
        return Answer(argv, 0, self.line, "")


@pytest.mark.parametrize(
    ("line", "arrived"),
    [
        ("rpool/ROOT       zfs\n", True),
        ("rpool/ROOT/try   zfs\n", True),
        ("tank/ROOT        zfs\n", False),
        ("/dev/sda3        ext4\n", False),
        ("rpool/x          ext4\n", False),
        ("", False),
    ],
)
def test_a_clone_is_the_new_root_too(line, arrived):
    """Else `sync` and `undo` would take it for the old system."""
    config, facts = wished("guest-openrc-bios")
    plan = plan_run(config, facts)
    recorded = Recorded(config=config, facts=facts, digest=plan.digest, plan=plan)
    assert workflow.on_new_root(recorded, Findmnt(line)) is arrived


@pytest.mark.parametrize("case", JOINING)
def test_mirror_in_a_clone(case):
    """Its boot chain is looked at, not that of a root that may be gone."""
    config, facts = wished(case)

    def ready(source):
        mount = Mount(target="/", source=source, fs_type="zfs", options="rw")
        storage = replace(facts.storage, mounts=(mount,))
        step = plan_mirror(config, facts, replace(facts, storage=storage)).steps[0]
        probes = [a.probe for a in step.actions if isinstance(a, Require)]
        return fits(probes[0], Answer((), 0, f"{source} zfs\n", "")), str(probes)

    runs, probes = ready("rpool/ROOT/try")
    assert runs
    assert re.search(r"root=ZFS=rpool/ROOT/try\b", probes)
    assert not ready("tank/ROOT/try")[0]


# the script of the menu


LIBRARY = """\
grub_quote() { sed "s/'/'\\\\\\\\''/g"; }
make_system_path_relative_to_its_root() { echo "${1#/boot}"; }
prepare_grub_to_access_device() { printf 'insmod ext2\\nsearch --fs-uuid %s\\n' "$1"; }
"""


@pytest.fixture
def script(tmp_path, needs):
    """Return a function that runs the menu's script beside a tool that is played."""
    needs("sh", "awk", "sed")

    def run(text, status=0):
        (tmp_path / "grub-mkconfig_lib").write_text(LIBRARY)
        (tmp_path / "lines").write_text(text)
        tool = tmp_path / "zfs-root-migrate"
        tool.write_text(f"#!/bin/sh\ncat {tmp_path}/lines\nexit {status}\n")
        tool.chmod(0o755)
        (tmp_path / "script").write_text(menu.SCRIPT_TEXT)
        words = 'quiet root=ZFS=rpool/ROOT/old x=\\"a*\\" /*'
        given = (
            f'PATH={tmp_path}:$PATH; pkgdatadir={tmp_path}; GRUB_DISTRIBUTOR="Gen\'too"'
            f'; GRUB_CMDLINE_LINUX="{words}"; GRUB_DEVICE_BOOT=UUID; export PATH '
            "pkgdatadir GRUB_DISTRIBUTOR GRUB_CMDLINE_LINUX GRUB_DEVICE_BOOT; "
            f"sh {tmp_path}/script"
        )
        return runner.query(("sh", "-ec", given))

    return run


@pytest.mark.programs
def test_the_menu(script):
    """First the default with its newest kernel, then every one with every kernel."""
    machine = made()
    machine.bootfs = "rpool/ROOT/try"
    machine.kernels.append("6.13")
    machine.files["/lib/modules/6.13"] = ""
    done = script(porcelain(look(machine)) + "unknown\tline\n")
    assert (done.status, done.stderr) == (0, "")
    assert fits(menu.starts("rpool/ROOT/try", ("/boot/vmlinuz-6.12",)), done)
    linux = re.findall(r"(?m)^\tlinux\t(\S+) root=ZFS=(\S+) (.*)$", done.stdout)
    assert [line[:2] for line in linux] == [
        ("/vmlinuz-6.12", "rpool/ROOT/try"),
        ("/vmlinuz-6.13", "rpool/ROOT/gentoo"),
        ("/vmlinuz-6.12", "rpool/ROOT/gentoo"),
        ("/vmlinuz-6.12", "rpool/ROOT/try"),
    ]
    # every word of the user's but the root, and no word became file names
    assert {line[2] for line in linux} == {'ro quiet x="a*" /*'}
    assert done.stdout.count("\tinitrd\t/initramfs-6.12.img\n") == 3
    head = r"(?m)^(?:menuentry|submenu) '(.*)' (?:--class \w+ )*--id '?([^' ]+)'? {$"
    assert re.findall(head, done.stdout) == [
        (r"Gen'\''too, try", "zfs-root-migrate-default"),
        ("Boot environments", "zfs-root-migrate"),
        ("gentoo, with Linux 6.13", "zfs-root-migrate-gentoo-6.13"),
        ("gentoo, with Linux 6.12", "zfs-root-migrate-gentoo-6.12"),
        ("try, with Linux 6.12", "zfs-root-migrate-try-6.12"),
    ]
    assert done.stdout.count("{") == done.stdout.count("}")


@pytest.mark.programs
@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("environment\tx\n", 3),
        ("", 0),
        ("environment\ta\tr/a\trunning\tdefault\nkernel\tb\tr/b\t6\t/k\t/i\n", 0),
        ("environment\ta\tr/a\trunning\t-\nkernel\ta\tr/a\t6\t/k\t/i\n", 0),
    ],
    ids=["no tool", "nothing", "a default that would not boot", "no default"],
)
def test_no_menu(script, text, status):
    """grub-mkconfig goes on as if there were no such script."""
    assert script(text, status)[1:3] == (0, "")


SCENE = """
findmnt() {{ {found}; }}
mount() {{ echo "mount $*" >&2; {mount}; }}
umount() {{ echo "umount $*" >&2; }}
chroot() {{ shift; "$1" "$2" "{top}$3"; }}
{script}
"""


@pytest.mark.programs
@pytest.mark.parametrize(
    ("found", "mount", "called"),
    [
        ("return 1", ":", ["mount -t zfs -o ro r/ROOT/try TOP", "umount TOP"]),
        ("echo TOP", ":", []),
        ("return 1", "return 32", ["mount -t zfs -o ro r/ROOT/try TOP"]),
    ],
    ids=["mounted for it", "mounted already", "no mount"],
)
def test_the_look(tmp_path, found, mount, called):
    """What is in a tree is found, and the mount is taken away before the end."""
    for name in ("6.12", "6.13", "7.0"):
        modules = tmp_path / "lib/modules" / name
        modules.mkdir(parents=True)
        text = {"6.12": "extra/zfs.ko.xz: extra/spl.ko.xz\n", "6.13": "a/notzfs.ko:\n"}
        (modules / "modules.dep").write_text(text.get(name, ""))
    (tmp_path / "lib/modules/7.0/modules.builtin").write_text("kernel/fs/zfs.ko\n")
    for name in ("sbin", "etc/default", "etc/grub.d"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "sbin/init").touch(mode=0o755)
    (tmp_path / "etc/hostid").write_bytes(b"\x04\x03\x02\x01")
    (tmp_path / "etc/default/grub").write_text("A=1\n\n|b")
    top = str(tmp_path)
    script = environments._LOOK.replace("/tmp ", f"{top} ")
    scene = SCENE.format(
        found=found.replace("TOP", top), mount=mount, top=top, script=script
    )
    done = runner.query(("sh", "-ec", scene, "r/ROOT/try", *FILES))
    assert done.stderr.replace(top, "TOP").splitlines() == called
    if "32" in mount:
        assert done.status == 32
        return
    assert done.status == 0
    assert environments.parse_look(done.stdout, FILES) == Inside(
        has_init=True,
        hostid="01020304",
        modules=("6.12", "7.0"),
        grub_default="A=1\n\n|b\n",
    )


@pytest.mark.programs
def test_shellcheck_of_the_scripts(tmp_path):
    """Quoting, mostly."""
    texts = (menu.SCRIPT_TEXT, f"#!/bin/sh\n{environments._LOOK}")
    for number, text in enumerate(texts):
        file = tmp_path / str(number)
        file.write_text(text)
        assert complaints(file) == ""


def test_refusals_are_inhibitors():
    """A plan is not made for what would not boot."""
    machine = made()
    machine.roots["rpool/ROOT/try"].files["/etc/hostid"] = "ffffffff"
    with pytest.raises(InhibitedError, match="ffffffff"):
        plan_change(look(machine), "activate", "try")

"""GRUB's settings as sh reads them, and the scripts of the boot chain."""

import os
import re
import shutil
from dataclasses import replace

import pytest

from tests.shells import complaints
from tests.unit.fakes.machines import WISHES, wished
from zfs_root_migrate import runner
from zfs_root_migrate.layout import design
from zfs_root_migrate.plan import plan_mirror, plan_run, plan_sync, plan_verify
from zfs_root_migrate.shipped import DRACUT_HOOK, shipped
from zfs_root_migrate.step import Probe, Require, Run, Start
from zfs_root_migrate.steps import dracut
from zfs_root_migrate.steps.grub import grub_default
from zfs_root_migrate.steps.openrc import BOOTED, md_service
from zfs_root_migrate.world import fits

LAYOUT = design(*wished("guest-openrc-bios"))
ROOT = "root=ZFS=rpool/ROOT"
ADDED = ("noresume", ROOT)
SHOW = '. "$0"; printf "%s\\n" "$GRUB_CMDLINE_LINUX" "$GRUB_CMDLINE_LINUX_DEFAULT" "$X"'


def read_by_shell(tmp_path, text):
    """Return the words of both variables, and X, as grub-mkconfig has them."""
    file = tmp_path / "grub"
    file.write_text(text)
    script = f"X=; GRUB_CMDLINE_LINUX_DEFAULT=; {SHOW}"
    answer = runner.query(("sh", "-euc", script, str(file)))
    assert answer.status == 0, answer.stderr
    assert answer.stderr == ""
    both, default, other = answer.stdout.splitlines()
    return both.split(), default.split(), other


@pytest.mark.programs
@pytest.mark.parametrize(
    ("text", "both", "default"),
    [
        ("", [], []),
        ('GRUB_CMDLINE_LINUX=""\n', [], []),
        ('GRUB_CMDLINE_LINUX="quiet splash"\n', ["quiet", "splash"], []),
        ("GRUB_CMDLINE_LINUX='quiet'\n", ["quiet"], []),
        ("GRUB_CMDLINE_LINUX=quiet\n", ["quiet"], []),
        ("GRUB_CMDLINE_LINUX=\n", [], []),
        ('GRUB_CMDLINE_LINUX="quiet"  \t\n', ["quiet"], []),
        ('GRUB_CMDLINE_LINUX="quiet" # root=/dev/sda1\n', ["quiet"], []),
        ('  GRUB_CMDLINE_LINUX="root=/dev/sda3 a"\n', ["a"], []),
        ('export GRUB_CMDLINE_LINUX="root=/dev/sda3 a"\n', ["a"], []),
        ('GRUB_CMDLINE_LINUX="root=UUID=1-2 ro rootfstype=ext4"\n', ["ro"], []),
        ('GRUB_CMDLINE_LINUX="resume=/dev/sda2 resume_offset=7 b"\n', ["b"], []),
        ('GRUB_CMDLINE_LINUX="noresume b noresumed"\n', ["b", "noresumed"], []),
        (
            'GRUB_CMDLINE_LINUX="a rootflags=x rootwait rootdelay=5"\n',
            ["a", "rootwait", "rootdelay=5"],
            [],
        ),
        (
            'GRUB_CMDLINE_LINUX_DEFAULT="quiet resume=LABEL=s root=/dev/x"\n',
            [],
            ["quiet"],
        ),
        ('GRUB_CMDLINE_LINUX="a"\nGRUB_CMDLINE_LINUX="b"\n', ["b"], []),
        (
            'GRUB_CMDLINE_LINUX="a"\nGRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX b"\n',
            ["a", "b"],
            [],
        ),
        (
            'GRUB_CMDLINE_LINUX="a root=/dev/sda3"\n'
            'GRUB_CMDLINE_LINUX="${GRUB_CMDLINE_LINUX} resume=/dev/sda2 b"\n',
            ["a", "b"],
            [],
        ),
        ('# GRUB_CMDLINE_LINUX="never"\n', [], []),
        ('#GRUB_CMDLINE_LINUX="root=/dev/sda3"\nGRUB_CMDLINE_LINUX="a"\n', ["a"], []),
        ('GRUB_CMDLINE_LINUX="x=\\"1\\" y"\n', ['x="1"', "y"], []),
        ("GRUB_CMDLINE_LINUX=\"dyndbg='a+p' y\"\n", ["dyndbg='a+p'", "y"], []),
        ('GRUB_CMDLINE_LINUX="a"', ["a"], []),
    ],
)
def test_grub_default(tmp_path, text, both, default):
    """The old root and a resume go, the new root comes, all else stays as it was."""
    made = grub_default("X=kept\n" + text, LAYOUT.root)
    seen = read_by_shell(tmp_path, made)
    wanted = [word for word in seen[0] if word not in ADDED]
    assert (wanted, seen[1], seen[2]) == (both, default, "kept")
    assert [word for word in seen[0] if word in ADDED] == list(ADDED)


@pytest.mark.programs
def test_additions_are_kept(needs, tmp_path):
    """bash's += form adds to what the new root is added to."""
    needs("bash")
    text = 'GRUB_CMDLINE_LINUX="a"\nGRUB_CMDLINE_LINUX+=" b root=/dev/sda3 c"\n'
    file = tmp_path / "grub"
    file.write_text(grub_default(text, LAYOUT.root))
    show = '. "$0"; echo "$GRUB_CMDLINE_LINUX"'
    words = runner.query(("bash", "-ec", show, str(file))).stdout.split()
    assert [w for w in words if w not in ADDED] == ["a", "b", "c"]
    assert ROOT in words


def test_all_other_lines_stay():
    """Comments, blank lines and other settings are the user's."""
    text = "# mine\n\nGRUB_TIMEOUT=3\nGRUB_CMDLINE_LINUX=\"a\"\nGRUB_DEFAULT='x>y'\n"
    lines = grub_default(text, LAYOUT.root).splitlines()
    assert [line for line in lines if "CMDLINE" not in line] == [
        line for line in text.splitlines() if "CMDLINE" not in line
    ]


def test_no_settings_file():
    """A machine without the file gets one with the root alone."""
    assert grub_default(None, LAYOUT.root) == f'GRUB_CMDLINE_LINUX="noresume {ROOT}"\n'


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", 'GRUB_CMDLINE_LINUX="root=/dev/sda3 a"\n', "X=1"),
        'GRUB_CMDLINE_LINUX="a"\nGRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX b"\n',
    ],
)
def test_a_second_time_changes_nothing(text):
    """The new root's own file can be the next one's source."""
    once = grub_default(text, LAYOUT.root)
    assert once.count(ROOT) == 1
    assert once.count("noresume") == 1
    assert grub_default(once, LAYOUT.root) == once


def with_systemd(facts):
    """Return the same machine with systemd installed."""
    tools = tuple(
        replace(tool, path="/usr/bin/systemctl") if tool.name == "systemctl" else tool
        for tool in facts.system.tools
    )
    return replace(facts, system=replace(facts.system, tools=tools))


def test_an_image_that_reads_the_cache_is_renewed():
    """With systemd in it, it would import by a cache that lacks the old disk."""
    config, facts = wished("guest-openrc-bios")
    found = {}
    for machine in (facts, with_systemd(facts)):
        plan = plan_mirror(config, facts, machine)
        (cache,) = (step for step in plan.steps if step.id == "cache")
        commands = [a.argv[0] for a in cache.actions]
        looks = [p for p in cache.proof if p.argv[0] == "sh"]
        found[machine is facts] = ("dracut" in commands, len(looks))
    assert found == {True: (False, 0), False: (True, 1)}


def scripts_of(case):
    """Return every shell script that the plans of a machine contain."""
    config, facts = wished(case)
    plans = [make(config, facts) for make in (plan_run, plan_sync, plan_verify)]
    if design(config, facts).old_disk is not None:
        plans.append(plan_mirror(config, facts, with_systemd(facts)))
    found = set()
    todo = [x for p in plans for s in p.steps for x in (*s.actions, *s.undo, *s.proof)]
    while todo:
        item = todo.pop()
        if isinstance(item, Start):
            todo.append(item.run)
        elif isinstance(item, Require):
            todo.append(item.probe)
        elif isinstance(item, Run | Probe):
            when = getattr(item, "when", None)
            todo += [when] if when else []
            if item.argv[0] == "sh":
                assert item.argv[1] == "-ec"
                found.add(item.argv[2])
    return found


@pytest.mark.programs
def test_every_script_is_shell(needs):
    """sh reads each of them, dash where it is there as well."""
    scripts = set().union(*map(scripts_of, WISHES))
    assert len(scripts) >= 8
    for script in scripts:
        for shell in ("sh", "dash", "bash"):
            answer = runner.query((shell, "-n"), stdin=script)
            assert answer.status in (0, runner.NOT_FOUND), (script, answer.stderr)


# an archive of another kind in the image's place: patterns mean the same to tar
LSINITRD = """#!/bin/sh
[ "$1" = --unpack ] && tar -xf "$2" --wildcards "$3"
"""


def shell_of_its_own(tree):
    """Put this machine's sh there, with the loader and the libraries that it needs."""
    libraries = re.findall(r"/\S+(?= \()", runner.query(("ldd", "/bin/sh")).stdout)
    assert libraries
    for name in ("/bin/sh", *libraries):
        (tree / name[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(name, tree / name[1:])
    return [tree / name[1:] for name in ("/bin/sh", *libraries)]


@pytest.mark.programs
@pytest.mark.parametrize(
    "lacks",
    [
        *("", "zpool", "hook", "cache", "hostid", "mount.zfs"),
        *("modprobe", "udevadm", "init", "library", "content", "end"),
    ],
)
def test_what_is_in_an_image(tmp_path, monkeypatch, needs, lacks):
    """Each thing that the machine needs to find its root is missed."""
    needs("tar", "ldd", "chroot", root=True)
    _, facts = wished("guest-openrc-bios")
    kernel = next(k for k in facts.boot.kernels if k.zfs_module)
    tree = tmp_path / "tree"
    shell, library, *_ = shell_of_its_own(tree)
    program = shell.read_bytes()
    content = {
        f"lib/{kernel.zfs_module.rpartition('/')[2]}": b"module",
        "etc/hostid": bytes.fromhex("00bd723a" if lacks == "hostid" else "dbbd723a"),
        "etc/zfs/zpool.cache": b"" if lacks == "cache" else b"\0/dev/disk/x\0",
        f"lib/dracut/hooks/pre-pivot/99-{DRACUT_HOOK}": b"other"
        if lacks == "hook"
        else shipped(DRACUT_HOOK).encode(),
        # it is not run, the others are
        "init": b"#!/bin/sh\nexit 126\n",
        "usr/sbin/zpool": b"script" if lacks == "zpool" else program,
        "sbin/mount.zfs": b"script" if lacks == "mount.zfs" else program,
        "bin/modprobe": program,
        "bin/udevadm": program,
    }
    if lacks == "content":
        content["usr/sbin/zpool"] = b""
    for name, data in content.items():
        file = tree / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        if file.name != lacks:
            file.chmod(0o755)
    if lacks == "library":
        library.unlink()
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {
        "lsinitrd": LSINITRD,
        "modinfo": f"#!/bin/sh\necho {kernel.release} SMP\n",
    }.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setitem(runner.ENVIRONMENT, "PATH", f"{programs}:{runner.PATH}")
    image = tmp_path / "an image"
    argv = ("tar", "-C", str(tree), "-cf", str(image), ".")
    assert runner.query(argv).status == 0
    if lacks == "end":
        os.truncate(image, image.stat().st_size // 2)
    (probe,) = dracut.proof(kernel, str(image), "3a72bddb", ("/dev/disk/x",), None)
    assert fits(probe, runner.query(probe.argv)) is not bool(lacks)


UUID = LAYOUT.array.uuid
SCENE = """
ebegin() {{ :; }}
eend() {{ echo "eend $1"; return $1; }}
ewarn() {{ echo "ewarn"; }}
udevadm() {{ :; }}
zfs() {{ echo "zfs $*" >&3; }}
mdadm() {{
    case "$1 $2" in
    "--detail --export") [ "$3" = {ours} ] && echo "MD_UUID={uuid}" ;;
    *) echo "mdadm $*" >&3 ;;
    esac
}}
exec 3>&1
{service}
start
"""


@pytest.mark.programs
@pytest.mark.parametrize(
    ("arrays", "called"),
    [
        ({"md127": "inactive"}, ["ewarn", "mdadm --run /dev/md127", "eend 0"]),
        ({"md127": "clear"}, ["ewarn", "mdadm --run /dev/md127", "eend 0"]),
        ({"md127": "clean"}, ["eend 0"]),
        ({"md127": "active-idle"}, ["eend 0"]),
        ({"md0": "inactive", "md127": "clean"}, ["eend 0"]),
        (
            {"md0": "inactive", "md127": "inactive"},
            ["ewarn", "mdadm --run /dev/md127", "eend 0"],
        ),
        (
            {"md0": "inactive"},
            [f"mdadm --assemble --run --uuid={UUID} /dev/md/boot", "eend 1"],
        ),
        ({}, [f"mdadm --assemble --run --uuid={UUID} /dev/md/boot", "eend 1"]),
    ],
)
def test_the_service_of_boot(tmp_path, arrays, called):
    """It starts just this array where it is incomplete, and never another one."""
    for name, state in arrays.items():
        (tmp_path / f"sys/block/{name}/md").mkdir(parents=True)
        (tmp_path / f"sys/block/{name}/md/array_state").write_text(state + "\n")
    text = md_service(LAYOUT)
    assert text.startswith("#!/sbin/openrc-run\n")
    text = text.replace("/sys/block", f"{tmp_path}/sys/block")
    text = text.replace("/dev/disk/by-id", str(tmp_path)).replace(" >/dev/null", "")
    scene = SCENE.format(ours="/dev/md127", uuid=UUID, service=text)
    answer = runner.query(("sh", "-u"), stdin=scene)
    assert answer.stderr == ""
    marked, *lines = answer.stdout.splitlines()
    assert marked == f"zfs set {BOOTED}=yes rpool/ROOT"
    assert lines == called


@pytest.mark.programs
def test_the_service_is_shell(tmp_path):
    """OpenRC sources it with sh; shellcheck has nothing against it."""
    answer = runner.query(("sh", "-n"), stdin=md_service(LAYOUT))
    assert (answer.status, answer.stderr) == (0, "")
    service = tmp_path / "boot.initd"
    service.write_text(md_service(LAYOUT))
    assert complaints(service) == ""

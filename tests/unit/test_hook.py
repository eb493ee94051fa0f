"""The look at the seal in the initramfs: the very script, with its programs played."""

import hashlib
import subprocess

import pytest

from zfs_root_migrate.shipped import DRACUT_HOOK, shipped

pytestmark = pytest.mark.programs

OLD = b"as it was".ljust(8192, b".")
# what dracut and the programs would do; `reboot` ends it, as nothing else may
PLAYED = """\
NEWROOT=/sysroot
zfs() {{ case $7 in zfs-root-migrate:seal) echo "$seal" ;; *) echo "$booted" ;; esac; }}
zpool() {{ echo "zpool $*"; }}
umount() {{ echo "umount $*"; }}
udevadm() {{ :; }}
sleep() {{ echo "sleep $*"; }}
reboot() {{ echo "reboot $*"; exit 9; }}
emergency_shell() {{ echo "shell $*"; }}
getargbool() {{ [ "$2" = "$cmdline" ] || return "$((1 - $1))"; }}
seal='{seal}' booted='{booted}' cmdline='{cmdline}'
"""


@pytest.fixture
def look(tmp_path):
    """Return a function that runs the hook; it gives exit status and what was said."""
    devices = tmp_path / "devices"
    devices.mkdir()
    (devices / "aa").write_bytes(OLD)
    console = tmp_path / "console"
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "proc /proc proc rw 0 0\nrpool/ROOT /sysroot zfs ro,xattr 0 0\n"
        "rpool/usr /sysroot/usr zfs ro 0 0\n"
    )

    def run(*, seal="", booted="", cmdline=""):
        script = shipped(DRACUT_HOOK)
        for old, new in (
            ("</proc/mounts", f"<{mounts}"),
            (">/dev/console", f">>{console}"),
            ("/dev/disk/by-uuid", str(devices)),
            ('[ ! -b "', '[ ! -f "'),
        ):
            assert old in script
            script = script.replace(old, new)
        text = PLAYED.format(seal=seal, booted=booted, cmdline=cmdline) + script
        done = subprocess.run(
            ["/bin/sh", "-c", text + "\necho goes on"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.stderr == ""
        said = console.read_text() if console.exists() else ""
        console.unlink(missing_ok=True)
        return done.returncode, said + done.stdout

    run.device = devices / "aa"
    return run


def window(uuid="aa", offset=1024, length=1024, data=OLD):
    """Return a window of a device as a seal has it."""
    digest = hashlib.sha256(data[offset : offset + length]).hexdigest()
    return f"{uuid},{offset},{length},{digest}"


def sealed(*windows):
    """Return a seal."""
    return " ".join(("v1", "0" * 64, *windows))


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"seal": sealed(window())},
        {"seal": sealed(window(), window(offset=0, length=8192))},
        {"seal": sealed(window(offset=512, length=512), window(offset=4096))},
        {"seal": "open", "booted": "yes"},
        {"seal": sealed(window(data=b"x" * 8192)), "booted": "yes"},
    ],
)
def test_started(known, look):
    """Nothing to look at, nothing changed, or it has run before."""
    assert look(**known) == (0, "goes on\n")


@pytest.mark.parametrize(
    ("seal", "reason"),
    [
        ("open", "not copied to its end"),
        ("v2 x", "another version"),
        (sealed(window(data=b"x" * 8192)), "has changed since"),
        (sealed(window(), window(offset=4096, data=b"x" * 8192)), "has changed since"),
    ],
)
def test_refused(seal, reason, look):
    """It says why and what to do, lets go of the pool, and starts the machine again."""
    status, said = look(seal=seal)
    assert status == 9
    assert "goes on" not in said
    lines = said.splitlines()
    order = ["umount -R /sysroot", "zpool export rpool", "sleep 60", "reboot -f"]
    assert [line for line in lines if line in order] == order
    for text in (reason, "is not started", "zfs-root-migrate run", "unsealed"):
        assert text in said


def test_a_change_on_the_device_shows(look):
    """One byte inside of the window is enough, and one outside is nothing."""
    seal = sealed(window())
    data = bytearray(OLD)
    data[3000] ^= 1
    look.device.write_bytes(data)
    assert look(seal=seal)[0] == 0
    data[1500] ^= 1
    look.device.write_bytes(data)
    assert look(seal=seal)[0] == 9


def test_a_disk_that_is_not_there(look):
    """It cannot be looked at; that is said, and the others are."""
    status, said = look(seal=sealed(window(uuid="bb"), window()))
    assert (status, said.splitlines()[-1]) == (0, "goes on")
    assert "bb is not there" in said
    bad = window(data=b"x" * 8192)
    assert look(seal=sealed(window(uuid="bb"), bad))[0] == 9


@pytest.mark.parametrize("seal", ["open", sealed(window(data=b"x" * 8192))])
def test_started_all_the_same(seal, look):
    """Where the command line asks for it."""
    status, said = look(seal=seal, cmdline="zfs-root-migrate.unsealed")
    assert (status, said.splitlines()[-1]) == (0, "goes on")
    assert "as was asked for" in said


def test_a_shell_instead_of_the_minute(look):
    """With rd.shell; and when that ends, the machine starts again all the same."""
    status, said = look(seal="open", cmdline="rd.shell")
    assert status == 9
    assert "shell -n zfs-root-migrate" in said
    assert "sleep 60" not in said

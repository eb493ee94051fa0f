"""The kernel's tables and fstab become mounts, swaps and fstab lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfs_root_migrate.facts.mounts import (
    find_hidden,
    gather_mounts,
    parse_fstab,
    parse_mountinfo,
    parse_statfs,
    parse_swaps,
    unescape,
)
from zfs_root_migrate.model import FstabLine, Swap
from zfs_root_migrate.reader import Recording, ReplayReader

FIELD = st.text(st.characters(exclude_characters="\0"), min_size=1)


def escape(text):
    """Escape a field of fstab as fstab(5) demands."""
    return "".join(f"\\{ord(c):03o}" if c in " \t\n\r\\#" else c for c in text)


@given(FIELD, FIELD, st.integers(0, 9), st.integers(0, 9))
def test_fstab_round_trip(spec, file, freq, passno):
    """Any name survives fstab, however odd."""
    line = f"{escape(spec)}\t {escape(file)} ext4 noatime {freq} {passno}"
    (found,) = parse_fstab(f"# comment\n\n{line}\n")
    assert (found.spec, found.file) == (spec, file)
    assert (found.freq, found.passno) == (freq, passno)


@given(st.text())
def test_fstab_never_fails(text):
    """Any text is an fstab, if perhaps an empty one."""
    for line in parse_fstab(text):
        assert line.fs_type


def test_fstab_by_example():
    """Comments, short lines, tabs, escapes and bytes that are not UTF-8."""
    text = (
        "# <fs> <mountpoint> <type> <opts> <dump/pass>\n"
        "UUID=1-2\t/boot ext2 noauto,noatime 1 2\n"
        "  LABEL=my\\040stick /mnt/a\\134b vfat\n"
        "/dev/sda2 none swap sw 0 x # the rest is ignored\n"
        "broken line\n"
        "/dev/sd\udcff /x ext4 defaults"
    )
    assert parse_fstab(text) == (
        FstabLine(
            spec="UUID=1-2",
            file="/boot",
            fs_type="ext2",
            options="noauto,noatime",
            freq=1,
            passno=2,
        ),
        FstabLine(
            spec="LABEL=my stick", file="/mnt/a\\b", fs_type="vfat", options="defaults"
        ),
        FstabLine(spec="/dev/sda2", file="none", fs_type="swap", options="sw"),
        FstabLine(spec="/dev/sd\udcff", file="/x", fs_type="ext4", options="defaults"),
    )


def test_unescape_makes_bytes():
    """Escaped bytes of one character become that character again."""
    assert unescape(r"\303\244\377") == "ä\udcff"
    assert unescape(r"a\08\9") == r"a\08\9"


def test_swaps():
    """A deleted or odd line is left out; sizes are KiB."""
    text = (
        "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
        "/dev/sda3                               partition\t8388604\t\t0\t\t-2\n"
        "/var/swap\\040file                       file\t\t1024\t\t0\t\t-3\n"
        "nonsense\n"
    )
    assert parse_swaps(text) == (
        Swap(path="/dev/sda3", is_file=False, size=8388604 * 1024),
        Swap(path="/var/swap file", is_file=True, size=1 << 20),
    )


MOUNTINFO = r"""24 1 8:4 / / rw,noatime shared:1 - ext4 /dev/sda4 rw,errors=remount-ro
25 24 0:21 / /proc rw,nosuid shared:2 - proc proc rw
26 24 8:2 / /boot ro,noatime shared:3 master:1 - ext2 /dev/sda2 rw
27 24 0:40 /@home /home rw - btrfs /dev/sdb1 rw,subvolid=257,subvol=/@home
28 24 8:4 /srv/a\040b /mnt/bind\011x rw - ext4 /dev/sda4 rw,errors=remount-ro
29 24 0:50 / /net rw - nfs4 server:/export rw,vers=4.2
30 24 0:51 / /pool rw - zfs tank/data rw,xattr,posixacl
31 24 0:6 / /x rw -ext4 broken
"""


def test_mountinfo():
    """Targets are unescaped, optional fields skipped, options of both kinds joined."""
    rows = parse_mountinfo(MOUNTINFO)
    assert [r.mount.target for r in rows] == [
        *("/", "/proc", "/boot", "/home", "/mnt/bind\tx", "/net", "/pool"),
    ]
    assert rows[0].mount.options == "rw,noatime,errors=remount-ro"
    assert rows[2].mount.options == "ro,noatime"
    assert rows[3].mount.root == "/@home"
    assert rows[4].mount.root == "/srv/a b"


def test_devices_and_sizes():
    """Sizes are asked of what is on a device or a pool, never of the network."""
    recording = Recording(
        queries={
            "stat -f -c '%S %b %f %c %d %n' / /boot /home '/mnt/bind\tx' /pool": (
                1,
                "4096 100 40 50 20 /\n1024 8 8 0 0 /boot\n512 9 1 0 0 /pool\n",
                "stat: cannot read file system information for '/home'",
            )
        },
        files={"/proc/self/mountinfo": MOUNTINFO},
        links={"/dev/sdb1": "/dev/sdb1"},
    )
    numbers = {"8:4": "sda4", "8:2": "sda2", "8:17": "sdb1"}
    found = gather_mounts(ReplayReader(recording), numbers)
    devices = {mount.target: mount.device for mount in found}
    assert devices == {
        "/": "sda4",
        "/proc": None,
        "/boot": "sda2",
        "/home": "sdb1",
        "/mnt/bind\tx": "sda4",
        "/net": None,
        "/pool": None,
    }
    sizes = {m.target: (m.size, m.used, m.files) for m in found if m.size is not None}
    assert sizes == {
        "/": (409600, 245760, 30),
        "/boot": (8192, 0, None),
        "/pool": (4608, 4096, None),
    }


def test_statfs_lines():
    """A path may hold blanks; a line that is none is skipped."""
    found = parse_statfs("4096 2 1 9 4 /mnt/a b\nstat: oops\n4096 x 1 9 4 /y\n")
    assert list(found) == ["/mnt/a b"]
    assert found["/mnt/a b"].files == 5


def hidden(*lines):
    """Return the ids that are covered; a line is id, parent and target."""
    rows = parse_mountinfo(
        "".join(
            f"{i} {p} 8:1 / {t} rw - ext4 /dev/x rw\n"
            for i, p, t in (line.split(" ") for line in lines)
        )
    )
    return sorted(find_hidden(rows))


@pytest.mark.parametrize(
    ("lines", "lost"),
    [
        (["1 0 /", "2 1 /home", "3 1 /var", "4 3 /var/log"], []),
        (["1 0 /", "2 1 /var/log", "3 1 /var"], [2]),
        (["1 0 /", "2 1 /var/log", "5 2 /var/log/x", "3 1 /var"], [2, 5]),
        (["1 0 /", "2 1 /mnt", "3 2 /mnt"], [2]),
        (["1 0 /", "2 1 /mnt", "4 2 /mnt/a", "3 2 /mnt", "5 3 /mnt/a"], [2, 4]),
        (["1 0 /", "2 1 /", "3 2 /proc"], [1]),
        (["2 9 /dev", "3 9 /run", "9 1 /"], []),
        (["1 0 /", "2 1 /var", "3 1 /variable"], []),
        (["1 2 /a", "2 1 /b"], []),
    ],
)
def test_what_is_covered(lines, lost):
    """A mount covers what its parent has below that place, and all upon it."""
    assert hidden(*lines) == lost


def test_many_mounts_are_no_trouble():
    """A container host has thousands; the search must not be quadratic."""
    rows = parse_mountinfo(
        "1 0 8:1 / / rw - ext4 /dev/x rw\n"
        + "".join(
            f"{n} 1 0:{n} / /var/lib/docker/{n}/merged rw - overlay o rw\n"
            for n in range(2, 5000)
        )
    )
    assert find_hidden(rows) == frozenset()

"""sys-devel/spl, and sys-fs/zfs on a look-alike of OpenZFS: by real Portage."""

import re
import shutil

import pytest

from tests.merge.phases import Phases
from tests.merge.scratch import changed, entries, provide
from tests.merge.upstream import META, SOVERSION, ZFS, write_kernel, write_upstream

pytestmark = pytest.mark.merge
ours_only = pytest.mark.usefixtures("ours")


@pytest.fixture(scope="module", autouse=True)
def _keyword(world):
    world.scratch.write("package.accept_keywords", "sys-devel/spl **\n")


# sys-devel/spl


@ours_only
@pytest.mark.parametrize(
    ("provided", "pulled"),
    [
        # nothing is there: the package that has the module today
        ([], {"sys-devel/spl-9999", "sys-fs/zfs-2.4.3"}),
        # zfs 2.3 is in use: no upgrade is forced
        (["sys-fs/zfs-kmod-2.3.8"], {"sys-devel/spl-9999"}),
        (["sys-fs/zfs-2.4.3"], {"sys-devel/spl-9999"}),
    ],
)
def test_spl_pulls_what_has_the_module(world, provided, pulled):
    """A name for what is in OpenZFS now."""
    lines = "".join(f"{cpv}\n" for cpv in provided)
    world.scratch.write("profile/package.provided", lines)
    said = world.scratch.must("emerge", "--pretend", "sys-devel/spl")
    found = re.findall(r"(?m)^\[ebuild[^\]]*\] (sys-(?:fs/zfs|devel).*?) ", said)
    assert {cpv.partition(":")[0] for cpv in found} == pulled


def test_spl_is_empty_and_says_so(world):
    """Merged and unmerged for real, beside zfs."""
    provide(world.scratch, world.gentoo)
    said = world.scratch.must("emerge", "sys-devel/spl")
    assert "spl.ko is built" in said
    entry = world.scratch.root / "var/db/pkg/sys-devel/spl-9999"
    assert (entry / "CONTENTS").read_text() == ""
    world.scratch.must("emerge", "--unmerge", "sys-devel/spl")
    assert not entry.exists()


# sys-fs/zfs


@pytest.fixture
def zfs(world):
    """Return what runs sys-fs/zfs-9999, and a kernel that it supports."""
    phases = Phases(world, "sys-fs/zfs", "EGIT_OVERRIDE_REPO_OPENZFS_ZFS")
    write_upstream(phases.upstream, ZFS)
    return phases


def for_kernel(zfs, version, *phases, **env):
    """Run phases with the sources of a kernel."""
    kernel = zfs.scratch.place / "linux"
    write_kernel(kernel, version, without=env.pop("without", ""))
    return zfs.run(*phases, KERNEL_DIR=str(kernel), **env)


@ours_only
def test_zfs_installs_where_the_tool_looks(zfs):
    """For a kernel that META names: modules, dracut, services, units, META."""
    done = for_kernel(zfs, "7.2.14-gentoo", "install")
    assert done.returncode == 0, done.stdout
    top, paths = zfs.image()
    assert paths >= {
        *("lib/modules/zfs.ko", "sbin/zpool", "bin/zilstat"),
        "usr/lib/dracut/modules.d/90zfs/module-setup.sh",
        *("etc/init.d/zfs-import", "etc/conf.d/zfs"),
        "usr/lib/systemd/system/zfs-import.service",
        "usr/lib/udev/rules.d/60-zvol.rules",
        "usr/share/bash-completion/completions/zfs",
        "usr/share/bash-completion/completions/zpool",
    }
    assert not [path for path in paths if path.endswith(".la")]
    assert (top / "etc/conf.d/zfs").read_text() == "ZFS_MOUNT='yes'\nZFS_UNMOUNT='no'\n"
    assert (top / "etc/conf.d/zfs").stat().st_mode & 0o777 == 0o644
    unit = top / "usr/lib/systemd/system/zfs-import.service"
    assert "EnvironmentFile" not in unit.read_text()
    shebang = (top / "bin/zilstat").read_text()
    assert shebang.startswith(f"#!{zfs.scratch.root}/usr/bin/python3")
    arguments = (zfs.work / "work/zfs-9999/arguments").read_text()
    assert "--enable-linux-experimental" not in arguments
    # what the tool reads of a ZFS that was built from git
    (meta,) = (top / "usr/share/doc").glob("zfs-9999/META")
    assert "Linux-Maximum: 7.2" in meta.read_text()
    environment = (zfs.work / "temp/environment").read_text()
    assert 'declare -- MODULES_KERNEL_MAX="7.2"' in environment


@ours_only
def test_zfs_is_merged_and_unmerged(zfs):
    """What it installs is there afterwards, and then only what Portage never takes."""
    before = entries(zfs.scratch.root)
    kernel = zfs.scratch.place / "linux"
    write_kernel(kernel, "7.2.14-gentoo")
    said = zfs.merge(KERNEL_DIR=str(kernel))
    assert "udev would read its rules again" in said
    assert "OpenRC: add zfs-import and zfs-mount to the boot runlevel" in said
    there = set(changed(before, entries(zfs.scratch.root)))
    assert there >= {
        *("lib/modules/zfs.ko", "sbin/zpool", "etc/init.d/zfs-import"),
        "usr/lib/dracut/modules.d/90zfs/module-setup.sh",
    }
    assert "udev would read its rules again" in zfs.unmerge()
    # UNINSTALL_IGNORE, by default: a running system keeps its modules
    kept = ["lib", "lib/modules", "lib/modules/zfs.ko"]
    assert changed(before, entries(zfs.scratch.root)) == kept
    shutil.rmtree(zfs.scratch.root / "lib/modules")


@pytest.mark.parametrize("kernel", ["7.3.0", "8.0.1-gentoo"])
def test_zfs_refuses_a_newer_kernel(zfs, kernel):
    """Before anything is configured; says what is supported, and every way out."""
    done = for_kernel(zfs, kernel, "compile")
    mine = kernel.rpartition(".")[0]
    assert done.returncode == 1
    assert "supports Linux 4.18 to 7.2" in done.stdout
    assert f"ZFS_KERNEL_COMPAT_OVERRIDE={mine} emerge sys-fs/zfs" in done.stdout
    assert f"Linux {kernel} is too new" in done.stdout
    assert "(prepare phase)" in done.stdout
    assert not (zfs.work / "work/zfs-9999/arguments").exists()


def test_zfs_override(zfs):
    """As in ::gentoo; and configure, which would refuse as well, is told."""
    done = for_kernel(zfs, "7.3.1", "configure", ZFS_KERNEL_COMPAT_OVERRIDE="7.3")
    assert done.returncode == 0, done.stdout
    assert "building for Linux 7.3.1" in done.stdout
    arguments = (zfs.work / "work/zfs-9999/arguments").read_text()
    assert "--enable-linux-experimental" in arguments
    environment = (zfs.work / "temp/environment").read_text()
    assert 'declare -- MODULES_KERNEL_MAX="7.2"' in environment
    # and no further than it says
    done = for_kernel(zfs, "7.4.0", "prepare", ZFS_KERNEL_COMPAT_OVERRIDE="7.3")
    assert done.returncode == 1
    assert "which supports up to 7.3" in done.stdout


def test_zfs_refuses_an_older_kernel(zfs):
    """There is no override for that."""
    done = for_kernel(zfs, "4.9.1", "prepare", ZFS_KERNEL_COMPAT_OVERRIDE="7.9")
    assert done.returncode == 1
    assert "Linux 4.9.1 is too old" in done.stdout


@pytest.mark.parametrize("wrong", ["yes", "7.3.1"])
def test_zfs_override_must_be_a_kernel(zfs, wrong):
    """Not a switch."""
    done = for_kernel(zfs, "6.1.0", "prepare", ZFS_KERNEL_COMPAT_OVERRIDE=wrong)
    assert done.returncode == 1
    assert "must be like 7.2" in done.stdout


@pytest.mark.parametrize("meta", ["", META.replace(" 7.2", "")])
def test_zfs_does_not_guess(zfs, meta):
    """A commit without these lines is refused."""
    write_upstream(zfs.upstream, {"META": meta or "x\n"})
    done = for_kernel(zfs, "6.1.0", "prepare")
    assert done.returncode == 1
    assert "this commit is not understood" in done.stdout


@pytest.mark.parametrize(
    ("info", "said"),
    [
        # as git had it in 2026, and as releases before
        (" = -version-info 7:0:0", None),
        (" += -version-info 7:0:0", None),
        # two interfaces were added, none was taken away
        (" = -version-info 9:1:2", None),
        (" = -version-info 8:0:0", "in this commit is 8;"),
        (" = -pthread", "in this commit is unknown;"),
    ],
)
def test_zfs_looks_at_the_librarys_number(zfs, info, said):
    """Where the subslot is wrong, a merge would break others without a word."""
    write_upstream(zfs.upstream, {SOVERSION: f"libzfs_la_LDFLAGS{info}\n"})
    done = for_kernel(zfs, "7.1.0", "prepare")
    assert done.returncode == 0, done.stdout
    assert ("number of libzfs.so" in done.stdout) == (said is not None)
    assert said is None or said in done.stdout


def test_zfs_demands_options_of_the_kernel(zfs):
    """Without an initramfs there is no root on ZFS."""
    done = for_kernel(zfs, "6.1.0", "setup", without="BLK_DEV_INITRD")
    assert done.returncode == 1
    assert re.search(r"CONFIG_BLK_DEV_INITRD:?\s+is not set", done.stdout)


def test_zfs_without_modules_asks_no_kernel(zfs):
    """The programs alone do not depend on one."""
    done = for_kernel(zfs, "9.9.9", "install", USE="-modules -pam")
    assert done.returncode == 0, done.stdout
    assert "--with-config=user" in (zfs.work / "work/zfs-9999/arguments").read_text()

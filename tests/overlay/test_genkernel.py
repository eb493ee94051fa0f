"""What is added to genkernel, run by bash with genkernel's own functions played."""

import re
import shutil
import subprocess

import pytest

from tests.overlay.lint import CHECKOUT

GENKERNEL = CHECKOUT / "sys-kernel/genkernel"


def bash(script: str, cwd, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script."""
    return subprocess.run(
        (shutil.which("bash"), "-c", script),
        cwd=cwd,
        env={"PATH": f"{cwd}/bin:/usr/sbin:/usr/bin:/sbin:/bin", **env},
        capture_output=True,
        text=True,
        check=False,
    )


HOOK = r"""
GK_DRACUT=@DRACUT@
BUILD_RAMDISK=yes KV=6.12.58-gentoo TMPDIR=$PWD/tmp LOGFILE=$PWD/log
KERNEL_MODULES_PREFIX=$PWD/root CMD_INSTALL=yes
GK_FILENAME_TEMP_INITRAMFS=initramfs-x86_64-${KV}
GK_FILENAME_INITRAMFS=initramfs-${KV}.img GK_FILENAME_INITRAMFS_SYMLINK=initramfs
isTrue() { case $1 in [Yy]*|1|[Tt]*) return 0 ;; *) return 1 ;; esac; }
tc-is-cross-compiler() { echo "${CROSS-no}"; }
gen_die() { echo "DIE $*"; exit 1; }
print_error() { echo "$2"; }
print_warning() { echo "WARN $2"; }
print_info() { echo "INFO $2"; }
copy_image_with_preserve() { echo "INSTALLED $1 $3 $(cat "$2")"; }
check_distfiles
echo CHECKED
isTrue "${BUILD_RAMDISK}" || exit 0
create_initramfs
echo "LEFT ${ZFS-} ${MDADM-}"
"""
CONTENT = """\
-rwxr-xr-x   1 root root 1 Jan 1 usr/sbin/zpool
-rwxr-xr-x   1 root root 1 Jan 1 var/lib/dracut/hooks/mount/98-mount-zfs.sh
-rw-r--r--   1 root root 1 Jan 1 usr/lib/modules/6.12.58-gentoo/extra/zfs.ko.xz
"""


@pytest.fixture
def genkernel(tmp_path):
    """Return a function that runs our part of genkernel, with dracut played."""
    modules = tmp_path / "root/lib/modules/6.12.58-gentoo"
    for place in (tmp_path / "bin", tmp_path / "tmp", modules / "extra"):
        place.mkdir(parents=True)
    (modules / "extra/zfs.ko.xz").touch()
    (tmp_path / "content").write_text(CONTENT)
    for name, text in {
        "dracut": 'for last; do :; done; echo image >"$last"; echo "$*" >args',
        "lsinitrd": "cat content",
    }.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)

    def run(dracut="yes", **env):
        source = (GENKERNEL / "files/gen_dracut.sh").read_text()
        return bash(source + HOOK.replace("@DRACUT@", dracut), tmp_path, **env)

    return run


def test_genkernel_lets_dracut_make_it(genkernel, tmp_path):
    """With the modules asked for, for this kernel; installed under genkernel's name."""
    done = genkernel(ZFS="yes", MDADM="yes", LVM="no")
    assert done.returncode == 0, done.stdout + done.stderr
    args = (tmp_path / "args").read_text()
    assert "--kver 6.12.58-gentoo" in args
    assert f"--kmoddir {tmp_path}/root/lib/modules/6.12.58-gentoo" in args
    assert "--no-hostonly" in args
    assert "--add zfs mdraid " in args
    assert "INSTALLED initramfs initramfs-6.12.58-gentoo.img image" in done.stdout
    # what genkernel says last must not advise parameters of its own initramfs
    assert "LEFT no no" in done.stdout


def test_genkernel_passes_on_what_dracut_knows(genkernel, tmp_path):
    """Compression, microcode, an overlay."""
    genkernel(
        COMPRESS_INITRD="yes",
        COMPRESS_INITRD_TYPE="ZSTD",
        MICROCODE_INITRAMFS="yes",
        INITRAMFS_OVERLAY="/over lay",
    )
    args = (tmp_path / "args").read_text()
    assert "--zstd" in args
    assert " --early-microcode" in args
    assert "--include /over lay / " in args
    assert "--add" not in args


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("sbin/zpool", "has no 'sbin/zpool'"),
        ("mount-zfs.sh", "has no 'mount-zfs.sh'"),
        ("zfs.ko.xz", "has no zfs.ko"),
    ],
)
def test_genkernel_looks_into_the_image(genkernel, tmp_path, missing, said):
    """dracut leaves out what it does not find, and ends with status 0."""
    (tmp_path / "content").write_text(CONTENT.replace(missing, "other"))
    done = genkernel(ZFS="yes")
    assert done.returncode == 1
    assert said in done.stdout
    assert "INSTALLED" not in done.stdout


def test_genkernel_demands_the_module(genkernel, tmp_path):
    """Before an image is made that could not mount the root."""
    modules = tmp_path / "root/lib/modules/6.12.58-gentoo"
    (modules / "extra/zfs.ko.xz").unlink()
    done = genkernel(ZFS="yes")
    assert done.returncode == 1
    assert "emerge @module-rebuild" in done.stdout
    assert not (tmp_path / "args").exists()
    (modules / "modules.builtin").write_text("kernel/fs/zfs/zfs.ko\n")
    (tmp_path / "content").write_text(CONTENT.replace("zfs.ko", "other.ko"))
    assert genkernel(ZFS="yes").returncode == 0


def test_genkernel_without_dracut_says_so_first(genkernel):
    """Not after an hour of compiling; kernels alone can be built."""
    done = genkernel("no", ZFS="yes")
    assert done.returncode == 1
    assert "USE=dracut" in done.stdout
    assert "CHECKED" not in done.stdout
    source = (GENKERNEL / "files/gen_dracut.sh").read_text()
    assert 'isTrue "${BUILD_RAMDISK}" || return 0' in source


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"INTEGRATED_INITRAMFS": "yes"}, "--integrated-initramfs"),
        ({"CROSS": "yes"}, "--cross-compile"),
        ({"LINUXRC": "/linuxrc"}, "--linuxrc"),
    ],
)
def test_genkernel_refuses_what_dracut_cannot(genkernel, option, said):
    """Early, by the option's name."""
    done = genkernel(**option)
    assert done.returncode == 1
    assert said in done.stdout
    assert "CHECKED" not in done.stdout


def test_genkernel_fails_with_dracut(genkernel, tmp_path):
    """And names the log."""
    (tmp_path / "bin/dracut").write_text("#!/bin/sh\nexit 1\n")
    done = genkernel(ZFS="yes")
    assert done.returncode == 1
    assert re.search(r"dracut failed; see '.*log'", done.stdout)
    (tmp_path / "bin/dracut").unlink()
    assert "Is sys-kernel/dracut installed?" in genkernel(PATH=f"{tmp_path}/bin").stdout

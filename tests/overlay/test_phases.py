"""The ebuilds' own functions, run by bash with stand-ins for Portage's."""

import re
import shutil
import subprocess

import pytest

from tests.overlay.lint import CHECKOUT

ZFS = CHECKOUT / "sys-fs/zfs/zfs-9999.ebuild"
GENKERNEL = CHECKOUT / "sys-kernel/genkernel"
META = "Meta:         1\nName:         zfs\nLinux-Maximum: 7.2\nLinux-Minimum: 4.18\n"
PORTAGE = r"""
die() { echo "DIE $*"; exit 1; }
eerror() { echo "$*"; }
ewarn() { echo "WARN $*"; }
inherit() { :; }
ver_test() {
	local least
	least=$(printf '%s\n' "$1" "$3" | sort -V | head -n 1)
	case $2 in
		-lt) [[ $1 != "$3" && ${least} == "$1" ]] ;;
		-gt) [[ $1 != "$3" && ${least} == "$3" ]] ;;
	esac
}
"""


def bash(script: str, cwd, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script."""
    return subprocess.run(
        (shutil.which("bash"), "-c", PORTAGE + script),
        cwd=cwd,
        env={"PATH": f"{cwd}/bin:/usr/sbin:/usr/bin:/sbin:/bin", **env},
        capture_output=True,
        text=True,
        check=False,
    )


def check_kernel(place, kernel, meta=META, **env):
    """Run zfs-9999's check of the kernel; print what it leaves behind."""
    (place / "META").write_text(meta)
    major, minor, _ = kernel.split(".")
    script = f"""
source {ZFS}
KV_MAJOR={major} KV_MINOR={minor} KV_FULL={kernel} KV_DIR=/usr/src/linux
zfs_check_kernel
echo "PASSED ${{MODULES_KERNEL_MIN}} ${{MODULES_KERNEL_MAX}} ${{ZFS_EXPERIMENTAL-no}}"
"""
    return bash(script, place, **env)


@pytest.mark.parametrize("kernel", ["4.18.0", "6.12.58-gentoo", "7.2.0", "7.2.14-dist"])
def test_zfs_takes_kernels_that_it_was_made_for(tmp_path, kernel):
    """By META, without the patch level; its limits go into Portage's database."""
    done = check_kernel(tmp_path, kernel)
    assert (done.returncode, done.stdout) == (0, "PASSED 4.18 7.2 no\n"), done.stderr


@pytest.mark.parametrize("kernel", ["7.3.0", "7.10.0", "8.0.1-gentoo"])
def test_zfs_refuses_a_newer_kernel(tmp_path, kernel):
    """Says which, what is supported, and every way out."""
    done = check_kernel(tmp_path, kernel)
    mine = kernel.rpartition(".")[0]
    assert done.returncode == 1
    assert "supports Linux 4.18 to 7.2" in done.stdout
    assert f"ZFS_KERNEL_COMPAT_OVERRIDE={mine} emerge sys-fs/zfs" in done.stdout
    assert f"DIE Linux {kernel} is too new" in done.stdout


def test_zfs_refuses_an_older_kernel(tmp_path):
    """There is no override for that."""
    done = check_kernel(tmp_path, "4.9.1", ZFS_KERNEL_COMPAT_OVERRIDE="7.9")
    assert done.returncode == 1
    assert "DIE Linux 4.9.1 is too old" in done.stdout


def test_zfs_override(tmp_path):
    """As in ::gentoo; and configure has to be told as well."""
    done = check_kernel(tmp_path, "7.3.1", ZFS_KERNEL_COMPAT_OVERRIDE="7.3")
    assert done.returncode == 0
    assert "WARN ZFS_KERNEL_COMPAT_OVERRIDE=7.3" in done.stdout
    assert "PASSED 4.18 7.2 1" in done.stdout
    assert "--enable-linux-experimental" in ZFS.read_text()
    done = check_kernel(tmp_path, "7.4.0", ZFS_KERNEL_COMPAT_OVERRIDE="7.3")
    assert "which supports up to 7.3" in done.stdout
    assert done.returncode == 1


@pytest.mark.parametrize("wrong", ["yes", "7", "7.3.1", "7.3; id"])
def test_zfs_override_must_be_a_kernel(tmp_path, wrong):
    """Not a switch."""
    done = check_kernel(tmp_path, "6.1.0", ZFS_KERNEL_COMPAT_OVERRIDE=wrong)
    assert done.returncode == 1
    assert "must be like 7.2" in done.stdout


@pytest.mark.parametrize("meta", ["", "Linux-Maximum:\nLinux-Minimum: 4.18\n", "x"])
def test_zfs_does_not_guess(tmp_path, meta):
    """A commit without these lines is refused."""
    done = check_kernel(tmp_path, "6.1.0", meta)
    assert done.returncode == 1
    assert "PASSED" not in done.stdout


HOOK = r"""
GK_DRACUT=@DRACUT@
BUILD_RAMDISK=yes KV=6.12.58-gentoo TMPDIR=$PWD/tmp LOGFILE=$PWD/log
KERNEL_MODULES_PREFIX=$PWD/root CMD_INSTALL=yes
GK_FILENAME_TEMP_INITRAMFS=initramfs-x86_64-${KV}
GK_FILENAME_INITRAMFS=initramfs-${KV}.img GK_FILENAME_INITRAMFS_SYMLINK=initramfs
isTrue() { case $1 in [Yy]*|1|[Tt]*) return 0 ;; *) return 1 ;; esac; }
tc-is-cross-compiler() { echo "${CROSS-no}"; }
gen_die() { die "$*"; }
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
    assert "isTrue \"${BUILD_RAMDISK}\" || return 0" in source


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


UPSTREAM = """\
#!/bin/bash
GK_V='4.3.17'
source "${GK_SHARE}"/gen_funcs.sh || small_die "Could not read"
source "${GK_SHARE}"/gen_bootloader.sh || small_die "Could not read"
check_distfiles
"""


@pytest.mark.parametrize("use", ["yes", "no"])
def test_genkernel_is_made_to_read_it(tmp_path, use):
    """src_prepare puts it after the last of genkernel's own, and USE into it."""
    write_upstream(tmp_path)
    done = prepare(tmp_path, use)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (tmp_path / "genkernel").read_text().splitlines()
    assert lines[1] == "GK_V='9999-0123456789ab'"
    assert lines[4].startswith('source "${GK_SHARE}"/gen_dracut.sh || small_die')
    assert lines[5] == "check_distfiles"
    hook = (tmp_path / "gen_dracut.sh").read_text()
    assert f"\nGK_DRACUT={use}\n" in hook


@pytest.mark.parametrize(
    "missing", ["gen_bootloader", "check_distfiles", "create_initramfs"]
)
def test_genkernel_that_has_changed_is_refused(tmp_path, missing):
    """What is replaced must be there, else nothing would be replaced."""
    write_upstream(tmp_path)
    for path in tmp_path.iterdir():
        path.write_text(path.read_text().replace(missing, "new_name"))
    done = prepare(tmp_path, "yes")
    assert done.returncode == 1
    assert "DIE genkernel has changed" in done.stdout


def write_upstream(place):
    """Write as much of genkernel's sources as counts."""
    (place / "genkernel").write_text(UPSTREAM)
    (place / "gen_funcs.sh").write_text("check_distfiles() {\n:\n}\n")
    (place / "gen_initramfs.sh").write_text("create_initramfs() {\n:\n}\n")


def prepare(place, use):
    """Run genkernel-9999's src_prepare."""
    script = f"""
default() {{ :; }}
usex() {{ echo {use}; }}
python_fix_shebang() {{ :; }}
source {GENKERNEL}/genkernel-9999.ebuild
FILESDIR={GENKERNEL}/files PV=9999 EGIT_VERSION=0123456789abcdef0123
src_prepare
"""
    return bash(script, place)

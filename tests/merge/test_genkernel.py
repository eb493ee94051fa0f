"""sys-kernel/genkernel: phases on a look-alike, and on the real one."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.merge.phases import Phases
from tests.merge.published import git
from tests.merge.scratch import changed, entries
from tests.merge.upstream import GENKERNEL, write_a2x, write_kernel, write_upstream
from tests.portage.tree import write_files

pytestmark = pytest.mark.merge
ours_only = pytest.mark.usefixtures("ours")
PACKAGE = "sys-kernel/genkernel"
OVERRIDE = "EGIT_OVERRIDE_REPO_GENTOO_GENKERNEL"
WORDS = ("--zfs", "--mdadm", "--no-mountboot", "--no-color")
PLAYED = "#!/bin/sh\n"
# what it looks for before anything else, and the two that ours calls
BESIDE_IT = {
    **dict.fromkeys(("cpio", "kmod", "lddtree", "qlist", "sandbox", "zfs"), PLAYED),
    "portageq": PLAYED,
    "dracut": f'{PLAYED}for last; do :; done\necho "made by dracut $*" >"$last"\n',
    "lsinitrd": f"{PLAYED}echo x usr/sbin/zpool\necho x 98-mount-zfs.sh\n"
    "echo x usr/lib/modules/6.12.58-gentoo/extra/zfs.ko\n",
}


@pytest.fixture
def genkernel(world):
    """Return what runs sys-kernel/genkernel-9999."""
    phases = Phases(world, PACKAGE, OVERRIDE)
    write_upstream(phases.upstream, GENKERNEL)
    return phases


@pytest.mark.parametrize(("use", "dracut"), [("dracut", "yes"), ("-dracut", "no")])
def test_genkernel_reads_our_part_last(genkernel, use, dracut):
    """After all that define functions; USE is in it, and the commit in the version."""
    done = genkernel.run("install", USE=use)
    assert done.returncode == 0, done.stdout
    top, paths = genkernel.image()
    assert {"usr/bin/genkernel", "usr/share/genkernel/gen_dracut.sh"} <= paths
    assert any(path.startswith("usr/share/man/man8/genkernel.8") for path in paths)
    lines = (top / "usr/bin/genkernel").read_text().splitlines()
    commit = git(genkernel.upstream, "rev-parse", "HEAD")[:12]
    assert lines[1] == f"GK_V='9999-{commit}'"
    assert lines[4].startswith('source "${GK_SHARE}"/gen_dracut.sh || small_die')
    assert lines[5] == "check_distfiles"
    hook = top / "usr/share/genkernel/gen_dracut.sh"
    assert f"\nGK_DRACUT={dracut}\n" in hook.read_text()
    assert os.access(hook, os.X_OK)
    assert (top / "usr/share/genkernel/VERSION").read_text() == "9999\n"
    expander = (top / "usr/share/genkernel/path_expander.py").read_text()
    assert expander.startswith(f"#!{genkernel.scratch.root}/usr/bin/python3")


@ours_only
def test_genkernel_is_merged_and_unmerged(genkernel):
    """What it installs is there afterwards, and nothing is left."""
    before = entries(genkernel.scratch.root)
    said = genkernel.merge()
    assert "genkernel builds the kernel, dracut the initramfs" in said
    there = set(changed(before, entries(genkernel.scratch.root)))
    assert there >= {"usr/bin/genkernel", "usr/share/genkernel/gen_dracut.sh"}
    genkernel.unmerge()
    assert changed(before, entries(genkernel.scratch.root)) == []


@pytest.mark.parametrize(
    "missing", ["gen_bootloader", "check_distfiles", "create_initramfs"]
)
def test_genkernel_that_has_changed_is_refused(genkernel, missing):
    """What is replaced must be there, else nothing would be replaced."""
    changed = {name: text.replace(missing, "new") for name, text in GENKERNEL.items()}
    write_upstream(genkernel.upstream, changed)
    done = genkernel.run("prepare")
    assert done.returncode == 1
    assert "genkernel has changed" in done.stdout


def test_genkernel_itself(world, tmp_path):
    """The real one, where GENKERNEL_REPO names a clone of it: installed, and run."""
    named = os.environ.get("GENKERNEL_REPO")
    if not named:
        pytest.skip("GENKERNEL_REPO names no clone of genkernel's repository")
    phases = Phases(world, PACKAGE, OVERRIDE)
    phases.upstream = Path(named).resolve(strict=True)
    write_a2x(world.scratch.root)
    done = phases.run("install")
    assert done.returncode == 0, done.stdout
    top, _ = phases.image()
    write_files(tmp_path, {f"bin/{name}": text for name, text in BESIDE_IT.items()})
    for path in (tmp_path / "bin").iterdir():
        path.chmod(0o755)
    # the only program that it wants in one place
    looks = top / "usr/share/genkernel/gen_determineargs.sh"
    looks.write_text(looks.read_text().replace("/sbin/zfs", f"{tmp_path}/bin/zfs"))
    version = "6.12.58-gentoo"
    write_kernel(tmp_path / "linux", version)
    for name in ("bootdir", "cachedir", "tmpdir"):
        (tmp_path / name).mkdir()
    write_files(tmp_path, {f"lib/modules/{version}/extra/zfs.ko": ""})
    options = {
        "config": top / "etc/genkernel.conf",
        "kerneldir": tmp_path / "linux",
        "kernel-modules-prefix": tmp_path,
        **{name: tmp_path / name for name in ("bootdir", "cachedir", "tmpdir")},
        "logfile": tmp_path / "log",
    }
    argv = [f"--{name}={value}" for name, value in options.items()]
    done = subprocess.run(
        ("bash", top / "usr/bin/genkernel", *argv, *WORDS, "initramfs"),
        cwd=tmp_path,
        env={
            "PATH": f"{tmp_path}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "GK_SHARE": str(top / "usr/share/genkernel"),
            "HOME": str(tmp_path),
            "TERM": "dumb",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    image = tmp_path / f"bootdir/initramfs-{version}.img"
    assert image.read_text().startswith(f"made by dracut --force --kver {version} ")
    assert "--add zfs mdraid " in image.read_text()
    assert "the kernel's command line: root=ZFS=POOL/DATASET" in said
    # what genkernel's own initramfs would need
    assert "dozfs" not in said
    assert "domdadm" not in said

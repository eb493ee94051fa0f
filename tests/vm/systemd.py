"""The stage that has systemd: what a guest's old root needs to be started by it."""

from collections.abc import Mapping
from pathlib import Path

from tests.vm.chroot import Chroot
from tests.vm.debian import pack, unpack
from tests.vm.mirror import find_mirror
from tests.vm.process import Runner

# with what the guest has already; not merged, as it would take OpenRC's place
PACKAGES = ("systemd", "libsystemd-shared", "libapparmor1", "libseccomp2")


def build_systemd(
    work: Path, paths: Mapping[str, Path], target: Path, runner: Runner
) -> None:
    """Unpack the packages into a tree of their own."""
    chroot = Chroot(work / "base", runner)
    unpack(paths["base"], chroot.root, runner)
    tree = work / "tree"
    tree.mkdir()
    with chroot.mounted(), chroot.apt(find_mirror()):
        chroot.run("sh", "-ec", f"cd /tmp; apt-get download {' '.join(PACKAGES)}")
    for package in sorted((chroot.root / "tmp").glob("*.deb")):
        runner.run(["dpkg-deb", "--extract", str(package), str(tree)])
    pack(tree, target, runner)

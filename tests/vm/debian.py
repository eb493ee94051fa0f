"""The stages that are plain Debian: base system, ZFS modules, packages.

They need a package mirror; the stages after them need none.
"""

import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.vm.chroot import SUITE, Chroot
from tests.vm.mirror import find_mirror
from tests.vm.process import BuildError, Runner

HERE = Path(__file__).parent
PORTAGE_VERSION = "3.0.83"
BASE_WORDS = (SUITE, "minbase")
# what later stages take out of the tree again
SOURCES = "sources"
# first of all, as dracut would otherwise bring the package systemd, and with it
# its own systemd modules
INIT_PACKAGES = (
    "sysvinit-core",
    "openrc",
    "systemd-standalone-sysusers",
    "systemd-standalone-tmpfiles",
    "udev",
    "kmod",
    "dracut",
)
PACKAGES_WORDS = (PORTAGE_VERSION, *INIT_PACKAGES)


def pack(tree: Path, target: Path, runner: Runner) -> None:
    """Write a tree into a tar file."""
    options = ["--numeric-owner", "--xattrs", "--xattrs-include=*", "--sparse"]
    runner.run(["tar", "-C", str(tree), *options, "-cf", str(target), "."])


def unpack(source: Path, tree: Path, runner: Runner) -> None:
    """Unpack what `pack` wrote into a new directory."""
    tree.mkdir(parents=True)
    options = ["--numeric-owner", "--xattrs", "--xattrs-include=*"]
    runner.run(["tar", "-C", str(tree), *options, "-xpf", str(source)])


def read_list(file: Path) -> list[str]:
    """Return the package names in a list, its comments left out."""
    lines = (line.split("#", 1)[0].strip() for line in file.read_text().splitlines())
    return [line for line in lines if line]


def build_base(
    work: Path, _paths: Mapping[str, Path], target: Path, runner: Runner
) -> None:
    """Make the smallest Debian system that apt works in."""
    tree = work / "tree"
    mirror = find_mirror()
    command = ["debootstrap", "--variant=minbase", SUITE, str(tree)]
    runner.run([*command, mirror] if mirror else command)
    shutil.rmtree(tree / "var/cache/apt/archives")
    pack(tree, target, runner)


def build_modules(
    work: Path, paths: Mapping[str, Path], target: Path, runner: Runner
) -> None:
    """Compile the ZFS modules; keep kernel and user land of the same versions."""
    chroot = Chroot(work / "tree", runner)
    unpack(paths["base"], chroot.root, runner)
    with chroot.mounted(), chroot.apt(find_mirror()):
        chroot.script(HERE / "scripts/modules.sh")
    pack(chroot.root / "tmp/out", target, runner)


def build_packages(
    work: Path, paths: Mapping[str, Path], target: Path, runner: Runner
) -> None:
    """Install all packages and fetch Portage, which is not one."""
    chroot = Chroot(work / "tree", runner)
    unpack(paths["base"], chroot.root, runner)
    sources = chroot.root / SOURCES
    unpack(paths["modules"], sources, runner)
    kernel = (sources / "kernel").read_text().strip()
    with chroot.mounted(), chroot.apt(find_mirror()):
        _install_all(chroot, sources)
        chroot.script(HERE / "scripts/prune.sh", kernel)
    for package in sources.glob("*.deb"):
        package.unlink()
    _fetch_portage(sources, runner)
    pack(chroot.root, target, runner)


def _install_all(chroot: Chroot, sources: Path) -> None:
    """Install the packages while dracut, which each of them calls, is a dummy."""
    dracut = chroot.root / "usr/bin/dracut"
    chroot.install(*INIT_PACKAGES)
    chroot.run("dpkg-divert", "--local", "--rename", "--add", "/usr/bin/dracut")
    dracut.symlink_to("true")
    local = [f"/{SOURCES}/{file.name}" for file in sorted(sources.glob("*.deb"))]
    chroot.install(*read_list(HERE / "lists/guest-packages.txt"), *local)
    dracut.unlink()
    chroot.run("dpkg-divert", "--local", "--rename", "--remove", "/usr/bin/dracut")


def _fetch_portage(sources: Path, runner: Runner) -> None:
    """Fetch Portage, a pure Python wheel."""
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir"]
    wheel = f"portage=={PORTAGE_VERSION}"
    runner.run([*pip, "--only-binary=:all:", "--dest", str(sources), wheel])
    if not list(sources.glob("portage-*.whl")):
        raise BuildError("pip download brought no wheel of Portage")


def upstream_version(debian_version: str) -> str:
    """Return a Debian version as Gentoo would write it.

    >>> upstream_version("1:2.41.5-0+deb13u1")
    '2.41.5'
    >>> upstream_version("5.3.28+dfsg2-9")
    '5.3.28'
    """
    version = debian_version.partition(":")[2] or debian_version
    found = re.match(r"\d+(\.\d+)*", version)
    return found.group() if found else "0"

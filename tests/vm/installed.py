"""The stage that has the tool: merged into the guest's disk by the guest's own Portage.

It is done here, with the disk mounted and Portage in a chroot, as the same takes ten
times as long in the emulated machine. Portage builds the package from the release
tarball of this very checkout, uncommitted changes included.
"""

import shutil
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.merge.published import CHECKOUT, publish
from tests.vm.chroot import Chroot
from tests.vm.disks import copy_disk
from tests.vm.image import mounted
from tests.vm.portage_tree import REPOSITORY
from tests.vm.process import Runner

OVERLAY = Path("var/db/repos/zfs")
# what Portage reads of the repository; the rest of a clone would only be copied about
BROUGHT: tuple[str, ...] = (
    *("app-admin", "sys-devel", "sys-fs", "sys-kernel"),
    *("metadata", "profiles"),
)
# what the release and the way to it are made of
SOURCES: tuple[str, ...] = (
    *BROUGHT,
    *("LICENSE", "NEWS.md", "README.md", "completions", "docs"),
    *("overlay", "python", "tests/merge/published.py", "tests/overlay/eclass"),
)
HOME = "https://example.org/zfs"
TOOL = "app-admin/zfs-root-migrate"
# there in the guest, but not as packages
PROVIDED = ("app-portage/gentoolkit-1", "virtual/udev-1")
# only there while the package is built; these come with the tests
BUILD_TOOLS = ("gpep517", "installer", "setuptools")
# Debian's Python installs modules elsewhere than Gentoo's, which has the plain scheme
PATH_FILE = """\
/tmp/build
import sysconfig; sysconfig.get_paths.__defaults__ = ("posix_prefix", None, True)
"""


def build_installed(
    work: Path, paths: Mapping[str, Path], target: Path, runner: Runner
) -> None:
    """Copy the disk and merge the tool into it."""
    copy_disk(paths["image"], target, "")
    mount = work / "mnt"
    mount.mkdir()
    chroot = Chroot(mount, runner)
    with mounted(target, mount, runner), chroot.mounted():
        _bring_repository(mount, work / "zfs")
        with _build_tools(mount):
            chroot.run(
                *("env", "PATH=/tmp/build/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
                *("emerge", "--verbose", TOOL),
            )
        chroot.run("zfs-root-migrate", "version")


def _bring_repository(root: Path, work: Path) -> None:
    """Put the repository, its place in Portage's configuration and the tarball."""
    publish(work, root / "var/cache/distfiles", HOME, python=13)
    for name in BROUGHT:
        shutil.copytree(work / name, root / OVERLAY / name)
    etc = root / "etc/portage"
    shutil.copy(work / "overlay/zfs.conf", etc / "repos.conf/zfs.conf")
    with (etc / "package.accept_keywords/zfs").open("a") as keywords:
        keywords.write(f"{TOOL} ~amd64\n")
    # ::gentoo has all categories; the guest's only those of its packages
    categories = root / REPOSITORY / "profiles/categories"
    known = set(categories.read_text().split())
    new = [name for name in BROUGHT if "-" in name and name not in known]
    with categories.open("a") as stream:
        stream.write("".join(f"{name}\n" for name in new))
    # Gentoo's eclasses, of which the tests have stand-ins
    eclasses = root / REPOSITORY / "eclass"
    shutil.copytree(CHECKOUT / "tests/overlay/eclass", eclasses)


@contextmanager
def _build_tools(root: Path) -> Iterator[None]:
    """Lend the guest what builds a package."""
    build = root / "tmp/build"
    path_file = root / "usr/lib/python3/dist-packages/build.pth"
    provided = root / "etc/portage/profile/package.provided"
    site = Path(sysconfig.get_path("purelib"))
    for name in (*BUILD_TOOLS, "_distutils_hack"):
        # with what it says of its commands
        for path in (site / name, *site.glob(f"{name}-*.dist-info")):
            shutil.copytree(path, build / path.name)
    (build / "bin").mkdir()
    # by this name Gentoo's tar is GNU's
    (build / "bin/gtar").symlink_to("/usr/bin/tar")
    path_file.write_text(PATH_FILE)
    provided.parent.mkdir()
    lent = [f"dev-python/{name}-1" for name in BUILD_TOOLS]
    provided.write_text("".join(f"{line}\n" for line in (*PROVIDED, *lent)))
    try:
        yield
    finally:
        shutil.rmtree(build)
        path_file.unlink()
        provided.write_text("".join(f"{line}\n" for line in PROVIDED))

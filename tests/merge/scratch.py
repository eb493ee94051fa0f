"""A scratch root that real Portage works on, and nothing outside of it.

Portage takes the root for an EPREFIX, as on Gentoo Prefix: configuration, package
database, caches and all that is merged lie below it. Its repository `gentoo` is the
small one that the lint uses, whose eclasses build and install; see stub.py.
"""

import hashlib
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from tests.overlay.stub import PROFILE, PYTHONS, packages, write_master
from tests.portage.gentoo import package_of
from tests.portage.pythons import VERSIONS, environment
from tests.portage.tree import write_files

# which packages are built for
PYTHON = f"3.{sys.version_info.minor}"
# what Gentoo's eclasses depend on and ours do not
BESIDE = ("dev-lang/python-exec", "dev-python/installer")
MAKE_CONF = """\
ACCEPT_KEYWORDS="amd64"
ACCEPT_LICENSE="*"
DISTDIR="{place}/distfiles"
PKGDIR="{place}/packages"
PORTAGE_TMPDIR="{place}/tmp"
FEATURES="-merge-sync -merge-wait -news"
GENTOO_MIRRORS=""
CLEAN_DELAY="0"
EMERGE_WARNING_DELAY="0"
PYTHON_TARGETS="{target}"
PYTHON_SINGLE_TARGET="{target}"
PORTAGE_ELOG_CLASSES="log warn error"
PORTAGE_ELOG_SYSTEM="save"
"""
# the longest is the test phase: minutes of one core, on a machine that may be busy
TIMEOUT = 1800
# what Portage keeps for itself, whatever is merged and unmerged; and what tests have
# synced and configured
PORTAGES_OWN = (
    *("etc/ld.so.conf", "etc/env.d", "etc/profile", "etc/csh.env", "etc/environment.d"),
    *("var/cache", "var/db/pkg", "var/lib/portage", "var/log", "var/tmp"),
    *("var/db/repos", "etc/portage"),
)
Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Scratch:
    """A root with Portage."""

    place: Path

    @property
    def root(self) -> Path:
        """What is merged into."""
        return self.place / "root"

    @property
    def portage(self) -> Path:
        """The directory of Portage's configuration."""
        return self.root / "etc/portage"

    @property
    def python(self) -> Path:
        """The Python of the root, whose prefix is the root's /usr."""
        return self.root / "usr/bin/python3"

    def run(self, program: str, *words: object, **env: str) -> Done:
        """Run one of Portage's programs."""
        prefix = environment("portage", VERSIONS[0])
        account = pwd.getpwuid(os.geteuid()).pw_name
        return subprocess.run(
            # its first line names the place where the environment was built
            (prefix / "bin/python", prefix / "bin" / program, *words),
            env={
                "PATH": f"{self.root}/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                # git-r3 changes git's global configuration, which is there then; were
                # it /dev/null, git would put a file in place of the device
                "HOME": str(self.place),
                "GIT_CONFIG_NOSYSTEM": "1",
                "LC_ALL": "C.UTF-8",
                "NO_COLOR": "1",
                # Gentoo's eclass of systemd would ask this machine where units lie
                "PKG_CONFIG": "false",
                "PORTAGE_OVERRIDE_EPREFIX": str(self.root),
                "PORTAGE_USERNAME": account,
                "PORTAGE_GRPNAME": account,
                **env,
            },
            cwd=self.place,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=TIMEOUT,
        )

    def must(self, program: str, *words: object, **env: str) -> str:
        """Run one of Portage's programs, which must succeed; return what it said."""
        done = self.run(program, *words, **env)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def write(self, name: str, text: str) -> None:
        """Write one of Portage's configuration files."""
        write_files(self.portage, {name: text})

    @property
    def command(self) -> Path:
        """The command that was merged, beside what python-exec would make of it."""
        link = self.root / "usr/bin/zfs-root-migrate"
        real = self.root / f"usr/lib/python-exec/python{PYTHON}/zfs-root-migrate"
        return real if link.is_symlink() else link

    def installed(self, *words: str) -> Done:
        """Run the command that was merged."""
        return subprocess.run(
            (self.command, *words),
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


def prepare(place: Path, gentoo: Path | None) -> Scratch:
    """Write a scratch root, and the repository that stands for ::gentoo if need be."""
    scratch = Scratch(place)
    if gentoo is None:
        gentoo = place / "gentoo"
        write_master(gentoo, tuple({*PYTHONS, PYTHON}))
    for name in ("distfiles", "packages", "tmp"):
        (place / name).mkdir()
    for name in ("var/db/pkg", "var/lib/portage", "var/cache/edb", "var/tmp", "share"):
        (scratch.root / name).mkdir(parents=True)
    _make_python(scratch.root / "usr")
    # by this name Gentoo's tar is GNU's, which others call so only beside their own
    if not shutil.which("gtar"):
        (scratch.root / "usr/bin/gtar").symlink_to(str(shutil.which("tar")))
    share = environment("portage", VERSIONS[0]) / "share/portage"
    (scratch.root / "share/portage").symlink_to(share)
    target = f"python{PYTHON.replace('.', '_')}"
    scratch.write("make.conf", MAKE_CONF.format(place=place, target=target))
    scratch.write(
        "repos.conf/gentoo.conf",
        f"[DEFAULT]\nmain-repo = gentoo\n[gentoo]\nlocation = {gentoo}\n"
        "auto-sync = no\n",
    )
    (scratch.portage / "make.profile").symlink_to(gentoo / "profiles" / PROFILE)
    return scratch


def _make_python(prefix: Path) -> None:
    """Make a Python with what builds packages, and with Portage, as on Gentoo."""
    subprocess.run(
        (sys.executable, "-m", "venv", "--without-pip", "--symlinks", prefix),
        check=True,
    )
    (site,) = prefix.glob("lib/python3*/site-packages")
    portage = environment("portage", VERSIONS[0]) / site.relative_to(prefix)
    (site / "others.pth").write_text(f"{sysconfig.get_path('purelib')}\n{portage}\n")


def provide(scratch: Scratch, gentoo: Path | None, *but: str) -> None:
    """Take everything for installed that is depended upon, with a few exceptions."""
    versions = list(packages((PYTHON,)))
    if gentoo is not None:
        names = {package_of(cpv) for cpv in versions} | set(BESIDE)
        found = (one for name in names for one in (gentoo / name).glob("*.ebuild"))
        versions = sorted(f"{one.parents[1].name}/{one.stem}" for one in found)
    lines = [cpv for cpv in versions if package_of(cpv) not in but]
    scratch.write("profile/package.provided", "".join(f"{line}\n" for line in lines))


def entries(top: Path) -> dict[str, str]:
    """Return what is below a directory: of files a hash, of links where they lead."""
    found = {}
    for path in top.rglob("*"):
        name = str(path.relative_to(top))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_dir():
            found[name] = "directory"
        else:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return the names of what differs between two lists, but for Portage's own."""
    names = {name for name, _ in before.items() ^ after.items()}
    return [name for name in sorted(names) if not name.startswith(PORTAGES_OWN)]

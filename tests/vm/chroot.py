"""A Debian tree one can run programs in, and apt inside it.

Guarantee: nothing is left mounted when the `with` block ends, and the tree gets a
/dev of its own, so that removing the tree can never reach the machine's.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.vm.process import BuildError, Runner, mounts_below

SUITE = "trixie"
DEVICES = {
    "null": (1, 3),
    "zero": (1, 5),
    "full": (1, 7),
    "random": (1, 8),
    "urandom": (1, 9),
    "tty": (5, 0),
    "console": (5, 1),
}
ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBCONF_NONINTERACTIVE_SEEN": "true",
}
OWN_MOUNTS = ("proc", "sys", "dev", "dev/pts")
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy")
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True, slots=True)
class Chroot:
    """A tree and the log that its programs write to."""

    root: Path
    runner: Runner

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """Give the tree /proc, /sys and a /dev with nothing of the machine in it."""
        run = self.runner.run
        try:
            run(["mount", "-t", "proc", "proc", str(self.root / "proc")])
            run(["mount", "-t", "sysfs", "-o", "ro", "sysfs", str(self.root / "sys")])
            run(["mount", "-t", "tmpfs", "-o", "mode=755", "dev", self._path("dev")])
            _fill_dev(self.root / "dev")
            pts = self._path("dev/pts")
            options = "newinstance,ptmxmode=0666,mode=620,gid=5"
            run(["mount", "-t", "devpts", "-o", options, "devpts", pts])
            yield
        finally:
            ours = [str((self.root / name).resolve()) for name in OWN_MOUNTS]
            for point in mounts_below(self.root):
                if point in ours:
                    run(["umount", "--lazy", point])

    def _path(self, name: str) -> str:
        return str(self.root / name)

    def run(self, *argv: str) -> None:
        """Run a program inside the tree."""
        self.runner.run(["chroot", str(self.root), *argv], env=_environment())

    def read(self, *argv: str) -> str:
        """Return what a program inside the tree writes to stdout."""
        return self.runner.read(["chroot", str(self.root), *argv])

    def script(self, source: Path, *arguments: str) -> None:
        """Run one of our shell scripts inside the tree."""
        inside = self.root / "tmp" / source.name
        shutil.copy(source, inside)
        try:
            self.run("/bin/sh", "-eux", f"/tmp/{source.name}", *arguments)
        finally:
            inside.unlink()

    @contextmanager
    def apt(self, mirror: str | None) -> Iterator[None]:
        """Let apt work inside the tree; afterwards it has no trace of how."""
        written = _write_apt_files(self.root, mirror)
        try:
            self.run("apt-get", "update")
            yield
        finally:
            for file in written:
                file.unlink(missing_ok=True)
            shutil.rmtree(self.root / "var/lib/apt/lists", ignore_errors=True)
            (self.root / "var/lib/apt/lists").mkdir()

    def install(self, *packages: str) -> None:
        """Install packages with what they depend on and nothing more."""
        self.run("apt-get", "install", "-y", "--no-install-recommends", *packages)
        self.run("apt-get", "clean")


def _environment() -> dict[str, str]:
    proxies = {
        name: value
        for name, value in os.environ.items()
        if name.lower() in PROXY_VARIABLES
    }
    return ENVIRONMENT | proxies


def _fill_dev(dev: Path) -> None:
    for name, (major, minor) in DEVICES.items():
        os.mknod(dev / name, stat.S_IFCHR | 0o666, os.makedev(major, minor))
        (dev / name).chmod(0o666)
    (dev / "pts").mkdir()
    (dev / "shm").mkdir(mode=0o1777)
    (dev / "ptmx").symlink_to("pts/ptmx")
    (dev / "fd").symlink_to("/proc/self/fd")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        (dev / name).symlink_to(f"/proc/self/fd/{number}")


def _write_apt_files(root: Path, mirror: str | None) -> list[Path]:
    """Write apt's configuration; return the files that must not stay."""
    sources = root / "etc/apt/sources.list"
    uri = mirror or _mirror_of(sources)
    files = {
        sources: f"deb {uri} {SUITE} main contrib\ndeb-src {uri} {SUITE} main\n",
        root / "etc/apt/apt.conf.d/99build": _apt_conf(),
        # services must not start here, and nothing has to survive a power cut
        root / "usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101\n",
        root / "etc/dpkg/dpkg.cfg.d/build": _dpkg_conf(),
    }
    for file, text in files.items():
        file.write_text(text)
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    # what debootstrap wrote stays: it is how a later stage finds the mirror
    copied = _copy_network_files(root)
    return [file for file in [*files, *copied] if file != sources]


def _mirror_of(sources: Path) -> str:
    for line in sources.read_text().splitlines():
        words = line.split()
        if words[:1] == ["deb"]:
            return words[1]
    raise BuildError(f"{sources} names no mirror")


def _apt_conf() -> str:
    """Return apt's settings: few downloads, and the machine's own proxies."""
    lines = ['Acquire::Languages "none";', 'APT::Sandbox::User "root";']
    for file in sorted(Path("/etc/apt/apt.conf.d").glob("*")):
        if file.is_file():
            lines += [
                line.strip()
                for line in file.read_text(errors="replace").splitlines()
                if line.strip().startswith(("Acquire::http::", "Acquire::https::"))
            ]
    return "\n".join(lines) + "\n"


def _dpkg_conf() -> str:
    left_out = ("doc", "man", "info", "locale", "lintian", "bug")
    return "force-unsafe-io\n" + "".join(
        f"path-exclude=/usr/share/{name}/*\n" for name in left_out
    )


def _copy_network_files(root: Path) -> list[Path]:
    """Let the tree resolve names and know the certificates the machine trusts."""
    copied: list[Path] = []
    for name in (Path("etc/resolv.conf"), CERTIFICATES):
        source, target = Path("/") / name, root / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            copied.append(target)
    return copied

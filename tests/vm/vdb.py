"""Portage's database of installed packages, and ebuilds of the same packages.

Each Gentoo package stands for the Debian packages whose files are really there: its
CONTENTS lists those files with their checksums.
"""

import bz2
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.vm.chroot import Chroot
from tests.vm.debian import SOURCES, read_list, upstream_version
from tests.vm.portage_tree import REPOSITORY

HERE = Path(__file__).parent
BUILD_TIME = 1750000000
KERNEL_PACKAGE = "sys-kernel/gentoo-sources"
PORTAGE_PACKAGE = "sys-apps/portage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A Gentoo package and the Debian packages that hold its files."""

    atom: str
    debian: tuple[str, ...] = ()
    slot: str = "0"
    use: str = ""
    iuse: str = ""
    rdepend: str = ""
    keywords: str = "amd64 ~arm64"
    description: str = ""
    # Gentoo's name of a package's directory and file: version, perhaps revision
    version: str = ""

    @property
    def category(self) -> str:
        """Return the part before the slash."""
        return self.atom.partition("/")[0]

    @property
    def name(self) -> str:
        """Return the part after the slash."""
        return self.atom.partition("/")[2]


def _row(line: str) -> Package:
    """Parse a row of the list.

    >>> _row("net-misc/rsync | rsync | 0 | +acl xattr").use
    'acl'
    """
    atom, debian, slot, flags = (field.strip() for field in line.split("|"))
    words = flags.split()
    return Package(
        atom=atom,
        debian=tuple(debian.split()),
        slot=slot,
        use=" ".join(word.lstrip("+") for word in words if word.startswith("+")),
        iuse=" ".join(words),
        description=f"The package {atom} of the test guest",
    )


@dataclass(frozen=True, slots=True)
class Installed:
    """A package of the table with its version and its files' paths."""

    package: Package
    version: str
    files: tuple[str, ...]


def read_dpkg(chroot: Chroot) -> list[Installed]:
    """Ask dpkg for versions and files while it is still there."""
    answer = chroot.read("dpkg-query", "-W", "-f", "${Package} ${Version}\\n")
    versions = dict(line.split(" ", 1) for line in answer.splitlines())
    found: list[Installed] = []
    for package in map(_row, read_list(HERE / "lists/gentoo-packages.txt")):
        files = chroot.read("dpkg-query", "-L", *package.debian).splitlines()
        version = upstream_version(versions[package.debian[0]])
        found.append(Installed(package, version, tuple(files)))
    return found


def write(
    root: Path, installed: Iterable[Installed], portage_files: list[str], kernel: str
) -> None:
    """Write the database, the world file and an ebuild for each package."""
    numbers = re.match(r"\d+(\.\d+)*", kernel)
    assert numbers
    sources = [f"/{path}" for path in _below(root, f"usr/src/linux-{kernel}")]
    portage = next((root / SOURCES).glob("portage-*.whl")).name.split("-")[1]
    everything = [
        *installed,
        Installed(_simple(PORTAGE_PACKAGE, "0"), portage, tuple(portage_files)),
        Installed(
            _simple(KERNEL_PACKAGE, numbers.group()), numbers.group(), tuple(sources)
        ),
    ]
    limit = _kernel_limit((root / SOURCES / "META").read_text())
    for counter, one in enumerate(everything, start=1):
        extra = {"MODULES_KERNEL_MAX": limit} if "zfs" in one.package.name else {}
        values = _metadata(one)
        _write_entry(root, one, values, counter, extra)
        _write_ebuild(root / REPOSITORY, one, values, extra)
    world = sorted(one.package.atom for one in everything if _chosen(one.package))
    (root / "var/lib/portage/world").write_text("".join(f"{a}\n" for a in world))
    _keep_meta(root, installed)


def _simple(atom: str, slot: str) -> Package:
    return Package(atom=atom, slot=slot, description=f"The package {atom}")


def _chosen(package: Package) -> bool:
    """Tell whether a user would have asked for the package by name."""
    return package.category in {"sys-boot", "sys-fs", "sys-kernel", "net-misc"}


def _below(root: Path, place: str) -> list[Path]:
    return sorted(path.relative_to(root) for path in (root / place).rglob("*"))


def _kernel_limit(meta: str) -> str:
    found = re.search(r"^Linux-Maximum:\s*(\S+)", meta, re.MULTILINE)
    return found.group(1) if found else "6.12"


def _metadata(one: Installed) -> dict[str, str]:
    """Return what an ebuild and its database entry say alike."""
    return {
        "DEFINED_PHASES": "compile install",
        "DESCRIPTION": one.package.description,
        "EAPI": "8",
        "IUSE": one.package.iuse,
        "KEYWORDS": one.package.keywords,
        "LICENSE": "GPL-2",
        "RDEPEND": one.package.rdepend,
        "SLOT": one.package.slot,
    }


def _write_entry(
    root: Path,
    one: Installed,
    values: Mapping[str, str],
    counter: int,
    extra: Mapping[str, str],
) -> None:
    package = one.package
    pf = f"{package.name}-{one.version}"
    entry = root / "var/db/pkg" / package.category / pf
    entry.mkdir(parents=True)
    use = f"amd64 elibc_glibc kernel_linux {package.use}".strip()
    fields = {
        **values,
        "BUILD_TIME": str(BUILD_TIME),
        "CATEGORY": package.category,
        "CHOST": "x86_64-pc-linux-gnu",
        "COUNTER": str(counter),
        "FEATURES": "sandbox userpriv usersandbox",
        "IUSE_EFFECTIVE": f"{package.iuse.replace('+', '')} prefix prefix-guest",
        "KEYWORDS": package.keywords,
        "PF": pf,
        "USE": use,
        "repository": "gentoo",
    }
    for name, value in fields.items():
        if value:
            (entry / name).write_text(f"{value}\n")
    lines = list(_contents(root, one.files))
    (entry / "CONTENTS").write_text("".join(lines))
    (entry / "SIZE").write_text(f"{_size(root, one.files)}\n")
    (entry / f"{pf}.ebuild").write_text(_ebuild(values, extra))
    variables = {"CATEGORY": package.category, "PF": pf, "USE": use} | dict(extra)
    text = "".join(f'declare -- {k}="{v}"\n' for k, v in sorted(variables.items()))
    (entry / "environment.bz2").write_bytes(bz2.compress(text.encode()))


def _contents(root: Path, files: Iterable[str]) -> Iterable[str]:
    """Yield the lines of CONTENTS for the files that are still there."""
    for name in sorted(set(files)):
        path = root / name.lstrip("/")
        if name in {"", "/", "/."} or not path.parent.is_dir():
            continue
        if path.is_symlink():
            target, stamp = path.readlink(), int(path.lstat().st_mtime)
            yield f"sym {name} -> {target} {stamp}\n"
        elif path.is_dir():
            yield f"dir {name}\n"
        elif path.is_file():
            checksum = hashlib.md5(path.read_bytes(), usedforsecurity=False)
            stamp = int(path.stat().st_mtime)
            yield f"obj {name} {checksum.hexdigest()} {stamp}\n"


def _size(root: Path, files: Iterable[str]) -> int:
    paths = (root / name.lstrip("/") for name in files)
    return sum(p.stat().st_size for p in paths if p.is_file() and not p.is_symlink())


def _ebuild(values: Mapping[str, str], extra: Mapping[str, str]) -> str:
    names = ("DESCRIPTION", "LICENSE", "SLOT", "KEYWORDS", "IUSE", "RDEPEND")
    lines = [f'{name}="{values[name]}"' for name in names if values[name]]
    lines += [f'{name}="{value}"' for name, value in extra.items()]
    return "EAPI=8\n\n" + "\n".join(lines) + "\n"


def _write_ebuild(
    repository: Path,
    one: Installed,
    values: Mapping[str, str],
    extra: Mapping[str, str],
) -> None:
    """Write an ebuild and its cache entry: reading it then starts no shell."""
    package = one.package
    pf = f"{package.name}-{one.version}"
    text = _ebuild(values, extra)
    ebuild = repository / package.category / package.name / f"{pf}.ebuild"
    ebuild.parent.mkdir(parents=True)
    ebuild.write_text(text)
    cached = {name: value for name, value in values.items() if value}
    cached["_md5_"] = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    entry = repository / "metadata/md5-cache" / package.category / pf
    entry.parent.mkdir(parents=True, exist_ok=True)
    entry.write_text("".join(f"{k}={v}\n" for k, v in sorted(cached.items())))


def _keep_meta(root: Path, installed: Iterable[Installed]) -> None:
    """Keep OpenZFS's META where Gentoo's kernel module package puts it."""
    for one in installed:
        if one.package.atom == "sys-fs/zfs-kmod":
            place = root / f"usr/share/doc/zfs-kmod-{one.version}"
            place.mkdir(parents=True)
            meta = (root / SOURCES / "META").read_bytes()
            (place / "META.bz2").write_bytes(bz2.compress(meta))

"""Portage inside the guest: the program, its configuration, a small repository.

The wheel of the Python package index is Portage built as a module, whose EPREFIX
is Python's own prefix; here it becomes the system's Portage, with none.
"""

import shutil
import zipfile
from pathlib import Path, PurePosixPath

from tests.vm.chroot import Chroot

HERE = Path(__file__).parent
SITE = Path("usr/lib/python3.13/site-packages")
REPOSITORY = Path("var/db/repos/gentoo")
PROFILE = "default/linux/amd64/23.0"
# where the parts of the wheel go that are not Python modules
DATA = {"lib/portage": "usr/lib/portage", "share": "usr/share", "etc": "etc"}


def install(chroot: Chroot, sources: Path) -> list[str]:
    """Install Portage, its configuration and repository; return Portage's files."""
    root = chroot.root
    wheel = next(sources.glob("portage-*.whl"))
    files = _unpack_wheel(wheel, root)
    _make_system_install(root / SITE / "portage")
    # Gentoo's place for modules is not on the path of Debian's interpreter
    path_file = root / "usr/lib/python3/dist-packages/site-packages.pth"
    path_file.write_text(f"/{SITE}\n")
    chroot.run("python3", "-m", "compileall", "-q", f"/{SITE}")
    for name in ("emerge", "portageq", "ebuild", "emaint", "quickpkg", "env-update"):
        (root / "usr/bin" / name).symlink_to(f"../lib/portage/bin/{name}")
    # Portage's programs ask env for it
    (root / "usr/bin/python").symlink_to("python3")
    shutil.copytree(HERE / "repo", root / REPOSITORY)
    _configure(root)
    return files


def _unpack_wheel(wheel: Path, root: Path) -> list[str]:
    """Unpack a wheel into a system's places; return the paths of its files."""
    files: list[str] = []
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            place = _place(PurePosixPath(member.filename))
            if member.is_dir() or place is None:
                continue
            target = root / place
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(member))
            # programs and the shell code they start
            executable = place.parts[:3] == ("usr", "lib", "portage")
            target.chmod(0o755 if executable else 0o644)
            files.append(f"/{place}")
    return files


def _place(member: PurePosixPath) -> Path | None:
    """Return where a file of the wheel goes, None where it is of no use here.

    >>> _place(PurePosixPath("portage/const.py"))
    PosixPath('usr/lib/python3.13/site-packages/portage/const.py')
    >>> _place(PurePosixPath("portage-3.data/data/share/portage/config/make.globals"))
    PosixPath('usr/share/portage/config/make.globals')
    """
    if not member.parts[0].endswith(".data"):
        return SITE / member
    inside = PurePosixPath(*member.parts[2:])
    for prefix, place in DATA.items():
        if inside.is_relative_to(prefix):
            rest = inside.relative_to(prefix)
            return None if "doc" in rest.parts else Path(place) / rest
    return None


def _make_system_install(package: Path) -> None:
    """Fill in the constants that Portage's own build fills in for a system."""
    kind = package / "installation.py"
    kind.write_text(kind.read_text().replace('"MODULE" == ', '"SYSTEM" == '))
    constants = package / "const.py"
    text = constants.read_text()
    for name, value in (
        ("PORTAGE_BASE_PATH", "/usr/lib/portage"),
        ("PORTAGE_BIN_PATH", "/usr/lib/portage/bin"),
    ):
        empty = f'{name} = """"""'
        if empty not in text:
            raise ValueError(f"Portage's const.py has no empty {name} any more")
        text = text.replace(empty, f'{name} = "{value}"')
    constants.write_text(text)


def _configure(root: Path) -> None:
    """Write /etc/portage and make the directories Portage owns."""
    etc = root / "etc/portage"
    profile = etc / "make.profile"
    profile.symlink_to(f"../../{REPOSITORY}/profiles/{PROFILE}")
    for name in ("var/lib/portage", "var/db/pkg", "var/cache/edb", "var/tmp/portage"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("var/lib/portage", "var/cache/edb", "var/tmp/portage"):
        shutil.chown(root / name, 250, 250)
        (root / name).chmod(0o2775)

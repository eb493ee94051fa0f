"""Writes small Gentoo roots: configuration, repositories, installed packages."""

import bz2
import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.portage.gentoo import ARCH, EBUILDS, Ebuild

PROFILE = "default/linux/amd64/23.0"
REPOSITORY = "var/db/repos/gentoo"
LICENCES = ("BSD-2", "CDDL", "GPL-2", "GPL-2+", "GPL-3", "GPL-3+", "MIT")
# what is on by the profile, and what it forbids
PROFILE_USE = ("acl", "nls", "pam", "udev")
PROFILE_MASK = ("kernel-builtin", "selinux")


def write_repository(
    place: Path,
    name: str = "gentoo",
    ebuilds: Iterable[Ebuild] = EBUILDS,
    *,
    cached: bool = True,
    masters: str = "",
) -> None:
    """Write a repository; with the metadata cache that Portage asks first."""
    files = {
        "profiles/repo_name": f"{name}\n",
        "profiles/eapi": "8\n",
        "metadata/layout.conf": f"masters = {masters}\nthin-manifests = true\n"
        "cache-formats = md5-dict\nprofile-formats = portage-2\n",
    }
    categories = set()
    for ebuild in ebuilds:
        text = ebuild.text
        files[str(ebuild.place)] = text
        categories.add(ebuild.cpv.partition("/")[0])
        if cached:
            rows = {"EAPI": "8", "DEFINED_PHASES": "-", **ebuild.metadata}
            rows["_md5_"] = hashlib.md5(text.encode()).hexdigest()
            cache = "".join(f"{key}={value}\n" for key, value in rows.items() if value)
            files[f"metadata/md5-cache/{ebuild.cpv}"] = cache
    if not masters:
        files["profiles/arch.list"] = "amd64\narm64\n"
        files["profiles/categories"] = "".join(f"{c}\n" for c in sorted(categories))
        files["profiles/license_groups"] = f"FREE {' '.join(LICENCES)}\n"
        files |= {f"licenses/{licence}": "words\n" for licence in LICENCES}
    write_files(place, files)
    (place / "eclass").mkdir(exist_ok=True)


def write_profile(repository: Path, profile: str = PROFILE) -> None:
    """Write a profile, as much of it as USE flags and keywords need."""
    write_files(
        repository / "profiles" / profile,
        {
            "eapi": "8\n",
            "make.defaults": f'ARCH="{ARCH}"\nACCEPT_KEYWORDS="{ARCH}"\n'
            f'ACCEPT_LICENSE="@FREE"\nUSE="{" ".join(PROFILE_USE)}"\n'
            'USE_EXPAND="GRUB_PLATFORMS PYTHON_TARGETS"\n'
            'CHOST="x86_64-pc-linux-gnu"\nPYTHON_TARGETS="python3_13"\n'
            'CONFIG_PROTECT="/etc"\n',
            "use.mask": "".join(f"{flag}\n" for flag in PROFILE_MASK),
        },
    )


def write_system(root: Path, *, ebuilds: Iterable[Ebuild] = EBUILDS) -> None:
    """Write a root with a repository, a profile and Portage's own directories."""
    repository = root / REPOSITORY
    write_repository(repository, ebuilds=ebuilds)
    write_profile(repository)
    for name in ("var/cache/edb/dep", "var/db/pkg", "var/lib/portage", "etc/portage"):
        (root / name).mkdir(parents=True, exist_ok=True)
    select_profile(root)


def repositories(root: Path) -> str:
    """Return what PORTAGE_REPOSITORIES says of a root that is not the running one."""
    place = root / REPOSITORY
    return f"[DEFAULT]\nmain-repo = gentoo\n[gentoo]\nlocation = {place}\n"


def select_profile(root: Path, profile: str = PROFILE) -> None:
    """Set the link that eselect sets."""
    link = root / "etc/portage/make.profile"
    link.unlink(missing_ok=True)
    link.symlink_to(f"../../{REPOSITORY}/profiles/{profile}")


def install(root: Path, ebuild: Ebuild, use: Iterable[str] = ()) -> Path:
    """Write what Portage's database keeps of an installed package."""
    place = root / "var/db/pkg" / ebuild.cpv
    write_files(
        place,
        {
            "SLOT": f"{ebuild.slot}\n",
            "repository": "gentoo\n",
            "USE": f"{' '.join(('amd64', 'elibc_glibc', *use))}\n",
            "IUSE": f"{ebuild.iuse}\n",
            "EAPI": "8\n",
            "KEYWORDS": f"{ebuild.keywords}\n",
            "CONTENTS": "",
            "COUNTER": "1\n",
        },
    )
    declared = {"PN": "x"} | ebuild.limits
    text = "".join(f'declare -- {n}="{value}"\n' for n, value in declared.items())
    (place / "environment.bz2").write_bytes(bz2.compress(text.encode()))
    return place


def write_files(place: Path, files: dict[str, str]) -> None:
    """Write files below a place."""
    for name, text in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def remove(path: Path) -> None:
    """Remove a file or a directory."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()

"""A part of Gentoo's repository, completed by names, for `make test-gentoo`.

Other distributions keep parts of ::gentoo. Their eclasses, profiles and most packages
are the real ones, but some of what our ebuilds depend on is missing, and the lint would
find nothing else. Nothing is written to the part: the copy has links into it, ebuilds
without content for the packages that are missing, and licences without words.
"""

import shutil
from pathlib import Path

from tests.overlay.stub import LICENCES, PYTHONS, ebuild_text, packages
from tests.portage.gentoo import package_of
from tests.portage.tree import write_files

COPIED = ("metadata", "profiles")
GROUPS = "profiles/license_groups"


def missing_packages(tree: Path) -> dict[str, str]:
    """Return what our ebuilds need and a repository has not, with what is special."""
    return {
        cpv: more
        for cpv, more in packages(PYTHONS).items()
        if not any((tree / package_of(cpv)).glob("*.ebuild"))
    }


def missing_licences(tree: Path) -> list[str]:
    """Return the licences that are named and not there."""
    lines = (tree / GROUPS).read_text().splitlines()
    words = {
        word
        for line in lines
        if not line.startswith("#")
        for word in line.split()[1:]
        if not word.startswith("@")
    }
    return [
        name
        for name in sorted({*words, *LICENCES})
        if not (tree / "licenses" / name).exists()
    ]


def complete(tree: Path, place: Path) -> tuple[Path, str]:
    """Return the repository if nothing is missing, else a copy that has all names.

    Beside it, what it is to be called.
    """
    lacking, licences = missing_packages(tree), missing_licences(tree)
    if not lacking and not licences:
        return tree, "Gentoo's own repository"
    own = {cpv.partition("/")[0] for cpv in lacking}
    empty = {package_of(cpv) for cpv in lacking}
    place.mkdir()
    for entry in tree.iterdir():
        if entry.name in COPIED:
            shutil.copytree(entry, place / entry.name)
        elif entry.name in {*own, "licenses"}:
            (place / entry.name).mkdir()
            for one in entry.iterdir():
                # a directory without ebuilds is made anew: nothing gets into the part
                if f"{entry.name}/{one.name}" not in empty:
                    (place / entry.name / one.name).symlink_to(one)
        else:
            (place / entry.name).symlink_to(entry)
    categories = place / "profiles/categories"
    known = set(categories.read_text().split())
    files = {
        # where the part lies in another repository it has another name
        "profiles/repo_name": "gentoo\n",
        "profiles/categories": "".join(f"{name}\n" for name in sorted(known | own)),
        **{f"licenses/{name}": "" for name in licences},
    }
    for cpv, more in lacking.items():
        name = cpv.partition("/")[2]
        files[f"{package_of(cpv)}/{name}.ebuild"] = ebuild_text(more)
    write_files(place, files)
    return place, (
        "real eclasses, completed slice of Gentoo's repository "
        f"({len(lacking)} packages and {len(licences)} licences by name only)"
    )

"""A copy of the checkout that is published: a git repository, with a release of it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from overlay import release
from overlay.home import Home, set_home

CHECKOUT = Path(__file__).parents[2]


def git(place: Path, *words: str | Path) -> str:
    """Run git in a directory, without anybody's settings."""
    who = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.org")
    done = subprocess.run(
        ("git", "-C", place, *who, *words),
        env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def commit_all(place: Path) -> None:
    """Make a repository of a directory, or a commit of what has changed in it."""
    if not (place / ".git").exists():
        git(place, "init", "--quiet")
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "--allow-empty", "--message=x")


def copy_checkout(place: Path) -> None:
    """Copy the checkout as it is now, uncommitted files included."""
    names = git(CHECKOUT, "ls-files", "-z", "-co", "--exclude-standard").split("\0")
    for name in filter(None, names):
        # what was deleted and not yet committed is still listed
        if (CHECKOUT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, place / name)


def allow_python(work: Path, minor: int) -> None:
    """Let the ebuilds be built for a Python that has left Gentoo, where need be."""
    for path in work.glob("*-*/*/*.ebuild"):
        text = path.read_text()
        oldest = re.search(r"python3_{(\d+)\.\.", text)
        if oldest and minor < int(oldest[1]):
            path.write_text(text.replace(oldest[0], f"python3_{{{minor}.."))


def publish(
    work: Path, distfiles: Path, uri: str, python: int = sys.version_info.minor
) -> None:
    """Copy the checkout, as if it lived at an address; write its release tarball.

    `python` is the minor version of the Python that it is going to be built for.
    """
    copy_checkout(work)
    set_home(Home(uri, "nobody@example.org"), work)
    allow_python(work, python)
    commit_all(work)
    name, content = release.tarball(work, "HEAD")
    distfiles.mkdir(parents=True, exist_ok=True)
    (distfiles / name).write_bytes(content)
    release.write_manifest(work, release.manifest_line(name, content))
    commit_all(work)

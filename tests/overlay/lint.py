"""Stub lint: pkgcheck over a copy of this repository, its master written by us.

The copy is because pkgcheck writes a metadata cache, whose checksums of our stand-ins
for Gentoo's eclasses must never get into the repository.
"""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.overlay.stub import PROFILE, write_master
from tests.portage.pythons import environment
from tests.portage.tree import write_files

# the newest that runs with a bash before 5.3
PKGCHECK = "0.10.37"
CHECKOUT = Path(__file__).parents[2]
CATEGORIES = ("app-admin", "sys-devel", "sys-fs", "sys-kernel")
# what lies beside the categories, here as names only
OTHERS = ("completions", "docs", "overlay", "python", "tests")


@dataclass(frozen=True)
class Lint:
    """A copy of the repository that may be changed, and what pkgcheck says of it."""

    place: Path

    @property
    def copy(self) -> Path:
        """Where the copy lies."""
        return self.place / "zfs"

    def run(self) -> subprocess.CompletedProcess[str]:
        """Run pkgcheck as a person would; status 1 where it found an error."""
        return self._scan("--exit", "error")

    def found(self, *words: str) -> set[tuple[str, str]]:
        """Return the kinds of findings of any level, each with its package."""
        done = self._scan("--reporter", "JsonStream", *words)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 0, done.stderr
        return {(row["__class__"], row.get("package", "")) for row in rows}

    def _scan(self, *words: str) -> subprocess.CompletedProcess[str]:
        # pkgcore looks for etc/portage above its environment, and nowhere else
        python = self.place / "venv/bin/python"
        script = self.place / "venv/bin/pkgcheck"
        cache = self.place / "cache"
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.place),
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
        }
        return subprocess.run(
            (python, script, "scan", "--cache-dir", cache, *words),
            cwd=self.copy,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )


def prepare(place: Path, master: Path | None = None) -> Lint:
    """Copy the repository, and write Portage's configuration.

    Without a master, the small one is written.
    """
    lint = Lint(place)
    (place / "venv").symlink_to(environment("pkgcheck", PKGCHECK))
    if master is None:
        master = place / "gentoo"
        write_master(master)
    for name in (*CATEGORIES, "metadata", "profiles"):
        shutil.copytree(
            CHECKOUT / name,
            lint.copy / name,
            ignore=shutil.ignore_patterns("md5-cache"),
        )
    for name in OTHERS:
        (lint.copy / name / "within").mkdir(parents=True)
    write_files(
        place / "etc/portage",
        {
            "repos.conf": f"[DEFAULT]\nmain-repo = gentoo\n"
            f"[gentoo]\nlocation = {master}\n"
            f"[zfs]\nlocation = {lint.copy}\n",
            "make.conf": "",
        },
    )
    (place / "etc/portage/make.profile").symlink_to(master / "profiles" / PROFILE)
    return lint

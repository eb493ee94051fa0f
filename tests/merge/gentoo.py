"""Finds Gentoo's own repository, for `make test-gentoo`.

Nothing is written to it: tests read it in place.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

USUAL = Path("/var/db/repos/gentoo")
ECLASS = "eclass/distutils-r1.eclass"


def given() -> Path | None:
    """Return the repository that GENTOO_REPO names, if any."""
    named = os.environ.get("GENTOO_REPO")
    return Path(named).resolve() if named else None


def find() -> Path | None:
    """Return the repository that was named, else this machine's, else none."""
    named = given()
    if named:
        return named
    if shutil.which("portageq"):
        argv = ("portageq", "get_repo_path", "/", "gentoo")
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip():
            return Path(done.stdout.strip())
    return USUAL if USUAL.is_dir() else None


def main() -> int:
    """Print it."""
    found = find()
    if found is None:
        sys.stderr.write("no Gentoo repository here; GENTOO_REPO=DIR names one\n")
        return 1
    if not (found / ECLASS).is_file():
        sys.stderr.write(f"{found} is no Gentoo repository: it has no {ECLASS}\n")
        return 1
    sys.stdout.write(f"{found}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

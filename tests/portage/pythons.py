"""Environments with Portage or pkgcheck, from the package index, kept between runs.

Guarantee: an environment with its final name is complete, as it is renamed into place.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.vm.cache import default_directory
from tests.vm.process import BuildError

# the newest, and the last one before gentoolkit stopped working with it
VERSIONS = ("3.0.83", "3.0.69.1")


def python_with_portage(version: str) -> Path:
    """Return the interpreter of an environment that has this Portage."""
    return environment("portage", version) / "bin/python"


def environment(package: str, version: str) -> Path:
    """Return an environment that has this version of a package."""
    above = default_directory()
    above.mkdir(parents=True, exist_ok=True)
    # not by the environment that asks: several checkouts share these
    key = hashlib.sha256(f"{sys.version}\0{sys.base_prefix}\0{version}".encode())
    name = f"{package}-{version}"
    place = above / f"{name}-{key.hexdigest()[:16]}"
    with (above / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            # what was left by one that was killed
            for old in above.glob(f"{name}-{'?' * 8}"):
                shutil.rmtree(old)
            work = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=above))
            _build(work, f"{package}=={version}")
            work.rename(place)
    return place


def _build(place: Path, requirement: str) -> None:
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    _run(sys.executable, "-m", "venv", "--without-pip", str(place))
    _run(*pip, "--python", str(place / "bin/python"), "install", requirement)


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{' '.join(argv)} failed:\n{done.stdout}{done.stderr}")

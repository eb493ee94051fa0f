"""What guests are shown beside their disks."""

import shutil
from pathlib import Path

from tests.vm import stages
from tests.vm.cache import Cache, default_directory
from tests.vm.scenario.lab import CHECKOUT

FILES = ("manifest.py", "reference-migration.sh", "writer.py")


# what a guest runs of the tests of the copy
PASSES = (
    *("tests/__init__.py", "tests/vm/__init__.py", "tests/vm/manifest.py"),
    *("tests/vm/torture.py", "tests/copy/*.py", "tests/copy/changes/*.py"),
)


def place_passes(share: Path) -> None:
    """Put the torture tree, what changes it and what judges it there as well."""
    for pattern in PASSES:
        for file in CHECKOUT.glob(pattern):
            target = share / file.relative_to(CHECKOUT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)


def place_systemd(share: Path) -> None:
    """Put systemd there, which building the guest has fetched."""
    packages = stages.artefacts(Cache(default_directory()))["systemd"]
    shutil.copy(packages, share / "systemd.tar")


def place_files(share: Path) -> None:
    """Put all that guests need into the directory that they are shown."""
    for name in FILES:
        shutil.copy(CHECKOUT / "tests/vm" / name, share / name)

"""What guests are shown beside their disks."""

import shutil
from pathlib import Path

from tests.vm.scenario.lab import CHECKOUT

FILES = ("manifest.py", "reference-migration.sh", "writer.py")


def place_files(share: Path) -> None:
    """Put all that guests need into the directory that they are shown."""
    for name in FILES:
        shutil.copy(CHECKOUT / "tests/vm" / name, share / name)

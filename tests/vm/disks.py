"""Disk files for guests: blank ones, and copies of others."""

import shutil
import subprocess
from pathlib import Path

from tests.vm.qemu import Disk

GIB = 1024**3


def blank_disk(file: Path, size_bytes: int, serial: str) -> Disk:
    """Make an empty disk; it takes no room until it is written to."""
    with file.open("wb") as stream:
        stream.truncate(size_bytes)
    return Disk(file, serial)


def copy_disk(source: Path, file: Path, serial: str) -> Disk:
    """Copy a disk with its holes; shutil would fill them."""
    command = ["cp", "--sparse=always", "--reflink=auto"]
    subprocess.run([*command, str(source), str(file)], check=True)
    shutil.copymode(source, file)
    return Disk(file, serial)

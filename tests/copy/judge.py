"""Says in what two trees differ; shares no code with the engine."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.vm import manifest

# flags that all file systems of the tests have
FLAGS = "iadA"
# made by mke2fs, and by no copier
LOST_FOUND = b"lost+found"
SHOWN = 30


def scan(root: Path, *excluded: bytes, flags: str = FLAGS) -> list[manifest.Entry]:
    """Write down a tree."""
    left_out = frozenset((*excluded, LOST_FOUND))
    return list(manifest.Scan(left_out, flags=flags).run(root))


def differences(
    source: Path,
    destination: Path,
    *excluded: bytes,
    flags: str = FLAGS,
    ignore: Iterable[str] = (),
) -> list[str]:
    """Return what differs, a line each, and not too many."""
    before = scan(source, *excluded, flags=flags)
    after = scan(destination, *excluded, flags=flags)
    found = [str(one) for one in manifest.compare(before, after, ignore=ignore)]
    return found[:SHOWN]


def pretenders(source: Path, destination: Path) -> list[bytes]:
    """Return files that look finished by size and time, and are not.

    What a broken pass leaves behind may be missing or unfinished, but whoever compares
    by size and time must see that.
    """
    wanted = {manifest.entry_path(one): one for one in scan(source)}
    found: list[bytes] = []
    for entry in scan(destination):
        path = manifest.entry_path(entry)
        other = wanted.get(path, {})
        alike = all(entry.get(name) == other.get(name) for name in ("size", "mtime_ns"))
        whole = entry.get("sha256") == other.get("sha256")
        if other.get("type") == entry.get("type") == "file" and alike and not whole:
            found.append(path)
    return found


def touched(root: Path) -> dict[bytes, bytes]:
    """Return when each name was last changed, by the kernel's own account."""
    command = ["find", str(root), "-printf", r"%P\0%C@\0"]
    said = subprocess.run(command, capture_output=True, check=True).stdout
    fields = said.split(b"\0")
    return dict(zip(fields[::2], fields[1::2], strict=False))

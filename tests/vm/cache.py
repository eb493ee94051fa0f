"""Finished artefacts, kept outside the checkout under names that say what they hold.

Guarantee: an artefact with its final name is complete (it is renamed into place),
belongs to the key in its name, and is made by one builder at a time.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.vm.process import BuildError, mounts_below


def default_directory() -> Path:
    """Return the cache of this project."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "zfs-root-migrate"


def digest(root: Path, files: Iterable[Path], *words: str) -> str:
    """Return the key of what is made from these files below root, and words."""
    hasher = hashlib.sha256()
    for word in words:
        hasher.update(word.encode() + b"\0")
    for file in sorted(files):
        content = file.read_bytes()
        name = file.relative_to(root)
        hasher.update(f"{name}\0{len(content)}\0".encode())
        hasher.update(content)
    return hasher.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Cache:
    """The directory of artefacts, logs and earlier builds' durations."""

    directory: Path

    def path(self, stage: str, key: str, suffix: str) -> Path:
        """Return where the artefact of a stage lies or will lie."""
        return self.directory / f"{stage}-{key}{suffix}"

    def log(self, stage: str) -> Path:
        """Return the log of a stage's latest build."""
        return self.directory / f"{stage}.log"

    @contextmanager
    def lock(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Keep other builders out; wait for the one that is at work."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "lock").open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                tell("guest: waiting for another build that uses the same cache")
                fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    @contextmanager
    def workspace(self, stage: str) -> Iterator[Path]:
        """Give a stage an empty directory, gone afterwards."""
        work = self.directory / f"{stage}.work"
        _remove_tree(work)
        work.mkdir(parents=True)
        try:
            yield work
        finally:
            _remove_tree(work)

    def clear_leftovers(self) -> None:
        """Remove what a builder that was killed has left; needs the lock."""
        for part in self.directory.glob("*.part"):
            remove(part)
        for work in self.directory.glob("*.work"):
            _remove_tree(work)

    def prune(self, stage: str, keep: Path) -> None:
        """Remove the artefacts of a stage that a newer one has replaced."""
        for file in self.directory.glob(f"{stage}-????????????????.*"):
            if file != keep:
                remove(file)

    def durations(self) -> dict[str, float]:
        """Return how many seconds each stage took when it was last built."""
        try:
            found = json.loads(self._durations_file.read_text())
            return {str(stage): float(seconds) for stage, seconds in found.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def record(self, stage: str, seconds: float) -> None:
        """Remember how long a stage took."""
        known = self.durations() | {stage: round(seconds, 1)}
        part = self._durations_file.with_suffix(".part")
        part.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
        part.replace(self._durations_file)

    @property
    def _durations_file(self) -> Path:
        return self.directory / "durations.json"


def remove(path: Path) -> None:
    """Remove an artefact, which is a file or a directory, where it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _remove_tree(path: Path) -> None:
    """Remove a work directory, never anything mounted into it."""
    for point in mounts_below(path):
        subprocess.run(["umount", "--lazy", point], stdin=subprocess.DEVNULL)
    if mounts_below(path):
        raise BuildError(f"{path} still has mounts: {', '.join(mounts_below(path))}")
    if path.exists():
        shutil.rmtree(path)

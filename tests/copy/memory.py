"""Measures how much memory a pass takes, for so many files.

    python -m tests.copy.memory [FILES ...]

Proportional set size of all processes of the engine together, the highest of samples:
a page that workers share with each other counts once.
"""

import argparse
import os
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

from tests.copy import volumes
from tests.copy.engine import A_LONG_TIME_S, Engine, Pass, Running
from tests.copy.volumes import MIB, volume

EVERY_S = 0.05
PER_DIRECTORY = 1000
# a name, an inode and the page that an entry takes in a file system in memory
ROOM_PER_FILE = 2048
MILLION = 1_000_000


@dataclass
class Peak:
    """Looks at a pass again and again, until it ends."""

    running: Running
    bytes: int = 0
    processes: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)

    def end(self) -> Pass:
        """Wait for the pass while looking at it."""
        thread = threading.Thread(target=self._look)
        thread.start()
        try:
            return self.running.end(hangs_s=A_LONG_TIME_S)
        finally:
            self._ended.set()
            thread.join()

    def _look(self) -> None:
        while not self._ended.wait(EVERY_S):
            sizes = [proportional_bytes(number) for number in self.running.members()]
            self.bytes = max(self.bytes, sum(sizes))
            self.processes = max(self.processes, len(sizes))


def proportional_bytes(process: int) -> int:
    """Return the proportional set size of a process, 0 if it has just ended."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def build(root: Path, files: int, *, linked: bool = False) -> None:
    """Make empty files, a thousand in each directory; `linked`: two names for each."""
    for number in range(0, files, PER_DIRECTORY):
        place = root / f"{number // PER_DIRECTORY % 50}/{number}"
        place.mkdir(parents=True)
        folder = os.open(place, os.O_RDONLY)
        for name in range(min(PER_DIRECTORY, files - number)):
            if linked and name % 2:
                first, second = f"name-{name - 1}", f"name-{name}"
                os.link(first, second, src_dir_fd=folder, dst_dir_fd=folder)
            else:
                flags = os.O_CREAT | os.O_WRONLY
                os.close(os.open(f"name-{name}", flags, dir_fd=folder))
        os.close(folder)


def peak_of(engine: Engine) -> Peak:
    """Make a pass; return what it took."""
    peak = Peak(engine.start())
    done = peak.end()
    if done.status:
        raise SystemExit(f"status {done.status}: {done.complaints}")
    return peak


def main() -> int:
    """Print a row for each number of files."""
    parser = argparse.ArgumentParser(prog="python -m tests.copy.memory")
    parser.add_argument("files", type=int, nargs="*", default=[1000, MILLION])
    parser.add_argument("--linked", action="store_true", help="two names for each file")
    options = parser.parse_args()
    volumes.seclude()
    base = Path(tempfile.mkdtemp(prefix="copy-memory-"))
    for number, files in enumerate(options.files):
        size = 64 * MIB + files * ROOM_PER_FILE
        with (
            volume("tmpfs", base, f"old-{number}", size) as old,
            volume("tmpfs", base, f"new-{number}", size) as new,
        ):
            build(old.path, files, linked=options.linked)
            engine = Engine(old.path, new.path, base / f"state-{number}")
            for what in ("first pass", "nothing new"):
                peak = peak_of(engine)
                sys.stdout.write(
                    f"{files:>9} files, {what}: {peak.bytes / MIB:7.1f} MiB "
                    f"in {peak.processes} processes\n"
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())

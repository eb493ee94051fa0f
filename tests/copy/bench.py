"""Times the engine against rsync, in turns, on trees like a system's.

    python -m tests.copy.bench [--quick] [--rounds N] [--jobs N]
                               [--rows NAME ... | --pool POOL]

Each round makes both engines copy the same tree to fresh file systems: first pass,
nothing changed, one file in a hundred changed. Warm: source in the cache, destination
in memory. Cold: both on disk images, unmounted and mounted before each pass. With a
pool: warm, the destinations are datasets of it. The destination's sync is part of the
time. A pass that fails has no time, it ends the benchmark. After the last pass both
copies are compared with the source.

Status 1: a row in which the engine was slower than rsync, or a tree that differs.
"""

import argparse
import ctypes
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from statistics import median

from tests.copy import bench_trees, judge, volumes
from tests.copy.bench_trees import Shape
from tests.copy.engine import A_LONG_TIME_S, Engine, Running
from tests.copy.volumes import MIB, Volume, volume

BASELINE = ("rsync", "-aHAXSx", "--numeric-ids", "--delete")
ENGINE, RSYNC = "engine", "rsync"
FIRST, NOTHING, CHANGED = "first", "nothing changed", "1 % changed"
WARM, COLD, SPARSE = "warm", "cold", "sparse"
ZFS, ZFS_SPARSE = "to ZFS", "to ZFS, sparse"
# what each of them copies to
PLACES = {WARM: "tmpfs", COLD: "ext4", SPARSE: "tmpfs", ZFS: "zfs", ZFS_SPARSE: "zfs"}
# how many times as fast as rsync a row is to be
AIMS = {
    (WARM, FIRST): 3.2,
    (COLD, FIRST): 1.4,
    (WARM, NOTHING): 3.0,
    (COLD, NOTHING): 3.0,
    (WARM, CHANGED): 3.0,
    (COLD, CHANGED): 3.0,
    (SPARSE, FIRST): 50.0,
    # nearly all of the time is ZFS's own there: not slower
    **dict.fromkeys(product((ZFS,), (FIRST, NOTHING, CHANGED)), 1.0),
    (ZFS_SPARSE, FIRST): 1.0,
}
SEED = 20110801
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Time:
    """What a pass took, with the sync after it."""

    wall_s: float
    cpu_s: float


@dataclass
class Times:
    """All times of a row, by engine, in the order of the rounds."""

    engine: list[Time] = field(default_factory=list)
    rsync: list[Time] = field(default_factory=list)

    def ratios(self, what: str) -> list[float]:
        """Return rsync's time by the engine's, round by round.

        >>> Times([Time(1, 2)], [Time(3, 8)]).ratios("cpu_s")
        [4.0]
        """
        return [
            getattr(theirs, what) / getattr(ours, what)
            for ours, theirs in zip(self.engine, self.rsync, strict=True)
        ]


@dataclass
class Bench:
    """One run of the benchmark."""

    base: Path
    shape: Shape
    jobs: int | None
    pool: str | None = None
    rows: dict[Key, Times] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    def sparse(self, kind: str, rounds: int) -> None:
        """Time the first pass over large files that are nearly all holes."""
        with self._source("sparse", 512 * MIB) as source:
            bench_trees.build_sparse(source.path, self.shape, SEED)
            for number in range(rounds):
                self._round(kind, source, number, passes=(FIRST,))

    def tree(self, kinds: Sequence[str], rounds: int) -> None:
        """Time the three passes over the tree, in each of the ways."""
        with self._source("source", self.shape.room) as source:
            bench_trees.build(source.path / "tree", self.shape, SEED)
            os.sync()
            for number in range(rounds):
                for kind in kinds:
                    passes = (FIRST, NOTHING, CHANGED)
                    self._round(kind, source, number, passes=passes)

    def _round(
        self, kind: str, source: Volume, number: int, *, passes: Sequence[str]
    ) -> None:
        # who is first changes from round to round
        names = (ENGINE, RSYNC) if number % 2 == 0 else (RSYNC, ENGINE)
        with ExitStack() as mounted:
            new = {
                name: mounted.enter_context(self._new(PLACES[kind], name))
                for name in names
            }
            unseen: frozenset[bytes] = frozenset()
            for what in passes:
                if what == CHANGED:
                    # rsync, as it is called here, knows times by the second only: of
                    # what changed before, of the changes, and of what it writes itself
                    time.sleep(1)
                    unseen = bench_trees.change(source.path / "tree", number)
                    os.sync()
                    time.sleep(1)
                for name in names:
                    self._prepare(kind, source, new[name])
                    if what == FIRST and PLACES[kind] == "tmpfs":
                        _touch(source.path, new[name].path)
                    took = self._pass(name, source, new[name])
                    row = self.rows.setdefault((kind, what), Times())
                    getattr(row, name).append(took)
                    _say(f"{number + 1} {kind}, {what}: {name} {took.wall_s:.2f} s")
            (self.base / "state").unlink(missing_ok=True)
            _say("comparing")
            self._judge(source.path, new, unseen)

    def _source(self, name: str, size: int) -> AbstractContextManager[Volume]:
        if self.pool is not None:
            # where ZFS is, in a guest, there need not be loop devices
            return volumes.folder(self.base, name)
        return volume("ext4", self.base, name, size)

    def _new(self, where: str, name: str) -> AbstractContextManager[Volume]:
        if where == "zfs":
            assert self.pool is not None
            return volumes.dataset(self.pool, self.base, name)
        return volume(where, self.base, name, self.shape.room)

    def _prepare(self, kind: str, source: Volume, new: Volume) -> None:
        if kind == COLD:
            source.again()
            new.again()
        else:
            _read_all(source.path)

    def _pass(self, name: str, source: Volume, new: Volume) -> Time:
        jobs = () if self.jobs is None else ("--jobs", str(self.jobs))
        engine = Engine(source.path, new.path, self.base / "state", jobs)
        argv = engine.argv()
        if name == RSYNC:
            argv = [*BASELINE, f"{source.path}/", f"{new.path}/"]
        running = Running.begin(argv)
        done = running.end(after=lambda: _sync(new.path), hangs_s=A_LONG_TIME_S)
        if done.status:
            raise SystemExit(f"{name}: status {done.status}: {done.complaints}")
        return Time(done.wall_s, done.cpu_s)

    def _judge(
        self, source: Path, new: dict[str, Volume], unseen: frozenset[bytes]
    ) -> None:
        """Compare the copies; what rsync cannot see is left out for rsync only."""
        for name, made in new.items():
            left_out = () if name == ENGINE else [b"tree/" + path for path in unseen]
            found = judge.differences(source, made.path, *left_out)
            self.differences += [f"{name}: {line}" for line in found]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if ctypes.CDLL(None).syncfs(descriptor):
            raise OSError(f"syncfs {path}")
    finally:
        os.close(descriptor)


def _touch(source: Path, new: Path) -> None:
    """Fill as much of a destination in memory as will be used, and free it again.

    A virtual machine has to be given memory that it has not used for a while, page by
    page: whoever came first to such memory took twice as long.
    """
    file = new / "touch"
    found = os.statvfs(source)
    with file.open("wb", buffering=0) as stream:
        for _ in range((found.f_blocks - found.f_bfree) * found.f_frsize // MIB):
            stream.write(bytes(MIB))
    file.unlink()


def _read_all(top: Path) -> None:
    """Have everything in the cache, but not what holes would be."""
    for folder, _, names in os.walk(top):
        for name in names:
            path = Path(folder, name)
            status = path.lstat()
            is_dense = status.st_blocks * 512 >= status.st_size // 2
            if path.is_file() and not path.is_symlink() and is_dense:
                path.read_bytes()


def _say(text: str) -> None:
    sys.stderr.write(f"{text}, load {os.getloadavg()[0]:.1f}\n")


def table(rows: dict[Key, Times]) -> list[str]:
    """Return the table, a line each.

    >>> rows = {("warm", "first"): Times([Time(1, 1)], [Time(4, 3)])}
    >>> table(rows)[2].split("|")[1:6:4]
    [' warm, first ', ' 4.0 (4.0-4.0) ']
    """
    lines = [
        "| pass | n | engine, s | rsync, s | ratio | of processor time | aim |",
        "|---|---|---|---|---|---|---|",
    ]
    for (kind, what), times in rows.items():
        cells = (
            f"{kind}, {what}",
            str(len(times.engine)),
            _spread([one.wall_s for one in times.engine], 2),
            _spread([one.wall_s for one in times.rsync], 2),
            _spread(times.ratios("wall_s"), 1),
            f"{median(times.ratios('cpu_s')):.1f}",
            str(AIMS[kind, what]),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _spread(numbers: list[float], digits: int) -> str:
    middle, least, most = median(numbers), min(numbers), max(numbers)
    return f"{middle:.{digits}f} ({least:.{digits}f}-{most:.{digits}f})"


def verdicts(rows: dict[Key, Times]) -> list[str]:
    """Name the rows that miss their aim.

    >>> verdicts({("warm", "first"): Times([Time(2, 1)], [Time(1, 1)])})
    ['warm, first: SLOWER than rsync, 0.50']
    """
    found: list[str] = []
    for (kind, what), times in rows.items():
        ratio = median(times.ratios("wall_s"))
        if ratio < 1:
            found.append(f"{kind}, {what}: SLOWER than rsync, {ratio:.2f}")
        elif ratio < AIMS[kind, what]:
            found.append(f"{kind}, {what}: below its aim, {ratio:.2f}")
    return found


def _conditions() -> str:
    model = next(
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    )
    return (
        f"{os.cpu_count()} x {model}, Linux {platform.release()}, "
        f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the table, and say whether the engine was ever slower."""
    parser = argparse.ArgumentParser(prog="python -m tests.copy.bench")
    parser.add_argument("--quick", action="store_true", help="a small tree, one round")
    parser.add_argument("--rounds", type=int, help="5, or 1 if it is to be quick")
    parser.add_argument("--jobs", type=int, help="workers; the engine's own choice")
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument(
        "--rows", nargs="+", choices=(WARM, COLD, SPARSE), default=[WARM, COLD, SPARSE]
    )
    ways.add_argument("--pool", help="one with room for all: the way of ZFS only")
    options = parser.parse_args(arguments)
    rounds = options.rounds or (1 if options.quick else 5)
    shape = bench_trees.QUARTER if options.pool else bench_trees.MIDDLE
    if options.quick:
        shape = bench_trees.SMALL
    volumes.seclude()
    with tempfile.TemporaryDirectory(prefix="bench-copy-") as base:
        bench = Bench(Path(base), shape, options.jobs, options.pool)
        rows = [ZFS, ZFS_SPARSE] if options.pool else options.rows
        kinds = [kind for kind in (WARM, COLD, ZFS) if kind in rows]
        if kinds:
            bench.tree(kinds, rounds)
        for kind in (SPARSE, ZFS_SPARSE):
            if kind in rows:
                bench.sparse(kind, rounds)
    misses = verdicts(bench.rows)
    said = [_conditions(), *table(bench.rows), *misses, *bench.differences]
    sys.stdout.write("\n".join(said) + "\n")
    return int(bool(bench.differences) or any("SLOWER" in miss for miss in misses))


if __name__ == "__main__":
    sys.exit(main())

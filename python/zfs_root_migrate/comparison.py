"""Compares two trees by reading both, sharing nothing with the copier. Read-only.

What is compared, `comparison_walk` says. Large trees are walked by several processes:
to read back what was copied takes about as long as to copy it, and as many processors.
"""

import mmap
import os
import pickle
import selectors
import signal
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from zfs_root_migrate import runner
from zfs_root_migrate.comparison_files import changed_at
from zfs_root_migrate.comparison_walk import (
    UNLIKE_LINKS,
    Findings,
    Found,
    Inode,
    Terms,
    Walk,
)
from zfs_root_migrate.errors import StepFailedError
from zfs_root_migrate.step import CopyTree

if TYPE_CHECKING:
    from zfs_root_migrate.world import Progress

# file systems stamp with the time of the last timer tick, and clocks are set
SLACK = 2.0
# a tree with fewer files is done before other processes have begun
SEVERAL = 1000
MOST_JOBS = 8
# seconds between two looks at how far the others are
LOOK = 0.2
_SOFAR = struct.Struct("QQ")
_MANIFEST_BITS = 256


class Comparison(Findings):
    """What a comparison found."""

    @property
    def manifest(self) -> str:
        """Return one number for all that was compared but the content."""
        return f"{self.names % 2**_MANIFEST_BITS:0{_MANIFEST_BITS // 4}x}"

    def summary(self) -> str:
        """Return one line for people."""
        return (
            f"{self.files} files and {self.bytes} bytes compared, "
            f"{len(self.differences)} differ, {len(self.changed_since)} were changed "
            "on the running system since they were copied"
        )

    def report(self) -> str:
        """Return the whole list."""
        lines = [self.summary()]
        lines += [f"differs: {difference}" for difference in self.differences]
        lines += [f"changed since: {path!r}" for path in self.changed_since]
        return "\n".join(lines) + "\n"


def default_jobs() -> int:
    """Return how many processes compare a large tree: one for each processor, to 8."""
    return min(MOST_JOBS, len(os.sched_getaffinity(0)))


def compare_all(
    pairs: tuple[CopyTree, ...],
    *,
    since: float,
    progress: "Progress",
    contents_since: float = 0.0,
    jobs: int = 1,
) -> Comparison:
    """Compare each pair; `since` is the Unix time at which the last copy began.

    Files with an inode that was not changed since `contents_since` are not read. Trees
    of SEVERAL files and more are shared by `jobs` processes.
    """
    result = Comparison()
    terms = Terms(since=since - SLACK, contents_since=contents_since - SLACK)
    for tree in pairs:
        progress.tree_begins(tree)
        compare = _alone if jobs == 1 or tree.files < SEVERAL else _together
        for found in compare(tree, terms, progress, jobs):
            result.add(found)
    result.differences.sort(key=lambda difference: difference.path)
    result.changed_since.sort()
    return result


def _alone(
    tree: CopyTree, terms: Terms, progress: "Progress", _jobs: int
) -> list[Found]:
    """Compare one tree in this process."""

    def tick(found: Found) -> None:
        progress.advance(bytes_done=found.bytes, files_done=found.files)

    walk = Walk(tree, terms, tick)
    walk.compare()
    return [walk.found]


def _together(
    tree: CopyTree, terms: Terms, progress: "Progress", jobs: int
) -> list[Found]:
    """Compare one tree in several processes; return what each has found."""
    sofar = mmap.mmap(-1, jobs * _SOFAR.size)

    def compare(number: int) -> bytes:
        def tick(found: Found) -> None:
            _SOFAR.pack_into(sofar, number * _SOFAR.size, found.bytes, found.files)

        walk = Walk(tree, terms, tick, number=number, shares=jobs)
        try:
            walk.compare()
        except StepFailedError as error:
            return pickle.dumps((error.brief, error.details, error.resolution))
        return pickle.dumps(walk.found)

    def look() -> None:
        sizes, files = zip(*_SOFAR.iter_unpack(sofar), strict=True)
        progress.advance(bytes_done=sum(sizes), files_done=sum(files))

    with sofar:
        answers = [pickle.loads(data) for data in _processes(jobs, compare, look)]
    found = []
    for answer in answers:
        if not isinstance(answer, Found):
            brief, details, resolution = answer
            raise StepFailedError(brief, details=details, resolution=resolution)
        found.append(answer)
    return [*found, _links_between(tree, terms, found)]


def _links_between(tree: CopyTree, terms: Terms, shares: list[Found]) -> Found:
    """Return what differs in links that no process has seen both ends of."""
    walk = Walk(tree, terms, lambda _: None)
    groups: dict[Inode, Inode] = {}
    origins: dict[Inode, Inode] = {}
    for share in shares:
        for old, (new, path) in share.groups.items():
            known = groups.setdefault(old, new), origins.setdefault(new, old)
            if known != (new, old):
                walk.differs(path, UNLIKE_LINKS, changed_at(tree.source, path))
    return walk.found


def _processes(
    jobs: int, work: Callable[[int], bytes], look: Callable[[], None]
) -> list[bytes]:
    """Have each piece done by a process of its own; return what they answer."""
    answers = [b""] * jobs
    pids: list[int] = []
    with selectors.DefaultSelector() as selector:
        try:
            for number in range(jobs):
                back, pid = _start(number, work)
                pids.append(pid)
                selector.register(back, selectors.EVENT_READ, number)
            while selector.get_map():
                for key, _ in selector.select(LOOK):
                    data = os.read(key.fd, 1 << 20)
                    answers[key.data] += data
                    if not data:
                        selector.unregister(key.fd)
                        os.close(key.fd)
                look()
        finally:
            for key in list(selector.get_map().values()):
                os.close(key.fd)
            _end(pids)
    if b"" in answers:
        raise StepFailedError(
            "one of the processes that compare has ended without an answer",
            resolution="look at dmesg: if the kernel killed it for want of memory, "
            "close other programs, and type the same command again",
        )
    return answers


def _start(number: int, work: Callable[[int], bytes]) -> tuple[int, int]:
    back, out = os.pipe()

    def answer() -> None:
        # Ctrl-C is for the one that waits for this
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        left = memoryview(work(number))
        while left:
            left = left[os.write(out, left) :]

    pid = runner.fork(answer)
    os.close(out)
    return back, pid


def _end(pids: list[int]) -> None:
    """Wait for all; those that are still at work are not wanted any more."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for pid in pids:
        os.waitpid(pid, 0)

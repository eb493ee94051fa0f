"""A worker: takes work from the crew, does it, and tells what came of it."""

import hashlib
import marshal
import mmap
import os
import signal
import time
from collections.abc import Iterable, Sequence
from typing import Any

from zfs_root_migrate.copy.folder import Folders
from zfs_root_migrate.copy.links import Group, Linker
from zfs_root_migrate.copy.names import Names
from zfs_root_migrate.copy.order import Tally
from zfs_root_migrate.copy.problems import GONE, StoppedError
from zfs_root_migrate.copy.sides import Found, Sides, Task, open_directory
from zfs_root_migrate.copy.writer import Writer

# bytes of the page that all processes share
STOP, HUNGRY = 0, 1
# seconds between two reports
EVERY = 0.2
# kinds of work
VISIT, LINK, FINISH, VERIFY = range(4)
# kinds of reports
WORKING, IDLE, FAILED, STOPPED = range(4)
_CHUNK = 1 << 20
_LENGTH = 4


def send(pipe: int, message: tuple[Any, ...]) -> None:
    """Write a message whole."""
    data = marshal.dumps(message)
    left = memoryview(len(data).to_bytes(_LENGTH, "little") + data)
    while left:
        left = left[os.write(pipe, left) :]


def receive(pipe: int) -> tuple[Any, ...] | None:
    """Read a message whole; None where the other side has ended."""
    head = _read(pipe, _LENGTH)
    if head is None:
        return None
    data = _read(pipe, int.from_bytes(head, "little"))
    return None if data is None else tuple(marshal.loads(data))


def _read(pipe: int, size: int) -> bytes | None:
    parts = []
    while size:
        part = os.read(pipe, size)
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


class Worker:
    """One process of a crew."""

    def __init__(
        self, sides: Sides, shared: mmap.mmap, ins: int, out: int, *, verify: bool
    ) -> None:
        """Get ready; both trees are open already."""
        self._shared = shared
        self._in, self._out = ins, out
        self._tally = Tally()
        self._writer: Writer | None = None
        if sides.ledger is not None:
            self._writer = sides.ledger.append()
        self._names = names = Names(sides, self._tally, self._tick)
        names.remembers_copies = verify
        self._folders = Folders(sides, self._tally, self._writer, names, self._tick)
        self._linker = Linker(sides, names)
        self._sides = sides
        self._told = time.monotonic()
        self._stack: list[Task] = []
        self._made: list[Any] = []

    def work(self) -> None:
        """Do what comes in until the other side ends."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # of the lease on a file, which is given back already
        signal.signal(signal.SIGIO, signal.SIG_IGN)
        os.umask(0)
        try:
            self._tell(IDLE)
            while (message := receive(self._in)) is not None:
                self._do(*message)
                self._tell(IDLE)
        except StoppedError:
            self._tell(STOPPED)
        except BrokenPipeError:
            # the crew has ended without waiting for this
            return
        except OSError as error:
            # what was made last may not be in the ledger; then it is made again
            self._tell(FAILED, failure=(error.strerror or str(error), error.errno or 0))

    def _do(self, kind: int, work: list[Any]) -> None:
        if kind == VISIT:
            self._visit_all(work)
        elif kind == LINK:
            self._link(work)
        elif kind == FINISH:
            for path in work:
                self._linker.finish(path)
        elif kind == VERIFY:
            self._verify(work)

    def _visit_all(self, tasks: list[Task]) -> None:
        stack = self._stack
        stack.extend(tasks)
        while stack:
            self._folders.visit(stack.pop())
            tasks = self._names.found.tasks
            if tasks:
                stack.extend(tasks)
                tasks.clear()
            self._tick()
            if self._shared[HUNGRY] and len(stack) > 1:
                self._share()

    def _share(self) -> None:
        """Give away the older half: what is nearer the top holds more."""
        half = len(self._stack) // 2
        given, self._stack[:half] = self._stack[:half], []
        self._tell(WORKING, given)

    def _link(self, groups: Iterable[Group]) -> None:
        for group in groups:
            self._tick()
            # what is told meanwhile takes the list with it
            made = self._linker.make(group)
            self._made.append(made)

    def _verify(self, places: Iterable[tuple[str, str]]) -> None:
        for path, name in places:
            self._tick()
            if self._differs(path, name):
                what = "content differs from the source's"
                self._names.found.problems.append((f"{path}/{name}", what, True))
            self._tally.verified += 1

    def _differs(self, path: str, name: str) -> bool:
        """Compare by hash; what was changed since, or is gone, does not count."""
        try:
            old, is_settled = self._digest(self._sides.source, path, name)
            new, _ = self._digest(self._sides.destination, path, name)
        except OSError as error:
            if error.errno in GONE:
                return False
            raise
        return old != new and is_settled

    def _digest(self, top: int, path: str, name: str) -> tuple[bytes, bool]:
        """Return the hash of a file, and whether it has been the same all the time."""
        folder = open_directory(top, path)
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            file = os.open(name, flags, dir_fd=folder)
        finally:
            os.close(folder)
        digest = hashlib.blake2b()
        try:
            _, ctime = self._sides.settled(file, os.fstat(file))
            while data := os.read(file, _CHUNK):
                digest.update(data)
                self._tick()
            return digest.digest(), os.fstat(file).st_ctime_ns == ctime
        finally:
            os.close(file)

    def _tick(self) -> None:
        """Stop where that is wished, and tell now and then how far this is."""
        if self._shared[STOP]:
            raise StoppedError
        if time.monotonic() - self._told > EVERY:
            self._tell(WORKING)

    def _tell(
        self,
        kind: int,
        tasks: Sequence[Task] = (),
        failure: tuple[str, int] | None = None,
    ) -> None:
        # a task that somebody else takes must not be known before what it came from
        if self._writer is not None and failure is None:
            self._writer.flush()
        found, made = self._names.found, self._made
        message = (
            *(kind, self._tally.take(), tuple(tasks)),
            *(found.links, found.problems, found.copied, found.devices, found.missed),
            *(made, failure),
        )
        send(self._out, message)
        self._names.found = Found(tasks=found.tasks)
        self._made = []
        self._told = time.monotonic()


def run_worker(
    sides: Sides, shared: mmap.mmap, ins: int, out: int, *, verify: bool
) -> None:
    """Be a worker until the crew ends."""
    Worker(sides, shared, ins, out, verify=verify).work()

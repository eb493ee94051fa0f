"""Worker processes and the queue that they take directories from."""

import mmap
import os
import selectors
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from signal import SIGINT, SIGTERM
from sys import intern
from types import FrameType
from typing import Any

from zfs_root_migrate import runner
from zfs_root_migrate.copy import worker
from zfs_root_migrate.copy.links import Made
from zfs_root_migrate.copy.order import Report
from zfs_root_migrate.copy.problems import FatalError, StoppedError
from zfs_root_migrate.copy.sides import Link, Sides, Task
from zfs_root_migrate.copy.staffing import Processors, Staffing

# how much is handed out at a time
PORTION = 64


@dataclass(slots=True)
class _Mate:
    """One worker, as its crew sees it."""

    pid: int
    to: int
    back: int
    idle: bool = False


@dataclass(slots=True)
class Heard:
    """What workers have told, beside what goes into the report."""

    links: list[Link] = field(default_factory=list)
    made: list[Made] = field(default_factory=list)
    copied: list[tuple[str, str]] = field(default_factory=list)
    devices: dict[int, str] = field(default_factory=dict)
    missed: set[int] = field(default_factory=set)


class Crew:
    """Hands work out, takes in what comes of it, and ends with all its workers."""

    def __init__(
        self,
        sides: Sides,
        jobs: int,
        report: Report,
        tell: Callable[[], None],
        *,
        verify: bool,
    ) -> None:
        """Start no worker yet; `tell` is called now and then while they work.

        `jobs` is their number, 0 for as many as suit the machine.
        """
        self._sides = sides
        self._staffing = Staffing(jobs, Processors())
        self._verify = verify
        self._report = report
        self._tell = tell
        self.heard = Heard()
        self._queue: deque[Any] = deque()
        self._shared = mmap.mmap(-1, mmap.PAGESIZE)
        self._selector = selectors.DefaultSelector()
        self._mates: list[_Mate] = []
        self._failure: FatalError | StoppedError | None = None

    def _start(self) -> None:
        ins, to = os.pipe()
        back, out = os.pipe()
        others = [end for mate in self._mates for end in (mate.to, mate.back)]

        def work() -> None:
            # so that each sees its pipe end when the crew does
            for end in (*others, to, back):
                os.close(end)
            worker.run_worker(self._sides, self._shared, ins, out, verify=self._verify)

        pid = runner.fork(work)
        os.close(ins)
        os.close(out)
        mate = _Mate(pid, to, back)
        self._mates.append(mate)
        self._selector.register(back, selectors.EVENT_READ, mate)

    def perform(
        self,
        kind: int,
        work: Iterable[Any],
        every: float = 0.0,
        on_time: Callable[[], None] = lambda: None,
    ) -> None:
        """Have it all done; `on_time` is called every so many seconds meanwhile.

        Raises FatalError or StoppedError when no worker is at work any more.
        """
        self._queue.extend(work)
        due = time.monotonic() + every
        self._staffing.begin()
        with self._stoppable():
            while True:
                self._hand_out(kind)
                if self._failure is not None and not self._mates:
                    raise self._failure
                if not self._queue and all(mate.idle for mate in self._mates):
                    return
                self._listen()
                if every and time.monotonic() > due:
                    on_time()
                    due = time.monotonic() + every

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        """Let SIGINT and SIGTERM stop the workers, and not this between two bytes."""

        def stop(_signal: int, _frame: FrameType | None) -> None:
            self._shared[worker.STOP] = 1
            self._failure = self._failure or StoppedError()

        before = [(s, signal.signal(s, stop)) for s in (SIGINT, SIGTERM)]
        try:
            yield
        finally:
            for number, handler in before:
                signal.signal(number, handler)

    def _hand_out(self, kind: int) -> None:
        idle = [mate for mate in self._mates if mate.idle]
        if self._failure is not None:
            self._queue.clear()
            for mate in idle:
                self._dismiss(mate)
            return
        for number, mate in enumerate(idle):
            share = -(-len(self._queue) // (len(idle) - number))
            portion = [self._queue.popleft() for _ in range(min(share, PORTION))]
            if portion:
                mate.idle = False
                worker.send(mate.to, (kind, portion))
        may_grow = len(self._mates) < self._staffing.look(len(self._mates))
        if self._queue and may_grow:
            self._start()
        # nobody need look for work to give away while there is some
        others = may_grow or any(mate.idle for mate in self._mates)
        self._shared[worker.HUNGRY] = not self._queue and others

    def _listen(self) -> None:
        pause = self._staffing.pause(len(self._mates))
        for key, _ in self._selector.select(timeout=pause):
            mate: _Mate = key.data
            message = worker.receive(mate.back)
            if message is None:
                self._dismiss(mate)
                self._fail(FatalError("a worker process died"))
                continue
            self._take_in(mate, *message)
        self._tell()

    def _take_in(
        self,
        mate: _Mate,
        kind: int,
        counts: tuple[int, ...],
        tasks: Sequence[Task],
        links: list[Link],
        problems: list[tuple[str, str, bool]],
        copied: list[tuple[str, str]],
        devices: list[tuple[int, str]],
        missed: list[int],
        made: list[Made],
        failure: tuple[str, int] | None,
    ) -> None:
        self._report.tally.add(counts)
        for path, what, is_error in problems:
            self._report.note(path, what, error=is_error)
        # a directory is called the same in all that is heard of it
        self.heard.links += [
            (inode, names, device, intern(path), name)
            for inode, names, device, path, name in links
        ]
        self.heard.made += [
            (inode, ctime, [(intern(path), name) for path, name in names])
            for inode, ctime, names in made
        ]
        self.heard.copied += copied
        self.heard.missed.update(missed)
        for device, path in devices:
            # the first that is heard of is nearest to where it is mounted
            self.heard.devices.setdefault(device, path)
        if failure is not None:
            self._fail(FatalError(*failure))
            self._dismiss(mate)
        elif kind == worker.STOPPED:
            self._dismiss(mate)
        else:
            self._queue.extend(tasks)
            mate.idle = kind == worker.IDLE

    def _fail(self, failure: FatalError) -> None:
        if self._failure is None:
            self._failure = failure
        self._shared[worker.STOP] = 1

    def _dismiss(self, mate: _Mate) -> None:
        self._selector.unregister(mate.back)
        self._mates.remove(mate)
        os.close(mate.to)
        os.close(mate.back)
        os.waitpid(mate.pid, 0)

    def close(self) -> None:
        """End all workers that are left; those at work stop at the next file."""
        self._shared[worker.STOP] = 1
        for mate in tuple(self._mates):
            self._dismiss(mate)
        self._selector.close()

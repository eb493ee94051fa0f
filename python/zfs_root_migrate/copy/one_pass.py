"""One pass from end to end: scan, copy, hard links, verification, state."""

import os
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass

from zfs_root_migrate.copy import worker
from zfs_root_migrate.copy.clearing import make_rules
from zfs_root_migrate.copy.crew import Crew
from zfs_root_migrate.copy.ledger import Ledger
from zfs_root_migrate.copy.links import Made, drain, find_others, gather
from zfs_root_migrate.copy.listing import DOUBTFUL
from zfs_root_migrate.copy.order import Detect, Order, Report, Tally
from zfs_root_migrate.copy.problems import FatalError, StoppedError
from zfs_root_migrate.copy.sides import KNOWN, Sides, Task, open_directory
from zfs_root_migrate.copy.tables import Tables, open_device
from zfs_root_migrate.syscalls import sync_file_system

# file systems stamp with the time of the last timer tick, at least 100 a second
SLACK = 20_000_000
# seconds between two times at which what was copied begins to count: each has the
# destination synced, and ZFS then writes what is new a second time, to its log
CHECKPOINT = 60.0

Tell = Callable[[Tally], None]
# source and destination, both open
Trees = tuple[int, int]


@dataclass(slots=True)
class _Scan:
    """Where this pass has to look."""

    method: Detect
    changed: set[int] | None = None
    tables: Tables | None = None


class Pass:
    """The state of one pass."""

    def __init__(
        self,
        order: Order,
        trees: Trees,
        ledger: Ledger | None,
        report: Report,
        tell: Tell,
    ) -> None:
        """`tell` hears how far it is."""
        self._order = order
        self._source, self._destination = trees
        self._report = report
        self._tell = tell
        self._root = os.fstat(self._source)
        # every name that was written to before this is clean from now on: the next
        # store to a mapped page moves its change time again
        self._barrier = time.time_ns() - SLACK
        sync_file_system(self._source)
        self._ledger = ledger
        # file systems of the destination that were written to, and a directory on each
        self._devices: dict[int, str] = {}

    def go(self) -> None:
        """Do it all."""
        scan = self._scan()
        self._report.method = scan.method
        sides = Sides(
            source=self._source,
            destination=self._destination,
            device=self._root.st_dev,
            barrier=self._barrier,
            rules=make_rules(self._order.exclude),
            ledger=self._ledger,
            changed=scan.changed,
            descends=scan.method is Detect.WALK,
        )
        crew = Crew(
            *(sides, self._order.jobs, self._report, self._told),
            verify=self._order.verify,
        )
        self._devices = crew.heard.devices
        try:
            self._work(crew, scan)
        except (FatalError, StoppedError):
            # what was done counts all the same, where it can still be written down
            crew.close()
            with suppress(OSError):
                self._count()
            raise
        finally:
            crew.close()
        self._complete(scan, crew.heard.missed)

    def _work(self, crew: Crew, scan: _Scan) -> None:
        tasks = self._tasks(scan)
        crew.perform(worker.VISIT, tasks, CHECKPOINT, self._count)
        self._link(crew)
        if self._order.verify:
            self._sync()
            crew.perform(worker.VERIFY, crew.heard.copied)

    def _told(self) -> None:
        self._tell(self._report.tally)

    # where to look

    def _scan(self) -> _Scan:
        """Find out what has changed, where the inode tables tell."""
        now = None if self._order.detect is Detect.WALK else self._read_tables()
        if now is None and self._order.detect is Detect.TABLES:
            raise FatalError("the inode tables of the source cannot be read")
        ledger = self._ledger
        if now is None or ledger is None or not ledger.is_complete or not len(ledger):
            return _Scan(Detect.WALK, tables=now)
        before = None if ledger.tables is None else Tables.load(ledger.tables)
        if before is None:
            return _Scan(Detect.WALK, tables=now)
        try:
            changed = now.differ(before)
        except ValueError:
            return _Scan(Detect.WALK, tables=now)
        return _Scan(Detect.TABLES, changed, now)

    def _read_tables(self) -> Tables | None:
        try:
            device = open_device(self._root.st_dev)
        except OSError:
            return None
        try:
            return Tables.read(device, self._barrier)
        except (OSError, ValueError):
            return None
        finally:
            os.close(device)

    def _tasks(self, scan: _Scan) -> list[Task]:
        top: Task = ("", self._root.st_ino, 0, KNOWN)
        if scan.changed is None or self._ledger is None:
            return [top]
        tasks: list[Task] = []
        for inode in self._ledger.held_by(scan.changed):
            path = self._ledger.path_of(inode)
            here = self._ledger.find(inode)
            if path is not None and here is not None:
                tasks.append((path, inode, here.parent, KNOWN))
        return tasks

    # hard links

    def _link(self, crew: Crew) -> None:
        """Make all names of files that have several, and see to their directories."""
        links, crew.heard.links = crew.heard.links, []
        ledger = self._ledger
        if not links:
            return
        if ledger is not None:
            ledger.reread()
            others = find_others(links, ledger, self._device_of)
            self._doubt({path for *_, path, _ in others}, ledger)
            links += others
        split = self._order.split_links
        groups = gather(drain(links), split=split, refuse=self._refuse)
        touched = {path for _, names in groups for path, _ in names}
        crew.perform(worker.LINK, drain(groups))
        crew.perform(worker.FINISH, sorted(touched))
        if ledger is not None:
            self._remember(crew.heard.made, ledger)

    def _device_of(self, path: str) -> int | None:
        """Return where a directory of the destination is; None if it is no more."""
        found = _look_at(self._destination, path)
        return None if found is None else found.st_dev

    def _refuse(self, path: str, what: str) -> None:
        split = self._order.split_links
        lost = f"{what}, on another file system of the destination"
        self._report.note(path, lost, error=not split)

    def _doubt(self, paths: set[str], ledger: Ledger) -> None:
        """Have names made anew that no visit has touched: not to be believed now."""
        found = (_look_at(self._source, path) for path in sorted(paths))
        self._look_again((now.st_ino for now in found if now is not None), ledger)

    def _look_again(self, inodes: Iterable[int], ledger: Ledger) -> None:
        """Have directories read again by the next pass, whatever their times say."""
        with closing(ledger.append()) as writer:
            for here in filter(None, map(ledger.find, inodes)):
                here.ctime = DOUBTFUL
                writer.write(here.encode())

    def _remember(self, made: list[Made], ledger: Ledger) -> None:
        """Write directories anew, with the change times of the names made in them."""
        known: dict[str, dict[str, tuple[int, int]]] = {}
        for inode, ctime, names in drain(made):
            for path, name in names:
                known.setdefault(path, {})[name] = (inode, ctime)
        if not known:
            return
        ledger.reread()
        with closing(ledger.append()) as writer:
            for path in sorted(known):
                found = _look_at(self._source, path)
                here = None if found is None else ledger.find(found.st_ino)
                if here is None:
                    continue
                rows = known[path]
                for number, name in enumerate(here.names):
                    if name in rows and rows[name][0] == here.inodes[number]:
                        here.ctimes[number] = rows[name][1]
                writer.write(here.encode())

    # what counts

    def _sync(self) -> None:
        """Write what was copied to the disk, every file system of the destination."""
        for path in self._devices.values():
            try:
                folder = open_directory(self._destination, path)
            except OSError:
                # it is no more, and what was written to its file system still is
                os.sync()
                continue
            try:
                sync_file_system(folder)
            finally:
                os.close(folder)

    def _count(self) -> None:
        """Let what was done so far count."""
        if self._ledger is not None:
            length = self._ledger.log.stat().st_size
            self._sync()
            self._ledger.count(length, complete=False)

    def _complete(self, scan: _Scan, missed: set[int]) -> None:
        if self._ledger is not None:
            self._ledger.reread()
            if missed:
                self._look_again(missed, self._ledger)
                self._ledger.reread()
            self._sync()
            tables = scan.tables
            self._ledger.complete(None if tables is None else tables.write)


def _look_at(top: int, path: str) -> os.stat_result | None:
    """Return what stat(2) says of a directory; None if it is no more."""
    with suppress(OSError):
        folder = open_directory(top, path)
        try:
            return os.fstat(folder)
        finally:
            os.close(folder)
    return None

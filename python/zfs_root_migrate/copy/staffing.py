"""How many workers suit the machine, and what else it has to do."""

import os
import time
from pathlib import Path

MOST = 8
# seconds that one worker is given to finish alone: starting others costs more
ALONE = 0.05
# seconds between two looks at what the processors do
LOOK = 0.2
# seconds that nobody waits longer, whatever there is to look at
LONGEST = 1.0


class Processors:
    """Tells how many processors had nothing to do (proc_stat(5): idle, iowait)."""

    def __init__(self, stat: str = "/proc/stat") -> None:
        """Only those count that this process may use."""
        self._stat = Path(stat)
        self._ours = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        self._ticks = os.sysconf("SC_CLK_TCK")
        self._since = (0.0, 0)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._ours)

    def idle(self) -> float:
        """Return how many had nothing to do, on average, since it was asked last.

        All of them where the kernel does not tell.
        """
        before, idle_before = self._since
        now, idle = self._since = time.monotonic(), self._idle_ticks()
        if not idle or now == before:
            return float(len(self))
        return (idle - idle_before) / self._ticks / (now - before)

    def _idle_ticks(self) -> int:
        try:
            lines = self._stat.read_text("ascii").splitlines()
        except OSError:
            return 0
        rows = (line.split() for line in lines if line.startswith("cpu"))
        return sum(int(row[4]) + int(row[5]) for row in rows if row[0] in self._ours)


class Staffing:
    """Says how many workers there may be: as many as the machine has room for.

    Half as many as processors begin whatever else is at work, others where a processor
    has nothing to do. Reading from a disk is mostly waiting, so they can become twice
    as many; on a single processor, where they would be in each other's way, there is
    one. A number of `jobs` is kept to; 0 is none.
    """

    def __init__(self, jobs: int, processors: Processors) -> None:
        """Nothing has begun yet."""
        many = len(processors)
        self._processors = processors
        self._most = jobs or (1 if many == 1 else min(MOST, 2 * many))
        self._least = jobs or min(MOST, max(1, many // 2))
        self._allowed = 1
        self._next = 0.0

    def begin(self) -> None:
        """Begin some work with one worker: it may be done before others have come."""
        self._allowed = 1
        self._processors.idle()
        self._next = time.monotonic() + ALONE

    def look(self, present: int) -> int:
        """Return how many there may be, where so many are there now."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + LOOK
            idle = int(self._processors.idle() + 0.5)
            self._allowed = min(self._most, max(self._least, present + idle))
        return self._allowed

    def pause(self, present: int) -> float:
        """Return the seconds until it should be looked at again."""
        if present >= self._most:
            return LONGEST
        return max(0.0, self._next - time.monotonic())

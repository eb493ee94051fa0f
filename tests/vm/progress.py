"""Shows on stderr what is being built, since when, and how long it may still take."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

# seconds on two cores under some load, used until this machine's own are known
DEFAULT_SECONDS = {
    "base": 35.0,
    "emulator": 20.0,
    "modules": 660.0,
    "packages": 70.0,
    "tree": 60.0,
    "image": 40.0,
    "installed": 30.0,
}
PLAIN_INTERVAL = 30.0
LIVE_INTERVAL = 1.0


def clock(seconds: float) -> str:
    """Write a duration as minutes and seconds.

    >>> clock(75)
    '1:15'
    """
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds that each stage took before, or is thought to take."""

    known: dict[str, float]

    def stage(self, name: str) -> float:
        """Return the expected seconds of one stage."""
        return self.known.get(name, DEFAULT_SECONDS.get(name, 60.0))

    def left(self, waiting: tuple[str, ...], name: str, elapsed: float) -> float:
        """Return the seconds left when a stage has been running for some time.

        >>> Estimate({"tree": 60.0, "image": 40.0}).left(("image",), "tree", 50.0)
        50.0
        """
        return max(0.0, self.stage(name) - elapsed) + sum(map(self.stage, waiting))


class Progress:
    """Reports the stages of one build; a live line where stderr is a terminal."""

    def __init__(self, estimate: Estimate, stream: TextIO = sys.stderr) -> None:
        """Report on a stream, by default stderr."""
        self._estimate = estimate
        self._stream = stream
        self._live = stream.isatty()
        self._begun = time.monotonic()

    def say(self, text: str) -> None:
        """Write one line that stays."""
        self._stream.write(("\r\x1b[K" if self._live else "") + text + "\n")
        self._stream.flush()

    @contextmanager
    def stage(self, name: str, waiting: tuple[str, ...]) -> Iterator[None]:
        """Report on a stage while it runs."""
        begun, finished = time.monotonic(), threading.Event()

        def report() -> None:
            interval = LIVE_INTERVAL if self._live else PLAIN_INTERVAL
            self._show(name, waiting, 0.0)
            while not finished.wait(interval):
                self._show(name, waiting, time.monotonic() - begun)

        reporter = threading.Thread(target=report, daemon=True)
        reporter.start()
        try:
            yield
        finally:
            finished.set()
            reporter.join()
        self.say(f"guest: {name} built in {clock(time.monotonic() - begun)}")

    def _show(self, name: str, waiting: tuple[str, ...], elapsed: float) -> None:
        total = clock(time.monotonic() - self._begun)
        left = clock(self._estimate.left(waiting, name, elapsed))
        line = f"guest: {name}  {total} gone, about {left} left"
        if self._live:
            self._stream.write(f"\r\x1b[K{line}")
        else:
            self._stream.write(line + "\n")
        self._stream.flush()

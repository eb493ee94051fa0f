"""Tells on a terminal, or in a log, how a scenario goes."""

import threading
import time
from typing import TextIO

from tests.vm.progress import clock
from tests.vm.scenario.parts import Scenario

# seconds that each part takes a guest with one emulated core on a quiet machine
USUAL = {
    "boot_old": 85.0,
    "choose": 30.0,
    "kill_in_copy": 100.0,
    "finish_run": 310.0,
    "leave_old": 90.0,
    "boot_new": 100.0,
    "compare": 30.0,
    "refuse_wrong_serial": 10.0,
    "mirror": 50.0,
    "boot_alone": 110.0,
}
PLAIN_INTERVAL = 30.0
# after so many silent seconds the clock is shown again
SILENCE = 3.0


class Narrator:
    """A stream for what is said, with a clock where nothing is said for long."""

    def __init__(self, stream: TextIO) -> None:
        """Nothing is shown yet."""
        self._stream = stream
        self._live = stream.isatty()
        self._lock = threading.Lock()
        self._spoke = time.monotonic()
        self._clock_shown = False
        self._line_open = False
        self._finished: threading.Event | None = None

    def write(self, text: str) -> int:
        """Write text in the place of the clock."""
        with self._lock:
            self._erase()
            self._stream.write(text)
            self._stream.flush()
            self._line_open = not text.endswith("\n")
            self._spoke = time.monotonic()
        return len(text)

    def flush(self) -> None:
        """Do what a stream does; all is written at once."""

    def head(self, text: str) -> None:
        """Write a heading."""
        on, off = ("\x1b[1m", "\x1b[0m") if self._live else ("", "")
        self.write(f"\n{on}== {text}{off}\n")

    def perform(self, scenario: Scenario) -> None:
        """Do all parts, each under its title, and say how long each took."""
        parts = scenario.parts()
        for number, part in enumerate(parts, 1):
            self.head(f"[{number}/{len(parts)}] {part.title}")
            usual = [USUAL.get(p.name, 60.0) for p in parts[number - 1 :]]
            self._begin_clock(usual[0], sum(usual[1:]))
            try:
                scenario.reach(part.name)
            finally:
                self.quiet()
            self.write(f"   done in {clock(scenario.lab.times[part.name])}\n")

    def quiet(self) -> None:
        """Stop the clock."""
        if self._finished is not None:
            self._finished.set()
        with self._lock:
            self._erase()

    def _begin_clock(self, this: float, later: float) -> None:
        finished, begun = threading.Event(), time.monotonic()
        self._finished = finished

        def run() -> None:
            interval = 1.0 if self._live else PLAIN_INTERVAL
            while not finished.wait(interval):
                gone = time.monotonic() - begun
                left = max(0.0, this - gone) + later
                self._tick(f"   {clock(gone)} gone, about {clock(left)} left in all")

        threading.Thread(target=run, daemon=True).start()

    def _tick(self, text: str) -> None:
        with self._lock:
            if self._line_open or time.monotonic() - self._spoke < SILENCE:
                return
            self._erase()
            self._stream.write(text if self._live else text + "\n")
            self._stream.flush()
            self._clock_shown = self._live

    def _erase(self) -> None:
        if self._clock_shown:
            self._stream.write("\r\x1b[K")
            self._clock_shown = False

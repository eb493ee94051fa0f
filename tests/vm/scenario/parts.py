"""Scenarios as a row of parts, each of which needs the ones before it."""

import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from tests.vm.guest import Guest
from tests.vm.scenario.lab import Lab
from tests.vm.scenario.tool import Tool


class BlockedError(Exception):
    """A part cannot be done as an earlier one has failed."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its name, what it shows (one line), and the deed."""

    name: str
    title: str
    deed: Callable[[], None]


class Scenario:
    """Does its parts in order, each one once, whoever asks for them."""

    PARTS: tuple[str, ...] = ()

    def __init__(self, lab: Lab) -> None:
        """Nothing is done yet."""
        self.lab = lab
        self._done: set[str] = set()
        self._failed: str | None = None
        self._error: Exception | None = None
        self._lock = threading.Lock()
        self._guest: Guest | None = None

    @property
    def guest(self) -> Guest:
        """The guest that is in use now."""
        assert self._guest is not None
        return self._guest

    @property
    def tool(self) -> Tool:
        """The tool in the guest that is in use now."""
        return Tool(self.lab, self.guest)

    def parts(self) -> tuple[Part, ...]:
        """Return the parts; the first line of a method's text is its title."""
        found = []
        for name in self.PARTS:
            deed = getattr(self, name)
            title = str(deed.__doc__).strip().splitlines()[0].rstrip(".")
            found.append(Part(name, title, deed))
        return tuple(found)

    @property
    def failed(self) -> bool:
        """Tell whether a part has failed."""
        return self._error is not None

    def reach(self, wanted: str) -> None:
        """Do all parts up to this one that are not done yet.

        A part that has failed fails again in the same way, without being done again.
        """
        assert wanted in self.PARTS, wanted
        with self._lock:
            for part in self.parts():
                if part.name not in self._done:
                    self._do(part, wanted)
                if part.name == wanted:
                    return

    def _do(self, part: Part, wanted: str) -> None:
        if self._error is None:
            self.lab.transcript.note(f"\n==== {part.title}")
            try:
                with self.lab.timed(part.name):
                    part.deed()
            except Exception as error:
                self._failed, self._error = part.name, error
                self.lab.transcript.note(traceback.format_exc())
                self.lab.end_guests()
                raise
            self._done.add(part.name)
        elif self._failed == wanted:
            raise self._error
        else:
            raise BlockedError(f"`{self._failed}` has failed")

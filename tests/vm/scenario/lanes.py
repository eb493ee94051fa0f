"""Two scenarios at a time: one guest alone leaves much of the second core idle."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from tests.vm.scenario.lab import Lab
from tests.vm.scenario.last_pass import LastPass
from tests.vm.scenario.migration import Migration
from tests.vm.scenario.mistakes import Mistakes
from tests.vm.scenario.parts import Scenario
from tests.vm.scenario.raidz import Raidz
from tests.vm.scenario.systemd import Systemd
from tests.vm.scenario.undo import Undo

S = TypeVar("S", bound=Scenario)

# what is performed beside the others: it needs nothing of them, or, as the last one,
# only what has long been there by then
BESIDE = ("raidz", "mistakes", "systemd")


class Lanes:
    """All scenarios of one session, each made when it is first asked for."""

    def __init__(self, image: Path) -> None:
        """Nothing is made yet."""
        # held open: who builds another image meanwhile does not take this one away
        self._file = image.open("rb")
        self._image = Path(f"/proc/{os.getpid()}/fd/{self._file.fileno()}")
        self._made: dict[str, Scenario] = {}
        self._lock = threading.RLock()
        self._closed = False
        self._beside: threading.Thread | None = None

    def migration(self) -> Migration:
        """Return the main scenario."""
        return self._get("migration", Migration)

    def undo(self) -> Undo:
        """Return the way back, from where `run` has ended in the main scenario."""
        return self._after_run("undo", Undo)

    def last_pass(self) -> LastPass:
        """Return the last pass, from where the main scenario has shut down."""
        return self._after_run("last-pass", LastPass)

    def systemd(self) -> Systemd:
        """Return the last pass by systemd, from where the main scenario shut down."""
        return self._after_run("systemd", Systemd)

    def raidz(self) -> Raidz:
        """Return the scenario with three new disks."""
        return self._get("raidz", Raidz)

    def mistakes(self) -> Mistakes:
        """Return the scenario of bad input and bad luck."""
        return self._get("mistakes", Mistakes)

    def made(self) -> list[Scenario]:
        """Return the scenarios made so far."""
        return list(self._made.values())

    def perform_beside(self, *names: str) -> None:
        """Perform scenarios in the background; who asks gets the results.

        What fails there fails again, in the same way, for who asks for it.
        """
        self._beside = threading.Thread(target=self._perform, args=(names,))
        self._beside.start()

    def _perform(self, names: tuple[str, ...]) -> None:
        for name in names:
            try:
                scenario: Scenario = getattr(self, name)()
                for part in scenario.PARTS:
                    if self._closed:
                        return
                    scenario.reach(part)
            except Exception:  # noqa: BLE001 - fails again for who asks for it
                continue

    def close(self) -> None:
        """End all guests."""
        with self._lock:
            self._closed = True
            made = self.made()
        for scenario in made:
            scenario.lab.end_guests()
        if self._beside is not None:
            self._beside.join()
        self._file.close()
        for scenario in made:
            scenario.lab.close(keep_disks=scenario.failed)

    def _after_run(self, name: str, make: Callable[[Lab, Migration], S]) -> S:
        """Return what begins where the main scenario has left the old system."""
        migration = self.migration()
        migration.reach("leave_old")
        return self._get(name, lambda lab: make(lab, migration))

    def _get(self, name: str, make: Callable[[Lab], S]) -> S:
        with self._lock:
            if self._closed:
                raise RuntimeError("the session is over")
            if name not in self._made:
                self._made[name] = make(Lab(name, self._image))
            return cast(S, self._made[name])

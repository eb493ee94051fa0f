"""Programs that are at work in the background while the steps go on."""

import os
from collections.abc import Callable
from contextlib import suppress

from zfs_root_migrate import runner
from zfs_root_migrate.errors import StepFailedError
from zfs_root_migrate.step import Run, Start

# how far what goes on steps back for them, nice(2)
GIVEN_WAY = 10
# lines that an error repeats
LAST = 20

Tell = Callable[[str], None]


class Started:
    """What was started and not waited for yet.

    It is what is waited for in the end, while a copy takes every processor there is. So
    as long as it is at work, this process and those it makes step back.
    """

    def __init__(self, command: Tell, said: Tell) -> None:
        """`command` hears what is started, `said` each line that a program wrote."""
        self._command, self._said = command, said
        self._at_work: dict[str, tuple[Start, runner.Background]] = {}
        self._priority = os.getpriority(os.PRIO_PROCESS, 0)

    def start(self, action: Start) -> None:
        """Start a program."""
        run = action.run
        self._command(f"{runner.shell_text(run.argv, run.chroot)} &")
        self._step_back(0)
        try:
            child = runner.Background(run.argv, chroot=run.chroot)
            self._at_work[action.name] = (action, child)
        finally:
            self._give_way()

    def join(self, name: str) -> None:
        """Wait for a program; raises StepFailedError where it was to end otherwise."""
        started, child = self._at_work.pop(name)
        # nothing is to be done meanwhile
        self._give_way()
        run = started.run
        try:
            status, said = child.wait()
        finally:
            child.close()
        for line in said:
            self._said(line)
        if status not in run.accept:
            text = runner.shell_text(run.argv, run.chroot)
            raise failed(run, text, status, said[-LAST:])

    def look(self) -> None:
        """Stop early where a program has failed already."""
        for action, child in tuple(self._at_work.values()):
            if child.has_ended and child.wait()[0] not in action.run.accept:
                self.join(action.name)

    def close(self) -> None:
        """End them all."""
        for _, child in self._at_work.values():
            child.close()
        self._at_work.clear()
        self._give_way()

    def _give_way(self) -> None:
        self._step_back(GIVEN_WAY if self._at_work else 0)

    def _step_back(self, far: int) -> None:
        # who is not root cannot take back what he gave
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, self._priority + far)


def failed(action: Run, text: str, status: int, said: list[str]) -> StepFailedError:
    """Return the error of a program that ended as it was not to."""
    given = f" <<'END'\n{action.stdin}END" if action.stdin else ""
    return StepFailedError(
        f"{action.argv[0]} ended with status {status}",
        details=f"{text}{given}\nIt said last:\n" + "\n".join(said),
    )

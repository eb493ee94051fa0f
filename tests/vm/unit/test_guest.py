"""A guest whose emulator gives up by itself is started again, and no other."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.vm.guest import INIT, RACE, RESTARTS, Guest, GuestError, Machine


class Played(Machine):
    """A shell script in place of QEMU, which writes what QEMU does."""

    def __init__(self, console: str, complaint: str, end: str) -> None:
        """It ends by itself a moment after it was started."""
        super().__init__(disks=())
        object.__setattr__(self, "script", (console, complaint, end))

    def command(self) -> list[str]:
        """Return a shell's command line."""
        script = (
            "echo $$ >pid; echo >agent; echo x >>../starts; "
            'echo "$1" >console.log; echo "$2" >&2; sleep 0.2; kill -s "$3" $$'
        )
        # the name of the program is looked for in the command line
        return ["sh", "-c", script, "qemu", *self.script]  # type: ignore[attr-defined]


RACED = f"qemu-system-x86_64: physmem.c:2671: {RACE} failed."


@pytest.mark.parametrize(
    ("console", "complaint", "end", "starts"),
    [
        ("Linux version 6.12", RACED, "ABRT", 1 + RESTARTS),
        (f"Linux version 6.12\n{INIT}\nLinux version 6.12", RACED, "ABRT", 3),
        (f"Linux version 6.12\n{INIT}", RACED, "ABRT", 1),
        ("Linux version 6.12", "another complaint", "ABRT", 1),
        ("Linux version 6.12", RACED, "KILL", 1),
    ],
)
def test_started_again(
    tmp_path: Path, console: str, complaint: str, end: str, starts: int
) -> None:
    """Twice at most, and only before the guest has begun anything."""
    guest = Guest(tmp_path / "run")
    guest.start(Played(console, complaint, end))
    with pytest.raises(GuestError, match="has ended"):
        guest.wait(20)
    assert (tmp_path / "starts").read_text().count("x") == starts


def test_command_line() -> None:
    """The driver can be used by hand: its modules do not wait for each other."""
    command = [sys.executable, "-m", "tests.vm.guest", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

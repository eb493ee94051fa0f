"""The driver of guests."""

import subprocess
import sys


def test_command_line() -> None:
    """The driver can be used by hand: its modules do not wait for each other."""
    command = [sys.executable, "-m", "tests.vm.guest", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

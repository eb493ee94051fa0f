"""Starts programs of ours that need the system's own Python. Part of the rim.

What takes long can be begun before the rest of this program is loaded: whoever asks for
it later is given the one that runs already. So this module, as the runner, imports only
what loads fast, and dataclasses and pathlib do not.
"""

import os
from collections.abc import Callable

from zfs_root_migrate import runner
from zfs_root_migrate.runner import Answer

TIMEOUT = 60.0

# calling it waits for the program's end
Asked = Callable[[], Answer]
_begun: dict[tuple[str, ...], Asked] = {}


def script_argv(name: str, *args: str) -> tuple[str, ...]:
    """Return the command that starts a program of ours, `NAME_query`.

    -I: neither the environment nor the current directory changes what is imported; -B:
    nothing is written.
    """
    program = os.path.join(os.path.dirname(__file__), f"{name}_query")
    return ("python3", "-IB", program, *args)


def begin(name: str, *args: str) -> None:
    """Start a program whose answer will be asked for."""
    _begun[(name, *args)] = runner.begin(script_argv(name, *args), timeout=TIMEOUT)


def ask(name: str, *args: str) -> Asked:
    """Start a program, unless it was begun already."""
    if (name, *args) not in _begun:
        begin(name, *args)
    return _begun.pop((name, *args))

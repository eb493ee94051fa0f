"""No unit test starts a program unless it is marked `programs`."""

import os
import shutil
import subprocess
from collections.abc import Callable

import pytest

from zfs_root_migrate import checks, cli, runner

STARTERS = ("execv", "execve", "fork", "forkpty", "posix_spawn", "posix_spawnp")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers."""
    config.addinivalue_line("markers", "programs: this test may start programs")
    config.addinivalue_line("markers", "check_fails: a check may raise in this test")


def refuse(*_args: object, **_kwargs: object) -> None:
    """Stand in for everything that starts a program."""
    raise AssertionError("a unit test starts a program without the marker `programs`")


@pytest.fixture(autouse=True)
def no_programs(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Make starting a program impossible.

    Portage is not asked beforehand either: the tests' readers know what it says.
    """
    monkeypatch.setattr(cli, "begin_early", lambda _args: None)
    if request.node.get_closest_marker("programs") is None:
        monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
        for name in (*STARTERS, "system"):
            monkeypatch.setattr(os, name, refuse)


@pytest.fixture(autouse=True)
def no_failing_check(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let the error of a check through, which the tool itself would report."""

    def fail(_row: object, error: Exception) -> None:
        raise error

    if request.node.get_closest_marker("check_fails") is None:
        monkeypatch.setattr(checks, "failed", fail)


@pytest.fixture
def needs() -> Callable[..., None]:
    """Return a function that skips the test where a program or root is missing."""

    def need(*programs: str, root: bool = False) -> None:
        for program in programs:
            if shutil.which(program, path=runner.PATH) is None:
                pytest.skip(f"{program} is not installed")
        if root and os.geteuid() != 0:
            pytest.skip("only root can do this")

    return need

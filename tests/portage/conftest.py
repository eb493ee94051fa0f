"""Real Portage for the tests here, which may start programs."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from tests.portage import tree
from tests.portage.ask import Portage, keep_warm
from tests.portage.pythons import VERSIONS, python_with_portage

# what the older one finds differently is rare, and Portage is slow
ALL = (VERSIONS[0], pytest.param(VERSIONS[1], marks=pytest.mark.slow))


@pytest.fixture(scope="session")
def loaded() -> Iterator[Callable[[str], Portage]]:
    """Return a function that returns a version of Portage, loaded once."""
    with ExitStack() as until:

        @cache
        def load(version: str) -> Portage:
            return until.enter_context(keep_warm(python_with_portage(version)))

        yield load


@pytest.fixture(params=ALL)
def portage(
    request: pytest.FixtureRequest, loaded: Callable[[str], Portage]
) -> Portage:
    """Return Portage, in each version."""
    return loaded(request.param)


@pytest.fixture(params=ALL)
def started(request: pytest.FixtureRequest) -> Portage:
    """Return Portage, in each version, started anew each time as the tool does it."""
    return Portage(python_with_portage(request.param))


@pytest.fixture
def newest(loaded: Callable[[str], Portage]) -> Portage:
    """Return the newest Portage, for what is asked of files and not of it."""
    return loaded(VERSIONS[0])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a small Gentoo root."""
    tree.write_system(tmp_path)
    return tmp_path

"""Real Portage for the tests here, which may start programs."""

from pathlib import Path

import pytest

from tests.portage import tree
from tests.portage.ask import Portage
from tests.portage.pythons import VERSIONS, python_with_portage


@pytest.fixture(params=VERSIONS)
def portage(request: pytest.FixtureRequest) -> Portage:
    """Return Portage, in each version."""
    return Portage(python_with_portage(request.param))


@pytest.fixture
def newest() -> Portage:
    """Return the newest Portage, for what is asked of files and not of it."""
    return Portage(python_with_portage(VERSIONS[0]))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a small Gentoo root."""
    tree.write_system(tmp_path)
    return tmp_path

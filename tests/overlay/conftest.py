"""Copies of the repository that pkgcheck looks at."""

from pathlib import Path

import pytest

from tests.overlay.lint import Lint, prepare


@pytest.fixture
def lint(tmp_path: Path) -> Lint:
    """Return a copy of the repository, beside the master that we wrote."""
    return prepare(tmp_path)

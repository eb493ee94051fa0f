"""Copies of the repository that pkgcheck looks at."""

from pathlib import Path

import pytest

from tests.overlay.lint import PKGCHECK, Lint, prepare

SAID = (
    f"stub lint: pkgcheck {PKGCHECK} has looked at the ebuilds beside a master "
    "repository that is ours; no Gentoo was at hand"
)


@pytest.fixture
def lint(tmp_path: Path) -> Lint:
    """Return a copy of the repository, beside the master that we wrote."""
    return prepare(tmp_path)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Call the lint what it is."""
    passed = terminalreporter.stats.get("passed", ())
    if any(report.nodeid.endswith("::test_stub_lint") for report in passed):
        terminalreporter.write_line(SAID)

"""What all tests share."""

import pytest
from hypothesis import settings

# their assertions are the tests'
pytest.register_assert_rewrite("tests.vm.scenario")


# a busy machine is slow at times; that is no error
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


# not part of the fast tests: each is left out unless `-m` asks for it by name
SLOW = {
    "boot": "boots real guests; slow, needs QEMU",
    "slow": "takes more than a few seconds",
    "merge": "merges with real Portage; five minutes",
}


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks."""
    for name, text in SLOW.items():
        config.addinivalue_line("markers", f"{name}: {text}")


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out what is slow and was not asked for."""
    asked = config.option.markexpr or ""
    left_out = [name for name in SLOW if name not in asked]
    slow = [item for item in items if any(map(item.get_closest_marker, left_out))]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests that have passed say of themselves, by record_property("said").

    It stands here, as no conftest further down is read by xdist's controller.
    """
    for report in terminalreporter.stats.get("passed", ()):
        for name, value in report.user_properties:
            if name == "said":
                terminalreporter.write_line(value)

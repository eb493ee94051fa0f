"""What all tests share."""

import pytest
from hypothesis import settings

# their assertions are the tests'
pytest.register_assert_rewrite("tests.vm.scenario")


# a busy machine is slow at times; that is no error
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks."""
    for line in (
        "boot: boots real guests; slow, needs QEMU",
        "slow: takes more than a few seconds; left out unless asked for",
    ):
        config.addinivalue_line("markers", line)


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave real boots and what is slow out unless `-m` names them."""
    for mark in ("boot", "slow"):
        if mark not in (config.option.markexpr or ""):
            left_out = [item for item in items if item.get_closest_marker(mark)]
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if item not in left_out]

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
    config.addinivalue_line("markers", "boot: boots real guests; slow, needs QEMU")


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave the real boots out unless `-m boot` asks for them."""
    if "boot" not in (config.option.markexpr or ""):
        boots = [item for item in items if item.get_closest_marker("boot")]
        config.hook.pytest_deselected(items=boots)
        items[:] = [item for item in items if item not in boots]

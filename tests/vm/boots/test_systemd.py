"""The unit makes the last pass where systemd shuts down."""

import pytest

from tests.vm.scenario.systemd import Systemd

pytestmark = pytest.mark.boot


@pytest.mark.parametrize("part", Systemd.PARTS)
def test_systemd(systemd: Systemd, part: str) -> None:
    """Each part, in order."""
    systemd.reach(part)

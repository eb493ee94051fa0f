"""RAID-Z over three new disks, with a power cut on the way; boot environments."""

import pytest

from tests.vm.scenario.raidz import Raidz

pytestmark = pytest.mark.boot


@pytest.mark.parametrize("part", Raidz.PARTS)
def test_raidz(raidz: Raidz, part: str) -> None:
    """Each part, in order."""
    raidz.reach(part)

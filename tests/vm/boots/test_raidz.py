"""RAID-Z over three new disks, with a power cut on the way."""

import pytest

from tests.vm.scenario.raidz import Raidz

pytestmark = pytest.mark.boot


TRIAL = [pytest.param(part, marks=pytest.mark.trial) for part in Raidz.TRIAL]


@pytest.mark.parametrize("part", [*Raidz.PARTS, *TRIAL])
def test_raidz(raidz: Raidz, part: str) -> None:
    """Each part, in order."""
    raidz.reach(part)

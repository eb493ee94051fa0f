"""A running system becomes a mirrored ZFS root, proven by booting it."""

import pytest

from tests.vm.scenario.migration import Migration

pytestmark = pytest.mark.boot


@pytest.mark.parametrize("part", Migration.PARTS)
def test_migration(migration: Migration, part: str) -> None:
    """Each part of the main scenario, in order."""
    migration.reach(part)

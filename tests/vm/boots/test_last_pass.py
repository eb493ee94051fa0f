"""The last pass loses no record, and a root that lacks one does not start."""

import pytest

from tests.vm.scenario.last_pass import LastPass

pytestmark = pytest.mark.boot


@pytest.mark.parametrize("part", LastPass.PARTS)
def test_last_pass(last_pass: LastPass, part: str) -> None:
    """Each part, in order."""
    last_pass.reach(part)

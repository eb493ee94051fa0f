"""Going back after a finished run leaves both disks as they were."""

import pytest

from tests.vm.scenario.undo import Undo

pytestmark = pytest.mark.boot


@pytest.mark.parametrize("part", Undo.PARTS)
def test_undo(undo: Undo, part: str) -> None:
    """Each part, in order."""
    undo.reach(part)

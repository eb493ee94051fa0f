"""Bad input never gets far, and bad luck loses nothing."""

import pytest

from tests.vm.scenario.mistakes import Mistakes

pytestmark = pytest.mark.boot


@pytest.mark.parametrize("part", Mistakes.PARTS)
def test_mistakes(mistakes: Mistakes, part: str) -> None:
    """Each part, in order."""
    mistakes.reach(part)

"""Memory grows slowly with the number of files, be they linked or not."""

from pathlib import Path

import pytest

from tests.copy.conftest import Mount
from tests.copy.engine import Engine
from tests.copy.memory import build, peak_of

FEW, MANY = 10_000, 110_000
# a million files in a gigabyte at most
MOST_PER_FILE = 1024


@pytest.mark.slow
@pytest.mark.parametrize("linked", [False, True], ids=["files", "links"])
def test_memory_per_file(mount: Mount, tmp_path: Path, *, linked: bool) -> None:
    """A hundred thousand files more take so much more, in a first pass and a later."""
    peaks: list[list[int]] = []
    for files in (FEW, MANY):
        old, new = mount("tmpfs", f"old-{files}"), mount("tmpfs", f"new-{files}")
        build(old.path, files, linked=linked)
        engine = Engine(old.path, new.path, tmp_path / f"state-{files}")
        peaks.append([peak_of(engine).bytes for _ in range(2)])
    for few, many in zip(*peaks, strict=True):
        assert few > 0
        assert (many - few) / (MANY - FEW) < MOST_PER_FILE

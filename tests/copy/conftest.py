"""File systems to copy from and to."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.copy import volumes
from tests.copy.volumes import MIB, Volume

Mount = Callable[..., Volume]
SIZE = 1024 * MIB


@pytest.fixture(scope="session")
def secluded() -> None:
    """Mount where nobody else sees it; skip the test where that cannot be done."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount file systems and keep owners and devices")
    try:
        volumes.seclude()
    except volumes.NoVolumeError as error:
        pytest.skip(str(error))


@pytest.fixture
def mount(secluded: None, tmp_path: Path) -> Iterator[Mount]:
    """Return a function that mounts a new file system for the time of the test."""
    with ExitStack() as mounted:

        def new(
            kind: str, name: str, size: int = SIZE, *, options: tuple[str, ...] = ()
        ) -> Volume:
            made = volumes.volume(kind, tmp_path, name, size, options=options)
            try:
                return mounted.enter_context(made)
            except volumes.NoVolumeError as error:
                pytest.skip(f"no {kind} here: {error}")

        yield new

"""The guard against programs in unit tests works."""

import os
import subprocess

import pytest

from zfs_root_migrate import runner


@pytest.mark.parametrize(
    "start",
    [
        lambda: subprocess.run(["true"], check=False),
        lambda: subprocess.Popen(["true"]),
        lambda: os.system("true"),
        lambda: os.popen("true"),
        lambda: os.execvp("true", ["true"]),
        lambda: os.spawnvp(os.P_WAIT, "true", ["true"]),
        lambda: os.posix_spawn("/bin/true", ["true"], {}),
        lambda: runner.query(("true",)),
        lambda: runner.stream(("true",), lambda *_: None),
    ],
)
def test_every_way_is_closed(start):
    """Python's own ways and ours."""
    with pytest.raises(AssertionError, match="marker `programs`"):
        start()


@pytest.mark.programs
def test_the_marker_opens_it():
    """Some tests are about programs."""
    assert runner.query(("true",)).status == 0

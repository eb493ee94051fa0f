"""The repository as others get it, and a scratch root that has synced it."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.merge import gentoo
from tests.merge.published import commit_all, git, publish
from tests.merge.scratch import Scratch, prepare


@dataclass(frozen=True)
class World:
    """A copy of the checkout with its address, and the root that syncs from there."""

    work: Path
    scratch: Scratch
    gentoo: Path | None

    @property
    def synced(self) -> Path:
        """Where the repository lies in the scratch root."""
        return self.scratch.root / "var/db/repos/zfs"

    def push(self) -> None:
        """Commit what was changed in the copy, and push it to its address."""
        commit_all(self.work)
        git(self.work, "push", "--quiet", self.work.with_name("zfs.git"), "HEAD:main")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Publish the checkout, with a release of it, and prepare a root."""
    place = tmp_path_factory.mktemp("merge")
    tree = gentoo.given()
    world = World(place / "work", prepare(place, tree), tree)
    publish(world.work, place / "distfiles", f"file://{place}/zfs")
    git(place, "init", "--quiet", "--bare", "--initial-branch=main", "zfs.git")
    world.push()
    # the drop-in that users copy; only the place is the scratch root's
    drop_in = (world.work / "overlay/zfs.conf").read_text()
    moved = drop_in.replace("/var/db/repos/zfs", str(world.synced))
    assert moved != drop_in
    world.scratch.write("repos.conf/zfs.conf", moved)
    world.scratch.must("emaint", "sync", "--repo", "zfs")
    return world

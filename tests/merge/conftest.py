"""The repository as others get it, and a scratch root that has synced it."""

import pytest

from tests.merge import gentoo
from tests.merge.completed import complete
from tests.merge.published import git, publish
from tests.merge.scratch import prepare
from tests.merge.world import World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Publish the checkout, with a release of it, and prepare a root."""
    place = tmp_path_factory.mktemp("merge")
    tree, label = gentoo.given(), "stand-ins for Gentoo's eclasses"
    if tree:
        tree, label = complete(tree, place / "gentoo")
    world = World(place / "work", prepare(place, tree), tree, label)
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


@pytest.fixture(scope="session")
def ours(world: World) -> None:
    """Skip what only passes with eclasses that do no more than look-alikes need."""
    if world.gentoo:
        pytest.skip("this look-alike is no match for Gentoo's eclasses")

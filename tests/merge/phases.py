"""Phases of the ebuilds of other people's programs, on look-alikes of these."""

from pathlib import Path

from tests.merge.published import git
from tests.merge.scratch import Done, provide
from tests.merge.upstream import write_autotools
from tests.merge.world import World


class Phases:
    """Runs phases of a live ebuild on a repository that looks like upstream's."""

    def __init__(self, world: World, package: str, override: str) -> None:
        """Nothing is run yet."""
        self.scratch = world.scratch
        category, name = package.split("/")
        self.package = package
        self.ebuild = world.synced / package / f"{name}-9999.ebuild"
        self.work = self.scratch.place / f"tmp/portage/{category}/{name}-9999"
        self.upstream = self.scratch.place / f"upstream-{name}"
        self.override = override
        self.env: dict[str, str] = {}
        if world.gentoo:
            self.env = write_autotools(self.scratch.root)
            # git-r3 asks the real address what it is, unless it has been cloned
            clone = override.partition("REPO_")[2].lower()
            store = self.scratch.place / f"distfiles/git3-src/{clone}.git"
            store.mkdir(parents=True, exist_ok=True)
            git(store, "init", "--quiet", "--bare", "--initial-branch=__init__")

    def run(self, *phases: str, **env: str) -> Done:
        """Run phases from the beginning; those that come before run as well."""
        env = {**self.env, self.override: str(self.upstream), **env}
        return self.scratch.run("ebuild", self.ebuild, "clean", *phases, **env)

    def merge(self, **env: str) -> str:
        """Merge it for real, beside everything that it depends on."""
        self.scratch.write("package.accept_keywords", f"{self.package} **\n")
        provide(self.scratch, None, self.package, "sys-fs/zfs-kmod")
        env = {**self.env, self.override: str(self.upstream), **env}
        return self.scratch.must("emerge", f"={self.package}-9999", **env)

    def unmerge(self) -> str:
        """Unmerge it."""
        said = self.scratch.must("emerge", "--unmerge", self.package)
        database = self.scratch.root / "var/db/pkg" / self.package
        assert list(database.parent.glob("*")) == []
        return said

    def image(self) -> tuple[Path, set[str]]:
        """Return what was installed: its paths without the prefix."""
        top = self.work / "image" / str(self.scratch.root).lstrip("/")
        return top, {
            str(path.relative_to(top)) for path in top.rglob("*") if not path.is_dir()
        }

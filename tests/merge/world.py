"""What the tests of merges have in common: a checkout, its address, and a root."""

from dataclasses import dataclass
from pathlib import Path

from tests.merge.published import commit_all, git
from tests.merge.scratch import Scratch


@dataclass(frozen=True)
class World:
    """A copy of the checkout with its address, and the root that syncs from there."""

    work: Path
    scratch: Scratch
    gentoo: Path | None
    # what the eclasses are, for the output
    label: str

    @property
    def synced(self) -> Path:
        """Where the repository lies in the scratch root."""
        return self.scratch.root / "var/db/repos/zfs"

    def push(self) -> None:
        """Commit what was changed in the copy, and push it to its address."""
        commit_all(self.work)
        git(self.work, "push", "--quiet", self.work.with_name("zfs.git"), "HEAD:main")

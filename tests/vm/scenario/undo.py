"""Going back after a finished `run`: nothing is left, and nothing has changed."""

from tests.vm.scenario import state, trees
from tests.vm.scenario.lab import Lab
from tests.vm.scenario.migration import Migration
from tests.vm.scenario.parts import Scenario

# what stays after `undo`, as the plan says
STAYS = {
    "etc/zfs-root-migrate.toml": "the settings are the user's",
    "var/log/zfs-root-migrate.log": "the log of what was done and undone",
}


class Undo(Scenario):
    """Begins with the two disks as `run` left them."""

    PARTS = ("boot_old_again", "undo", "blank_again", "as_it_was", "nothing_to_undo")

    def __init__(self, lab: Lab, migration: Migration) -> None:
        """Remember whose disks these are."""
        super().__init__(lab)
        self.migration = migration

    def boot_old_again(self) -> None:
        """Boot the old disk again after a finished run."""
        assert self.migration.saved is not None
        old, new = (self.lab.copy(d, d.serial) for d in self.migration.saved)
        (self.lab.share / "manifest.py").write_bytes(
            (self.migration.lab.share / "manifest.py").read_bytes()
        )
        self._guest = self.lab.boot("old disk again", old, new)
        assert state.root(self.guest) == self.migration.facts["before"]
        assert state.services_in_trouble(self.guest) == []
        assert state.line(self.guest, "zpool list -H 2>/dev/null || true") == ""
        status = self.tool("status")
        assert "the new root was sealed" in status.out, status

    def undo(self) -> None:
        """Undo a finished run."""
        answer = self.tool("undo", "--yes")
        assert answer.status == 0, answer
        assert state.leftovers(self.guest) == []

    def blank_again(self) -> None:
        """Look at every place where the new disk could still carry something."""
        assert state.what_is_on(self.guest, self.migration.new.by_id) == []
        assert state.line(self.guest, "cat /proc/mdstat").count("md") <= 1
        found = state.line(self.guest, "zpool import 2>&1 || true")
        assert "no pools available" in found, found

    def as_it_was(self) -> None:
        """Compare the old system with what it was before anything was done."""
        now = trees.scan(self.lab, self.guest)
        reasons = [*trees.BOOTS_CHANGE, *STAYS]
        found = trees.differences(self.migration.before, now, reasons)
        assert not found, "\n".join(found[:40])
        paths = {entry.get("path") for entry in now}
        assert "etc/hostid" not in paths
        assert "var/lib/zfs-root-migrate" not in paths
        assert state.root(self.guest) == self.migration.facts["before"]

    def nothing_to_undo(self) -> None:
        """Undo once more: there is nothing, and it says so."""
        answer = self.tool("undo", "--yes")
        assert answer.status == 0, answer
        assert "nothing to undo" in answer.err + answer.out, answer
        self.guest.kill()

"""What scenarios share that begin with a sealed new root."""

from tests.vm.scenario import records, state
from tests.vm.scenario.lab import Lab
from tests.vm.scenario.migration import ROOT, Migration
from tests.vm.scenario.parts import Scenario


class Sealed(Scenario):
    """Begins with the two disks as the main scenario left them, sealed."""

    def __init__(self, lab: Lab, migration: Migration) -> None:
        """Take copies of the two disks."""
        super().__init__(lab)
        assert migration.saved is not None
        old, new = migration.saved
        self.old = lab.copy(old, "old")
        self.new = lab.copy(new, "new")
        self.before = migration.facts["before"]
        self.acknowledged = list(migration.acknowledged)

    def _count(self) -> None:
        self.acknowledged += records.acknowledged(self.guest)

    def _plain(self) -> int:
        return sum(line.startswith("plain ") for line in self.acknowledged)

    def _boot_sealed(self) -> None:
        """Boot the new disk, which must start its own root."""
        self._guest = self.lab.boot("new disk, sealed", self.new, self.old)
        assert state.root(self.guest) == ROOT

    def _find_all(self) -> None:
        """See that the guest has every record that was ever acknowledged."""
        lost = records.missing(self.lab, self.guest, self.acknowledged)
        assert not lost, lost[: records.SHOWN]

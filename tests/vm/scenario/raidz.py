"""RAID-Z over three small disks, with a power cut in mid-copy."""

from tests.vm.scenario import share, state
from tests.vm.scenario.lab import Lab
from tests.vm.scenario.migration import ROOT
from tests.vm.scenario.parts import Scenario
from tests.vm.scenario.tool import Answer

DISK_MIB = 1536
SERIALS = ("RAIDONE", "RAIDTWO", "RAIDTHREE")


class Raidz(Scenario):
    """The old disk stays out of the pool for good."""

    PARTS = (
        *("boot_old", "choose", "cut_power", "boot_after_cut", "finish_run"),
        *("boot_raidz", "refuse_mirror"),
    )

    def __init__(self, lab: Lab) -> None:
        """Make the disks."""
        super().__init__(lab)
        self.old = lab.old_disk("OLDDISK")
        self.new = [lab.blank(serial, DISK_MIB) for serial in SERIALS]

    def boot_old(self) -> None:
        """Boot the old disk with three blank ones."""
        share.place_files(self.lab.share)
        self._guest = self.lab.boot("old disk", self.old, *self.new)

    def choose(self) -> None:
        """Choose RAID-Z and the three disks by their numbers in the list."""
        for words in (
            ("topology", "raidz1"),
            ("boot-size", "128M"),
            ("swap-size", "0"),
            ("target", *self._numbers()),
        ):
            _done(self.tool("set", *words))
        shown = _done(self.tool("show")).out
        assert all(disk.by_id in shown for disk in self.new), shown
        assert "raidz1" in _done(self.tool("plan")).out

    def _numbers(self) -> list[str]:
        rows = _done(self.tool("list", "target")).out.splitlines()
        found = []
        for disk in self.new:
            (row,) = [row for row in rows if f" {disk.by_id} " in row]
            found.append(row.partition("[")[2].partition("]")[0])
        return found

    def cut_power(self) -> None:
        """Cut the power while the system is being copied."""
        run = self.tool.begin("run", "--yes")
        run.await_copying(megabytes=24)
        self.guest.kill()

    def boot_after_cut(self) -> None:
        """Boot again: the old system comes up, and nothing of the pool with it."""
        self._guest = self.lab.boot("after the power cut", self.old, *self.new)
        assert state.root(self.guest).endswith(" ext4"), state.root(self.guest)
        assert state.services_in_trouble(self.guest) == []
        assert state.line(self.guest, "zpool list -H 2>/dev/null || true") == ""
        assert not any(m.kind == "zfs" for m in state.mounts(self.guest))
        status = _done(self.tool("status"))
        assert "begun and not finished" in status.out, status

    def finish_run(self) -> None:
        """Run again: it goes on to the end."""
        done = _done(self.tool("run", "--yes"))
        assert "was done already" in done.err, done
        assert state.leftovers(self.guest) == []
        self.guest.run("sync", timeout=300)
        self.guest.kill()

    def boot_raidz(self) -> None:
        """Boot from the new disks, without the old one."""
        self._guest = self.lab.boot("three new disks", *self.new)
        assert state.root(self.guest) == ROOT
        assert state.misplaced(self.guest) == []
        assert state.boot_source(self.guest) == "raid1 ext2"
        assert state.array_slots(self.guest) == "UUU"
        assert state.services_in_trouble(self.guest) == []
        assert state.pool_is_healthy(self.guest)
        wanted = {"rpool", "raidz1-0", *(f"{d.by_id}-part3" for d in self.new)}
        assert state.vdevs(self.guest) == dict.fromkeys(wanted, "ONLINE")
        assert "stays out of the pool" in _done(self.tool("status")).out

    def refuse_mirror(self) -> None:
        """Ask for the old disk to join: it has no place, and is told so."""
        refused = self.tool("mirror", "--yes", "--serial", "OLDDISK")
        assert refused.status == 2, refused
        assert "no place in this pool" in refused.err, refused
        self.guest.kill()


def _done(answer: Answer) -> Answer:
    assert answer.status == 0, answer
    return answer

"""RAID-Z over three small disks, with a power cut in mid-copy; boot environments."""

from tests.vm.scenario import environments, share, state
from tests.vm.scenario.lab import Lab
from tests.vm.scenario.parts import Scenario
from tests.vm.scenario.tool import Answer

DISK_MIB = 1536
SERIALS = ("RAIDONE", "RAIDTWO", "RAIDTHREE")
HOME = "rpool/ROOT"


class Raidz(Scenario):
    """The old disk stays out of the pool for good."""

    PARTS = (
        *("boot_old", "choose", "cut_power", "boot_after_cut", "finish_run"),
        *("boot_raidz", "refuse_mirror", "make_environment", "boot_environment"),
        *("boot_third", "go_back"),
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
            ("layout", "boot-environments"),
            ("boot-size", "128M"),
            ("swap-size", "0"),
            ("target", *self._numbers()),
            # the power is cut after `run`: no pass, no seal, and it starts all the same
            ("consistency", "now"),
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
        self._all_is_well("gentoo")
        wanted = {"rpool", "raidz1-0", *(f"{d.by_id}-part3" for d in self.new)}
        assert state.vdevs(self.guest) == dict.fromkeys(wanted, "ONLINE")
        assert "stays out of the pool" in _done(self.tool("status")).out

    def refuse_mirror(self) -> None:
        """Ask for the old disk to join: it has no place, and is told so."""
        refused = self.tool("mirror", "--yes", "--serial", "OLDDISK")
        assert refused.status == 2, refused
        assert "no place in this pool" in refused.err, refused

    def make_environment(self) -> None:
        """Make a boot environment from the running root, and activate it."""
        assert self._listed() == {"gentoo": {"running", "default"}}
        for name in ("gentoo", "ROOT", "a b", "12"):
            assert self.tool("environments", "create", name).status == 2, name
        _done(self.tool("environments", "create", "try"))
        assert self._listed() == {"gentoo": {"running", "default"}, "try": set()}
        assert state.misplaced(self.guest) == []
        refused = self.tool("environments", "destroy", "gentoo", "--yes")
        assert (refused.status, "running" in refused.err) == (3, True), refused
        self._choose_kernel()
        _done(self.tool("environments", "activate", "try"))
        assert self._listed() == {"gentoo": {"running"}, "try": {"default"}}
        refused = self.tool("environments", "destroy", "try", "--yes")
        assert (refused.status, "the default" in refused.err) == (3, True), refused

    def _choose_kernel(self) -> None:
        """Have GRUB remember an entry, which would come before the new default."""
        saved = "grub-editenv /boot/grub/grubenv set next_entry=gnulinux-advanced"
        self.guest.run(saved, timeout=60)

    def boot_environment(self) -> None:
        """Boot: the clone is the root, and its origin is still there."""
        self._reboot("the environment try")
        self._all_is_well("try")
        status = _done(self.tool("status")).out
        assert "stays out of the pool" in status, status
        assert self._listed() == {"gentoo": set(), "try": {"running", "default"}}
        assert state.line(self.guest, "grub-editenv list | grep entry= || true") == ""
        _done(self.tool("environments", "create", "third"))
        _done(self.tool("environments", "activate", "third"))

    def boot_third(self) -> None:
        """Boot a clone of the clone, and destroy the one between."""
        self._reboot("the environment third")
        self._all_is_well("third")
        _done(self.tool("environments", "destroy", "try", "--yes"))
        wanted = {"gentoo": set(), "third": {"running", "default"}}
        assert self._listed() == wanted
        snapshots = self._snapshots()
        assert snapshots == f"{HOME}/gentoo@zfs-root-migrate-try", snapshots
        origin = state.line(self.guest, f"zfs get -H -o value origin {HOME}/third")
        assert origin == snapshots

    def go_back(self) -> None:
        """Activate the first one again, and boot it; nothing of the others is left."""
        _done(self.tool("environments", "activate", "gentoo"))
        self._reboot("back in the first environment")
        self._all_is_well("gentoo")
        _done(self.tool("environments", "destroy", "third", "--yes"))
        assert self._listed() == {"gentoo": {"running", "default"}}
        assert self._snapshots() == ""
        menu = state.line(self.guest, "cat /boot/grub/grub.cfg")
        assert f"{HOME}/third" not in menu
        assert f"root=ZFS={HOME}/gentoo" in menu
        self.guest.kill()

    def _snapshots(self) -> str:
        listed = "zfs list -Hr -t snapshot -o name rpool 2>/dev/null"
        return state.line(self.guest, listed)

    def _reboot(self, name: str) -> None:
        self.guest.run("sync", timeout=300)
        self.guest.kill()
        self._guest = self.lab.boot(name, *self.new)

    def _all_is_well(self, name: str) -> None:
        assert state.root(self.guest) == f"{HOME}/{name} zfs"
        assert state.misplaced(self.guest) == []
        assert state.boot_source(self.guest) == "raid1 ext2"
        assert state.array_slots(self.guest) == "UUU"
        assert state.services_in_trouble(self.guest) == []
        assert state.pool_is_healthy(self.guest)

    def _listed(self) -> dict[str, set[str]]:
        return environments.listed(self.tool)


def _done(answer: Answer) -> Answer:
    assert answer.status == 0, answer
    return answer

"""The main scenario: a running system on disk A becomes a mirrored ZFS root."""

import json
from concurrent.futures import ThreadPoolExecutor

from tests.vm.disks import Disk
from tests.vm.scenario import environments, records, share, state, trees
from tests.vm.scenario.lab import Lab
from tests.vm.scenario.parts import Scenario
from tests.vm.scenario.tool import Answer

NEW_DISK_MIB = 6144
ROOT = "rpool/ROOT zfs"
# the root dataset has this directory, and no other one has
ONLY_IN_CLONE = "/etc/only-in-the-clone"
# a system in use: a log that grows, and a file that is replaced again and again
WRITER = """\
setsid bash -c '
    while :; do
        echo $EPOCHREALTIME >> /var/log/busy.log
        echo $EPOCHREALTIME > /home/larry/busy.new
        mv /home/larry/busy.new /home/larry/busy
        sleep 1
    done
' >/dev/null 2>&1 </dev/null &
"""


class Migration(Scenario):
    """From `check` to a machine that starts with either disk."""

    PARTS = (
        *("boot_old", "choose", "kill_in_copy", "finish_run", "leave_old"),
        *("boot_new", "compare", "refuse_wrong_serial", "mirror"),
        *("boot_environment", "boot_alone"),
    )

    def __init__(self, lab: Lab) -> None:
        """Make the two disks."""
        super().__init__(lab)
        self.old = lab.old_disk("OLDDISK")
        self.new = lab.blank("NEWDISK", NEW_DISK_MIB)
        self.before: trees.Entries = []
        self.hidden_before: dict[str, list[str]] = {}
        self.saved: tuple[Disk, Disk] | None = None
        self.acknowledged: list[str] = []
        self.facts: dict[str, str] = {}

    def boot_old(self) -> None:
        """Boot the old disk: Gentoo on ext4, with a blank second disk."""
        share.place_files(self.lab.share)
        self._guest = self.lab.boot("old disk", self.old, self.new)
        assert state.root(self.guest).endswith(" ext4"), state.root(self.guest)
        self._merged_by_portage()
        self.facts["before"] = state.root(self.guest)
        self.before = trees.scan(self.lab, self.guest)
        self.hidden_before = state.hidden(self.guest, "/")
        assert any("below-the-mount" in p for p in self.hidden_before["/home"])

    def _merged_by_portage(self) -> None:
        """Demand that the tool is Portage's: its database has every file."""
        assert self.tool("version").status == 0
        package, files = state.tool_package(self.guest)
        assert package.startswith("app-admin/zfs-root-migrate-"), package
        assert {
            *("/usr/bin/zfs-root-migrate", "/etc/zfs-root-migrate.toml"),
            "/usr/lib/python3.13/site-packages/zfs_root_migrate/cli.py",
        } <= files

    def choose(self) -> None:
        """Check the machine, choose the new disk, look at the plan."""
        tool = self.tool
        unset = tool("check")
        assert unset.status == 3, unset
        assert "target-unset" in unset.out, unset
        assert self.new.by_id in tool("list", "target").out
        _done(tool("set", "target", self.new.by_id))
        check = _done(tool("check"))
        assert "Ready" in check.out, check
        plan = _done(tool("plan", shown=False))
        steps = json.loads(_done(tool("plan", "--json", shown=False)).out)["steps"]
        for number, step in enumerate(steps, 1):
            assert f"\n{number}. {step['title']}" in plan.out, step
        assert state.what_is_on(self.guest, self.new.by_id) == []

    def kill_in_copy(self) -> None:
        """Start the migration with the system in use, and kill it in mid-copy."""
        self.guest.run(WRITER, timeout=60)
        records.start(self.guest)
        mounted = state.mounts(self.guest)
        run = self.tool.begin("run", "--yes")
        run.await_copying(megabytes=24)
        run.kill()
        assert run.end(60).status == 137
        assert state.leftovers(self.guest) == []
        assert state.mounts(self.guest) == mounted
        self._old_trees_unharmed()
        status = _done(self.tool("status"))
        assert "begun and not finished" in status.out, status

    def _old_trees_unharmed(self) -> None:
        for top in trees.TORTURE:
            now = trees.scan(self.lab, self.guest, f"/{top}", leave_out=())
            then = trees.part(self.before, top)
            assert len(then) > 10, top
            assert trees.differences(then, now, (), exact=True) == []

    def finish_run(self) -> None:
        """Run it again: it goes on and ends with a proved, bootable new disk."""
        done = _done(self.tool("run", "--yes"))
        assert "while the system goes down" in done.out, done
        assert "was done already" in done.err, done
        assert "the new root is complete but" in _done(self.tool("status")).out
        assert state.leftovers(self.guest) == []
        assert state.line(self.guest, "zpool list -H") == ""
        assert state.root(self.guest) == self.facts["before"]

    def leave_old(self) -> None:
        """Shut the old system down, with the last pass, and keep a copy of both."""
        self.facts["hostid"] = state.line(self.guest, "hostid")
        with self.lab.timed("shut the old system down"):
            self.guest.poweroff()
        console = self.guest.console()
        assert "The new root is sealed" in console, console[-3000:]
        self.acknowledged = records.acknowledged(self.guest)
        assert len(self.acknowledged) > 1000
        self.saved = (
            self.lab.copy(self.old, "saved-old"),
            self.lab.copy(self.new, "saved-new"),
        )

    def boot_new(self) -> None:
        """Boot the new disk: the root is on ZFS and all is where it should be."""
        self._guest = guest = self.lab.boot("new disk", self.new, self.old)
        self.facts["after"] = state.root(guest)
        assert self.facts["after"] == ROOT
        assert "noresume" in state.line(guest, "cat /proc/cmdline").split()
        assert state.misplaced(guest) == []
        assert state.hidden(guest, "/") == self._wanted_hidden()
        assert state.hidden(guest, "/var") == {}
        assert state.boot_source(guest) == "raid1 ext2"
        assert state.services_in_trouble(guest) == []
        assert state.pool_is_healthy(guest)
        assert state.swaps(guest) == [f"{self.new.by_id}-part3"]
        assert state.line(guest, "hostid") == self.facts["hostid"]
        label = state.line(guest, f"zdb -l {self.new.by_id}-part4")
        assert f"hostid: {int(self.facts['hostid'], 16)}" in label
        assert "this is the new root" in _done(self.tool("status")).out
        lost = records.missing(self.lab, guest, self.acknowledged)
        assert not lost, lost[: records.SHOWN]
        self.facts["records"] = str(len(self.acknowledged))

    def _wanted_hidden(self) -> dict[str, list[str]]:
        """Return what the old system hid below places that are mount points still."""
        points = {m.target for m in state.mounts(self.guest)}
        return {
            point: paths
            for point, paths in self.hidden_before.items()
            if point in points
        }

    def compare(self) -> None:
        """Compare the whole tree with the one before the migration."""
        now = trees.scan(self.lab, self.guest)
        reasons = [*trees.BOOTS_CHANGE, *trees.TOOL_CHANGES, *self._initramfs()]
        found = trees.differences(self.before, now, reasons)
        assert not found, "\n".join(found[:40])
        for top in trees.TORTURE:
            old, new = trees.part(self.before, top), trees.part(now, top)
            assert len(old) > 10, top
            exact = trees.differences(old, new, (), exact=True)
            assert not exact, "\n".join(exact[:40])
        self.facts["compared"] = str(len(self.before))

    def _initramfs(self) -> list[str]:
        names = state.line(self.guest, "cd /; ls boot/initramfs-*").splitlines()
        assert names, "there is no initramfs"
        return names

    def refuse_wrong_serial(self) -> None:
        """Give `mirror` a wrong serial number: it refuses and changes nothing."""
        before = state.lsblk(self.guest, self.old.by_id)
        refused = self.tool("mirror", "--yes", "--serial", "NEWDISK")
        assert refused.status == 3, refused
        assert "nothing was changed" in refused.err, refused
        assert state.lsblk(self.guest, self.old.by_id) == before
        assert state.vdevs(self.guest).keys() == {"rpool", f"{self.new.by_id}-part4"}

    def mirror(self) -> None:
        """Take the old disk in: pool, /boot, swap and boot loader are on both."""
        _done(self.tool("mirror", "--yes", "--serial", "OLDDISK"))
        guest = self.guest
        wanted = {"rpool", "mirror-0", *(f"{d.by_id}-part4" for d in self._disks())}
        assert state.vdevs(guest) == dict.fromkeys(wanted, "ONLINE")
        assert state.pool_is_healthy(guest)
        assert state.array_slots(guest) == "UU"
        swaps = sorted(f"{disk.by_id}-part3" for disk in self._disks())
        assert state.swaps(guest) == swaps
        self.facts["pool"] = state.line(guest, "zpool status -P rpool")
        self.facts["array"] = state.line(guest, "cat /proc/mdstat")
        assert "done" in _done(self.tool("status")).out

    def _disks(self) -> tuple[Disk, Disk]:
        return self.new, self.old

    def boot_environment(self) -> None:
        """Boot a clone of the root, change it, and choose the first root again."""
        made = _done(self.tool("environments", "create", "try"))
        assert "/var/db/pkg" in made.out + made.err, made
        _done(self.tool("environments", "activate", "try"))
        self._cut_power()
        self._guest = self.lab.boot("boot environment", *self._disks())
        self.facts["environment"] = state.root(self.guest)
        assert self.facts["environment"] == "rpool/ROOT/try zfs"
        assert state.misplaced(self.guest) == []
        assert state.services_in_trouble(self.guest) == []
        assert state.pool_is_healthy(self.guest)
        self.guest.run(f"echo try > {ONLY_IN_CLONE}", timeout=60)
        assert environments.listed(self.tool) == {
            "ROOT": set(),
            "try": {"running", "default"},
        }
        for name, why in (("ROOT", "the others lie in it"), ("try", "running")):
            refused = self.tool("environments", "destroy", name, "--yes")
            assert refused.status == 3, refused
            assert why in refused.err, refused
        _done(self.tool("environments", "activate", "ROOT"))
        self._cut_power()

    def _cut_power(self) -> None:
        self.guest.run("sync", timeout=300)
        self.guest.kill()

    def boot_alone(self) -> None:
        """Boot with only the old disk, and with only the new one."""
        names = {self.old: "only the old disk", self.new: "only the new disk"}
        with ThreadPoolExecutor(max_workers=2) as both:
            futures = [both.submit(self._alone, d, n) for d, n in names.items()]
        for future in futures:
            future.result()

    def _alone(self, disk: Disk, name: str) -> None:
        guest = self.lab.boot(name, disk)
        self.facts[name] = state.root(guest)
        assert self.facts[name] == ROOT
        found = state.line(guest, f"test ! -e {ONLY_IN_CLONE} || echo there")
        assert found == ""
        assert state.misplaced(guest) == []
        assert state.boot_source(guest) == "raid1 ext2"
        assert sorted(state.array_slots(guest)) == ["U", "_"]
        assert state.services_in_trouble(guest) == []
        assert state.swaps(guest) == [f"{disk.by_id}-part3"]
        assert state.vdevs(guest)[f"{disk.by_id}-part4"] == "ONLINE"
        guest.run("sync", timeout=300)
        guest.kill()


def _done(answer: Answer) -> Answer:
    assert answer.status == 0, answer
    return answer

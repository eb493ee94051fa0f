"""The last pass: it fails and says why, its seal goes stale, and no record is lost."""

from tests.vm.scenario import records, share, state
from tests.vm.scenario.sealed import Sealed
from tests.vm.scenario.tool import Answer

# acknowledged in the whole scenario, the main one's among them
AT_LEAST = 10_000
# until the next boot, the kernel does not see it any more
GONE = """\
device=$(readlink -f {disk})
echo 1 > "$(readlink -f "/sys/block/${{device##*/}}/device/..")/remove"
udevadm settle
test ! -e {disk}
"""
# ZFS has no such flag: a dataset has or has not atime
NOT_ON_ZFS = "A"
PASSES = """\
set -e
mkdir /mnt/old /mnt/hard
mount {old} /mnt/old
mkdir /mnt/old/hard
zfs create -o mountpoint=/mnt/hard rpool/hard
cd /run/share
python3 -B -m tests.copy.passes /mnt/old/hard /mnt/hard /root/state --lost {lost}
"""
REFUSES = "zfs-root-migrate: this root is not started"
AGAIN = "The machine starts again in a minute"


class LastPass(Sealed):
    """Fails, goes stale, and is made again."""

    PARTS = (
        *("fail", "write_after_the_seal", "refuse", "pass_again", "nothing_lost"),
        "copy_to_a_dataset",
    )

    def fail(self) -> None:
        """Take the new disk away before the shutdown: the old system says why."""
        share.place_files(self.lab.share)
        self._guest = self.lab.boot("old disk after the seal", self.old, self.new)
        assert state.root(self.guest) == self.before
        status = _done(self.tool("status"))
        assert "stale" in status.out, status
        self.guest.run(GONE.format(disk=self.new.by_id), timeout=60)
        self.guest.reboot()
        self.lab.await_boot(self.guest)
        status = _done(self.tool("status"))
        assert "The last pass" in status.out, status
        assert "failed in step open: " in status.out, status
        assert state.root(self.guest) == self.before
        assert state.services_in_trouble(self.guest) == []

    def write_after_the_seal(self) -> None:
        """Write to the old disk, then cut the power: no pass is made."""
        records.start(self.guest)
        records.await_records(self.guest, self._plain() + 300)
        self.guest.kill()
        self._count()

    def refuse(self) -> None:
        """Start the new disk: it sees that the old one was written to, and refuses."""
        guest = self.lab.start("new disk, stale", self.new, self.old)
        with self.lab.timed("refuse"):
            guest.await_console(AGAIN)
        console = guest.console()
        assert REFUSES in console, console[-3000:]
        assert "has changed since" in console, console[-3000:]
        assert "zfs-root-migrate.unsealed" in console, console[-3000:]
        guest.await_console("GRUB", after=AGAIN)
        guest.kill()

    def pass_again(self) -> None:
        """Run again on the old disk, and shut down while records are written."""
        self._guest = self.lab.boot("old disk once more", self.old, self.new)
        records.start(self.guest)
        status = _done(self.tool("status"))
        assert "and refuses to start" in status.out, status
        done = _done(self.tool("run", "--yes"))
        assert "while the system goes down" in done.out, done
        assert "changes in" in done.err, done
        records.await_records(self.guest, AT_LEAST // 3 + 100)
        with self.lab.timed("shut down with the last pass"):
            self.guest.poweroff()
        assert "The new root is sealed" in self.guest.console()
        self._count()

    def nothing_lost(self) -> None:
        """Boot the new disk: every record that was ever acknowledged is there."""
        self._boot_sealed()
        assert state.services_in_trouble(self.guest) == []
        assert len(self.acknowledged) >= AT_LEAST, len(self.acknowledged)
        self._find_all()
        assert "this is the new root" in _done(self.tool("status")).out

    def copy_to_a_dataset(self) -> None:
        """Copy the hardest tree there is from ext4 to ZFS, while it changes."""
        share.place_passes(self.lab.share)
        root = self.before.split()[0]
        number = root.removeprefix(root.rstrip("0123456789"))
        script = PASSES.format(old=f"{self.old.by_id}-part{number}", lost=NOT_ON_ZFS)
        said = self.guest.run(script, timeout=1800).output
        self.lab.transcript.note(said)
        assert "pass 3: 0 copied, 0 removed" in said, said
        assert "refused by the source: nothing" in said, said
        self.guest.kill()


def _done(answer: Answer) -> Answer:
    assert answer.status == 0, answer
    return answer

"""Bad input and bad luck: one clear message each, and nothing is lost."""

import subprocess

from tests.vm.disks import Disk
from tests.vm.scenario import share, state
from tests.vm.scenario.lab import Lab
from tests.vm.scenario.parts import Scenario
from tests.vm.scenario.tool import Answer

STATE = "/var/lib/zfs-root-migrate"
# large enough for the guest's 250 MB, too small for these and the large directory
SMALL_MIB = 1152
# many files: nearly all that is in the way is in the copy, whole
LARGE = "/var/tmp/large"
LARGE_MIB = 900


class Mistakes(Scenario):
    """One boot of the old disk, and much that goes wrong."""

    PARTS = (
        *("boot_old", "unknown_disk", "own_disk", "a_partition", "disk_in_use"),
        *("disk_with_content", "too_small", "pool_of_that_name", "read_only_state"),
        *("no_answer", "ctrl_c", "second_instance", "full_disk", "space_again"),
        "go_back",
    )

    def __init__(self, lab: Lab) -> None:
        """Make the disks."""
        super().__init__(lab)
        self.old = lab.old_disk("OLDDISK")
        self.small = lab.blank("SMALLDISK", SMALL_MIB)
        self.tiny = lab.blank("TINYDISK", 256)
        self.used = lab.blank("USEDDISK", SMALL_MIB)
        self.full = lab.blank("DATADISK", SMALL_MIB)
        format_disk = ["mke2fs", "-q", "-F", "-t", "ext4", str(self.full.file)]
        subprocess.run(format_disk, check=True)

    def boot_old(self) -> None:
        """Boot the old disk among others, one of which is mounted."""
        share.place_files(self.lab.share)
        disks = (self.old, self.small, self.tiny, self.used, self.full)
        self._guest = self.lab.boot("old disk", *disks)
        self.guest.run(
            f"sfdisk -q {self.used.by_id} <<<',' && udevadm settle && "
            f"mke2fs -q -F -t ext4 {self.used.by_id}-part1 && mkdir -p /mnt/used && "
            f"mount {self.used.by_id}-part1 /mnt/used",
            timeout=300,
        )

    def unknown_disk(self) -> None:
        """Choose a disk that is not there."""
        self._refused("/dev/disk/by-id/virtio-NOSUCH", "target-unknown", "NOSUCH")

    def own_disk(self) -> None:
        """Choose the disk that the system runs from."""
        self._refused(self.old.by_id, "target-is-old-disk", "OLDDISK")

    def a_partition(self) -> None:
        """Choose a partition."""
        self._refused(f"{self.used.by_id}-part1", "target-not-disk", "USEDDISK")

    def disk_in_use(self) -> None:
        """Choose a disk with a mounted file system, and even allow to overwrite it."""
        _done(self.tool("set", "overwrite", self.used.serial))
        self._refused(self.used.by_id, "target-in-use", "/mnt/used")
        _done(self.tool("set", "overwrite"))

    def disk_with_content(self) -> None:
        """Choose a disk with a file system; then allow that it is destroyed."""
        self._refused(self.full.by_id, "target-not-blank", "ext4")
        _done(self.tool("set", "overwrite", self.full.serial))
        self._fit_settings()
        _done(self.tool("check"))
        assert "destroys what you allowed" in _done(self.tool("plan")).out
        assert "ext4" in "".join(state.what_is_on(self.guest, self.full.by_id))
        _done(self.tool("set", "overwrite"))

    def _fit_settings(self) -> None:
        for words in (("boot-size", "128M"), ("swap-size", "0")):
            _done(self.tool("set", *words))

    def too_small(self) -> None:
        """Choose a disk that is too small."""
        self._refused(self.tiny.by_id, "target-too-small", "need")

    def pool_of_that_name(self) -> None:
        """Have a pool called rpool already: in use, and then only on a disk."""
        guest, other = self.guest, self.tiny.by_id
        guest.run(f"modprobe zfs && zpool create -m none rpool {other}", timeout=300)
        self._refused(self.small.by_id, "pool-imported", "rpool")
        guest.run("zpool export rpool", timeout=300)
        self._refused(self.small.by_id, "pool-name-taken", "rpool")
        guest.run(f"zpool labelclear -f {other}-part1; wipefs -aq {other}", timeout=300)

    def read_only_state(self) -> None:
        """Have a state directory that cannot be written to."""
        _done(self.tool("set", "target", self.small.by_id))
        self.guest.run(
            f"mkdir -p {STATE} && mount --bind {STATE} {STATE} && "
            f"mount -o remount,bind,ro {STATE}",
            timeout=60,
        )
        check = self.tool("check")
        assert "findmnt" in check.out, check
        answer = self.tool("run", "--yes")
        assert answer.status == 3, answer
        self._one_message(answer, "state-not-writable", "nothing was changed", STATE)
        self.guest.run(f"umount {STATE} && rmdir {STATE}", timeout=60)
        self._untouched(self.small)

    def no_answer(self) -> None:
        """Leave out `--yes` where nobody can be asked."""
        answer = self.tool("run")
        assert answer.status == 2, answer
        self._one_message(answer, "nobody is there to ask", "--yes")
        self._untouched(self.small)

    def ctrl_c(self) -> None:
        """Press Ctrl-C while the system is being copied."""
        run = self.tool.begin("run", "--yes")
        run.await_copying(megabytes=8)
        run.interrupt()
        answer = run.end(120)
        assert answer.status == 130, answer
        self._one_message(answer, "interrupted", "goes on")
        assert "still boots" in answer.err, answer
        assert state.leftovers(self.guest) == []

    def second_instance(self) -> None:
        """Start the tool a second time while it is at work."""
        run = self.tool.begin("run", "--yes")
        run.await_copying(megabytes=8)
        for verb in (("run", "--yes"), ("undo", "--yes")):
            answer = self.tool(*verb)
            assert answer.status == 1, answer
            self._one_message(answer, "another zfs-root-migrate is at work", "status")
        run.interrupt()
        assert run.end(120).status == 130

    def full_disk(self) -> None:
        """Fill the new disk while the system is being copied to it."""
        run = self.tool.begin("run", "--yes")
        self.guest.run(
            f"mkdir {LARGE} && head -c {LARGE_MIB}M /dev/urandom | "
            f"split -b 1M -a 3 - {LARGE}/",
            timeout=1800,
        )
        answer = run.end()
        assert answer.status == 1, answer
        self._one_message(answer, "copying to", "Free space", "goes on")
        assert "No space left on device" in answer.err, answer
        assert state.leftovers(self.guest) == []

    def space_again(self) -> None:
        """Free the space: the copying goes on and ends well.

        It is free on the old disk; the new one is as full as before.
        """
        self.guest.run(f"rm -r {LARGE}", timeout=300)
        run = self.tool.begin("run", "--yes")
        # never done before: the first or the second pass has failed
        run.await_journal("done", "delta")
        run.interrupt()
        assert run.end(300).status == 130

    def go_back(self) -> None:
        """Undo from the middle: nothing is left on the new disk."""
        answer = _done(self.tool("undo", "--yes"))
        assert "Error" not in answer.err, answer
        self._untouched(self.small)
        self.guest.kill()

    def _refused(self, target: str, key: str, *words: str) -> None:
        """See that check and run refuse a target, for this reason and no other."""
        _done(self.tool("set", "target", target))
        check = self.tool("check")
        assert check.status == 3, check
        assert f"[{key}]" in check.out, check
        assert "do:" in check.out, check
        answer = self.tool("run", "--yes")
        assert answer.status == 3, answer
        self._one_message(answer, "nothing was changed", key, *words)
        assert not self._begun()

    def _one_message(self, answer: Answer, *words: str) -> None:
        assert answer.err.count("Error:") == 1, answer
        assert answer.err.count("What to do:") == 1, answer
        assert "Traceback" not in answer.err, answer
        for word in words:
            assert word in answer.err, f"{word!r} is not in: {answer}"

    def _begun(self) -> bool:
        return self.guest.run(f"test -e {STATE}/plan.json", check=False).status == 0

    def _untouched(self, disk: Disk) -> None:
        assert state.what_is_on(self.guest, disk.by_id) == []
        assert not self._begun()


def _done(answer: Answer) -> Answer:
    assert answer.status == 0, answer
    return answer

"""The last pass as systemd makes it, in the same guest, started by systemd."""

from tests.vm.scenario import records, share, state
from tests.vm.scenario.sealed import Sealed

# One that is not OpenRC's is refused, so this root was migrated before. ZFS's services
# import the new pool and mount it over the old root; Gentoo's preset has that off.
CHANGE_INIT = """\
set -e
tar -C / -xf /run/share/systemd.tar
ldconfig
mkdir -p /var/log/journal
cd /etc/systemd/system
mkdir -p multi-user.target.wants final.target.wants
for unit in zfs-import-scan zfs-import-cache zfs-mount; do
    ln -sfn /dev/null $unit.service
done
cat >vm-agent.service <<'END'
[Service]
ExecStart=/usr/sbin/vm-agent
END
cat >way-down.service <<'END'
[Unit]
DefaultDependencies=no
After=zfs-root-migrate-seal.service
Before=final.target
[Service]
Type=oneshot
StandardOutput=tty
ExecStart=systemctl show --property=JobTimeoutUSec poweroff.target
END
ln -s ../vm-agent.service multi-user.target.wants
ln -s ../way-down.service final.target.wants
ln -s /usr/lib/systemd/system/zfs-root-migrate-seal.service final.target.wants
words='init=/usr/lib/systemd/systemd systemd.unit=multi-user.target'
sed -i "s|^\\s*linux\\s.*|& $words|" /boot/grub/grub.cfg
sync
"""
ENOUGH = 300


class Systemd(Sealed):
    """Seals once more, by the unit."""

    PARTS = ("change_init", "seal", "nothing_lost")

    def change_init(self) -> None:
        """Let systemd start the old root, which is armed still, and cut the power."""
        share.place_files(self.lab.share)
        share.place_systemd(self.lab.share)
        self._guest = self.lab.boot("old disk with OpenRC", self.old, self.new)
        self.guest.run(CHANGE_INIT, timeout=300)
        self.guest.kill()

    def seal(self) -> None:
        """Shut systemd down while records are written: its unit makes the last pass."""
        self._guest = self.lab.boot("old disk with systemd", self.old, self.new)
        assert state.line(self.guest, "cat /proc/1/comm") == "systemd"
        assert state.root(self.guest) == self.before
        # a file that is open for writing
        journal = state.line(self.guest, "find /var/log/journal -name '*.journal'")
        assert journal
        records.start(self.guest)
        records.await_records(self.guest, self._plain() + ENOUGH)
        with self.lab.timed("shut down with the last pass"):
            self.guest.poweroff("systemctl poweroff")
        console = self.guest.console()
        assert "The new root is sealed" in console, console[-5000:]
        # not the 30 minutes that a shutdown may take
        assert "JobTimeoutUSec=infinity" in console, console[-5000:]
        self._count()

    def nothing_lost(self) -> None:
        """Boot the new disk: every record that was acknowledged is there."""
        self._boot_sealed()
        assert state.line(self.guest, "cat /proc/1/comm") == "init"
        self._find_all()
        self.guest.kill()

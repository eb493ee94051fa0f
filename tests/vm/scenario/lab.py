"""A scenario's place on the host: its guests, their disks, what was said and when.

Guarantee: no guest outlives `close`, and every console log is kept.
"""

import fcntl
import json
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TextIO

from tests.vm.disks import Disk, blank_disk, copy_disk
from tests.vm.guest import Guest, GuestError
from tests.vm.qemu import Machine

CHECKOUT = Path(__file__).parents[3]
OUT = CHECKOUT / "out"
CONSOLE_LINES = 30
# an emulated machine beside other jobs: a boot of one minute may take ten
BOOT_SECONDS = 1200.0


class Shown(Protocol):
    """Where what is typed and answered is shown while it happens."""

    def write(self, text: str, /) -> int:
        """Write text."""

    def flush(self) -> None:
        """Let it be seen."""


class Transcript:
    """What was typed and answered; kept in a file, and shown where that is wished."""

    def __init__(self, path: Path, shown: Shown | None) -> None:
        """Write to a new file, and to `shown` as well where there is one."""
        self._file = path.open("w", errors="backslashreplace")
        self._shown = shown

    def write(self, text: str) -> int:
        """Write text, as a stream does."""
        self._file.write(text)
        self._file.flush()
        if self._shown is not None:
            self._shown.write(text)
            self._shown.flush()
        return len(text)

    def note(self, text: str) -> None:
        """Write what only the file is for."""
        self._file.write(text + "\n")
        self._file.flush()

    def flush(self) -> None:
        """Do what a stream does; all is written at once."""


@dataclass(slots=True)
class Lab:
    """The directory of a scenario and the guests started in it."""

    name: str
    image: Path
    shown: Shown | None = None
    cores: int = 1
    times: dict[str, float] = field(default_factory=dict)
    guests: list[Guest] = field(default_factory=list)
    transcript: Transcript = field(init=False)
    _lock: TextIO = field(init=False)
    _starting: threading.Lock = field(default_factory=threading.Lock)
    _ended: bool = False

    def __post_init__(self) -> None:
        """Begin with an empty directory, which nobody else is using."""
        OUT.mkdir(exist_ok=True)
        self._lock = (OUT / f".{self.name}.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise GuestError(f"{self.directory} is in use by another run") from None
        shutil.rmtree(self.directory, ignore_errors=True)
        self.share.mkdir(parents=True)
        self.disks.mkdir()
        self.transcript = Transcript(self.directory / "transcript.txt", self.shown)

    @property
    def directory(self) -> Path:
        """Everything of this scenario."""
        return OUT / self.name

    @property
    def share(self) -> Path:
        """What the guests see as /mnt/share, read-only."""
        return self.directory / "share"

    @property
    def disks(self) -> Path:
        """The disks of the guests."""
        return self.directory / "disks"

    def old_disk(self, serial: str = "OLDDISK") -> Disk:
        """Return a fresh disk A: a Gentoo system on ext4."""
        return copy_disk(self.image, self.disks / f"{serial}.raw", serial)

    def blank(self, serial: str, mib: int) -> Disk:
        """Return an empty disk."""
        return blank_disk(self.disks / f"{serial}.raw", mib << 20, serial)

    def copy(self, disk: Disk, name: str) -> Disk:
        """Return a copy of a disk, with the same serial number."""
        return copy_disk(disk.file, self.disks / f"{name}.raw", disk.serial)

    def start(self, name: str, *disks: Disk) -> Guest:
        """Start a guest from the first of the disks; its boot is not awaited."""
        with self._starting:
            if self._ended:
                raise GuestError("the session is over")
            guest = Guest(self.directory / f"{len(self.guests) + 1}-{name}")
            self.guests.append(guest)
            guest.start(Machine(disks=disks, share=self.share, cores=self.cores))
        return guest

    def boot(self, name: str, *disks: Disk) -> Guest:
        """Start a guest and wait until it answers."""
        with self.timed(f"boot {name}"):
            guest = self.start(name, *disks)
            self.await_boot(guest)
        return guest

    def await_boot(self, guest: Guest) -> None:
        """Wait for a guest's agent and show it the share."""
        up = guest.wait(BOOT_SECONDS)
        self.transcript.note(f"== {guest.name}: up {up.uptime:.0f} s after the kernel")
        guest.run(
            "mkdir -p /run/share && "
            "mount -t 9p -o trans=virtio,ro,msize=262144 share /run/share",
            timeout=120,
        )

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Remember how long something took."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.times[what] = round(time.monotonic() - begun, 1)
            self.transcript.note(f"== {what}: {self.times[what]} s")

    def consoles(self) -> str:
        """Return the last lines of the guest that was started last, and all places."""
        if not self.guests:
            return "no guest was started"
        newest = self.guests[-1]
        lines = newest.console().splitlines()[-CONSOLE_LINES:]
        said = [f"the console of {newest.name} said last:", *lines, "all consoles:"]
        said += [f"  {guest.directory / 'console.log'}" for guest in self.guests]
        said.append(f"what was typed and answered: {self.directory}/transcript.txt")
        return "\n".join(said)

    def end_guests(self) -> None:
        """Cut the power of the guests that still run, and start no others."""
        with self._starting:
            self._ended = True
        for guest in self.guests:
            try:
                guest.kill()
            except OSError as error:
                sys.stderr.write(f"{guest.name}: {error}\n")

    def close(self, *, keep_disks: bool) -> None:
        """End the guests that still run; disks are only kept to be looked at."""
        self.end_guests()
        times = json.dumps(self.times, indent=1)
        (self.directory / "times.json").write_text(times + "\n")
        self._lock.close()
        if not keep_disks:
            shutil.rmtree(self.disks, ignore_errors=True)

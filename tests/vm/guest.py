"""One guest in QEMU: start it, run commands in it, cut its power.

    guest = Guest(Path("run/first"))
    guest.start(Machine(disks=(Disk(Path("a.raw"), "OLDDISK"),)))
    guest.wait()
    print(guest.run("lsblk").output)
    guest.poweroff()

All state lies in the run directory (pid, sockets, console.log), so that another
process can go on with a guest.  Only processes started here are ever ended.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from tests.vm.disks import Bus, Disk
from tests.vm.qemu import Machine

__all__ = ["Bus", "Disk", "Guest", "GuestError", "Machine", "Result", "Up"]

START_SECONDS = 15.0
BOOT_SECONDS = 900.0
COMMAND_SECONDS = 3600.0
POWEROFF_SECONDS = 400.0
# characters of the console in an error message
SHOWN = 3000
# what the kernel says when it stops for good instead of starting again
DEAD = "---[ end Kernel panic"
# what it says first
BEGUN = "Linux version "


class GuestError(Exception):
    """The guest did not do what it was asked for."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a command: exit status and all it wrote."""

    status: int
    output: str


@dataclass(frozen=True, slots=True)
class Up:
    """The running system: its boot id, and its uptime when the agent began."""

    boot: str
    uptime: float


class Guest:
    """A guest and its run directory."""

    def __init__(self, directory: Path) -> None:
        """Use a run directory, which need not exist yet."""
        self.directory = directory
        self.name = directory.name
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._buffer = b""
        # replies to an earlier process's requests must not be taken for ours
        self._number = int(time.time() * 1000) % 10**9

    # life cycle

    @property
    def pid(self) -> int | None:
        """Return the process id of QEMU, None when it does not run."""
        if self._process is not None and self._process.poll() is not None:
            return None
        try:
            pid = int((self.directory / "pid").read_text())
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        return None if state == "Z" or b"qemu" not in command else pid

    @property
    def cpu_seconds(self) -> float:
        """Return the processor time that QEMU has used.

        What the guest did costs the same of it, whatever else the host is doing.
        """
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def start(self, machine: Machine) -> None:
        """Start QEMU; the guest's boot is not awaited."""
        if self.pid:
            raise GuestError(f"{self.name} is running already (pid {self.pid})")
        self._disconnect()
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        with (self.directory / "qemu.log").open("wb") as log:
            self._process = subprocess.Popen(
                machine.command(),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + START_SECONDS
        while not (self.pid and (self.directory / "agent").exists()):
            if self._process.poll() is not None or time.monotonic() > end:
                self.kill()
                text = (self.directory / "qemu.log").read_text(errors="replace")
                raise GuestError(f"QEMU did not start: {text}")
            time.sleep(0.05)

    def kill(self) -> None:
        """Cut the power."""
        pid = self.pid
        if pid:
            os.kill(pid, signal.SIGKILL)
            self._await_end(20)

    def poweroff(
        self, command: str = "poweroff", *, timeout: float = POWEROFF_SECONDS
    ) -> float:
        """Shut the guest down as its init does; return how long that took."""
        begun = time.monotonic()
        self._leave(command)
        if not self._await_end(timeout):
            self.kill()
            raise GuestError(
                f"{self.name} did not power off in {timeout:.0f} s\n{self._last()}"
            )
        return time.monotonic() - begun

    def reboot(self, timeout: float = BOOT_SECONDS) -> Up:
        """Let the guest reboot; return when the new system answers."""
        before = self.wait(60).boot
        end = time.monotonic() + timeout
        self._leave("reboot")
        while True:
            up = self.wait(end - time.monotonic())
            if up.boot != before:
                return up
            time.sleep(0.5)

    def _leave(self, command: str) -> None:
        try:
            self.run(f"(sleep 0.3; {command}) >/dev/null 2>&1 </dev/null &", timeout=30)
        except GuestError:
            if self.pid:
                raise

    def _await_end(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while self.pid:
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        if self._process is not None:
            self._process.wait()
        self._disconnect()
        return True

    # the agent

    def wait(self, timeout: float = BOOT_SECONDS) -> Up:
        """Wait until the agent answers."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if not self.pid:
                raise GuestError(f"{self.name} has ended\n{self._last()}")
            if DEAD in self._last():
                raise GuestError(f"the kernel of {self.name} died\n{self._last()}")
            try:
                reply = self._ping()
            except (OSError, GuestError):
                self._disconnect()
                reply = None
            if reply:
                return Up(str(reply["boot"]), float(reply["uptime"]))
            time.sleep(0.3)
        raise GuestError(
            f"{self.name} did not answer in {timeout:.0f} s\n{self._last()}"
        )

    def run(
        self,
        command: str,
        *,
        timeout: float = COMMAND_SECONDS,
        check: bool = True,
        stream: TextIO | None = None,
    ) -> Result:
        """Run a shell command to its end; `check` makes its failure an error."""
        self.wait(60)
        number = self._send({"cmd": command, "timeout": timeout})
        parts: list[str] = []
        end = time.monotonic() + timeout + 30
        while (message := self._receive(end)) is not None:
            if message.get("id") != number:
                continue
            if "out" in message:
                parts.append(message["out"])
                if stream:
                    stream.write(message["out"])
                    stream.flush()
            if "rc" in message:
                result = Result(int(message["rc"]), "".join(parts))
                if check and result.status:
                    raise GuestError(
                        f"{command}: exit status {result.status}\n{result.output}"
                    )
                return result
        raise GuestError(f"no answer in {timeout:.0f} s: {command}")

    def _ping(self) -> dict[str, Any] | None:
        number = self._send({}, "ping")
        end = time.monotonic() + 3
        while (message := self._receive(end)) is not None:
            if message.get("pong") == number:
                return message
        return None

    def _send(self, message: dict[str, Any], key: str = "id") -> int:
        if self._socket is None:
            self._socket = _connect(self.directory / "agent")
            self._buffer = b""
        self._number += 1
        line = json.dumps({key: self._number} | message) + "\n"
        self._socket.sendall(line.encode())
        return self._number

    def _receive(self, end: float) -> dict[str, Any] | None:
        """Return the next message, None when there is none in time."""
        assert self._socket is not None
        while b"\n" not in self._buffer:
            if time.monotonic() > end:
                return None
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                if not self.pid:
                    raise GuestError(f"{self.name} has ended\n{self._last()}") from None
                continue
            if not data:
                self._disconnect()
                raise GuestError(f"{self.name} hung up\n{self._last()}")
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        try:
            message = json.loads(line)
        except ValueError:
            return {}
        return message if isinstance(message, dict) else {}

    def _disconnect(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    # the serial line

    def await_console(
        self, text: str, *, after: str = "", timeout: float = BOOT_SECONDS
    ) -> None:
        """Wait until the serial line has said this, behind something else."""
        end = time.monotonic() + timeout
        while text not in self.console().partition(after or "\n")[2]:
            if not self.pid or time.monotonic() > end:
                raise GuestError(f"{self.name} never said {text!r}\n{self._last()}")
            time.sleep(0.5)

    def console(self) -> str:
        """Return all that the serial line has said since the start."""
        try:
            return (self.directory / "console.log").read_text(errors="replace")
        except OSError:
            return ""

    def type(self, text: str) -> None:
        """Type a line on the serial line."""
        with _connect(self.directory / "serial") as line:
            line.sendall(text.encode() + b"\r")
            time.sleep(0.2)

    def _last(self) -> str:
        return self.console()[-SHOWN:]


def _connect(path: Path) -> socket.socket:
    """Connect to a socket, whose path may be longer than a socket's may be."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(1)
    directory = os.open(path.parent, os.O_PATH)
    try:
        connection.connect(f"/proc/self/fd/{directory}/{path.name}")
    except OSError:
        connection.close()
        raise
    finally:
        os.close(directory)
    return connection


if __name__ == "__main__":
    from tests.vm.guest_cli import main

    sys.exit(main())

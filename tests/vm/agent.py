#!/usr/bin/python3
"""Runs shell commands that come in over a virtio-serial port of the guest.

One JSON object a line, both ways.  In: {"ping": n} or {"id": n, "cmd": text,
"timeout": seconds}.  Out: {"pong": n, "uptime": seconds, "boot": boot id}, or
{"id": n, "out": text} as often as there is output and {"id": n, "rc": status}.
It needs neither network nor login, and init starts it again when it ends.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PORT = Path("/dev/virtio-ports/zfs-root-migrate.agent")
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TIMED_OUT = 124


def send(port: int, message: dict[str, Any]) -> None:
    """Write one message, however long the port takes."""
    data = (json.dumps(message) + "\n").encode()
    while data:
        try:
            data = data[os.write(port, data) :]
        except BlockingIOError:
            time.sleep(0.01)


def start(command: str) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own."""
    kept = {"PATH": SEARCH, "HOME": "/root", "LC_ALL": "C.UTF-8", "TERM": "dumb"}
    return subprocess.Popen(
        ["/bin/bash", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/root",
        env=kept,
        start_new_session=True,
    )


def run(port: int, request: dict[str, Any]) -> None:
    """Run one command; send what it writes, then its exit status."""
    number = request["id"]
    deadline = time.monotonic() + float(request.get("timeout", 3600))
    process = start(request["cmd"])
    assert process.stdout is not None
    output = process.stdout.fileno()
    late = False
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while True:
            if selector.select(0.2):
                chunk = os.read(output, 32768)
                if not chunk:
                    break
                text = chunk.decode("utf-8", "replace")
                send(port, {"id": number, "out": text})
            elif process.poll() is not None:
                break  # a daemon it left behind may hold the pipe open
            if time.monotonic() > deadline and not late:
                late = True
                os.killpg(process.pid, signal.SIGKILL)
    status = process.wait()
    status = 128 - status if status < 0 else status
    send(port, {"id": number, "rc": TIMED_OUT if late else status})


def answer(port: int, line: bytes, uptime: float) -> None:
    """Answer one line from the host."""
    try:
        request = json.loads(line)
    except ValueError:
        return
    if "ping" in request:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        send(port, {"pong": request["ping"], "uptime": uptime, "boot": boot})
    elif "cmd" in request:
        run(port, request)


def main() -> None:
    """Serve the port for ever."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else PORT
    while not path.exists():
        time.sleep(0.2)
    port = os.open(path, os.O_RDWR)
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    buffered = b""
    while True:
        data = os.read(port, 65536)
        if not data:  # no host at the other end
            time.sleep(0.1)
            continue
        buffered += data
        while b"\n" in buffered:
            line, buffered = buffered.split(b"\n", 1)
            answer(port, line, uptime)


if __name__ == "__main__":
    main()

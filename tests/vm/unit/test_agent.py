"""The agent and the driver understand each other."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.vm import agent
from tests.vm.guest import Guest, GuestError, Machine


def talk(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the agent a request; return what it answers."""
    reader, writer = os.pipe()
    try:
        agent.answer(writer, json.dumps(request).encode(), 1.5)
    finally:
        os.close(writer)
    with os.fdopen(reader) as stream:
        return [json.loads(line) for line in stream]


@pytest.fixture(autouse=True)
def _at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/root").is_dir():
        pytest.skip("the agent works in /root")
    monkeypatch.setattr(agent, "SEARCH", os.environ["PATH"])


def test_ping() -> None:
    """A ping is answered with the boot it belongs to."""
    (reply,) = talk({"ping": 7})
    assert reply["pong"] == 7
    assert reply["uptime"] == 1.5
    assert len(reply["boot"]) == 36


def test_output_and_status() -> None:
    """Both streams and the exit status come back."""
    replies = talk({"id": 3, "cmd": "echo out; echo err >&2; exit 5"})
    assert replies[-1] == {"id": 3, "rc": 5}
    assert "".join(r["out"] for r in replies[:-1]) == "out\nerr\n"


def test_a_command_that_hangs_is_ended() -> None:
    """The whole session of the command ends, its status says why."""
    replies = talk({"id": 1, "cmd": "sleep 60 & sleep 60", "timeout": 0.3})
    assert replies[-1] == {"id": 1, "rc": agent.TIMED_OUT}


def test_a_daemon_does_not_hold_the_answer_up() -> None:
    """What a command leaves running may keep its output open."""
    replies = talk({"id": 1, "cmd": "sleep 5 & exit 0", "timeout": 60})
    assert replies[-1] == {"id": 1, "rc": 0}


def test_noise_is_no_request() -> None:
    """A broken line is passed over."""
    reader, writer = os.pipe()
    agent.answer(writer, b"\xff{", 0.0)
    agent.answer(writer, b"{}", 0.0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        assert stream.read() == ""


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Guest]:
    """Give a guest whose machine is the agent, on a socket."""
    # a path longer than a socket's address may be
    directory = tmp_path / ("d" * 120)
    directory.mkdir()
    listener = socket.socket(socket.AF_UNIX)
    home = os.open(directory, os.O_PATH)
    listener.bind(f"/proc/self/fd/{home}/agent")
    os.close(home)
    listener.listen()

    def serve() -> None:
        port, _ = listener.accept()
        with port, port.makefile("rb") as lines:
            for line in lines:
                agent.answer(port.fileno(), line, 1.0)

    threading.Thread(target=serve, daemon=True).start()
    monkeypatch.setattr(Guest, "pid", property(lambda _self: 1))
    yield Guest(directory)
    listener.close()


def test_driver_and_agent(guest: Guest) -> None:
    """Commands go there and back again, one after the other."""
    assert guest.wait(5).uptime == 1.0
    assert guest.run("echo one; seq 3").output == "one\n1\n2\n3\n"
    assert guest.run("exit 4", check=False).status == 4
    with pytest.raises(GuestError, match="exit status 4\nwhy"):
        guest.run("echo why; exit 4")


def test_qemu_that_cannot_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What QEMU says of it is what one gets to read."""
    monkeypatch.setattr("tests.vm.qemu.program", lambda: ["/bin/false"])
    with pytest.raises(GuestError, match="did not start"):
        Guest(tmp_path / "run").start(Machine(disks=()))

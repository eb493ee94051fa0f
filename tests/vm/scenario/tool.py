"""The tool's command line, used in a guest as a person at a terminal would."""

import shlex
import time
from dataclasses import dataclass
from typing import TextIO, cast

from tests.vm.guest import Guest
from tests.vm.scenario.lab import Lab

# on a tmpfs, so that what the tests write is not on the disk that they look at
PLACE = "/run/scenario"
JOURNAL = "/var/lib/zfs-root-migrate/journal.jsonl"
VERB_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """How a verb ended, and what it wrote to its two streams."""

    status: int
    out: str
    err: str

    def __str__(self) -> str:
        """Return all of it, for a failing assertion."""
        streams = f"--- stdout\n{self.out}--- stderr\n{self.err}"
        return f"exit status {self.status}\n{streams}"


class Tool:
    """The installed tool in one guest."""

    def __init__(self, lab: Lab, guest: Guest) -> None:
        """Nothing is started yet."""
        self._lab = lab
        self._guest = guest

    def __call__(
        self, *words: str, shown: bool = True, timeout: float = VERB_SECONDS
    ) -> Answer:
        """Run a verb to its end, whatever that is."""
        line = shlex.join(["zfs-root-migrate", *words])
        self._lab.transcript.write(f"# {line}\n")
        # tee shows both streams as they come, and keeps them apart
        script = (
            f"mkdir -p {PLACE}; cd {PLACE}; set -o pipefail; "
            f"{{ {{ {line} </dev/null | tee out >&4; }} 2>&1 | tee err >&4; }} 4>&1"
        )
        transcript = self._lab.transcript
        stream = cast(TextIO, transcript) if shown else None
        result = self._guest.run(script, timeout=timeout, check=False, stream=stream)
        answer = Answer(result.status, self._kept("out"), self._kept("err"))
        if not shown:
            transcript.note(result.output)
        transcript.note(f"(exit status {answer.status})")
        return answer

    def begin(self, *words: str) -> "Background":
        """Start a verb and leave it running in a session of its own."""
        line = shlex.join(["zfs-root-migrate", *words])
        self._lab.transcript.write(f"# {line} &\n")
        # a shell without job control gives its children SIGINT ignored
        script = (
            f"mkdir -p {PLACE}; cd {PLACE}; rm -f b.status; "
            "setsid env --default-signal=INT,QUIT bash -c "
            + shlex.quote(
                "trap : INT; echo $$ >b.group; "
                f"bash -c 'echo $$ >b.pid; exec {line}' >b.out 2>b.err </dev/null; "
                "echo $? >b.status"
            )
            + " >/dev/null 2>&1 </dev/null &"
        )
        self._guest.run(script, timeout=60)
        return Background(self._lab, self._guest)

    def _kept(self, name: str) -> str:
        return self._guest.run(f"cat {PLACE}/{name}", timeout=60).output


class Background:
    """A verb that runs while the guest is used for something else."""

    def __init__(self, lab: Lab, guest: Guest) -> None:
        """Refer to what `Tool.begin` has started."""
        self._lab = lab
        self._guest = guest

    def await_copying(self, megabytes: int, timeout: float = 900) -> None:
        """Wait until the copying is under way and has written this much."""
        self.await_shell(
            f'tail -n 1 {JOURNAL} | grep -q \'"intent".*"step": "copy"\' && '
            f'[ "$(zpool list -Hp -o allocated rpool)" -gt {megabytes << 20} ]',
            timeout,
        )

    def await_journal(self, event: str, step: str, timeout: float = 900) -> None:
        """Wait until the journal has a record."""
        self.await_shell(
            f'grep -q \'"event": "{event}".*"step": "{step}"\' {JOURNAL}', timeout
        )

    def await_shell(self, condition: str, timeout: float) -> None:
        """Wait until a shell condition holds; the verb must still be running."""
        end = time.monotonic() + timeout
        waiting = (
            f"for n in $(seq 40); do {{ {condition}; }} 2>/dev/null && exit 0; "
            f"[ ! -e {PLACE}/b.status ] || exit 2; sleep 0.5; done; exit 1"
        )
        while (status := self._guest.run(waiting, check=False).status) != 0:
            assert status == 1, f"it ended too early: {self.end()}"
            assert time.monotonic() < end, f"never came: {condition}\n{self.said()}"

    def kill(self) -> None:
        """End the tool itself, and nothing else, with SIGKILL."""
        self._lab.transcript.write("# kill -KILL (the tool)\n")
        self._guest.run(f"kill -KILL $(cat {PLACE}/b.pid)", timeout=60)

    def interrupt(self) -> None:
        """Press Ctrl-C: SIGINT for all that runs in the terminal's foreground."""
        self._lab.transcript.write("# Ctrl-C\n")
        self._guest.run(f"kill -INT -- -$(cat {PLACE}/b.group)", timeout=60)

    def end(self, timeout: float = VERB_SECONDS) -> Answer:
        """Wait for the end and return it."""
        waiting = f"while [ ! -e {PLACE}/b.status ]; do sleep 0.5; done"
        self._guest.run(waiting, timeout=timeout)
        status = int(self._guest.run(f"cat {PLACE}/b.status").output)
        answer = Answer(status, self.said("out"), self.said("err"))
        self._lab.transcript.write(f"{answer.err}{answer.out}(exit status {status})\n")
        return answer

    def said(self, stream: str = "err") -> str:
        """Return what it has written so far."""
        return self._guest.run(f"cat {PLACE}/b.{stream}", timeout=60).output

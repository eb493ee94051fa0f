"""Records that a guest has acknowledged, and whether a root holds them all."""

import base64
import gzip
from collections import Counter

from tests.vm.guest import Guest
from tests.vm.scenario.lab import Lab

START = """\
set -e
cp /run/share/writer.py /run/writer.py
setsid python3 -B /run/writer.py write / >/run/writer.out 2>&1 </dev/null &
sleep 2
kill -0 $! || { cat /run/writer.out; exit 1; }
"""
SHOWN = 5


def start(guest: Guest) -> None:
    """Let the guest write, and tell the host, until somebody ends it."""
    guest.run(START, timeout=60)


def acknowledged(guest: Guest) -> list[str]:
    """Return what a guest has reported, in the order in which it did."""
    text = (guest.directory / "acks.log").read_text()
    return text[: text.rfind("\n") + 1].splitlines()


def await_records(guest: Guest, count: int, timeout: float = 600) -> None:
    """Wait until the guest has acknowledged so many."""
    guest.run(
        f"for n in $(seq {timeout:.0f}); do "
        f'[ "$(wc -l </var/log/acks/plain.log)" -ge {count} ] && exit 0; sleep 1; '
        "done; cat /run/writer.out; exit 1",
        timeout=timeout + 60,
    )


def missing(lab: Lab, guest: Guest, wanted: list[str]) -> list[str]:
    """Return what was acknowledged and is not in the guest's own root."""
    command = "python3 -B /run/share/writer.py dump / | gzip -1 | base64 -w 4000"
    text = guest.run(f"set -o pipefail; {command}", timeout=600).output
    there = gzip.decompress(base64.b64decode(text)).decode().splitlines()
    kinds = dict(Counter(line.partition(" ")[0] for line in wanted))
    lost = sorted(set(wanted) - set(there))
    lab.transcript.note(
        f"== {len(wanted)} records acknowledged {kinds}, {len(lost)} lost; "
        f"{len(there)} are there"
    )
    broken = [line for line in there if " broken at " in line]
    return [*broken, *lost]

"""Times the tool against the same job by hand, each in a guest of its own.

    python -m tests.vm.bench [--beside] [--cores N]

`run` and `mirror` of the tool, and the stages of reference-migration.sh, from the same
disk image. The ratio of the times is the last line; the ratio of the processor times
that the guests took says what it would be on a machine that does nothing else.
"""

import argparse
import json
import os
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from tests.vm.build import guest_disk
from tests.vm.guest import Guest
from tests.vm.scenario import share
from tests.vm.scenario.lab import Lab
from tests.vm.scenario.narrator import Narrator
from tests.vm.scenario.tool import Tool

DISK_MIB = 6144
Times = dict[str, float]
WALL, CPU = "in all, ", "processor, "


def main(arguments: list[str] | None = None) -> int:
    """Measure both, print both."""
    parser = argparse.ArgumentParser(prog="python -m tests.vm.bench")
    parser.add_argument(
        "--beside",
        action="store_true",
        help="both at once: what else the machine does then slows both alike",
    )
    parser.add_argument(
        "--cores",
        type=int,
        default=1,
        help="of each guest; QEMU is not sound with more than one, and may fail",
    )
    options = parser.parse_args(arguments)
    narrator = Narrator(sys.stdout)
    image = guest_disk()
    names = ("bench-by-hand", "bench-tool")
    labs = [Lab(name, image, cores=options.cores) for name in names]
    has_failed = True
    try:
        with ThreadPoolExecutor(max_workers=2 if options.beside else 1) as both:
            by_hand = both.submit(_by_hand, labs[0])
            by_tool = both.submit(_by_tool, labs[1])
        times = by_hand.result(), by_tool.result()
        has_failed = False
    finally:
        # whether a disk is bad or the emulator erred can be seen by starting it again
        for lab in labs:
            lab.close(keep_disks=has_failed)
    for head, found in zip(("by hand", "with the tool"), times, strict=True):
        narrator.head(head)
        for name, seconds in found.items():
            narrator.write(f"  {name:<32} {seconds:8.1f} s\n")
    conditions = f"guests with {options.cores}, "
    conditions += "both at once" if options.beside else "one after the other"
    narrator.write(summary(*times, conditions))
    return 0


def _by_hand(lab: Lab) -> Times:
    share.place_files(lab.share)
    old, new = lab.old_disk("OLDDISK"), lab.blank("NEWDISK", DISK_MIB)
    guest = lab.boot("old disk", old, new)
    times = _stages(lab, guest, "disk", "pool", "copy", "boot")
    guest.kill()
    guest = lab.boot("new disk", new, old)
    times |= _stages(lab, guest, "attach")
    guest.kill()
    return times


def _stages(lab: Lab, guest: Guest, *names: str) -> Times:
    script = "/run/share/reference-migration.sh"
    command = f"bash {script} {' '.join(names)} 2>&1 && sync"
    with _Watch(guest) as watch:
        text = guest.run(command).output
    lab.transcript.note(text)
    times = {
        found[1]: int(found[2]) / 1000
        for found in re.finditer(r"^([a-z]+) (\d+)$", text, re.M)
    }
    assert set(times) == set(names), text
    return times | watch.times("+".join(names))


def _by_tool(lab: Lab) -> Times:
    share.place_files(lab.share)
    old, new = lab.old_disk("OLDDISK"), lab.blank("NEWDISK", DISK_MIB)
    guest = lab.boot("old disk", old, new)
    # the job by hand has no last pass either
    for words in (("target", new.by_id), ("consistency", "now")):
        assert Tool(lab, guest)("set", *words).status == 0
    times = _verb(lab, guest, "run", "--yes")
    guest.kill()
    guest = lab.boot("new disk", new, old)
    times |= _verb(lab, guest, "mirror", "--yes", "--serial", "OLDDISK")
    guest.kill()
    return times


def _verb(lab: Lab, guest: Guest, *words: str) -> Times:
    with _Watch(guest) as watch:
        answer = Tool(lab, guest)(*words)
        guest.run("sync")
    assert answer.status == 0, answer
    log = guest.run("cat /var/lib/zfs-root-migrate/journal.jsonl").output
    return _steps(log, words[0]) | watch.times(words[0])


class _Watch:
    """Takes the time, and the processor time, that a guest needs for something."""

    def __init__(self, guest: Guest) -> None:
        """Begin when it is entered."""
        self._guest = guest
        self._begun = self._took = (0.0, 0.0)

    def __enter__(self) -> Self:
        """Begin."""
        self._begun = (time.monotonic(), self._guest.cpu_seconds)
        return self

    def __exit__(self, *_error: object) -> None:
        """End."""
        now = (time.monotonic(), self._guest.cpu_seconds)
        self._took = (now[0] - self._begun[0], now[1] - self._begun[1])

    def times(self, what: str) -> Times:
        """Return both times by the names that the report sums up."""
        return {f"{WALL}{what}": self._took[0], f"{CPU}{what}": self._took[1]}


def _steps(journal: str, verb: str) -> Times:
    """Return the seconds of each step of a verb.

    >>> row = '{"event": "%s", "verb": "run", "step": "copy", "time": %d.5}'
    >>> _steps(row % ("intent", 1) + "\\n" + row % ("done", 4), "run")
    {'run copy': 3.0}
    """
    begun: Times = {}
    times: Times = {}
    for row in map(json.loads, journal.splitlines()):
        name = f"{verb} {row['step']}"
        if row["verb"] != verb:
            continue
        if row["event"] == "intent":
            begun[name] = row["time"]
        elif row["event"] == "done" and name in begun:
            times[name] = round(row["time"] - begun[name], 1)
    return times


def summary(by_hand: Times, by_tool: Times, conditions: str) -> str:
    """Return both sums, the ratio and the conditions."""
    def ratio(kind: str, what: str) -> str:
        hand, tool = (
            sum(seconds for name, seconds in times.items() if name.startswith(kind))
            for times in (by_hand, by_tool)
        )
        return (
            f"{what}: by hand {hand:.0f} s, with the tool {tool:.0f} s, "
            f"ratio {tool / hand:.2f}\n"
        )

    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"\n{os.cpu_count()} cores, QEMU without hardware virtualisation, "
        f"{conditions}, load {load}\n"
        + ratio(CPU, "processor time")
        + ratio(WALL, "time")
    )


if __name__ == "__main__":
    sys.exit(main())

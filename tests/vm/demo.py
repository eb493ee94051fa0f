"""The main job shown: `python -m tests.vm.demo recorded`, then `... machine`.

`recorded` shows check and plan of a machine that somebody recorded; it needs nothing
but Python. `machine` builds a throw-away Gentoo-like system in QEMU, migrates it with
the same parts as the tests, and ends with a report.
"""

import os
import subprocess
import sys
import time
import traceback
from pathlib import Path

from tests.vm.build import guest_disk
from tests.vm.guest import GuestError
from tests.vm.process import BuildError
from tests.vm.scenario.lab import CHECKOUT, OUT, Lab
from tests.vm.scenario.migration import Migration
from tests.vm.scenario.narrator import Narrator
from tests.vm.scenario.report import report

RECORDED = CHECKOUT / "tests/machines/openrc-bios/facts.json"
TARGET = "/dev/disk/by-id/ata-WDC_WD10EZEX-08WN4A0_WD-WCC6Y1ABC002"


def main(arguments: list[str] | None = None) -> int:
    """Run one half of the demonstration."""
    words = sys.argv[1:] if arguments is None else arguments
    halves = {"recorded": show_recorded, "machine": show_machine}
    if len(words) != 1 or words[0] not in halves:
        sys.stderr.write("usage: python -m tests.vm.demo recorded|machine\n")
        return 2
    try:
        return halves[words[0]]()
    except BuildError as error:
        sys.stderr.write(f"demo: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\ndemo: interrupted\n")
        return 130


def show_recorded() -> int:
    """Show check and plan of a recorded machine, through the command line."""
    narrator = Narrator(sys.stdout)
    narrator.head("A recorded machine: what the tool says before anything is done")
    given = ["--facts", str(RECORDED.relative_to(CHECKOUT)), f"--set=target={TARGET}"]
    check = _ask("check", given)
    narrator.write(f"# zfs-root-migrate check {' '.join(given)}\n{check}\n")
    plan = _ask("plan", given)
    OUT.mkdir(exist_ok=True)
    kept = OUT / "plan.txt"
    kept.write_text(plan)
    narrator.write(f"# zfs-root-migrate plan {' '.join(given)}\n{_shortened(plan)}\n")
    narrator.write(f"(with every command: {_short(kept)})\n")
    return 0


def _ask(verb: str, given: list[str]) -> str:
    command = [sys.executable, "-m", "zfs_root_migrate", verb, *given]
    search = os.environ | {"PYTHONPATH": str(CHECKOUT / "python")}
    done = subprocess.run(command, cwd=CHECKOUT, env=search, stdout=subprocess.PIPE)
    if done.returncode:
        raise BuildError(f"`{verb}` of the recorded machine failed")
    return done.stdout.decode()


def _shortened(plan: str) -> str:
    """Return a plan without the commands, which fill pages.

    >>> _shortened("Disks\\n\\nSteps to do:\\n\\n1. Do\\n   why: so\\n     command\\n")
    'Disks\\n\\nSteps to do:\\n\\n1. Do\\n   why: so'
    """
    head, steps, rest = plan.partition("\nSteps ")
    lines = (steps + rest).splitlines()
    kept = [line for line in lines if not line.startswith("     ")]
    return (head + "\n".join(kept)).rstrip()


def show_machine() -> int:
    """Build a system, migrate it, boot it, report."""
    narrator = Narrator(sys.stdout)
    narrator.head("A throw-away machine: building its disk, where it is missing")
    image = guest_disk()
    begun = time.monotonic()
    lab = Lab("demo", image, narrator)
    scenario = Migration(lab)
    failure = ""
    try:
        narrator.perform(scenario)
    except (AssertionError, GuestError):
        failure = traceback.format_exc(limit=-2)
    finally:
        narrator.quiet()
        lab.close(keep_disks=bool(failure))
    took = time.monotonic() - begun
    if failure:
        narrator.write(f"\nThis failed:\n{failure}\n\n{lab.consoles()}\n")
        return 1
    text = report(scenario, took)
    (lab.directory / "report.txt").write_text(text)
    narrator.write(text)
    return 0


def _short(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


if __name__ == "__main__":
    sys.exit(main())

"""Times the copy against rsync from ext4 to ZFS, in a guest: tests.copy.bench there.

    python -m tests.vm.bench_copy [--cores N] [--rounds N]

The pool is the one that reference-migration.sh makes, on a disk of its own. Python is
the guest's. What the machine has beside emulation shows in the times of both.
"""

import argparse
import sys

from tests.vm.bench import DISK_MIB
from tests.vm.build import guest_disk
from tests.vm.scenario import share
from tests.vm.scenario.lab import Lab

# emulated, and with nobody waiting
LONG_S = 3600.0
# the source is on the old disk's ext4, which /tmp may not be
SCRIPT = """\
set -e
bash /run/share/reference-migration.sh disk pool
cd /run/share
export TMPDIR=/root
python3 -B -m tests.copy.bench --rounds {rounds} --pool rpool 2>&1
"""


def main(arguments: list[str] | None = None) -> int:
    """Measure, and show what the benchmark in the guest says; its status is ours."""
    parser = argparse.ArgumentParser(prog="python -m tests.vm.bench_copy")
    parser.add_argument("--cores", type=int, default=1, help="of the guest")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args(arguments)
    lab = Lab("bench-copy", guest_disk(), cores=options.cores)
    try:
        share.place_files(lab.share)
        share.place_passes(lab.share)
        old, new = lab.old_disk("OLDDISK"), lab.blank("NEWDISK", DISK_MIB)
        guest = lab.boot("old disk", old, new)
        script = SCRIPT.format(rounds=options.rounds)
        done = guest.run(script, timeout=LONG_S, check=False, stream=sys.stdout)
    finally:
        lab.close(keep_disks=False)
    return done.status


if __name__ == "__main__":
    sys.exit(main())

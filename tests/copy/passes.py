#!/usr/bin/python3
"""Passes over a tree that changes between them; both trees are equal after each.

    python -m tests.copy.passes SOURCE DESTINATION STATE [--seed N] [--lost LETTERS]

builds the torture tree in SOURCE, an empty directory, makes the passes, and says what
was done.  `--lost` are the flags of chattr(1) that DESTINATION has not: they must be
named, each file of them, and nothing else.
"""

import argparse
import random
import sys
import time
from pathlib import Path

from tests.copy import hard, judge
from tests.copy.changes import KINDS
from tests.copy.engine import Engine, Pass
from tests.copy.mutate import NOTHING, Mutator

# longer than the kernel's tick: what is younger may be copied again, to be sure
TICK_S = 0.05
# of each kind, where a guest does it
TIMES = 3


def settled(engine: Engine) -> Pass:
    """Make a pass a little after the last change."""
    time.sleep(TICK_S)
    done = engine.run()
    assert (done.status, done.error) == (0, ""), done.complaints
    return done


def three_passes(
    engine: Engine,
    mutator: Mutator,
    times: int,
    *,
    without: frozenset[str] = NOTHING,
    lost: str = "",
) -> tuple[Pass, Pass, Pass]:
    """Copy, change, copy, copy; the trees are equal after each of the passes."""
    first = settled(engine)
    _require_equal(engine, lost)
    assert first.copied > 0, first.report
    told = {row["what"] for row in first.not_kept}
    assert told == {f"flag {letter} of chattr" for letter in lost}, first.not_kept
    mutator.each(times, without=without)
    assert mutator.done.keys() == KINDS.keys() - without, mutator.refused
    second = settled(engine)
    _require_equal(engine, lost)
    assert 0 < second.copied < first.copied, second.report
    third = settled(engine)
    done = (third.copied, third.removed, third.bytes)
    assert done == (0, 0, 0), third.report
    # a directory may be doubted once, but not for ever
    before = judge.touched(engine.destination)
    settled(engine)
    assert judge.touched(engine.destination) == before, "touched without need"
    return first, second, third


def _require_equal(engine: Engine, lost: str) -> None:
    kept = "".join(letter for letter in judge.FLAGS if letter not in lost)
    found = judge.differences(engine.source, engine.destination, flags=kept)
    assert not found, "\n".join(found)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="copy a changing tree, and compare")
    for name in ("source", "destination", "state"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lost", default="")
    options = parser.parse_args()
    refused = hard.build(options.source / "t", hard.Wanted(small=True, crowd=300))
    engine = Engine(options.source, options.destination, options.state)
    mutator = Mutator(options.source / "t", random.Random(options.seed))
    passes = three_passes(engine, mutator, TIMES, lost=options.lost)
    for number, done in enumerate(passes, 1):
        sys.stdout.write(
            f"pass {number}: {done.copied} copied, {done.removed} removed, "
            f"by {done.method}\n"
        )
    sys.stdout.write(f"{sum(mutator.done.values())} changes of {len(KINDS)} kinds\n")
    sys.stdout.write(f"refused by the source: {'; '.join(refused) or 'nothing'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

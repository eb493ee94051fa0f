#!/usr/bin/python3
"""Changes a tree in all the ways that a copier of changes can overlook.

    python -m tests.copy.mutate ROOT [--seed N] [--count N | --seconds S]

With `--seconds` it goes on and on, so that an engine has something that changes under
it.  What it may not do (a flag, a name that is taken) it leaves out.  The same seed
does the same to the same tree.
"""

import argparse
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.copy.changes import KINDS
from tests.copy.changes.tree import Tree

# the tree is listed anew after so many changes, or when a path is gone
FRESH = 25
# a path that is gone or protected, nothing of the kind that is wanted
REFUSED = (OSError, LookupError, StopIteration, ValueError)
NOTHING: frozenset[str] = frozenset()


@dataclass
class Mutator:
    """Changes one tree; counts what it did, by kind."""

    root: Path
    chance: random.Random
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    _until_list: int = 0

    def __post_init__(self) -> None:
        """Begin with nothing listed."""
        self._tree = Tree(self.root, self.chance)

    def each(self, times: int = 1, *, without: frozenset[str] = NOTHING) -> None:
        """Do every kind of change so many times, in random order."""
        kinds = [kind for kind in KINDS if kind not in without for _ in range(times)]
        self.chance.shuffle(kinds)
        for kind in kinds:
            self.one(kind)

    def some(self, count: int, *, without: frozenset[str] = NOTHING) -> None:
        """Do so many changes of random kinds."""
        kinds = sorted(KINDS.keys() - without)
        for _ in range(count):
            self.one(self.chance.choice(kinds))

    def for_seconds(self, seconds: float) -> None:
        """Change it again and again."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.some(1)

    def one(self, kind: str) -> None:
        """Do one change, where it can be done."""
        if self._until_list <= 0:
            self._tree.list()
            self._until_list = FRESH
        self._until_list -= 1
        try:
            KINDS[kind](self._tree)
        except REFUSED:
            self.refused[kind] += 1
            self._until_list = 0
        else:
            self.done[kind] += 1


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="change a tree in odd ways")
    parser.add_argument("root", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seconds", type=float)
    options = parser.parse_args()
    mutator = Mutator(options.root, random.Random(options.seed))
    if options.seconds is None:
        mutator.some(options.count)
    else:
        mutator.for_seconds(options.seconds)
    for kind, number in sorted(mutator.done.items()):
        sys.stdout.write(f"{number:6} {kind}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A tree that is being changed, and what of it is chosen next."""

import os
import random
import stat
from dataclasses import dataclass, field
from pathlib import Path

# what is deeper is left alone: chains would be most of what is chosen, and below that
# they have no path that could be given to the kernel
LONGEST_PATH = 1000


@dataclass
class Tree:
    """What there is in a tree; what is gone since it was listed is chosen too."""

    root: Path
    random: random.Random
    files: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    _number: int = 0

    def list(self) -> None:
        """Look at what there is."""
        self.files, self.folders, self.others = [], [], []
        waiting = [self.root]
        while waiting:
            folder = waiting.pop()
            self.folders.append(folder)
            for entry in sorted(os.scandir(folder), key=lambda one: one.name):
                path = Path(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    if len(os.fsencode(path)) < LONGEST_PATH:
                        waiting.append(path)
                elif entry.is_file(follow_symlinks=False):
                    self.files.append(path)
                else:
                    self.others.append(path)

    def file(self) -> Path:
        """Choose a file; LookupError where that has become something else."""
        path = self.random.choice(self.files)
        if not stat.S_ISREG(path.lstat().st_mode):
            # a fifo would be waited for, and a device written to
            raise LookupError(path)
        return path

    def folder(self) -> Path:
        """Choose a directory, the top among them."""
        return self.random.choice(self.folders)

    def inner(self) -> Path:
        """Choose a directory that is not the top."""
        return self.random.choice(self.folders[1:])

    def any(self) -> Path:
        """Choose a name of whatever kind."""
        return self.random.choice((*self.files, *self.folders[1:], *self.others))

    def new(self) -> Path:
        """Return a name that is free, in any directory."""
        self._number += 1
        return self.folder() / f"new-{self._number}"

    def bytes(self, most: int = 3000) -> bytes:
        """Return some random content."""
        return self.random.randbytes(self.random.randrange(1, most))

    def full(self) -> Path:
        """Choose a file that has something in it."""
        chosen = self.random.sample(self.files, min(20, len(self.files)))
        return next(path for path in chosen if path.stat().st_size)

    def lesser(self) -> Path:
        """Choose a directory without directories in it, as these are many."""
        chosen = self.random.sample(self.folders[1:], min(20, len(self.folders) - 1))
        for path in chosen:
            if not any(one.is_dir() and not one.is_symlink() for one in path.iterdir()):
                return path
        raise IndexError

    def linked(self) -> Path:
        """Choose a file that has several names."""
        found = ((path, path.lstat()) for path in self.files)
        linked = [
            path
            for path, now in found
            if now.st_nlink > 1 and stat.S_ISREG(now.st_mode)
        ]
        return self.random.choice(linked)

"""Reads a Gentoo tree that does not run: a chroot, a mounted image. Part of the rim.

Every path is read below the tree's top, and symbolic links are followed as a process in
a chroot there would follow them: never out of the tree. What the kernel shows in /proc,
/sys, /dev and /run belongs to the machine that this runs on and is not there. No
program of the tree is started.
"""

import os
from collections.abc import Callable
from pathlib import Path

from zfs_root_migrate import runner
from zfs_root_migrate.errors import UsageError
from zfs_root_migrate.facts.system import FIND_TOOLS
from zfs_root_migrate.reader import Asked, LiveReader
from zfs_root_migrate.runner import Answer

KERNELS_OWN = ("dev", "proc", "run", "sys")
# as many as the kernel follows (path_resolution(7))
LINKS_MAX = 40


def find_root(path: str) -> str | None:
    """Return the real path of a tree to read; None for the running system's own root.

    A directory without a system in it is a mistake of the person who named it.
    """
    try:
        real = Path(path).resolve(strict=True)
        inside = os.listdir(real)
    except (OSError, RuntimeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"--root {path}: {reason}") from None
    if real.samefile("/"):
        return None
    if not {"etc", "usr"} <= set(inside):
        raise UsageError(
            f"--root {path}: there is no system in it",
            details="a root has the directories etc and usr",
            resolution="mount it first, or name the directory that it is mounted on",
        )
    return str(real)


class RootReader:
    """Answers about the tree below a directory."""

    def __init__(self, root: str) -> None:
        """`root` is a real path, as `find_root` returns it."""
        self.root = root
        self._live = LiveReader()
        self._programs: dict[str, Callable[[tuple[str, ...]], Answer]] = {
            FIND_TOOLS[0]: self._find_tools,
            "modinfo": self._modinfo,
            "zgrep": self._zgrep,
        }

    def query(self, *argv: str) -> Answer:
        """Answer for the few programs whose answer is the tree's; else status 127."""
        answer = self._programs.get(argv[0])
        if answer is None:
            text = f"{argv[0]}: cannot be asked about {self.root}"
            return Answer(argv, runner.NOT_FOUND, "", text)
        return answer(argv)

    def script(self, name: str, *args: str) -> Asked:
        """Start a program of ours that is told where the tree is."""
        return self._live.script(name, "--root", self.root, *args)

    def read(self, path: str) -> str | None:
        """Return a file's text, or None where it is not there or unreadable."""
        real = self._outside(path)
        # a FIFO would be waited for
        return self._live.read(real) if real and Path(real).is_file() else None

    def part(self, path: str, offset: int, size: int) -> str | None:
        """Return a part of a file, which may be large; or None."""
        real = self._outside(path)
        readable = real is not None and Path(real).is_file()
        return self._live.part(real, offset, size) if real and readable else None

    def names(self, path: str) -> tuple[str, ...] | None:
        """Return the sorted names in a directory, or None."""
        real = self._outside(path)
        return self._live.names(real) if real else None

    def resolve(self, path: str) -> str | None:
        """Return the real path within the tree, or None where nothing is there."""
        inside = self._inside(path)
        real = self._outside(path)
        return inside if real and os.path.lexists(real) else None

    def writable(self, path: str) -> bool:
        """Nothing is written in a tree that is only looked at."""
        return False

    def _inside(self, path: str) -> str | None:
        """Return the path without links, as seen in the tree; None for a loop."""
        todo = path.split("/")[::-1]
        done: list[str] = []
        links = 0
        while todo:
            part = todo.pop()
            if part in ("", "."):
                continue
            if part == "..":
                del done[-1:]
                continue
            try:
                target = str(Path(self.root, *done, part).readlink())
            except OSError:
                done.append(part)
                continue
            links += 1
            if links > LINKS_MAX:
                return None
            done = [] if target.startswith("/") else done
            todo += target.split("/")[::-1]
        return "/" + "/".join(done)

    def _outside(self, path: str) -> str | None:
        """Return the path on the running system; None for what the kernel shows."""
        inside = self._inside(path)
        if inside is None or inside.split("/")[1] in KERNELS_OWN:
            return None
        return self.root + inside

    def _find_tools(self, argv: tuple[str, ...]) -> Answer:
        """Look for programs as `command -v` would in the tree."""
        if argv[: len(FIND_TOOLS)] != FIND_TOOLS:
            return Answer(argv, runner.NOT_FOUND, "", "not asked in a tree")
        names = FIND_TOOLS[FIND_TOOLS.index("sh", 1) + 1 :]
        found = (self._find_tool(name) for name in names)
        return Answer(argv, 0, "".join(f"{path}\n" for path in found if path), "")

    def _find_tool(self, name: str) -> str | None:
        for folder in runner.PATH.split(":"):
            real = self._outside(f"{folder}/{name}")
            if real and Path(real).is_file() and os.access(real, os.X_OK):
                return f"{folder}/{name}"
        return None

    def _modinfo(self, argv: tuple[str, ...]) -> Answer:
        answer = self._live.query("modinfo", "-b", self.root, *argv[1:])
        if answer.status == runner.NOT_FOUND:
            # silence would read as: this kernel has no ZFS
            raise UsageError(
                "modinfo is missing on this system, and without it nobody can tell "
                f"which modules the kernels in {self.root} have",
                resolution="emerge --ask --oneshot sys-apps/kmod",
            )
        text = answer.stdout.replace(f" {self.root}/", " /")
        return Answer(argv, answer.status, text, answer.stderr)

    def _zgrep(self, argv: tuple[str, ...]) -> Answer:
        """Search files of the tree, and name them in the answer as they were asked."""
        cut = argv.index("--") + 1
        asked: dict[str, list[str]] = {}
        for path in argv[cut:]:
            real = self._outside(path)
            if real is not None and Path(real).is_file():
                # two places may be links to one file
                asked.setdefault(real, []).append(path)
        if not asked:
            return Answer(argv, 2, "", "no such file in the tree")
        answer = self._live.query(*argv[:cut], *asked)
        lines = [
            f"{path}:{line.removeprefix(f'{real}:')}\n"
            for line in answer.stdout.splitlines()
            for real, paths in asked.items()
            if line.startswith(f"{real}:")
            for path in paths
        ]
        return Answer(argv, answer.status, "".join(lines), answer.stderr)

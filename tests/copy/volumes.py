"""File systems of their own for a test: in memory, in a file by a loop device, in ZFS.

They are mounted in a mount namespace of the tests' process (`seclude`), so that none
outlives it, however it ends.
"""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MIB = 1024**2
CLONE_NEWNS = 0x00020000
MAKE = {
    "ext4": ("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
    "btrfs": ("mkfs.btrfs", "-q", "-f"),
}
# each of them has a least size
LEAST = {"ext4": 16 * MIB, "xfs": 320 * MIB, "btrfs": 128 * MIB}


class NoVolumeError(Exception):
    """This machine has no such file system, or this user may not mount it."""


def seclude() -> None:
    """Give this process a mount namespace of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS):
        reason = os.strerror(ctypes.get_errno())
        raise NoVolumeError(f"no mount namespace of its own: {reason}")
    _run("mount", "--make-rprivate", "/")


@dataclass
class Volume:
    """A mounted file system."""

    kind: str
    path: Path
    image: Path | None = None
    device: str = ""
    held: int = -1

    def remount(self, options: str) -> None:
        """Change the options of the mount."""
        _run("mount", "-o", f"remount,{options}", str(self.path))

    def again(self, options: str = "rw") -> None:
        """Unmount and mount, which empties the cache of what was read."""
        if self.image is None:
            return
        _run("umount", str(self.path))
        _run("mount", "-t", self.kind, "-o", options, self.device, str(self.path))

    def grow(self, size: int) -> None:
        """Make it larger."""
        if self.image is None:
            self.remount(f"size={size}")
            return
        os.truncate(self.image, size)
        _run("umount", str(self.path))
        _run("losetup", "--set-capacity", self.device)
        # without the check of the whole that it asks for
        _run("resize2fs", "-f", self.device)
        _run("mount", self.device, str(self.path))


@contextmanager
def volume(
    kind: str, base: Path, name: str, size: int, *, options: Sequence[str] = ()
) -> Iterator[Volume]:
    """Make a file system of a kind and mount it; `options` are those of mkfs."""
    path = base / name
    path.mkdir()
    if kind == "tmpfs":
        mounted = Volume(kind, path)
        _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "none", str(path))
    else:
        mounted = _on_loop(kind, base / f"{name}.image", path, size, options)
    try:
        yield mounted
    finally:
        _run("umount", str(path))
        path.rmdir()
        if mounted.image is not None:
            os.close(mounted.held)
            mounted.image.unlink()


@contextmanager
def folder(base: Path, name: str) -> Iterator[Volume]:
    """Make a directory of what is mounted already, in the place of a file system."""
    path = base / name
    path.mkdir()
    try:
        yield Volume("folder", path)
    finally:
        shutil.rmtree(path)


@contextmanager
def dataset(pool: str, base: Path, name: str) -> Iterator[Volume]:
    """Make a dataset in a pool, mounted as others are; the pool says how it stores."""
    path, made = base / name, f"{pool}/{name}"
    path.mkdir()
    _run("zfs", "create", "-o", "mountpoint=legacy", made)
    try:
        _run("mount", "-t", "zfs", made, str(path))
        try:
            yield Volume("zfs", path)
        finally:
            _run("umount", str(path))
            path.rmdir()
    finally:
        _run("zfs", "destroy", made)


def _on_loop(
    kind: str, image: Path, path: Path, size: int, options: Sequence[str]
) -> Volume:
    with image.open("wb") as stream:
        stream.truncate(max(size, LEAST[kind]))
    _run(*MAKE[kind], *options, str(image))
    # past the cache of what holds the file: what is unmounted is forgotten then
    device = _run("losetup", "--find", "--show", "--direct-io=on", str(image)).strip()
    # detached when nobody has it open any more, which is when this process ends
    held = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    _run("losetup", "--detach", device)
    try:
        _run("mount", "-t", kind, device, str(path))
    except NoVolumeError:
        os.close(held)
        raise
    return Volume(kind, path, image, device, held)


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NoVolumeError(f"{command[0]} is not installed") from error
    if done.returncode:
        raise NoVolumeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout

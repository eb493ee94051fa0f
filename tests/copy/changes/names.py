"""Changes of names: over others, swapped, moved, gone, and of another kind."""

import os
import shutil
import stat
from pathlib import Path

from tests.copy.changes.tree import Tree

# for local use (Linux, admin-guide/devices): what opens it by mistake gets an error
NO_DRIVER = 240


def rename_over(tree: Tree) -> None:
    """Put one file in the place of another."""
    tree.file().rename(tree.file())


def save_anew(tree: Tree) -> None:
    """Write a file as editors do; size and time as before, another inode."""
    path = tree.full()
    before, new = path.stat(), tree.new()
    new.write_bytes(tree.random.randbytes(before.st_size))
    new.chmod(stat.S_IMODE(before.st_mode))
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    new.rename(path)


def reborn(tree: Tree) -> None:
    """Delete a file and make one of its name, size and time, often of its inode."""
    path = tree.full()
    before = path.stat()
    path.unlink()
    path.write_bytes(tree.random.randbytes(before.st_size))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def swap(tree: Tree) -> None:
    """Let two names change places, be they files or directories."""
    one, other, between = tree.any(), tree.any(), tree.new()
    one.rename(between)
    try:
        other.rename(one)
    except OSError:
        between.rename(one)
        raise
    between.rename(other)


def move(tree: Tree) -> None:
    """Move something elsewhere, and put the times of both directories back."""
    path, target = tree.any(), tree.new()
    folders = (path.parent, target.parent)
    before = [folder.stat() for folder in folders]
    path.rename(target)
    for folder, times in zip(folders, before, strict=True):
        os.utime(folder, ns=(times.st_atime_ns, times.st_mtime_ns))


def move_directory(tree: Tree) -> None:
    """Move a directory with all that is in it."""
    tree.inner().rename(tree.new())


def delete(tree: Tree) -> None:
    """Delete a file, or something that is neither file nor directory."""
    tree.random.choice((*tree.files, *tree.others)).unlink()


def delete_directory(tree: Tree) -> None:
    """Delete a directory with all that is in it, if that is not too much."""
    shutil.rmtree(tree.lesser())


def file_to_directory(tree: Tree) -> None:
    """Turn a file into a directory with something in it."""
    path = tree.file()
    path.unlink()
    path.mkdir()
    (path / "inside").write_bytes(tree.bytes())


def directory_to_file(tree: Tree) -> None:
    """Turn a directory into a file."""
    path = tree.lesser()
    shutil.rmtree(path)
    path.write_bytes(tree.bytes())


def to_special(tree: Tree) -> None:
    """Turn a file into a symlink, a fifo, a device or a socket."""
    path = tree.file()
    path.unlink()
    _special(tree, path)


def from_special(tree: Tree) -> None:
    """Turn what is neither file nor directory into a file."""
    path = tree.random.choice(tree.others)
    path.unlink()
    path.write_bytes(tree.bytes())


def _special(tree: Tree, path: Path) -> None:
    kind = tree.random.choice((0, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK))
    if kind:
        os.mknod(path, kind | 0o640, os.makedev(NO_DRIVER, tree.random.randrange(9)))
    else:
        path.symlink_to("x" * tree.random.randrange(1, 100))


def new_file(tree: Tree) -> None:
    """Make a file, sometimes with nothing in it."""
    tree.new().write_bytes(tree.bytes() * tree.random.choice((0, 1, 200)))


def new_directory(tree: Tree) -> None:
    """Make a directory, a file in it, or none."""
    path = tree.new()
    path.mkdir(tree.random.choice((0o700, 0o755, 0o1777)))
    if tree.random.random() < 0.5:
        (path / "inside").write_bytes(tree.bytes())


def new_special(tree: Tree) -> None:
    """Make a symlink, a fifo, a device or a socket."""
    _special(tree, tree.new())


CHANGES = (
    rename_over,
    save_anew,
    reborn,
    swap,
    move,
    move_directory,
    delete,
    delete_directory,
    file_to_directory,
    directory_to_file,
    to_special,
    from_special,
    new_file,
    new_directory,
    new_special,
)

"""Changes of what is in files: size and time put back, mappings, holes."""

import ctypes
import mmap
import os

from tests.copy.changes.tree import Tree

SECOND = 10**9
UNIT = 64 * 1024
PUNCH_HOLE_KEEP_SIZE = 3


def rewrite(tree: Tree) -> None:
    """Give a file other content of another size."""
    tree.file().write_bytes(tree.bytes())


def append(tree: Tree) -> None:
    """Add to the end of a file."""
    with tree.file().open("ab") as stream:
        stream.write(tree.bytes())


def shorten(tree: Tree) -> None:
    """Cut a file off."""
    path = tree.file()
    os.truncate(path, path.stat().st_size // 2)


def hidden_rewrite(tree: Tree) -> None:
    """Change content, and put size and time back."""
    _flip(tree, forward=0)


def same_second(tree: Tree) -> None:
    """Change content within the second in which it was last changed."""
    _flip(tree, forward=1)


def _flip(tree: Tree, *, forward: int) -> None:
    path = tree.full()
    before = path.stat()
    with path.open("r+b") as stream:
        stream.seek(tree.random.randrange(before.st_size))
        byte = stream.read(1)
        stream.seek(-1, os.SEEK_CUR)
        stream.write(bytes((byte[0] ^ 0xFF,)))
    seconds, rest = divmod(before.st_mtime_ns, SECOND)
    times = (before.st_atime_ns, seconds * SECOND + (rest + forward) % SECOND)
    os.utime(path, ns=times)


def mapped_store(tree: Tree) -> None:
    """Change content by a mapping, and leave the page dirty."""
    with tree.full().open("r+b") as stream:
        size = os.fstat(stream.fileno()).st_size
        with mmap.mmap(stream.fileno(), size) as mapped:
            at = tree.random.randrange(size)
            mapped[at] ^= 0xFF


def grow_sparse(tree: Tree) -> None:
    """Let a file end in a hole, with a byte behind it at times."""
    path = tree.file()
    size = path.stat().st_size + tree.random.randrange(1, 40) * UNIT
    os.truncate(path, size)
    if tree.random.random() < 0.5:
        with path.open("r+b") as stream:
            stream.seek(size - 1)
            stream.write(b"end")


def fill_hole(tree: Tree) -> None:
    """Write somewhere into a large file."""
    path = tree.file()
    with path.open("r+b") as stream:
        stream.seek(tree.random.randrange(path.stat().st_size + UNIT))
        stream.write(tree.bytes())


def punch_hole(tree: Tree) -> None:
    """Make a hole where there was data; size and time stay."""
    path = tree.full()
    before = path.stat()
    with path.open("r+b") as stream:
        _punch(stream.fileno(), 0, max(4096, before.st_size // 2))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _punch(descriptor: int, offset: int, length: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    numbers = (ctypes.c_int64(offset), ctypes.c_int64(length))
    if libc.fallocate(descriptor, PUNCH_HOLE_KEEP_SIZE, *numbers):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


CHANGES = (
    rewrite,
    append,
    shorten,
    hidden_rewrite,
    same_second,
    mapped_store,
    grow_sparse,
    fill_hole,
    punch_hole,
)

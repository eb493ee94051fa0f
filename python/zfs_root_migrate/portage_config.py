"""Writes and takes away our own files in Portage's configuration. Part of the rim.

Whatever happens on the way, a power cut or SIGKILL, Portage finds valid configuration
with all that the user wrote: a name changes from one good state to another at once.
Nobody else's file is ever written to. What is left over of an attempt that was cut
short has a hidden name, which Portage does not read, and goes with the next one.
"""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from zfs_root_migrate import syscalls
from zfs_root_migrate.errors import MigrateError
from zfs_root_migrate.own_files import Change, Origin, Own, Spot, SpotKind, parse
from zfs_root_migrate.paths import OWN_NAME
from zfs_root_migrate.wishes import Topic


def survey(directory: str) -> tuple[Spot, ...]:
    """Look at the places that lines can be written to."""
    return tuple(_spot(Path(directory) / topic, topic) for topic in Topic)


def _spot(path: Path, topic: Topic) -> Spot:
    kind = _kind(path)
    is_directory = kind is SpotKind.DIRECTORY
    real = path.resolve() if is_directory else path
    own = _read(real / OWN_NAME) if is_directory else None
    return Spot(topic=topic, path=str(path), kind=kind, real=str(real), own=own)


def _kind(path: Path) -> SpotKind:
    if not os.path.lexists(path):
        return SpotKind.ABSENT
    if path.is_dir():
        return SpotKind.DIRECTORY
    if path.is_file():
        return SpotKind.LINK_TO_FILE if path.is_symlink() else SpotKind.FILE
    return SpotKind.NOTHING_GOOD


def _read(path: Path) -> str | None:
    """Return the text of our file; a link or anything else is no file of ours."""
    if not os.path.lexists(path):
        return None
    if not stat.S_ISREG(path.lstat().st_mode):
        return ""
    # no newline translation: what was changed must be seen
    return path.read_bytes().decode("utf-8", "surrogateescape")


def write(directory: str, wanted: tuple[Change, ...]) -> None:
    """Write all of the files or none of them."""
    with _locked(directory):
        written: list[Change] = []
        try:
            # what may be refused by the file system comes first
            for change in sorted(wanted, key=lambda c: c.spot.kind is _IN_PLACE):
                _sweep(Path(change.spot.path))
                _write_one(change)
                written.append(change)
        except OSError as error:
            stays = [c.spot.file for c in reversed(written) if not _take_back(c)]
            left = f"these stay: {', '.join(stays)}" if stays else "nothing was changed"
            raise MigrateError(
                f"Portage's configuration could not be written: {error.strerror}",
                details=f"{error.filename}; {left}",
            ) from error


_IN_PLACE = SpotKind.DIRECTORY


def _write_one(change: Change) -> None:
    spot = change.spot
    now = _spot(Path(spot.path), spot.topic)
    if (now.kind, now.own) != (spot.kind, spot.own):
        raise BlockingIOError(0, "somebody else is writing there", spot.path)
    if spot.kind is SpotKind.DIRECTORY:
        _write_file(Path(spot.real), change.text)
    else:
        _make_directory(Path(spot.path), change.text)


def _take_back(change: Change) -> bool:
    """Bring back what was there before; tell whether that worked."""
    spot = change.spot
    with contextlib.suppress(OSError):
        if spot.own is not None:
            _write_file(Path(spot.real), spot.own)
        else:
            _remove_one(_spot(Path(spot.path), spot.topic))
    now = _spot(Path(spot.path), spot.topic)
    return (now.kind, now.own) == (spot.kind, spot.own)


def _write_file(directory: Path, text: str) -> None:
    """Put our file into a directory, whole or not at all, and on the disk."""
    part = directory / f".{OWN_NAME}.{os.urandom(4).hex()}"
    try:
        with part.open("x", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        part.replace(directory / OWN_NAME)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    _sync(directory)


def _make_directory(path: Path, text: str) -> None:
    """Make a directory of this name with our file, and what lay there before, in it."""
    made = _beside(path)
    made.mkdir()
    try:
        made.chmod(0o755)
        replaces = os.path.lexists(path)
        if replaces:
            _move_in(path, made / path.name)
        _write_file(made, text)
        if replaces:
            _swap_in(made, path)
        else:
            made.rename(path)
    except OSError:
        _sweep(path)
        raise
    _sync(path.parent)
    # from here on `made` is the user's other name for what is in the directory now
    _sweep(path)


def _swap_in(made: Path, path: Path) -> None:
    """Swap names, and swap back where the file was exchanged for another meanwhile."""
    inside = made / path.name
    syscalls.exchange(str(made), str(path))
    if not _same(made, path / path.name):
        syscalls.exchange(str(made), str(path))
        # our own second name of what somebody has just put another file in place of
        inside.unlink()
        raise BlockingIOError(0, "it was changed at this moment", str(path))


def _move_in(path: Path, name: Path) -> None:
    """Give what is at `path` a second name, one directory further down."""
    if path.is_symlink():
        name.symlink_to(_further(str(path.readlink())))
    else:
        name.hardlink_to(path)


def _further(link: str) -> str:
    return link if link.startswith("/") else f"../{link}"


def _same(first: Path, second: Path) -> bool:
    """Tell whether two names are of one file, or of links that lead to one place."""
    if first.is_symlink() != second.is_symlink():
        return False
    if first.is_symlink():
        text = str(first.readlink())
        return str(second.readlink()) in (text, _further(text))
    return first.samefile(second)


def find(directory: str) -> tuple[tuple[str, Own], ...]:
    """Return the paths of our files, with what they say."""
    found = []
    for spot in survey(directory):
        own = parse(spot.own) if spot.own is not None else None
        if own is not None:
            found.append((spot.file, own))
    return tuple(found)


def remove(directory: str) -> tuple[str, ...]:
    """Take our files away and return what was done and what was not, line by line."""
    if not Path(directory).is_dir():
        return ()
    said = []
    with _locked(directory):
        for spot in survey(directory):
            _sweep(Path(spot.path))
            if spot.own is not None and parse(spot.own) is not None:
                said.append(_remove_one(spot))
    return tuple(said)


def _remove_one(spot: Spot) -> str:
    own = parse(spot.own or "")
    if own is None or not own.intact:
        return f"{spot.file} was changed since it was written: it stays"
    path, file = Path(spot.path), Path(spot.file)
    if own.origin is Origin.FILE and _restore(path):
        return f"{path} is the single file again that it was"
    if own.origin is Origin.NEW and _drop(path):
        return f"{file} was removed, and the directory, which was made for it"
    file.unlink()
    _sync(file.parent)
    others = sorted(os.listdir(file.parent))
    if own.origin is Origin.FILE:
        return f"{file} was removed; {path} stays a directory: {', '.join(others)}"
    return f"{file} was removed"


def _drop(path: Path) -> bool:
    """Remove a directory with our file at once; False: more is in it."""
    if path.is_symlink() or os.listdir(path) != [OWN_NAME]:
        return False
    hidden = _beside(path)
    path.rename(hidden)
    if os.listdir(hidden) != [OWN_NAME]:
        hidden.rename(path)
        return False
    _sync(path.parent)
    _sweep(path)
    return True


def _restore(path: Path) -> bool:
    """Make a directory the single file again that it was; False: more is in it now."""
    user, wanted = path / path.name, {path.name, OWN_NAME}
    if path.is_symlink() or set(os.listdir(path)) != wanted or user.is_dir():
        return False
    single = _beside(path)
    if user.is_symlink():
        link = str(user.readlink())
        single.symlink_to(link.removeprefix("../"))
    else:
        single.hardlink_to(user)
    try:
        syscalls.exchange(str(single), str(path))
    except OSError:
        single.unlink()
        return False
    if set(os.listdir(single)) != wanted or not _same(path, single / path.name):
        syscalls.exchange(str(single), str(path))
        single.unlink()
        return False
    _sync(path.parent)
    _sweep(path)
    return True


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{OWN_NAME}.{os.urandom(4).hex()}")


def _sweep(path: Path) -> None:
    """Remove what is left over beside a place and in it; nothing with other content."""
    for left in path.parent.glob(f".{path.name}.{OWN_NAME}.*"):
        if left.is_dir() and not left.is_symlink():
            _sweep_directory(left, path)
        elif _is_spare(left, path):
            left.unlink()
    if path.is_dir():
        for part in path.resolve().glob(f".{OWN_NAME}.*"):
            with contextlib.suppress(IsADirectoryError):
                part.unlink()
    with contextlib.suppress(OSError):
        _sync(path.parent)


def _sweep_directory(left: Path, path: Path) -> None:
    user = left / path.name
    if os.path.lexists(user) and not _is_spare(user, path):
        return
    user.unlink(missing_ok=True)
    for part in (left / OWN_NAME, *left.glob(f".{OWN_NAME}.*")):
        part.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        # something else is in it: it stays
        left.rmdir()


def _is_spare(name: Path, path: Path) -> bool:
    """Tell whether the user's file has another name, one that Portage reads."""
    return any(
        os.path.lexists(good) and (_same(name, good) or _same(good, name))
        for good in (path, path / path.name)
    )


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _locked(directory: str) -> Iterator[None]:
    """Let one at a time work there; the kernel lets go when the process ends."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # some network file systems lock nothing that was opened for reading
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

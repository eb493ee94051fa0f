"""How facts are read: the running system, or a recording of one.

`RecordingReader` keeps every answer, `ReplayReader` gives them back: a recorded machine
is a JSON file, and a parser's test needs no machine. Nothing here changes a system.
"""

import json
import os
import shlex
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from zfs_root_migrate import runner, scripts
from zfs_root_migrate.errors import UsageError
from zfs_root_migrate.runner import Answer
from zfs_root_migrate.scripts import Asked as Asked

QUERY_TIMEOUT = 60.0
SCHEMA = "zfs-root-migrate/recording"
VERSION = 1


def script_key(name: str, *args: str) -> str:
    """Return how a recording names the run of such a program, wherever it lies.

    >>> script_key("portage", "--root", "/mnt/gentoo")
    'script portage --root /mnt/gentoo'
    """
    return shlex.join(("script", name, *args))


def part_key(path: str, offset: int, size: int) -> str:
    """Return how a recording names a part of a file.

    >>> part_key("/boot/vmlinuz", 514, 14)
    '/boot/vmlinuz[514:528]'
    """
    return f"{path}[{offset}:{offset + size}]"


class Reader(Protocol):
    """Read-only access to a system. Absence is an answer (None), never an error."""

    def query(self, *argv: str) -> Answer:
        """Run a read-only program; status 127 where it is missing."""

    def script(self, name: str, *args: str) -> Asked:
        """Start a program of ours that needs the system's own Python."""

    def read(self, path: str) -> str | None:
        """Return a file's text, or None where it is not there or unreadable."""

    def part(self, path: str, offset: int, size: int) -> str | None:
        """Return a part of a file, which may be large; or None."""

    def names(self, path: str) -> tuple[str, ...] | None:
        """Return the sorted names in a directory, or None."""

    def resolve(self, path: str) -> str | None:
        """Return the real path, or None where nothing is there."""

    def writable(self, path: str) -> bool:
        """Tell whether the path, or the first ancestor that exists, can be written."""


class LiveReader:
    """Reads the running system."""

    def query(self, *argv: str) -> Answer:
        """Run a read-only program; status 127 where it is missing."""
        return runner.query(argv, timeout=QUERY_TIMEOUT)

    def script(self, name: str, *args: str) -> Asked:
        """Start a program of ours that needs the system's own Python."""
        return scripts.ask(name, *args)

    def read(self, path: str) -> str | None:
        """Return a file's text, or None where it is not there or unreadable."""
        try:
            # no newline translation: /etc/hostid is four bytes, any may be \r
            return Path(path).read_bytes().decode("utf-8", "surrogateescape")
        except OSError:
            return None

    def part(self, path: str, offset: int, size: int) -> str | None:
        """Return a part of a file, which may be large; or None."""
        try:
            with Path(path).open("rb") as stream:
                stream.seek(offset)
                return stream.read(size).decode("utf-8", "surrogateescape")
        except OSError:
            return None

    def names(self, path: str) -> tuple[str, ...] | None:
        """Return the sorted names in a directory, or None."""
        try:
            return tuple(sorted(os.listdir(path)))
        except OSError:
            return None

    def resolve(self, path: str) -> str | None:
        """Return the real path, or None where nothing is there."""
        try:
            return str(Path(path).resolve(strict=True))
        except (OSError, RuntimeError):
            return None

    def writable(self, path: str) -> bool:
        """Tell whether the path, or the first ancestor that exists, can be written."""
        here = Path(path)
        while not here.exists() and here != here.parent:
            here = here.parent
        return os.access(here, os.W_OK)


@dataclass(slots=True)
class Recording:
    """Answers by question; what was not asked then is not there now.

    The key of a query is its command as a shell would read it.
    """

    queries: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    files: dict[str, str | None] = field(default_factory=dict)
    directories: dict[str, tuple[str, ...] | None] = field(default_factory=dict)
    links: dict[str, str | None] = field(default_factory=dict)
    write: dict[str, bool] = field(default_factory=dict)


class RecordingReader:
    """Passes every question on and keeps the answer in `recording`."""

    def __init__(self, inner: Reader) -> None:
        """Start with an empty recording of what `inner` answers."""
        self.inner = inner
        self.recording = Recording()

    def query(self, *argv: str) -> Answer:
        """Run a read-only program; status 127 where it is missing."""
        answer = self.inner.query(*argv)
        kept = (answer.status, answer.stdout, answer.stderr)
        self.recording.queries[shlex.join(argv)] = kept
        return answer

    def script(self, name: str, *args: str) -> Asked:
        """Start a program of ours that needs the system's own Python."""
        asked = self.inner.script(name, *args)

        def keep() -> Answer:
            answer = asked()
            kept = (answer.status, answer.stdout, answer.stderr)
            self.recording.queries[script_key(name, *args)] = kept
            return answer

        return keep

    def read(self, path: str) -> str | None:
        """Return a file's text, or None where it is not there or unreadable."""
        return self.recording.files.setdefault(path, self.inner.read(path))

    def part(self, path: str, offset: int, size: int) -> str | None:
        """Return a part of a file, which may be large; or None."""
        found = self.inner.part(path, offset, size)
        return self.recording.files.setdefault(part_key(path, offset, size), found)

    def names(self, path: str) -> tuple[str, ...] | None:
        """Return the sorted names in a directory, or None."""
        return self.recording.directories.setdefault(path, self.inner.names(path))

    def resolve(self, path: str) -> str | None:
        """Return the real path, or None where nothing is there."""
        return self.recording.links.setdefault(path, self.inner.resolve(path))

    def writable(self, path: str) -> bool:
        """Tell whether the path, or the first ancestor that exists, can be written."""
        return self.recording.write.setdefault(path, self.inner.writable(path))


class ReplayReader:
    """Answers from a recording; what was not asked then is absent."""

    def __init__(self, recording: Recording) -> None:
        """Answer from this recording."""
        self.recording = recording

    def query(self, *argv: str) -> Answer:
        """Return the recorded answer, or one with status 127."""
        missing = (runner.NOT_FOUND, "", f"{argv[0]}: not recorded")
        kept = self.recording.queries.get(shlex.join(argv), missing)
        return Answer(argv, *kept)

    def script(self, name: str, *args: str) -> Asked:
        """Return what gives the recorded answer, or one with status 127."""
        return partial(self.query, "script", name, *args)

    def read(self, path: str) -> str | None:
        """Return the recorded text, or None."""
        return self.recording.files.get(path)

    def part(self, path: str, offset: int, size: int) -> str | None:
        """Return the recorded part of a file, or None."""
        return self.recording.files.get(part_key(path, offset, size))

    def names(self, path: str) -> tuple[str, ...] | None:
        """Return the recorded names, or None."""
        return self.recording.directories.get(path)

    def resolve(self, path: str) -> str | None:
        """Return the recorded real path, or None."""
        return self.recording.links.get(path)

    def writable(self, path: str) -> bool:
        """Tell what was recorded; what was not asked cannot be written."""
        return self.recording.write.get(path, False)


def dump_recording(recording: Recording) -> str:
    """Write a recording as JSON in which a text of several lines is a list of them."""
    queries = {
        command: {
            "status": status,
            "stdout": _lines(stdout),
            **({"stderr": _lines(stderr)} if stderr else {}),
        }
        for command, (status, stdout, stderr) in recording.queries.items()
    }
    document = {
        "schema": SCHEMA,
        "version": VERSION,
        "queries": queries,
        "files": {path: _lines(text) for path, text in recording.files.items()},
        "directories": recording.directories,
        "links": recording.links,
        "write": recording.write,
    }
    return json.dumps(document, indent=1) + "\n"


def load_recording(text: str, source: str) -> Recording:
    """Read what `dump_recording` wrote, or name the field that is wrong."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{source} is not a JSON file: {error}") from None
    top = _table(document, source)
    if top.get("schema") != SCHEMA or top.get("version") != VERSION:
        raise UsageError(
            f"{source} is not a recording that this version reads",
            details=f"wanted schema {SCHEMA!r} and version {VERSION}",
        )
    part = {name: _table(top.get(name, {}), name) for name in _PARTS}
    return Recording(
        queries={k: _query(v, f"queries[{k}]") for k, v in part["queries"].items()},
        files={k: _optional_text(v, f"files[{k}]") for k, v in part["files"].items()},
        directories={
            k: None if v is None else tuple(_list(v, f"directories[{k}]"))
            for k, v in part["directories"].items()
        },
        links={k: _optional_text(v, f"links[{k}]") for k, v in part["links"].items()},
        write={k: _yes_no(v, f"write[{k}]") for k, v in part["write"].items()},
    )


_PARTS = ("queries", "files", "directories", "links", "write")


def _lines(text: str | None) -> str | list[str] | None:
    return text.split("\n") if text and "\n" in text else text


def _query(data: object, where: str) -> tuple[int, str, str]:
    table = _table(data, where)
    status = table.get("status")
    if type(status) is not int:
        raise UsageError(f"field {where}.status: wanted a number")
    stdout = _text(table.get("stdout", ""), f"{where}.stdout")
    return status, stdout, _text(table.get("stderr", ""), f"{where}.stderr")


def _table(data: object, where: str) -> dict[str, object]:
    if not isinstance(data, dict):
        raise UsageError(f"field {where}: wanted an object")
    return data


def _list(data: object, where: str) -> list[str]:
    if not isinstance(data, list) or not all(isinstance(x, str) for x in data):
        raise UsageError(f"field {where}: wanted a list of texts")
    return data


def _text(data: object, where: str) -> str:
    return data if isinstance(data, str) else "\n".join(_list(data, where))


def _optional_text(data: object, where: str) -> str | None:
    return None if data is None else _text(data, where)


def _yes_no(data: object, where: str) -> bool:
    if not isinstance(data, bool):
        raise UsageError(f"field {where}: wanted true or false")
    return data

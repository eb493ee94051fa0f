"""What Portage says of itself, asked in a process of its own.

Importing Portage costs a third of a second and may fail in many ways (a broken profile,
another Python than the one it is installed for): in a process of its own it cannot take
this one with it, and its answer can be recorded. That program is `portage_query`; it
answers in the fields of `PortageFacts`, and never writes.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar, cast

from zfs_root_migrate.codec import decode, type_hints
from zfs_root_migrate.errors import UsageError
from zfs_root_migrate.model import Package, PortageFacts
from zfs_root_migrate.reader import Asked, Reader

SCRIPT = "portage"

T = TypeVar("T")


def ask_portage(reader: Reader) -> Callable[[], PortageFacts]:
    """Begin to ask Portage; the return value waits for what it says.

    It takes longer than all other facts, which can be read meanwhile.
    """
    return partial(_wait, reader.script(SCRIPT))


def _wait(asked: Asked) -> PortageFacts:
    answer = asked()
    if answer.status != 0:
        last = answer.stderr.strip().rpartition("\n")[2]
        reason = last or f"python3 ended with status {answer.status}"
        return PortageFacts(reason=reason)
    return parse_portage(answer.stdout)


def parse_portage(text: str) -> PortageFacts:
    """Read the answer, the last line; Portage may have said things before.

    >>> parse_portage('noise\\n{"reason": "python3 has no Portage"}\\n').reason
    'python3 has no Portage'
    """
    try:
        found = json.loads(text.strip().rpartition("\n")[2])
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return PortageFacts(reason="Portage gave no answer that can be read")
    facts = _build(PortageFacts, found)
    assert facts is not None
    packages = found.get("packages")
    told = packages if isinstance(packages, list) else []
    read = (_build(Package, one) for one in told if isinstance(one, dict))
    return dataclasses.replace(facts, packages=tuple(p for p in read if p is not None))


def _build(kind: type[T], data: Mapping[str, object]) -> T | None:
    """Build a value of the fields that are as they should be; others are not known.

    None where a field is missing that has no default.
    """
    hints = type_hints(cast(type, kind))
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        try:
            values[field.name] = decode(hints[field.name], data[field.name])
        except (UsageError, KeyError):
            if field.default is dataclasses.MISSING:
                return None
    return kind(**values)

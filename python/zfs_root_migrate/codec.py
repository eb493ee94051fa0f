"""Frozen dataclasses to JSON and back, for facts, plans and settings.

`decode` trusts nothing: a wrong type, an unknown or a missing field ends in a
`UsageError` that names the field by its path, such as `storage.devices[3].size`.
Text that is not UTF-8 (file names) travels as lone surrogates and survives the way
through JSON.
"""

import dataclasses
import functools
import json
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypeVar, cast

from zfs_root_migrate.errors import UsageError

T = TypeVar("T")
# no size, count or number of a machine is larger, and arithmetic never overflows
_LARGEST = (1 << 63) - 1
# most values by far: JSON has the same
_PLAIN = (str, int, bool)


def encode(value: object) -> Any:  # noqa: ANN401 - JSON has no better type
    """Turn a value into what json.dumps takes.

    A dataclass that is one of several in a union carries its name in `type`.
    """
    if value is None or type(value) in _PLAIN:
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)
        }
        return {"type": type(value).__name__, **fields}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    return value


def canonical(value: object) -> str:
    """Return the one JSON text of a value: the basis of digests."""
    return json.dumps(encode(value), sort_keys=True, separators=(",", ":"))


def decode(kind: type[T], data: object, where: str = "") -> T:
    """Build a value of the given type from parsed JSON, or name the bad field."""
    return cast(T, _decoder(cast(Any, kind))(data, where))


@functools.cache
def type_hints(kind: type) -> dict[str, Any]:
    """Return the types of a kind's fields; a document has thousands of values of it."""
    return typing.get_type_hints(kind)


# what it makes of parsed JSON, and the path of that, for complaints
Decoder = Callable[[object, str], object]


@functools.cache
def _decoder(kind: Any) -> Decoder:  # noqa: ANN401
    """Choose once per type: a document has tens of thousands of values."""
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        kinds = typing.get_args(kind)
        rest = tuple(kind for kind in kinds if kind is not type(None))
        return functools.partial(_decode_union, rest, rest != kinds)
    if origin is tuple:
        return functools.partial(_decode_list, typing.get_args(kind)[0])
    if dataclasses.is_dataclass(kind):
        return functools.partial(_decode_dataclass, cast(type, kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return functools.partial(_decode_name, kind)
    return functools.partial(_decode_plain, kind)


def _decode_list(item: Any, data: object, where: str) -> object:  # noqa: ANN401
    if not isinstance(data, list):
        raise _wrong(where, "a list", data)
    decode_item = _decoder(item)
    return tuple([decode_item(x, f"{where}[{n}]") for n, x in enumerate(data)])


def _decode_name(kind: type[Enum], data: object, where: str) -> object:
    try:
        return kind(data)
    except ValueError:
        names = ", ".join(str(member.value) for member in kind)
        raise _wrong(where, f"one of {names}", data) from None


def _decode_plain(kind: type, data: object, where: str) -> object:
    if type(data) is not kind:
        raise _wrong(where, {"str": "text"}.get(kind.__name__, kind.__name__), data)
    if isinstance(data, int) and abs(data) > _LARGEST:
        raise _wrong(where, "a number of 64 bits", data)
    if isinstance(data, str) and ("\0" in data or not _is_encodable(data)):
        raise _wrong(where, "text that a file name can be", data)
    return data


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _decode_union(
    kinds: tuple[Any, ...],
    may_be_none: bool,
    data: object,
    where: str,
) -> object:
    if data is None and may_be_none:
        return None
    if len(kinds) == 1:
        return _decoder(kinds[0])(data, where)
    name = data.get("type") if isinstance(data, dict) else None
    for kind in kinds:
        if kind.__name__ == name:
            return _decoder(kind)(data, where)
    raise _wrong(where, "one of " + ", ".join(k.__name__ for k in kinds), data)


@functools.cache
def _fields(kind: type) -> dict[str, tuple[Decoder, bool]]:
    """Return for each field what decodes it, and whether it must be there."""
    hints = type_hints(kind)
    return {
        f.name: (_decoder(hints[f.name]), f.default is dataclasses.MISSING)
        for f in dataclasses.fields(kind)
    }


def _decode_dataclass(kind: type, data: object, where: str) -> object:
    if not isinstance(data, dict):
        raise _wrong(where, f"an object ({kind.__name__})", data)
    known = _fields(kind)
    for name in data:
        if name not in known and name != "type":
            raise UsageError(
                f"unknown field {_join(where, str(name))}",
                resolution="was the file written by a newer zfs-root-migrate?",
            )
    values: dict[str, object] = {}
    for name, (decode_field, needed) in known.items():
        if name in data:
            values[name] = decode_field(data[name], _join(where, name))
        elif needed:
            raise UsageError(f"missing field {_join(where, name)}")
    return kind(**values)


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _wrong(where: str, wanted: str, data: object) -> UsageError:
    return UsageError(f"field {where or '(top)'}: wanted {wanted}, found {_show(data)}")


def _show(data: object) -> str:
    """Write a wrong value; what is in a list or an object may be deep without end.

    >>> _show([[]]), _show("x" * 99)
    ('a list', "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...")
    """
    if isinstance(data, list | dict):
        return "a list" if isinstance(data, list) else "an object"
    shown = repr(data)
    return shown if len(shown) < 60 else shown[:57] + "..."

"""Facts as a JSON document that another machine can read.

`load_facts` trusts nothing: what it returns is well-formed, or it raises a UsageError
that names the field. Whoever works with facts need not look twice.
"""

import json
import re
from collections.abc import Iterable, Iterator

from zfs_root_migrate.codec import decode, encode
from zfs_root_migrate.errors import UsageError
from zfs_root_migrate.model import BlockDevice, Facts, Tree

SCHEMA = "zfs-root-migrate/facts"
VERSION = 1
_TEXTS = re.compile(r'\[\n\s*"(?:[^"\\]|\\.)*"(?:,\n\s*"(?:[^"\\]|\\.)*")*\n\s*\]')


def dump_facts(facts: Facts) -> str:
    """Write facts as JSON."""
    fields = encode(facts)
    del fields["type"]
    document = {"schema": SCHEMA, "version": VERSION, **fields}
    return _join_lists(json.dumps(document, indent=1)) + "\n"


def _join_lists(text: str) -> str:
    """Put lists of texts on one line each; a line break is never within a text."""

    def join(found: re.Match[str]) -> str:
        return "[" + re.sub(r",\n\s*", ", ", found[0][1:-1].strip()) + "]"

    return _TEXTS.sub(join, text)


def load_facts(text: str, source: str) -> Facts:
    """Read what `dump_facts` wrote, or name the field that is wrong."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{source} is not a JSON file: {error}",
            resolution="make it anew with: zfs-root-migrate facts --json",
        ) from None
    if not isinstance(document, dict):
        raise UsageError(f"{source} does not hold facts: wanted an object")
    _check_header(document, source)
    fields = {k: v for k, v in document.items() if k not in ("schema", "version")}
    try:
        facts = decode(Facts, fields)
    except UsageError as error:
        raise UsageError(
            f"{source}: {error.brief}",
            details=error.details,
            resolution=error.resolution,
        ) from None
    for complaint in find_faults(facts):
        raise UsageError(f"{source}: {complaint}")
    return facts


def _check_header(document: dict[str, object], source: str) -> None:
    if document.get("schema") != SCHEMA:
        raise UsageError(
            f"{source} does not hold facts: field schema: wanted {SCHEMA!r}",
            resolution="make it with: zfs-root-migrate facts --json",
        )
    if document.get("version") != VERSION or document.get("version") is True:
        raise UsageError(
            f"{source}: field version: wanted {VERSION}, "
            f"found {document.get('version')!r:.60}",
            resolution="use the zfs-root-migrate that wrote the file",
        )


def find_faults(facts: Facts) -> Iterator[str]:
    """Say what is impossible although its type is right: field and reason."""
    devices = facts.storage.devices
    yield from _device_faults(devices)
    for index, mount in enumerate(facts.storage.mounts):
        for name in ("size", "used", "files"):
            if (getattr(mount, name) or 0) < 0:
                yield f"field storage.mounts[{index}].{name}: is negative"
    for index, swap in enumerate(facts.storage.swaps):
        if swap.size < 0:
            yield f"field storage.swaps[{index}].size: is negative"
    if facts.system.memory < 0:
        yield "field system.memory: is negative"
    if facts.elsewhere is not None and not facts.elsewhere.startswith("/"):
        yield "field elsewhere: is no absolute path"
    if facts.tree is not None:
        yield from _tree_faults(facts.tree)


def _tree_faults(tree: Tree) -> Iterator[str]:
    for name in ("files", "directories"):
        if getattr(tree, name) < 0:
            yield f"field tree.{name}: is negative"
    for name in ("links", "marked", "unreadable"):
        # lists are cut, numbers are not
        if getattr(tree, f"{name}_found") < len(getattr(tree, name)):
            yield f"field tree.{name}_found: is less than the list has"


def _device_faults(devices: Iterable[BlockDevice]) -> Iterator[str]:
    seen: set[str] = set()
    for index, device in enumerate(devices):
        where = f"field storage.devices[{index}]"
        # a parent stands before its children, so nothing can stand upon itself
        if not set(device.parents) <= seen:
            yield f"{where}.parents: wanted names of devices before this one"
        if device.name in seen or not device.name:
            yield f"{where}.name: is empty or there twice"
        if device.size < 0:
            yield f"{where}.size: is negative"
        for name in ("logical_sector", "physical_sector"):
            size = getattr(device, name)
            if size is not None and size < 1:
                yield f"{where}.{name}: is not a size"
        seen.add(device.name)

"""Start of the program that asks Portage."""

from __future__ import annotations

import gc

# this process is short: looking for garbage is a tenth of its time
gc.disable()

import json
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING or __package__:
    from zfs_root_migrate.portage_query import query_files, query_portage
else:
    import query_files
    import query_portage


def main(arguments: list[str]) -> int:
    """Print what is known of the running system, or of the tree in DIR."""
    root = arguments[1] if arguments[:1] == ["--root"] else "/"
    # what Portage and its children say must not come between
    answer = os.dup(1)
    os.dup2(2, 1)
    found = query_files.read(root)
    try:
        query_portage.ask(root, found)
    except BaseException as error:  # noqa: BLE001 - Portage may even exit
        os.dup2(answer, 1)
        query_portage.use_another_python(error)
        found["reason"] = query_portage.explain(error)
    protected = found.pop("protected", ["/etc"])
    found["updates"] = query_files.find_updates(root, protected)
    text = f"\n{json.dumps(found)}\n".encode()
    while text:
        text = text[os.write(answer, text) :]
    # Portage has event loops and threads that take their time to end
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])

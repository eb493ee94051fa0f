"""Facts: everything that is read of a machine, once, through one Reader.

The only modules that know what programs print. Nothing here writes, loads a kernel
module or imports a pool; what cannot be known, for lack of rights or of a program, is
None and never a guess.
"""

from zfs_root_migrate.facts.boot import gather_boot
from zfs_root_migrate.facts.document import dump_facts, load_facts
from zfs_root_migrate.facts.portage import gather_portage
from zfs_root_migrate.facts.storage import gather_storage
from zfs_root_migrate.facts.system import gather_system, gather_tools, is_root
from zfs_root_migrate.model import Facts, PortageFacts
from zfs_root_migrate.reader import Reader

__all__ = ["dump_facts", "gather", "load_facts"]


def gather(
    reader: Reader, *, state_dir: str, tool_version: str, ask_portage: bool = True
) -> Facts:
    """Read the facts of the machine behind the reader.

    Asking Portage takes longer than all the rest; `mirror` has no question for it.
    """
    tools = gather_tools(reader)
    has_zpool = any(tool.name == "zpool" and tool.path for tool in tools)
    storage = gather_storage(reader, has_zpool=has_zpool, is_root=is_root(reader))
    return Facts(
        tool_version=tool_version,
        storage=storage,
        boot=gather_boot(reader, storage, tools),
        system=gather_system(reader, tools, state_dir=state_dir),
        portage=gather_portage(reader)
        if ask_portage
        else PortageFacts(reason="not asked"),
    )

"""Facts: everything that is read of a machine, once, through one Reader.

The only modules that know what programs print. Nothing here writes, loads a kernel
module or imports a pool; what cannot be known, for lack of rights or of a program, is
None and never a guess.
"""

from zfs_root_migrate.facts import portage
from zfs_root_migrate.facts.boot import gather_boot
from zfs_root_migrate.facts.document import dump_facts, load_facts
from zfs_root_migrate.facts.elsewhere import not_running
from zfs_root_migrate.facts.storage import gather_storage
from zfs_root_migrate.facts.system import gather_system, gather_tools, is_root
from zfs_root_migrate.model import Facts, PortageFacts
from zfs_root_migrate.reader import Reader

__all__ = ["dump_facts", "gather", "load_facts"]


def gather(
    reader: Reader,
    *,
    state_dir: str,
    tool_version: str,
    ask_portage: bool = True,
    elsewhere: str | None = None,
) -> Facts:
    """Read the facts of the machine behind the reader.

    `elsewhere` is the directory of a tree that does not run, if the reader reads one.

    Asking Portage takes longer than all the rest: it is begun first and waited for
    last; `mirror` has no question for it.
    """
    answer = portage.ask_portage(reader) if ask_portage else _nothing
    tools = gather_tools(reader)
    has_zpool = any(tool.name == "zpool" and tool.path for tool in tools)
    storage = gather_storage(reader, has_zpool=has_zpool, is_root=is_root(reader))
    facts = Facts(
        tool_version=tool_version,
        storage=storage,
        boot=gather_boot(reader, storage, tools),
        system=gather_system(reader, tools, state_dir=state_dir),
        portage=answer(),
    )
    return facts if elsewhere is None else not_running(reader, facts, elsewhere)


def _nothing() -> PortageFacts:
    return PortageFacts(reason="not asked")

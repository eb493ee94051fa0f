"""Values that the facts, the checks and the layout are made of.

All of them are frozen and hold plain data, so that a machine can be written to a file
and read back on another one. Sizes are bytes. A fact that could not be had is None,
never a guess; an empty tuple means that there is none.
"""

from dataclasses import dataclass

from zfs_root_migrate.model.boot import (
    Boot,
    Firmware,
    Generator,
    Kernel,
    Loader,
    release_key,
)
from zfs_root_migrate.model.portage import (
    ConfigPlace,
    Ebuild,
    Installed,
    Package,
    PlaceKind,
    PortageFacts,
)
from zfs_root_migrate.model.storage import (
    BlockDevice,
    Copier,
    FstabLine,
    Mount,
    Pool,
    Signature,
    Storage,
    Swap,
    Topology,
)
from zfs_root_migrate.model.system import Init, Runlevel, System, Tool
from zfs_root_migrate.model.tree import LinkGroup, Marked, Tree

__all__ = [
    "BlockDevice",
    "Boot",
    "ConfigPlace",
    "Copier",
    "Ebuild",
    "Facts",
    "Firmware",
    "FstabLine",
    "Generator",
    "Init",
    "Installed",
    "Kernel",
    "LinkGroup",
    "Loader",
    "Marked",
    "Mount",
    "Package",
    "PlaceKind",
    "Pool",
    "PortageFacts",
    "Runlevel",
    "Signature",
    "Storage",
    "Swap",
    "System",
    "Tool",
    "Topology",
    "Tree",
    "release_key",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that was read of a machine, once.

    `elsewhere` is the directory of a tree that does not run (`check --root`): what only
    a running machine can tell is then not known. `tree` is None where nobody walked
    through the files.
    """

    tool_version: str
    storage: Storage
    boot: Boot
    system: System
    portage: PortageFacts
    elsewhere: str | None = None
    tree: Tree | None = None

    @property
    def judged_kernel(self) -> str:
        """Release of the kernel to judge: the one that runs.

        In a tree where none runs it is the newest one that is installed; empty where
        it is not known.
        """
        newest = self.boot.newest if self.elsewhere is not None else ""
        return self.boot.running_kernel or newest

    @property
    def wants_signatures(self) -> bool:
        """Whether the kernel loads signed modules only.

        Where none runs, or the one that runs does not tell, its configuration is asked.
        """
        told = self.boot.enforces_signatures
        mine = [k for k in self.boot.kernels if k.release == self.judged_kernel]
        forced = any(kernel.option("MODULE_SIG_FORCE") == "y" for kernel in mine)
        return forced if told is None else told

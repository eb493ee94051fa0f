"""Kinds of changes that a copier of changes can overlook, by name."""

from collections.abc import Callable

from tests.copy.changes import attributes, content, links, names
from tests.copy.changes.tree import Tree

KINDS: dict[str, Callable[[Tree], None]] = {
    change.__name__: change
    for change in (
        *content.CHANGES,
        *names.CHANGES,
        *links.CHANGES,
        *attributes.CHANGES,
    )
}
# what rsync does not see by size and time, or cannot keep
NOT_FOR_RSYNC = frozenset(
    {"hidden_rewrite", "mapped_store", "punch_hole", "reborn", "save_anew", "swap"}
    | {"leave_links", "move", "set_flag", "protect", "unprotect"}
)
# tmpfs does not note that a mapping was written to, by whatever time
UNSEEN_IN_MEMORY = frozenset({"mapped_store"})

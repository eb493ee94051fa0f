"""Changes of hard links."""

import os
import shutil

from tests.copy.changes.tree import Tree


def new_link(tree: Tree) -> None:
    """Give a file, or whatever it is, one more name."""
    path = tree.random.choice((*tree.files, *tree.others))
    os.link(path, tree.new(), follow_symlinks=False)


def link_over(tree: Tree) -> None:
    """Let the name of a file be one more name of another."""
    link = tree.new()
    link.hardlink_to(tree.file())
    link.rename(tree.file())


def leave_links(tree: Tree) -> None:
    """Make a name of a group a file of its own, with the same content."""
    path, new = tree.linked(), tree.new()
    shutil.copy2(path, new)
    new.rename(path)


def lose_link(tree: Tree) -> None:
    """Remove one name of a group."""
    tree.linked().unlink()


CHANGES = (
    new_link,
    link_over,
    leave_links,
    lose_link,
)

"""Changes of attributes only: mode, owner, times, xattrs, ACLs, flags."""

import os

from tests.copy import flags
from tests.copy.changes.tree import Tree
from tests.vm import torture

SECOND = 10**9


def mode(tree: Tree) -> None:
    """Change nothing but the mode."""
    path = tree.random.choice((*tree.files, *tree.folders))
    path.chmod(tree.random.choice((0o600, 0o644, 0o755, 0o4755, 0o2775, 0o1777)))


def owner(tree: Tree) -> None:
    """Change nothing but the owner; that clears setuid."""
    uid, gid = tree.random.randrange(70_000), tree.random.randrange(70_000)
    os.chown(tree.any(), uid, gid, follow_symlinks=False)


def times(tree: Tree) -> None:
    """Set a time, of whatever it is, before 1970 and after 2038 too."""
    chosen = tree.random.choice((-SECOND - 1, 0, 2**31 * SECOND + 1, 10**18))
    time_ns = chosen + tree.random.randrange(1000)
    os.utime(tree.any(), ns=(time_ns, time_ns), follow_symlinks=False)


def set_attribute(tree: Tree) -> None:
    """Set an extended attribute."""
    name = tree.random.choice(("user.a", "user.b", "trusted.c", "security.d"))
    path = tree.random.choice((*tree.files, *tree.folders))
    os.setxattr(path, name, tree.random.randbytes(tree.random.randrange(50)))


def link_attribute(tree: Tree) -> None:
    """Set an attribute of something that is neither file nor directory."""
    path = tree.random.choice(tree.others)
    os.setxattr(path, "trusted.e", tree.bytes(20), follow_symlinks=False)


def remove_attribute(tree: Tree) -> None:
    """Remove extended attributes, ACLs and capabilities."""
    chosen = [*tree.folders, *tree.random.sample(tree.files, min(40, len(tree.files)))]
    tree.random.shuffle(chosen)
    with_some = ((path, os.listxattr(path)) for path in chosen)
    path, names = next((path, names) for path, names in with_some if names)
    for name in names:
        os.removexattr(path, name)


def access_acl(tree: Tree) -> None:
    """Set an ACL."""
    path = tree.random.choice((*tree.files, *tree.folders))
    os.setxattr(path, "system.posix_acl_access", _acl(tree))


def default_acl(tree: Tree) -> None:
    """Set a default ACL, which what is made in there inherits."""
    os.setxattr(tree.folder(), "system.posix_acl_default", _acl(tree))


def _acl(tree: Tree) -> bytes:
    return torture.acl(
        (torture.USER_OBJ, 7, torture.NOBODY),
        (torture.USER, tree.random.randrange(8), tree.random.randrange(5000)),
        (torture.GROUP_OBJ, tree.random.randrange(8), torture.NOBODY),
        (torture.MASK, 7, torture.NOBODY),
        (torture.OTHER, tree.random.randrange(8), torture.NOBODY),
    )


def capability(tree: Tree) -> None:
    """Give a file capabilities."""
    os.setxattr(tree.file(), "security.capability", torture.CAPABILITY)


def set_flag(tree: Tree) -> None:
    """Set a flag that lets everything else go on."""
    chosen = tree.random.choice((flags.NODUMP, flags.NOATIME))
    path = tree.random.choice((*tree.files, *tree.folders))
    flags.change(path, add=chosen)


def protect(tree: Tree) -> None:
    """Make something immutable, or only to be added to, after a last change."""
    path = tree.random.choice((*tree.files, *tree.folders[1:]))
    path.chmod(0o750)
    flags.change(path, add=tree.random.choice((flags.IMMUTABLE, flags.APPEND)))


def unprotect(tree: Tree) -> None:
    """Clear the flags of something that has them, and change it."""
    for path in (*tree.files, *tree.folders):
        if flags.get(path) & (flags.IMMUTABLE | flags.APPEND):
            flags.change(path, remove=flags.IMMUTABLE | flags.APPEND)
            path.chmod(0o705)
            return
    raise IndexError


CHANGES = (
    mode,
    owner,
    times,
    set_attribute,
    link_attribute,
    remove_attribute,
    access_acl,
    default_acl,
    capability,
    set_flag,
    protect,
    unprotect,
)

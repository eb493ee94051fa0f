"""Which names of a file are made together, and what is refused."""

from types import SimpleNamespace

from zfs_root_migrate.copy.links import find_others, gather

HERE, THERE = 7, 8


class Ledger:
    """Knows one directory, which holds two names of inode 5."""

    def held_by(self, inodes, *, with_doubtful):
        """Return the only directory there is."""
        assert not with_doubtful
        return [1] if 5 in inodes else []

    def find(self, inode):
        """Return what it holds."""
        return SimpleNamespace(names=["a", "b", "other"], inodes=[5, 5, 6])

    def path_of(self, inode):
        """Return where it was when that was written."""
        return "/old"


def others(device):
    """Return what comes up when one of three names has."""
    came = [(5, 3, HERE, "/new", "c")]
    return came + find_others(came, Ledger(), lambda _: device)


def refused(links):
    """Return what is refused, and how many names are made."""
    told = []
    groups = gather(links, split=False, refuse=lambda path, _: told.append(path))
    return told, [len(names) for _, names in groups]


def test_names_that_have_not_come_up():
    """They are looked up, so that a moved directory does not tear a file apart."""
    assert refused(others(HERE)) == ([], [3])


def test_names_on_another_file_system():
    """No link leads there."""
    assert refused(others(THERE)) == (["/new/c", "/old/a", "/old/b"], [])


def test_names_in_a_directory_that_is_no_more():
    """What was written of it is old: that is not another file system."""
    assert refused(others(None)) == ([], [1])

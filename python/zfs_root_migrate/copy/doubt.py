"""Takes back what the ledger says of single paths, so that they are copied anew."""

from collections.abc import Iterable
from pathlib import Path

from zfs_root_migrate.copy.ledger import Ledger
from zfs_root_migrate.copy.listing import DOUBTFUL, Listing


def doubt(state: str, paths: Iterable[str]) -> None:
    """Have the next pass copy these again, whatever inode and change time say.

    Paths have a leading slash, as seen from the source. Where there is no state, the
    next pass copies everything anyway.
    """
    if not Path(state).exists():
        return
    ledger = Ledger.reopen(state)
    if ledger is None:
        return
    doubtful: dict[int, Listing] = {}
    for path in paths:
        _doubt(ledger, doubtful, path)
    writer = ledger.append()
    for listing in doubtful.values():
        writer.write(listing.encode())
    writer.close()
    ledger.count(ledger.log.stat().st_size, complete=ledger.is_complete)


def _doubt(ledger: Ledger, doubtful: dict[int, Listing], path: str) -> None:
    """Doubt a name, its directory, and itself where it is a directory."""
    here = _find(ledger, doubtful, ledger.root)
    *above, name = path.split("/")[1:]
    for part in above:
        below = None if here is None else _inode(here, part)
        here = None if below is None else _find(ledger, doubtful, below)
    if here is None:
        return
    here.ctime = DOUBTFUL
    doubtful[here.inode] = here
    if name in here.names:
        place = here.names.index(name)
        directory = _find(ledger, doubtful, here.inodes[place])
        if directory is not None:
            directory.ctime = DOUBTFUL
            doubtful[directory.inode] = directory
        else:
            here.ctimes[place] = DOUBTFUL


def _find(ledger: Ledger, doubtful: dict[int, Listing], inode: int) -> Listing | None:
    return doubtful.get(inode) or ledger.find(inode)


def _inode(here: Listing, name: str) -> int | None:
    return here.inodes[here.names.index(name)] if name in here.names else None

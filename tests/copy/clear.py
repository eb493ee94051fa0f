"""Makes room at a destination, as a pass does that has found none."""

import os

from zfs_root_migrate.copy.engine import make_room
from zfs_root_migrate.copy.order import Order, Tally


def clear(order: Order) -> tuple[bool, int]:
    """Return whether there is room now, and how many names were removed."""
    tally = Tally()
    source, destination = (
        os.open(top, os.O_RDONLY) for top in (order.source, order.destination)
    )
    try:
        return make_room(order, (source, destination), tally), tally.removed
    finally:
        os.close(source)
        os.close(destination)

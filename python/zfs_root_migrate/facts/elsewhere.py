"""Facts about a tree that does not run: what stands in for what a machine tells."""

from dataclasses import replace

from zfs_root_migrate.model import Facts, Init, PortageFacts
from zfs_root_migrate.reader import Reader

_ZFS = "sys-fs/zfs"


def not_running(reader: Reader, facts: Facts, elsewhere: str) -> Facts:
    """Complete the facts of a tree by what it has installed.

    No service manager is at work there and `zfs --version` cannot be run: what would be
    started, and what Portage has installed, are taken for them.
    """
    system = replace(
        facts.system,
        init=find_init(reader),
        zfs_userland=installed_zfs(facts.portage),
    )
    return replace(facts, system=system, elsewhere=elsewhere)


def find_init(reader: Reader) -> Init:
    """Tell which service manager the tree would start."""
    if (reader.resolve("/sbin/init") or "").endswith("/systemd/systemd"):
        return Init.SYSTEMD
    if reader.resolve("/sbin/openrc") is not None:
        return Init.OPENRC
    return Init.UNKNOWN


def installed_zfs(portage: PortageFacts) -> str | None:
    """Return the version of the newest ZFS that Portage has installed."""
    package = portage.package(_ZFS)
    if package is None or not package.installed:
        return None
    return package.installed[-1].cpv.removeprefix(f"{_ZFS}-")

"""The services of the new root, by whichever service manager the system has."""

from collections.abc import Callable
from dataclasses import dataclass

from zfs_root_migrate.layout import Layout
from zfs_root_migrate.model import Facts, Init
from zfs_root_migrate.step import WriteFile
from zfs_root_migrate.steps import openrc


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Files and links that the new root needs, as paths in it, and stale caches."""

    files: tuple[WriteFile, ...]
    links: tuple[tuple[str, str], ...]
    caches: tuple[str, ...]

    @property
    def written(self) -> tuple[str, ...]:
        """Return the paths that are the new root's own."""
        return (*(f.path for f in self.files), *(path for path, _ in self.links))


def _openrc(facts: Facts, layout: Layout) -> Services:
    service = WriteFile(
        path=f"/etc/init.d/{openrc.MD_SERVICE}",
        content=openrc.md_service(layout),
        mode=0o755,
    )
    return Services(files=(service,), links=openrc.links(facts), caches=openrc.CACHES)


_SETUPS: dict[Init, Callable[[Facts, Layout], Services]] = {Init.OPENRC: _openrc}


def services(facts: Facts, layout: Layout) -> Services:
    """Return what the system's service manager needs; the checks know which are."""
    return _SETUPS.get(facts.system.init, _openrc)(facts, layout)

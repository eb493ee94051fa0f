"""The rest of the running system."""

from dataclasses import dataclass
from enum import StrEnum


class Init(StrEnum):
    """The service manager of the running system."""

    OPENRC = "openrc"
    SYSTEMD = "systemd"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A program that the migration calls; path is None where it is missing."""

    name: str
    path: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Runlevel:
    """An OpenRC runlevel and the services in it."""

    name: str
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The rest of the running system."""

    os_id: str
    os_name: str
    machine: str
    hostname: str
    init: Init
    memory: int
    merged_usr: bool
    is_root: bool
    state_writable: bool
    tools: tuple[Tool, ...]
    runlevels: tuple[Runlevel, ...]
    services: tuple[str, ...]
    mdadm_conf: str | None
    mdadm_conf_path: str
    zfs_userland: str | None
    zfs_module: str | None
    symlinks: tuple[str, ...] = ()
    imports_all_pools: str | None = None

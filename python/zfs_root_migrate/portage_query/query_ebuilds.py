"""What could be installed: the ebuilds of a package, as Portage judges them."""

from __future__ import annotations

import importlib
import os
import re
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from zfs_root_migrate.portage_query import query_files
else:
    import query_files

METADATA = ("IUSE", "PROPERTIES", "RDEPEND", "SLOT")

Fields = dict[str, Any]


class UnknownError(Exception):
    """The ebuilds of a package cannot be looked at."""


def open_ebuilds(settings: Any) -> Any:  # noqa: ANN401
    """Return Portage's view of the ebuilds, unable to write its cache.

    It is set up as Portage itself does for users who may not write there.
    """
    porttree = importlib.import_module("portage.dbapi.porttree")
    cache = settings.load_best_module("portdbapi.auxdbmodule")
    volatile = "portage.cache.volatile.database"
    settings.modules["user"]["portdbapi.auxdbmodule"] = volatile

    class ReadOnly(porttree.portdbapi):  # type: ignore[misc, name-defined]
        def _init_cache_dirs(self) -> None:
            """Make no directory."""

    portdb = ReadOnly(mysettings=settings)
    for tree in portdb.porttrees:
        directory = os.path.join(portdb.depcachedir, tree.lstrip("/"))
        if os.path.isdir(directory):
            portdb._ro_auxdb[tree] = cache(
                portdb.depcachedir, tree, portdb._known_keys, readonly=True
            )
    portdb.freeze()
    return portdb


def choose(portdb: Any, name: str, deadline: float) -> Fields:  # noqa: ANN401
    """Return the candidate of a package and the ebuilds that are worth telling."""
    versions: dict[str, list[str]] = {}
    for tree in portdb.porttrees:  # the least important repository first
        repository, place = portdb.getRepositoryName(tree), os.path.join(tree, name)
        # Portage would say that there are none
        if os.path.isdir(place) and not os.access(place, os.R_OK | os.X_OK):
            raise UnknownError(f"{place} cannot be read")
        for cpv in portdb.cp_list(name, mytree=tree):
            versions.setdefault(str(cpv), []).insert(0, repository)
    order = importlib.import_module("portage.versions").cpv_sort_key()
    every = name in query_files.MODULES
    candidate, newest, told = None, None, []
    for cpv in sorted(versions, key=order, reverse=True):
        if time.monotonic() > deadline:
            raise UnknownError("its ebuilds have no metadata cache: emerge --regen")
        offer = Offer(portdb, name, cpv, versions[cpv])
        wanted = not offer.obstacles and candidate is None
        candidate = cpv if wanted else candidate
        fresh = newest is None and not offer.live
        newest = cpv if fresh else newest
        if every or wanted or fresh:
            told.append(offer.fields())
        if candidate and newest and not every:
            break
    return {"candidate": candidate, "ebuilds": told[::-1]}


class Offer:
    """One version, from the repository that Portage would take it from."""

    def __init__(
        self,
        portdb: Any,  # noqa: ANN401
        name: str,
        cpv: str,
        repositories: list[str],
    ) -> None:
        """Find the first repository whose ebuild nothing stands against."""
        self.portdb, self.name, self.cpv = portdb, name, cpv
        tried = [(self._obstacles(name), name) for name in repositories]
        self.obstacles, self.repository = min(tried, key=lambda row: bool(row[0]))
        try:
            values = portdb.aux_get(cpv, METADATA, myrepo=self.repository)
        except KeyError:  # its metadata cannot be had: an obstacle of its own
            values = [""] * len(METADATA)
        self.metadata = dict(zip(METADATA, values))

    def _obstacles(self, repository: str) -> list[str]:
        masking = importlib.import_module("portage.package.ebuild.getmaskingstatus")
        settings = self.portdb.doebuild_settings
        words = masking.getmaskingstatus(
            self.cpv, settings=settings, portdb=self.portdb, myrepo=repository
        )
        return [str(word) for word in words]

    @property
    def live(self) -> bool:
        """Tell whether it fetches what is newest."""
        return "live" in self.metadata["PROPERTIES"].split()

    def fields(self) -> Fields:
        """Return the fields of model.Ebuild."""
        iuse = {flag.lstrip("+-") for flag in self.metadata["IUSE"].split()}
        limits = self._limits()
        below = re.search(r"<virtual/dist-kernel-(\d+\.\d+)", self.metadata["RDEPEND"])
        return {
            "cpv": self.cpv,
            "slot": self.metadata["SLOT"] or "0",
            "repository": self.repository,
            "obstacles": self.obstacles,
            "keyword": keyword_of(self.obstacles),
            "licences": licences_of(self.obstacles),
            "masked": "package.mask" in self.obstacles,
            "live": self.live,
            "use": query_files.name_flags(iuse.intersection(self._use())),
            "iuse": query_files.name_flags(iuse),
            "linux_min": limits.get("MIN"),
            # a live ebuild has one that it does not heed
            "linux_max": None if self.live else limits.get("MAX"),
            "kernel_below": below[1] if below else None,
        }

    def _use(self) -> list[str]:
        settings = self.portdb.doebuild_settings
        keys = list(self.portdb._aux_cache_keys)
        try:
            values = self.portdb.aux_get(self.cpv, keys, myrepo=self.repository)
        except KeyError:
            return []
        settings.setcpv(self.cpv, mydb=dict(zip(keys, values)))
        return str(settings["PORTAGE_USE"]).split()

    def _limits(self) -> dict[str, str]:
        """Return the oldest and the newest kernel, as the ebuild names them."""
        if self.name not in query_files.MODULES:
            return {}
        path = self.portdb.findname(self.cpv, myrepo=self.repository)
        text = query_files.read_text(path) or ""
        line = r"""(?m)^\s*MODULES_KERNEL_(MIN|MAX)=["']?(\d+\.\d+)"""
        return dict(re.findall(line, text)[::-1])


def keyword_of(obstacles: list[str]) -> str | None:
    """Return what package.accept_keywords would have to accept.

    >>> keyword_of(["package.mask", "~amd64 keyword"]), keyword_of(["missing keyword"])
    ('~amd64', '**')
    """
    for word in obstacles:
        keyword, _, rest = word.partition(" ")
        if rest == "keyword":
            return keyword if keyword.startswith("~") else "**"
    return None


def licences_of(obstacles: list[str]) -> list[str]:
    """Return what package.license would have to accept.

    >>> licences_of(["|| ( CDDL MIT ) license(s)"])
    ['CDDL', 'MIT']
    """
    for word in obstacles:
        if word.endswith(" license(s)"):
            return sorted(set(word.split()[:-1]) - {"||", "(", ")"})
    return []

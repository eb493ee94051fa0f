"""Asks Portage for its configuration, or finds out why it cannot be asked."""

from __future__ import annotations

import configparser
import importlib
import io
import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from zfs_root_migrate.portage_query import query_ebuilds, query_files
else:
    import query_ebuilds
    import query_files

PROFILE = "etc/portage/make.profile"
# an ebuild without a metadata cache has to be sourced, a quarter of a second each
SECONDS = 15.0
# Portage's programs, one for each Python that it is installed for
PROGRAMS = "/usr/lib/python-exec"
PYTHONS = "/usr/bin"
TRIED = "ZFS_ROOT_MIGRATE_OTHER_PYTHON"

Fields = dict[str, Any]


class UnusableError(Exception):
    """The configuration lacks what every question needs."""


def ask(root: str, found: Fields) -> None:
    """Add what Portage says to what the files have told; raises where it cannot."""
    portage = importlib.import_module("portage")
    found["version"] = str(portage.VERSION)
    settings = configure(portage, root)
    found.update(describe(settings, root))
    found["protected"] = (settings.get("CONFIG_PROTECT") or "/etc").split()
    require(settings, root)
    portdb = query_ebuilds.open_ebuilds(settings)
    deadline = time.monotonic() + SECONDS
    for package in found["packages"]:
        name = package["name"]
        try:
            package.update(query_ebuilds.choose(portdb, name, deadline))
        except Exception as error:  # noqa: BLE001 - the others may be in order
            package["reason"] = one_line(error)


def configure(portage: Any, root: str) -> Any:  # noqa: ANN401
    """Read the configuration of the system, or of the tree in `root`."""
    more: Fields = {}
    if root != "/":
        repositories = {"PORTAGE_REPOSITORIES": repositories_below(root)}
        more = {"config_profile_path": profile_below(root)}
        more["env"] = {**os.environ, **repositories}
    try:
        return portage.config(config_root=root, target_root=root, eprefix="", **more)
    except Exception as error:  # noqa: BLE001 - a parser's, a loader's, the system's
        guilty = blame(portage, root)
        said = f"Portage cannot read {guilty}: {one_line(error)}"
        raise UnusableError(said) from None


def blame(portage: Any, root: str) -> str:  # noqa: ANN401
    """Return the file that the configuration fails at; the errors do not all say it."""
    for name in ("etc/make.conf", "etc/portage/make.conf"):
        path = os.path.join(root, name)
        try:
            portage.getconfig(path, allow_sourcing=True, recursive=True)
        except Exception:  # noqa: BLE001 - any of them is what is looked for
            return f"/{name}"
    return "/etc/portage"


def repositories_below(root: str) -> str:
    """Return repos.conf of a tree, or Portage's own, with paths that hold from here.

    Portage takes the paths in a tree for those of the running system.
    """
    shared = os.path.join(root, "usr/share/portage/config/repos.conf")
    own = os.path.join(root, "etc/portage/repos.conf")
    parts = [os.path.join(own, name) for name in query_files.list_names(own)]
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read_dict(
        {
            "DEFAULT": {"main-repo": "gentoo"},
            "gentoo": {"location": "/var/db/repos/gentoo"},
        }
    )
    try:
        parser.read([shared, own, *parts])
    except configparser.Error as error:
        raise UnusableError(f"repos.conf cannot be read: {one_line(error)}") from None
    for name in parser.sections():
        section = parser[name]
        if "location" in section:
            section["location"] = os.path.join(root, section["location"].lstrip("/"))
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def profile_below(root: str) -> str:
    """Return the profile that a tree's link names, which may be an absolute one.

    Empty where it leads nowhere: Portage would take any other answer as it is.
    """
    link = os.path.join(root, PROFILE)
    if os.path.islink(link) and os.readlink(link).startswith("/"):
        link = os.path.join(root, os.readlink(link).lstrip("/"))
    return link if os.path.isdir(link) else ""


def from_root(root: str, path: str) -> str:
    """Return what a path is called in the tree.

    >>> from_root("/mnt/gentoo", "/mnt/gentoo/var"), from_root("/", "/var")
    ('/var', '/var')
    """
    inside = root != "/" and path.startswith(f"{root.rstrip('/')}/")
    return path[len(root.rstrip("/")) :] if inside else path


def describe(settings: Any, root: str) -> Fields:  # noqa: ANN401
    """Return what the configuration says of itself."""
    profile = settings.profile_path and os.path.realpath(settings.profile_path)
    repository = settings.repositories.mainRepoLocation()
    return {
        "profile": profile and profile.rpartition("/profiles/")[2],
        "profile_deprecated": os.path.exists(f"{profile}/deprecated")
        if profile
        else None,
        "repository": from_root(root, repository) or None,
        "distdir": settings.get("DISTDIR"),
        "pkgdir": settings.get("PKGDIR"),
        "tmpdir": settings.get("PORTAGE_TMPDIR"),
        "arch": settings.get("ARCH"),
        "accept_keywords": (settings.get("ACCEPT_KEYWORDS") or "").split(),
    }


def require(settings: Any, root: str) -> None:  # noqa: ANN401
    """Raise where every ebuild would be masked for the same reason."""
    repository = settings.repositories.mainRepoLocation()
    if not repository or not os.path.isdir(os.path.join(repository, "profiles")):
        place = from_root(root, repository) or "what repos.conf names"
        raise UnusableError(f"there is no ebuild repository in {place}")
    link = os.path.join(root, PROFILE)
    if not os.path.lexists(link):
        raise UnusableError("no profile is selected: no /etc/portage/make.profile")
    if not settings.profiles:
        raise UnusableError(
            "the profile cannot be used: /etc/portage/make.profile leads to "
            f"{from_root(root, os.path.realpath(link))}"
        )


def one_line(error: BaseException) -> str:
    """Return what an error says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def explain(error: BaseException) -> str:
    """Say why Portage could not be asked."""
    python = f"python3 ({sys.version_info[0]}.{sys.version_info[1]})"
    if isinstance(error, ModuleNotFoundError) and error.name == "portage":
        return f"{python} has no Portage"
    if isinstance(error, (ImportError, SyntaxError)):
        return f"{python} cannot load Portage: {one_line(error)}"
    if isinstance(error, UnusableError):
        return one_line(error)
    kind = type(error).__name__
    return f"Portage cannot use its configuration: {kind}: {one_line(error)}"


def use_another_python(error: BaseException) -> None:
    """Start again under a Python that Portage is installed for, if there is another.

    `eselect python` may have chosen one that Portage was not built for.
    """
    if not isinstance(error, ImportError) or TRIED in os.environ:
        return
    for path in _other_pythons():
        if os.access(path, os.X_OK):
            os.environ[TRIED] = path
            os.execv(path, [path, "-IB", *sys.argv])


def _other_pythons() -> Iterator[str]:
    for name in query_files.list_names(PROGRAMS)[::-1]:
        if os.path.exists(os.path.join(PROGRAMS, name, "emerge")):
            yield os.path.join(PYTHONS, name)

"""How this very program is started when the system goes down. Part of the rim."""

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import zfs_root_migrate
from zfs_root_migrate.errors import StepFailedError
from zfs_root_migrate.paths import STATE
from zfs_root_migrate.step import Arm, SourceFs, WriteFile

_TEXT = """\
# Written by zfs-root-migrate: how the last pass is started while the system goes down.
# To take it away: zfs-root-migrate undo
last_pass() {{
{mounts}	env PYTHONPATH={package} {python} -B -P -m zfs_root_migrate seal
}}
"""


def armed_file(action: Arm) -> WriteFile:
    """Return the file that the service reads."""
    package = Path(zfs_root_migrate.__file__).resolve().parent.parent
    return WriteFile(
        path=action.path,
        content=compose(
            sys.executable,
            str(package),
            tuple(_needed(action, (*_places(package), Path(STATE)))),
        ),
    )


def compose(python: str, package: str, mounts: tuple[SourceFs, ...]) -> str:
    """Return the text: mount what the program needs, then start it."""
    lines = (
        f"\tmountpoint -q {(at := shlex.quote(fs.target))} || "
        f"mount -t {fs.fs_type} UUID={fs.uuid} {at} || return 1\n"
        for fs in mounts
    )
    return _TEXT.format(
        mounts="".join(lines), package=shlex.quote(package), python=shlex.quote(python)
    )


def _places(package: Path) -> Iterator[Path]:
    """Yield what Python needs to start this program."""
    yield package
    yield Path(sys.executable)
    yield Path(sys.prefix)
    yield Path(sys.base_prefix)


def _needed(action: Arm, places: tuple[Path, ...]) -> Iterator[SourceFs]:
    """Yield the file systems that the program, or one that it calls, lies on."""
    devices = {Path(fs.target).stat().st_dev: fs for fs in action.mounts}
    found = {place: place.stat().st_dev for place in places if place.exists()}
    for place, device in found.items():
        if device not in devices:
            raise StepFailedError(
                f"{place} will not be there when the system goes down",
                details="the last pass is made by this program, and that lies on a "
                "file system that is not on the old disk",
                resolution="install zfs-root-migrate on the old disk (emerge, or pip "
                "into /usr/local) and start it from there; or do without the last "
                "pass: zfs-root-migrate set consistency now",
            )
    for device, fs in devices.items():
        has_programs = (fs.target + "/").startswith("/usr/")
        if fs.target != "/" and (has_programs or device in found.values()):
            yield fs

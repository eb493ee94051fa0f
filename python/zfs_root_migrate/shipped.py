"""Files that come with the package: services, and the initramfs's own module."""

import functools
from pathlib import Path

from zfs_root_migrate import paths

SERVICE = f"{paths.OWN_NAME}-seal"
OPENRC_SERVICE = f"{SERVICE}.initd"
DRACUT_SETUP = "module-setup.sh"
DRACUT_HOOK = f"{paths.OWN_NAME}-sealed.sh"


@functools.cache
def shipped(name: str) -> str:
    """Return the text of one of the files in `units`."""
    return (Path(__file__).parent / "units" / name).read_text("utf-8")

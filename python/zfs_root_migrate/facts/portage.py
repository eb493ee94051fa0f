"""What Portage says of itself, asked in a process of its own.

Importing Portage costs a third of a second and may fail in many ways (a broken profile,
another Python than the one it is installed for): in a process of its own it cannot take
this one with it, and its answer can be recorded. Portage is not asked to write.
"""

import json

from zfs_root_migrate.model import PortageFacts
from zfs_root_migrate.reader import Reader

PACKAGES = (
    *("app-portage/gentoolkit", "dev-vcs/git", "net-misc/rsync", "sys-apps/portage"),
    *("sys-apps/openrc", "sys-apps/systemd", "sys-apps/util-linux", "sys-boot/grub"),
    *("sys-fs/mdadm", "sys-fs/zfs", "sys-fs/zfs-kmod", "sys-kernel/dracut"),
    *("sys-kernel/genkernel", "sys-kernel/gentoo-kernel", "sys-kernel/ugrd"),
    *("sys-kernel/gentoo-kernel-bin", "sys-kernel/gentoo-sources"),
    *("sys-kernel/installkernel", "virtual/dist-kernel"),
)

# settings[x] of a variable that is not set raises NameError in 3.0.83: .get() only
SCRIPT = """\
import json, os, sys
try:
    import portage
    settings = portage.settings
    vdb = portage.db[settings["EROOT"]]["vartree"].dbapi
    profile = settings.profile_path and os.path.realpath(settings.profile_path)
    found = {
        "version": portage.VERSION,
        "profile": profile and profile.rpartition("/profiles/")[2],
        "repository": settings.repositories.mainRepoLocation(),
        "distdir": settings.get("DISTDIR"),
        "pkgdir": settings.get("PKGDIR"),
        "packages": sorted(str(p) for a in sys.argv[1:] for p in vdb.cp_list(a)),
    }
except BaseException as error:
    found = {"reason": f"{type(error).__name__}: {error}"}
print("\\n" + json.dumps({k: v or None for k, v in found.items()}))
"""
# -I: neither the environment nor the current directory changes what is imported;
# -B: nothing is written
ASK = ("python3", "-IBc", SCRIPT, *PACKAGES)


def gather_portage(reader: Reader) -> PortageFacts:
    """Ask Portage, or say why it could not be asked."""
    answer = reader.query(*ASK)
    if answer.status != 0:
        last = answer.stderr.strip().rpartition("\n")[2]
        reason = last or f"python3 ended with status {answer.status}"
        return PortageFacts(reason=reason)
    return parse_portage(answer.stdout)


def parse_portage(text: str) -> PortageFacts:
    """Read the script's answer, the last line; Portage may have said things before.

    >>> parse_portage('noise\\n{"reason": "ImportError: no"}\\n').reason
    'ImportError: no'
    """
    try:
        found = json.loads(text.strip().rpartition("\n")[2])
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return PortageFacts(reason="Portage gave no answer that can be read")

    def one(name: str) -> str | None:
        value = found.get(name)
        return value if isinstance(value, str) else None

    packages = found.get("packages")
    return PortageFacts(
        reason=one("reason"),
        version=one("version"),
        profile=one("profile"),
        repository=one("repository"),
        distdir=one("distdir"),
        pkgdir=one("pkgdir"),
        packages=tuple(
            package
            for package in (packages if isinstance(packages, list) else ())
            if isinstance(package, str)
        ),
    )

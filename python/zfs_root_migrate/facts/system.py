"""Facts about the rest of the system: init, tools, runlevels, versions."""

import re
import shlex
from collections.abc import Iterable

from zfs_root_migrate.model import Init, Runlevel, System, Tool
from zfs_root_migrate.reader import Reader

# Every program that a check, a step or a probe may start.
TOOLS = (
    *("zpool", "zfs", "zdb", "zgenhostid", "mdadm"),
    *("sfdisk", "wipefs", "blkid", "mke2fs", "mkswap", "blkdiscard", "partx"),
    *("lsblk", "findmnt", "mount", "umount", "swapon", "swapoff", "blockdev"),
    *("udevadm", "unshare", "chroot", "rsync", "tar", "sha256sum", "od", "strings"),
    *("grub-install", "grub-mkconfig", "grub-probe", "grub-reboot", "grub-editenv"),
    *("grub-script-check", "mountpoint", "cmp"),
    *("dracut", "lsinitrd", "genkernel", "ugrd", "installkernel"),
    *("modprobe", "modinfo", "depmod", "rc-update", "rc-service", "systemctl"),
    *("efibootmgr", "bootctl", "cryptsetup", "lvm", "btrfs", "emerge", "equery"),
    *("reboot", "shutdown", "sync", "python3"),
)
# One start for all of them; unlike the names in PATH it knows what can be executed.
FIND_TOOLS = ("sh", "-c", 'for p; do command -v "$p"; done', "sh", *TOOLS)

# Where a layout may want to mount a dataset.
MOUNT_POINTS = (
    *("/home", "/opt", "/root", "/srv", "/tmp", "/usr", "/var"),
    *("/usr/local", "/usr/portage", "/usr/src", "/var/cache", "/var/db"),
    *("/var/db/repos", "/var/lib", "/var/log", "/var/spool", "/var/tmp"),
)
ZFS_DEFAULTS = ("/etc/default/zfs", "/etc/conf.d/zfs")
MDADM_CONFS = ("/etc/mdadm.conf", "/etc/mdadm/mdadm.conf")


def gather_tools(reader: Reader) -> tuple[Tool, ...]:
    """Find the programs that the migration calls."""
    return parse_tools(reader.query(*FIND_TOOLS).stdout)


def parse_tools(text: str) -> tuple[Tool, ...]:
    """Read the paths that the shell found; a word without one is a shell built-in."""
    paths = {
        line.rpartition("/")[2]: line for line in text.split("\n") if line[:1] == "/"
    }
    return tuple(Tool(name=name, path=paths.get(name)) for name in TOOLS)


def is_root(reader: Reader) -> bool:
    """Tell whether the effective user is root."""
    status = reader.read("/proc/self/status") or ""
    return re.search(r"(?m)^Uid:\t\d+\t0\t", status) is not None


def gather_system(reader: Reader, tools: tuple[Tool, ...], *, state_dir: str) -> System:
    """Read what is neither storage nor boot."""
    release = parse_os_release(reader.read("/etc/os-release") or "")
    conf_path, conf = _mdadm_conf(reader)
    has_zfs = any(tool.name == "zfs" and tool.path for tool in tools)
    return System(
        os_id=release.get("ID", "unknown"),
        os_name=release.get("PRETTY_NAME", release.get("NAME", "unknown")),
        machine=_machine(reader),
        hostname=(reader.read("/proc/sys/kernel/hostname") or "").strip(),
        init=gather_init(reader),
        memory=parse_memory(reader.read("/proc/meminfo") or ""),
        merged_usr=_same(reader, "/bin", "/usr/bin"),
        is_root=is_root(reader),
        state_writable=reader.writable(state_dir),
        tools=tools,
        runlevels=gather_runlevels(reader),
        services=reader.names("/etc/init.d") or (),
        mdadm_conf=conf,
        mdadm_conf_path=conf_path,
        zfs_userland=_zfs_userland(reader) if has_zfs else None,
        zfs_module=(reader.read("/sys/module/zfs/version") or "").strip() or None,
        symlinks=gather_symlinks(reader, MOUNT_POINTS),
        imports_all_pools=_imports_all(reader),
    )


def _imports_all(reader: Reader) -> str | None:
    """Return the file that tells the service zfs-import to import whatever it finds."""
    for path in ZFS_DEFAULTS:
        text = reader.read(path) or ""
        if re.search(r"(?m)^\s*ZPOOL_IMPORT_ALL_VISIBLE=[\"']?(yes|true|on|1)", text):
            return path
    return None


def parse_os_release(text: str) -> dict[str, str]:
    """Read os-release(5), whose values are quoted for the shell.

    >>> parse_os_release('NAME=Gentoo\\nPRETTY_NAME="Gentoo Linux"\\n')["PRETTY_NAME"]
    'Gentoo Linux'
    """
    found = {}
    for line in text.split("\n"):
        key, equals, value = line.strip().partition("=")
        if not equals or key.startswith("#"):
            continue
        try:
            found[key] = "".join(shlex.split(value))
        except ValueError:
            continue
    return found


def _machine(reader: Reader) -> str:
    # the file is there from Linux 6.1 on
    known = (reader.read("/proc/sys/kernel/arch") or "").strip()
    return known or reader.query("uname", "-m").stdout.strip() or "unknown"


def gather_init(reader: Reader) -> Init:
    """Tell the service manager that runs, by what sd_booted(3) and OpenRC look at."""
    if reader.names("/run/systemd/system") is not None:
        return Init.SYSTEMD
    if reader.read("/run/openrc/softlevel") is not None:
        return Init.OPENRC
    return Init.UNKNOWN


def parse_memory(text: str) -> int:
    """Return the memory in bytes that /proc/meminfo tells; 0 where it does not.

    >>> parse_memory("MemTotal:       16314528 kB\\nMemFree: 1 kB\\n")
    16706076672
    """
    found = re.search(r"(?m)^MemTotal:\s+(\d{1,15}) kB$", text)
    return int(found[1]) * 1024 if found else 0


def _same(reader: Reader, one: str, other: str) -> bool:
    found = reader.resolve(one)
    return found is not None and found == reader.resolve(other)


def gather_runlevels(reader: Reader) -> tuple[Runlevel, ...]:
    """Return OpenRC's runlevels; none where OpenRC is not installed."""
    return tuple(
        Runlevel(name=name, services=services)
        for name in reader.names("/etc/runlevels") or ()
        if (services := reader.names(f"/etc/runlevels/{name}")) is not None
    )


def _mdadm_conf(reader: Reader) -> tuple[str, str | None]:
    for path in MDADM_CONFS:
        text = reader.read(path)
        if text is not None:
            return path, text
    return MDADM_CONFS[0], None


def _zfs_userland(reader: Reader) -> str | None:
    # `zfs version` would load the module, `zfs --version` does not; it fails where no
    # module is loaded, after it has printed its own version
    return parse_zfs_version(reader.query("zfs", "--version").stdout)


def parse_zfs_version(text: str) -> str | None:
    """Return the version of the zfs programs.

    >>> parse_zfs_version("zfs-2.3.4-r0-gentoo\\nzfs-kmod-2.3.4-r0-gentoo\\n")
    '2.3.4-r0-gentoo'
    """
    found = re.match(r"zfs-(\d\S*)\n", text)
    return found[1] if found else None


def gather_symlinks(reader: Reader, paths: Iterable[str]) -> tuple[str, ...]:
    """Return the paths that are, or lie below, a symbolic link."""
    found = ((path, reader.resolve(path)) for path in paths)
    return tuple(path for path, real in found if real is not None and real != path)

"""A described machine that answers what `gather` asks, like a Reader."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.machines.compose.devices import Device, render_lsblk, render_wipefs
from tests.machines.compose.kernels import zgrep
from tests.machines.compose.portage import Gentoo, answer
from zfs_root_migrate.reader import Asked, part_key
from zfs_root_migrate.runner import NOT_FOUND, Answer

PSEUDO = (
    ("/proc", "proc", "proc", "rw,nosuid,nodev,noexec,relatime"),
    ("/sys", "sysfs", "sysfs", "rw,nosuid,nodev,noexec,relatime"),
    ("/dev", "devtmpfs", "devtmpfs", "rw,nosuid"),
    ("/dev/pts", "devpts", "devpts", "rw,nosuid,noexec,relatime"),
    ("/dev/shm", "tmpfs", "tmpfs", "rw,nosuid,nodev,noexec"),
    ("/run", "tmpfs", "tmpfs", "rw,nosuid,nodev"),
    ("/sys/fs/cgroup", "cgroup2", "cgroup2", "rw,nosuid,nodev,noexec,relatime"),
)
DIRECTORIES = (
    *("/home", "/opt", "/root", "/run/udev/data", "/srv", "/tmp", "/usr", "/usr/bin"),
    *("/usr/local", "/usr/src", "/var", "/var/cache", "/var/db", "/var/db/repos"),
    *("/var/lib", "/var/log", "/var/spool", "/var/tmp"),
)
SBIN = frozenset(
    (
        *("blkdiscard", "blkid", "blockdev", "btrfs", "cryptsetup", "depmod"),
        *("efibootmgr", "grub-install", "lvm", "grub-mkconfig", "grub-probe"),
        *("grub-reboot", "mdadm", "mke2fs", "mkswap", "modinfo", "modprobe", "partx"),
        *("rc-service", "rc-update", "reboot", "sfdisk", "shutdown", "swapoff"),
        *("swapon", "wipefs", "zdb", "zfs", "zgenhostid", "zpool"),
    )
)


@dataclass(frozen=True, kw_only=True)
class Mounted:
    """A mounted file system; sizes are those of statfs(2), files 0 for no limit."""

    target: str
    source: str
    fs_type: str
    number: str
    options: str = "rw,relatime"
    own: str = "rw"
    root: str = "/"
    size: int = 0
    used: int = 0
    files: int = 0


@dataclass(kw_only=True)
class Machine:
    """What the programs and the kernel of one machine say."""

    devices: tuple[Device, ...]
    mounted: tuple[Mounted, ...]
    files: dict[str, str] = field(default_factory=dict)
    directories: dict[str, tuple[str, ...]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    programs: tuple[str, ...] = ()
    merged_usr: bool = True
    root: bool = True
    modules: dict[str, str] = field(default_factory=dict)
    configs: dict[str, str] = field(default_factory=dict)
    zfs: str | None = None
    zpool_list: str | None = None
    zpool_import: str = ""
    portage: Gentoo = field(default_factory=Gentoo)

    def query(self, *argv: str) -> Answer:
        """Answer like the real program."""
        answers = {
            "sh": self._find_programs,
            "lsblk": lambda _: render_lsblk(self.devices),
            "wipefs": self._wipefs,
            "stat": self._statfs,
            "modinfo": lambda argv: self.modules.get(argv[2]),
            "zgrep": lambda argv: zgrep(self.configs, argv),
            "zfs": lambda _: self.zfs,
            "zpool": lambda _: self.zpool_list,
            "env": lambda _: self.zpool_import,
        }
        text = answers.get(argv[0], lambda _: None)(argv)
        if text is None:
            return Answer(argv, NOT_FOUND, "", f"{argv[0]}: not found")
        return Answer(argv, 0, text, "")

    def script(self, name: str, *args: str) -> Asked:
        """Answer like a program of ours."""
        assert (name, args) == ("portage", ())
        return lambda: Answer((name,), 0, answer(self.portage), "")

    def read(self, path: str) -> str | None:
        """Return a file's text."""
        kernel = {
            "/proc/self/mountinfo": lambda: "\n".join((*self._mountinfo(), "")),
            "/proc/self/status": lambda: _STATUS.format(0 if self.root else 1000),
        }
        if path in kernel:
            return kernel[path]()
        found = re.fullmatch(r"/sys/class/block/(\w+)/partition", path)
        if found:
            kinds = {d.kname: d.kind for d in self._all()}
            number = re.search(r"\d+$", found[1])
            return f"{number[0]}\n" if kinds.get(found[1]) == "part" else None
        return self.files.get(path)

    def part(self, path: str, offset: int, size: int) -> str | None:
        """Return a part of a file."""
        return self.files.get(part_key(path, offset, size))

    def names(self, path: str) -> tuple[str, ...] | None:
        """Return the sorted names in a directory."""
        below = {
            link.removeprefix(path + "/")
            for link in self._device_links()
            if link.rpartition("/")[0] == path
        }
        if path == "/sys/firmware":
            uefi = ("efi",) if f"{path}/efi" in self.directories else ()
            return ("acpi", "dmi", *uefi, "memmap")
        return self.directories.get(path) or tuple(sorted(below)) or None

    def resolve(self, path: str) -> str | None:
        """Return the real path."""
        known = {**self.links, **self._device_links()}
        known |= {device.path: device.path for device in self._all()}
        known |= dict.fromkeys(DIRECTORIES)
        if path == "/bin":
            return "/usr/bin" if self.merged_usr else "/bin"
        return known.get(path, None) or (path if path in known else None)

    def writable(self, path: str) -> bool:
        """Tell whether a path can be written."""
        return self.root and path.startswith("/")

    def _all(self) -> Iterator[Device]:
        for device in self.devices:
            yield from device.tree()

    def _device_links(self) -> dict[str, str]:
        return {link: device.path for device in self._all() for link in device.links}

    def _find_programs(self, _: Iterable[str]) -> str:
        where = {name: "/sbin" if name in SBIN else "/bin" for name in self.programs}
        top = "/usr" if self.merged_usr else ""
        return "".join(f"{top}{where[name]}/{name}\n" for name in self.programs)

    def _wipefs(self, argv: tuple[str, ...]) -> str:
        wanted = {device.path: device for device in self._all()}
        return render_wipefs(wanted[path] for path in argv[3:])

    def _statfs(self, argv: tuple[str, ...]) -> str:
        at = {m.target: m for m in self.mounted}
        return "".join(
            f"4096 {m.size // 4096} {(m.size - m.used) // 4096} "
            f"{m.size // 16384 if m.files else 0} "
            f"{m.size // 16384 - m.files if m.files else 0} {m.target}\n"
            for m in (at[path] for path in argv[4:])
        )

    def _mountinfo(self) -> Iterator[str]:
        root, *others = self.mounted
        pseudo = [
            Mounted(target=t, source=s, fs_type=f, number=f"0:{n}", options=o)
            for n, (t, s, f, o) in enumerate(PSEUDO, start=21)
        ]
        ids: dict[str, int] = {}
        for number, m in enumerate((root, *pseudo, *others), start=24):
            above = m.target
            while above not in ids and above != "/":
                above = above.rpartition("/")[0] or "/"
            parent = ids.get(above, 1)
            ids[m.target] = number
            places = (_escape(text) for text in (m.root, m.target))
            yield (
                f"{number} {parent} {m.number} {' '.join(places)} {m.options} "
                f"shared:{number - 23} - {m.fs_type} {_escape(m.source)} {m.own}"
            )


_STATUS = (
    "Name:\tpython3\nUmask:\t0022\nState:\tR (running)\nUid:\t{0}\t{0}\t{0}\t{0}\n"
)


def _escape(text: str) -> str:
    # fs/proc_namespace.c, mangle(): blank, tab, newline, backslash and #
    return re.sub(r"[ \t\n\\#]", lambda m: f"\\{ord(m[0]):03o}", text)

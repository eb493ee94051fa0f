"""A machine with boot environments in memory: datasets, clones, GRUB's menu.

It answers what `environments` asks and does what its plans do, as zfs does it:
promotion hands snapshots over, and what a clone needs cannot be destroyed.
"""

import hashlib
import re
from dataclasses import dataclass, field

from tests.unit.fakes.world import Fate
from zfs_root_migrate.errors import StepFailedError
from zfs_root_migrate.paths import NEW
from zfs_root_migrate.runner import Answer
from zfs_root_migrate.step import Action, Probe, Require, Run, WriteFile
from zfs_root_migrate.steps.menu import MADE
from zfs_root_migrate.world import fits

OK = (0, "")
NO = (1, "")
Result = tuple[int, str]
MENU = "/boot/grub/grub.cfg"


@dataclass
class Root:
    """A file system: its properties, and its files by path."""

    made: int
    mountpoint: str = "legacy"
    canmount: str = "on"
    origin: str = "-"
    files: dict[str, str] = field(default_factory=dict)
    own: dict[str, str] = field(default_factory=dict)


class Roots:
    """What lies below rpool/ROOT, and what starts the machine."""

    def __init__(self, *, tutorial: bool) -> None:
        """Begin with the one root of a layout, running and default."""
        self.txg = 1
        self.roots = {"rpool/ROOT": Root(1)}
        self.running = "rpool/ROOT"
        if not tutorial:
            home = Root(1, mountpoint="/ROOT", canmount="off")
            self.running = "rpool/ROOT/gentoo"
            self.roots = {"rpool/ROOT": home, self.running: Root(2)}
        self.files.update(
            {
                "/sbin/init": "init",
                "/etc/hostid": "01020304",
                "/lib/modules/6.12": "",
                "/etc/default/grub": f'GRUB_CMDLINE_LINUX="root=ZFS={self.running}"\n',
            }
        )
        self.snapshots: dict[str, int] = {}
        self.bootfs = self.running
        self.kernels = ["6.12"]
        self.boot = {MENU: f"\tlinux\t/vmlinuz-6.12 root=ZFS={self.running} ro\n"}
        self.grubenv: dict[str, str] = {}
        self.mounted_boot = True
        self.mounts: dict[str, str] = {}

    @property
    def files(self) -> dict[str, str]:
        """The files of the running root."""
        return self.roots[self.running].files

    def reboot(self) -> str:
        """Start what the menu starts; return its name."""
        linux = re.search(r"linux\t/vmlinuz-(\S+) root=ZFS=(\S+)", self.boot[MENU])
        assert linux, self.boot
        self.running, self.mounts = linux[2], {}
        assert f"/lib/modules/{linux[1]}" in self.files, "no modules for this kernel"
        assert self.files["/sbin/init"]
        return self.running.rpartition("/")[2]

    # reading

    def query(self, *argv: str) -> Answer:
        """Answer a question."""
        return Answer(argv, *self.start(argv), "")

    def read(self, path: str) -> str | None:
        """Return a file's text."""
        if path == "/proc/self/mountinfo":
            return self._mountinfo()
        if path == "/etc/hostid":
            return "\x04\x03\x02\x01"
        return self.boot.get(path) if self.mounted_boot else None

    def names(self, path: str) -> tuple[str, ...] | None:
        """Return the names in /boot."""
        if path != "/boot" or not self.mounted_boot:
            return None
        kinds = ("vmlinuz-{}", "initramfs-{}.img")
        return tuple(kind.format(k) for k in self.kernels for kind in kinds)

    def _mountinfo(self) -> str:
        rows = [("/", "zfs", self.running)]
        rows += [("/boot", "ext2", "/dev/md127")] if self.mounted_boot else []
        return "".join(
            f"{number} 1 0:{number} / {target} rw - {kind} {source} rw\n"
            for number, (target, kind, source) in enumerate(rows, 20)
        )

    # programs

    def start(self, argv: tuple[str, ...]) -> Result:
        """Run a program: status and what it prints."""
        name = argv[0].replace("-", "_")
        result: Result = getattr(self, f"_{name}")(*argv[1:])
        return result

    def _zfs(self, verb: str, *argv: str) -> Result:
        result: Result = getattr(self, f"_zfs_{verb}")(*argv)
        return result

    def _zfs_list(self, *argv: str) -> Result:
        if argv[0] == "-Hp":
            return 0, self._table()
        known = {*self.roots, *self.snapshots}
        if argv[-1] not in known:
            return NO
        below = [n for n in self.roots if f"{n}/".startswith(f"{argv[-1]}/")]
        return 0, "".join(f"{n}\n" for n in (below if "-Hr" in argv else argv[-1:]))

    def _table(self) -> str:
        rows = [
            (
                root.made,
                (name, "filesystem", root.origin, "-", "4000", "96", str(root.made)),
            )
            for name, root in self.roots.items()
        ]
        rows += [
            (
                txg,
                (
                    name,
                    "snapshot",
                    "-",
                    ",".join(self._clones(name)),
                    "-",
                    "-",
                    str(txg),
                ),
            )
            for name, txg in self.snapshots.items()
        ]
        return "".join(
            "\t".join((*row, *self._last_columns(row[0]))) + "\n"
            for _, row in sorted(rows)
        )

    def _last_columns(self, name: str) -> tuple[str, str, str]:
        if name not in self.roots:
            return "-", "-", "-"
        root = self.roots[name]
        mounted = name == self.running or name in self.mounts.values()
        return root.mountpoint, root.canmount, "yes" if mounted else "no"

    def _clones(self, snapshot: str) -> list[str]:
        return [n for n, root in self.roots.items() if root.origin == snapshot]

    def _zfs_get(self, *argv: str) -> Result:
        name, key = argv[-1], argv[-2]
        if key == "all":
            own = self.roots[name].own.items()
            return 0, "".join(f"{k}\t{v}\n" for k, v in own)
        if key == "clones":
            found = name in self.snapshots
            return (0, ",".join(self._clones(name)) + "\n") if found else NO
        return (0, f"{getattr(self.roots[name], key)}\n") if name in self.roots else NO

    def _zfs_snapshot(self, name: str) -> Result:
        if name in self.snapshots:
            return NO
        self.txg += 1
        self.snapshots[name] = self.txg
        return OK

    def _zfs_clone(self, *argv: str) -> Result:
        *options, snapshot, name = argv
        if name in self.roots or snapshot not in self.snapshots:
            return NO
        pairs = dict(o.split("=", 1) for o in options if o != "-o")
        self.txg += 1
        known = {key: pairs.pop(key) for key in ("mountpoint", "canmount")}
        files = dict(self.roots[snapshot.partition("@")[0]].files)
        self.roots[name] = Root(
            self.txg, origin=snapshot, files=files, own=pairs, **known
        )
        return OK

    def _zfs_promote(self, name: str) -> Result:
        heir = self.roots[name]
        other, _, last = heir.origin.partition("@")
        if heir.origin == "-":
            return NO
        until = self.snapshots[heir.origin]
        moved = [
            s
            for s, txg in self.snapshots.items()
            if s.startswith(f"{other}@") and txg <= until
        ]
        former = self.roots[other].origin
        for snapshot in moved:
            new = f"{name}@{snapshot.partition('@')[2]}"
            if new in self.snapshots:
                return NO
            for clone in self._clones(snapshot):
                self.roots[clone].origin = new
            self.snapshots[new] = self.snapshots.pop(snapshot)
        heir.origin, self.roots[other].origin = former, f"{name}@{last}"
        return OK

    def _zfs_destroy(self, *argv: str) -> Result:
        name = argv[-1]
        if "@" in name:
            if name not in self.snapshots or self._clones(name):
                return NO
            del self.snapshots[name]
            return OK
        own = [s for s in self.snapshots if s.startswith(f"{name}@")]
        in_use = name == self.running or name in self.mounts.values()
        needed = any(self._clones(s) for s in own) or any(
            other.startswith(f"{name}/") for other in self.roots
        )
        if name not in self.roots or in_use or needed or (own and "-r" not in argv):
            return NO
        for snapshot in own:
            del self.snapshots[snapshot]
        del self.roots[name]
        return OK

    def _zpool(self, verb: str, *argv: str) -> Result:
        if verb == "get":
            return 0, f"{self.bootfs or '-'}\n"
        self.bootfs = argv[0].partition("=")[2]
        assert self.bootfs in self.roots
        return OK

    def _unshare(self, *argv: str) -> Result:
        """Answer the look into an environment, whose last words are files."""
        *_, dataset, default, script = argv
        files = self.roots[dataset].files
        lines = ["init"] if files.get("/sbin/init") else []
        if "/etc/hostid" in files:
            lines.append(f"hostid {files['/etc/hostid']}")
        lines += [
            f"modules {path.rpartition('/')[2]}"
            for path in files
            if path.startswith("/lib/modules/")
        ]
        for path in (default, script):
            if path in files:
                lines.append(f"file {path}")
                lines += [f"|{line}" for line in files[path].splitlines()]
        return 0, "\n".join(lines) + "\n"

    def _findmnt(self, *_: str) -> Result:
        return 0, "".join(f"{n}\n" for n in (self.running, *self.mounts.values()))

    def _mountpoint(self, _q: str, path: str) -> Result:
        boot = self.mounted_boot and path == "/boot"
        return OK if boot or path in self.mounts else NO

    def _mount(self, *argv: str) -> Result:
        self.mounts[argv[-1]] = argv[-2]
        return OK

    def _umount(self, path: str) -> Result:
        return OK if self.mounts.pop(path, None) else NO

    def _mkdir(self, *_: str) -> Result:
        return OK

    def _sync(self) -> Result:
        return OK

    def _grub_editenv(self, _file: str, verb: str, *names: str) -> Result:
        if verb == "list":
            return 0, "".join(f"{k}={v}\n" for k, v in self.grubenv.items())
        return OK if self.grubenv.pop(names[0], None) else NO

    def _grub_mkconfig(self, _o: str, path: str) -> Result:
        """Do what the script in /etc/grub.d does, where it is, and then 10_linux."""
        default = self.files["/etc/default/grub"]
        root = re.search(r"root=(ZFS=[^\s\"]+)", default)
        assert root
        entries = [(max(self.kernels), root[1])]
        if "/etc/grub.d/09_zfs-root-migrate" in self.files:
            mine = self.roots[self.bootfs].files
            fit = [k for k in self.kernels if f"/lib/modules/{k}" in mine]
            entries.insert(0, (max(fit), f"ZFS={self.bootfs}"))
        lines = (f"\tlinux\t/vmlinuz-{k} root={r} ro\n" for k, r in entries)
        self.boot[path] = "".join(lines)
        return OK

    def _cat(self, path: str) -> Result:
        return (0, self.boot[path]) if path in self.boot else NO

    def _sh(self, _ec: str, _script: str, made: str, path: str) -> Result:
        assert made == MADE
        self.boot[path] = self.boot.pop(made)
        return OK

    def _sha256sum(self, _b: str, path: str) -> Result:
        inner, files = self._place(path)
        text = files.get(inner)
        digest = hashlib.sha256((text or "").encode()).hexdigest()
        return (0, f"{digest} *{path}\n") if text is not None else NO

    def _rm(self, _f: str, path: str) -> Result:
        self._place(path)[1].pop(self._place(path)[0], None)
        return OK

    def _place(self, path: str) -> tuple[str, dict[str, str]]:
        if path.startswith(NEW):
            return path.removeprefix(NEW), self.roots[self.mounts[NEW]].files
        return path, self.files

    def write(self, path: str, content: str) -> None:
        """Write a file where it is mounted now."""
        inner, files = self._place(path)
        files[inner] = content


class RootsWorld:
    """Acts on the machine, and dies or fails where it is told to."""

    def __init__(self, machine: Roots, fate: Fate, fails: str = "") -> None:
        """`fails` is the program that ends with an error."""
        self.machine, self.fate, self.fails = machine, fate, fails

    def close(self) -> None:
        """Nothing runs in the background."""

    def holds(self, probe: Probe) -> bool:
        """Ask the machine."""
        return fits(probe, self.machine.query(*probe.argv)) is probe.holds

    def act(self, action: Action) -> None:
        """Do it, or die before or after."""
        self.fate.point()
        if isinstance(action, WriteFile):
            self.machine.write(action.path, action.content)
        elif isinstance(action, Require):
            if not self.holds(action.probe):
                raise StepFailedError(action.brief)
        else:
            assert isinstance(action, Run)
            self._run(action)
        self.fate.point()

    def _run(self, action: Run) -> None:
        if action.when is not None and not self.holds(action.when):
            return
        if action.argv[0] == self.fails or self.machine.start(action.argv)[0] != 0:
            raise StepFailedError(" ".join(action.argv))

"""A machine in memory that understands the commands of the plans.

It knows what each command needs and what it leaves behind, and it answers questions in
the words of the real programs, so that plans, proofs and undo can be tried out as often
as it takes. What a process, a boot and a disk each hold dies with it and not before.
"""

import hashlib
import re
import shlex

from tests.unit.fakes import scripts, storage
from tests.unit.fakes.files import DIRECTORY, Files, Place
from zfs_root_migrate.config import Config
from zfs_root_migrate.layout import DiskLayout, design
from zfs_root_migrate.model import Facts
from zfs_root_migrate.paths import ARMED_SCRIPT, SEAL_LOG, STATE, WORK
from zfs_root_migrate.runner import Answer
from zfs_root_migrate.shipped import (
    DRACUT_HOOK,
    DRACUT_SETUP,
    OPENRC_SERVICE,
    SERVICE,
    shipped,
)
from zfs_root_migrate.steps import dracut
from zfs_root_migrate.steps.probes import digest
from zfs_root_migrate.steps.sealing import source_file_systems

OK = (0, "")
NO = (1, "")
Result = tuple[int, str]


class Machine:
    """Disks, arrays, pools and files; every method `_program` is a program."""

    def __init__(self, config: Config, facts: Facts) -> None:
        """Begin with the running system of the facts and blank new disks."""
        self.config = config
        self.facts = facts
        self.layout = design(config, facts)
        disks = (*self.layout.disks, *filter(None, [self.layout.old_disk]))
        self.disks: dict[str, DiskLayout] = {disk.path: disk for disk in disks}
        self.tables: dict[str, str] = {}
        # what each partition holds: kind -> text
        self.content: dict[str, dict[str, str]] = {}
        self.loaders: set[str] = set()
        self.datasets: dict[str, dict[str, str]] = {}
        self.pool: dict[str, str] = {}
        self.snapshots: set[str] = set()
        self.vdevs: list[str] = []
        self.files = Files(*self._old_system())
        self.at_work = dict(self.files.always)
        # how often each old file system was mounted for writing
        self.mounted = dict.fromkeys(self.files.trees, 1)
        self.forget_boot()

    def _old_system(self) -> tuple[dict[str, dict[str, str]], dict[str, Place]]:
        trees: dict[str, dict[str, str]] = {"run": {}}
        always: dict[str, Place] = {"/run": ("run", "")}
        for mount in self.layout.sources:
            trees[f"old {mount.target}"] = {"/file": f"of {mount.target}"}
            always[mount.target] = (f"old {mount.target}", "")
        files = Files(trees, always)
        for kernel in self.facts.boot.kernels:
            files.make_directory("/boot")
            files.write(str(kernel.image), f"kernel {kernel.release}")
        for path in ("/etc/default", "/etc/init.d", "/etc/zfs", "/boot/grub", STATE):
            files.make_directory(path)
        for path in ("/etc/runlevels/boot", "/etc/runlevels/default", "/etc/mdadm"):
            files.make_directory(path)
        files.make_directory("/etc/dracut.conf.d")
        files.make_directory("/etc/conf.d")
        files.make_directory("/etc/runlevels/shutdown")
        files.make_directory("/usr/lib/dracut/modules.d/90zfs")
        for path in ("/etc/fstab", "/etc/passwd", f"{STATE}/plan.json"):
            files.write(path, f"old {path}")
        if SERVICE in self.facts.system.services:
            files.write(ARMED_SCRIPT, shipped(OPENRC_SERVICE))
        if self.facts.boot.hostid:
            files.write("/etc/hostid", self.facts.boot.hostid)
        for mount in self.layout.sources:
            if mount.target != "/":  # something hidden below each mount point
                trees["old /"][mount.target] = DIRECTORY
                trees["old /"][f"{mount.target}/hidden"] = "hidden"
        return trees, always

    # what dies when

    def end_process(self) -> None:
        """Lose what the mount namespace of the process held."""
        self.files.own = {}

    def forget_boot(self) -> None:
        """Lose what only lives until the next boot."""
        self.end_process()
        self.files.trees["run"] = {}
        self.modules: set[str] = set()
        self.imported = False
        self.altroot = "-"
        self.array = "none"
        self.swapping: set[str] = set()

    def reboot(self, *, array: str = "none") -> None:
        """Start again; udev may leave the degraded array there and inactive."""
        self.forget_boot()
        self.files.always = dict(self.at_work)
        self.files.read_only.clear()
        for name in self.mounted:
            self.mounted[name] += 1
        if self.members():
            self.array = array

    def go_down(self) -> None:
        """End all processes and unmount what is not needed to end."""
        self.end_process()
        kept = ("/", "/run")
        self.files.always = {place: self.at_work[place] for place in kept}
        self.files.make_directory(WORK)
        self.files.write(SEAL_LOG, "what it said")

    def window(self, target: str) -> str:
        """Return what a seal says of one of the old file systems."""
        name, _ = self.at_work[target]
        assert name in self.files.read_only, target
        return f"{target},{self.mounted[name]}"

    def boots(self) -> bool:
        """Tell whether the new root's initramfs would start it."""
        known = self.datasets[self.layout.root]
        seal = known.get("zfs-root-migrate:seal", "-")
        if known.get("zfs-root-migrate:booted") == "yes" or seal == "-":
            return True
        now = [f"{t},{self.mounted[n]}" for t, (n, _) in self.at_work.items()]
        return seal != "open" and set(seal.split()[2:]) <= set(now)

    def arrive(self) -> None:
        """Boot the new root, as its initramfs and zfs-mount would."""
        assert self.pool, "there is no pool to boot from"
        cache = self.files.trees[self.layout.root].get("/etc/zfs/zpool.cache")
        assert cache, "the new root has no pool cache"
        assert self.boots(), "the initramfs refuses"
        self.forget_boot()
        self.files.read_only.clear()
        self.pool["txg"] = str(int(self.pool["txg"]) + 5)
        self.pool["state"] = "0"
        self.modules = {"zfs", "raid1"}
        self.imported, self.array, self.altroot = True, "clean", "-"
        self.files.always = {
            "/run": ("run", ""),
            **{str(d.mountpoint): (d.name, "") for d in self.layout.mounts},
            "/boot": ("boot", ""),
        }

    def persistent(self) -> dict[str, object]:
        """Return everything that outlives a boot."""
        trees = {n: dict(t) for n, t in self.files.trees.items() if n != "run"}
        return {
            "trees": trees,
            "tables": dict(self.tables),
            "content": {p: dict(c) for p, c in self.content.items() if c},
            "loaders": set(self.loaders),
            "datasets": {n: dict(p) for n, p in self.datasets.items()},
            "pool": dict(self.pool),
            "vdevs": list(self.vdevs),
            "snapshots": set(self.snapshots),
        }

    def members(self) -> list[str]:
        """Return the partitions that carry a superblock of the array."""
        return [path for path, holds in self.content.items() if "md" in holds]

    # how programs are started

    def query(self, argv: tuple[str, ...], chroot: str | None = None) -> Answer:
        """Answer as the program would."""
        status, text = self.start(argv, chroot=chroot)
        return Answer(argv, status, text, "")

    def start(
        self, argv: tuple[str, ...], stdin: str = "", chroot: str | None = None
    ) -> Result:
        """Run a program."""
        self.top = chroot or ""
        program = argv[0].replace("-", "_")
        method = getattr(self, f"_{program}", None)
        assert method is not None, f"the machine knows no {shlex.join(argv)}"
        if program == "sfdisk" and stdin:
            return self._write_table(argv[-1], stdin)
        result: Result = method(*argv[1:])
        return result

    def _path(self, path: str) -> str:
        return self.top + path

    def _read(self, path: str) -> str | None:
        return self.files.read(self._path(path))

    # small programs

    def _udevadm(self, *_: str) -> Result:
        return OK

    _sync = _udevadm

    def _modprobe(self, *names: str) -> Result:
        self.modules |= set(names) - {"-a"}
        return OK

    def _test(self, _e: str, path: str) -> Result:
        if path == self.layout.array.path:
            return OK if self.array != "none" else NO
        if path.startswith("/sys/module/"):
            return OK if path.rpartition("/")[2] in self.modules else NO
        if path.startswith("/dev/"):
            return OK if self._disk_of(path).path in self.tables else NO
        return OK if self._read(path) is not None else NO

    def _grep(self, _q: str, text: str, path: str) -> Result:
        if path == "/proc/mdstat":
            return OK if text in self.modules else NO
        return OK if re.search(text, self._read(path) or "", re.M) else NO

    def _mkdir(self, _p: str, *paths: str) -> Result:
        for path in paths:
            self.files.make_directory(self._path(path))
        return OK

    def _rm(self, _f: str, path: str) -> Result:
        self.files.remove(self._path(path))
        return OK

    def _cat(self, path: str) -> Result:
        if path == "/proc/self/mountinfo":
            mounts = {**self.files.always, **self.files.own}
            read_only = self.files.read_only
            lines = (
                f"1 1 0:1 / {place} rw - x x {'ro' if name in read_only else 'rw'}\n"
                for place, (name, _) in mounts.items()
            )
            return 0, "".join(lines)
        text = self._read(path)
        return NO if text is None else (0, text)

    def _sha256sum(self, _b: str, path: str) -> Result:
        text = self._read(path)
        if text is None:
            return NO
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
        return 0, f"{digest} *{path}\n"

    def _readlink(self, path: str) -> Result:
        text = self._read(path) or ""
        return (0, text[3:] + "\n") if text.startswith("-> ") else NO

    def _ln(self, _sfn: str, target: str, path: str) -> Result:
        self.files.write(self._path(path), f"-> {target}")
        return OK

    def _cp(self, *argv: str) -> Result:
        if argv[0] == "-a":
            self.files.copy(argv[1].removesuffix("/."), argv[2], (), 10**9)
            return OK
        text = self._read(argv[0])
        if text is None:
            return NO
        self.files.write(argv[1], text)
        return OK

    def _cmp(self, *argv: str) -> Result:
        if argv[-1] == "/dev/zero" or argv[-2] == "/dev/zero":
            device = next(a for a in argv if a.startswith("/dev/disk"))
            return NO if self._disk_of(device).path in self.loaders else OK
        one, two = self._read(argv[0]), self._read(argv[1])
        return OK if one is not None and one == two else NO

    def _zgenhostid(self, _o: str, path: str, hostid: str) -> Result:
        self.files.write(path, hostid)
        return OK

    def _od(self, _an: str, _t: str, path: str) -> Result:
        text = self._read(path)
        return NO if text is None else (0, f" {text}\n")

    def _sh(self, _ec: str, script: str, *words: str) -> Result:
        """Know the few scripts of the plans by what they call."""
        return scripts.run(self, script, words)

    def _lsblk(self, *argv: str) -> Result:
        return (0, "/boot\n") if self._is_busy(argv[-1]) else (0, "\n\n")

    def _is_busy(self, path: str) -> bool:
        disk = self._disk_of(path)
        parts = {p.path for p in disk.partitions} if path == disk.path else {path}
        held = set(self.members()) if self.array in ("clean", "inactive") else set()
        held |= set(self.vdevs) if self.imported else set()
        return bool(parts & (held | self.swapping))

    def _disk_of(self, path: str) -> DiskLayout:
        return next(
            disk
            for disk in self.disks.values()
            if path == disk.path or path in {p.path for p in disk.partitions}
        )

    def _env(self, *argv: str) -> Result:
        at = next(n for n, word in enumerate(argv) if "=" not in word)
        return self.start(argv[at:])

    # partition tables and signatures

    def _write_table(self, disk: str, script: str) -> Result:
        if self._is_busy(disk):
            return NO
        rows = [f"device: {disk}"]
        for line in script.splitlines():
            number, colon, rest = line.partition(" : ")
            if colon:
                found = re.match(r"start=(\d+), size=(\d+), (.*)", rest)
                assert found, line
                start, size, more = found.groups()
                more = more.upper().replace("TYPE", "type").replace("UUID", "uuid")
                row = f"{disk}p{number} : start= {start:>11}, size= {size:>11}, {more}"
                rows.append(row)
            else:
                rows.append(line.upper().replace("LABEL-ID", "label-id"))
        self.tables[disk] = "\n".join(rows) + "\n"
        return OK

    def _sfdisk(self, _dump: str, disk: str) -> Result:
        table = self.tables.get(disk)
        return NO if table is None else (0, table)

    def _wipefs(self, *argv: str) -> Result:
        path = argv[-1]
        disk = self._disk_of(path)
        if "--no-act" in argv:
            return (0, "gpt\n") if path in self.tables else OK
        if path != disk.path and disk.path not in self.tables:
            return NO
        if self._is_busy(path):
            return NO
        if path == disk.path:
            self.tables.pop(path, None)
        else:
            self.content[path] = {}
            self._lose_pool()
        return OK

    def _lose_pool(self) -> None:
        """A pool without any label is gone."""
        if not any("zfs" in holds for holds in self.content.values()):
            for name in self.datasets:
                self.files.trees.pop(name, None)
            self.datasets, self.pool, self.vdevs = {}, {}, []
            self.snapshots = set()
        if not self.members():
            self.files.trees.pop("boot", None)

    def _blkdiscard(self, *argv: str) -> Result:
        disk = argv[-1]
        if argv[argv.index("--offset") + 1] == "0":
            self.loaders.discard(disk)
        return OK

    def _blockdev(self, *argv: str) -> Result:
        return NO if self._is_busy(argv[-1]) else OK

    def _blkid(self, *argv: str) -> Result:
        uuid = self.content.get(argv[-1], {}).get("swap")
        return NO if uuid is None else (0, f"UUID={uuid}\nTYPE=swap\n")

    def _mkswap(self, *argv: str) -> Result:
        path, uuid = argv[-1], argv[argv.index("--uuid") + 1]
        if path in self.swapping or self._disk_of(path).path not in self.tables:
            return NO
        self.content[path] = {"swap": uuid}
        return OK

    def _swapon(self, *argv: str) -> Result:
        path = argv[-1]
        if path == "--show=UUID":
            uuids = (self.content[part]["swap"] for part in self.swapping)
            return 0, "".join(f"{uuid}\n" for uuid in uuids)
        if path in self.swapping:
            return NO
        self.swapping.add(path)
        return OK

    # the array

    def _mdadm(self, verb: str, *argv: str) -> Result:
        return storage.mdadm(self, verb, argv)

    def _mke2fs(self, *argv: str) -> Result:
        if self.array != "clean" or argv[-1] != self.layout.array.path:
            return NO
        for path in self.members():
            self.content[path]["ext2"] = argv[argv.index("-U") + 1]
        self.files.trees["boot"] = {}
        return OK

    def _dumpe2fs(self, _h: str, path: str) -> Result:
        uuid = self.content.get(path, {}).get("ext2")
        return NO if uuid is None else (0, f"Filesystem UUID:          {uuid}\n")

    # the pool

    def _zpool(self, verb: str, *argv: str) -> Result:
        return storage.zpool(self, verb, argv)

    def _zfs(self, verb: str, *argv: str) -> Result:
        return storage.zfs(self, verb, argv)

    def _zdb(self, *argv: str) -> Result:
        return storage.zdb(self, argv)

    # mounts

    def _mountpoint(self, _q: str, path: str) -> Result:
        return OK if path in {**self.files.always, **self.files.own} else NO

    def _findmnt(self, *_: str) -> Result:
        name = self.files.place("/")[0]
        return 0, f"{name} zfs\n" if name in self.datasets else f"{name} ext4\n"

    def _mount(self, *argv: str) -> Result:
        source, path = argv[-2:]
        if source.startswith("remount,"):
            return self._remount(source.removeprefix("remount,"), path)
        if source.startswith("UUID="):
            return self._mount_old(source.removeprefix("UUID="), path)
        kind = self.files.read(path)
        if kind is None or (argv[0] == "--bind") < (kind != DIRECTORY):
            return NO
        if argv[0] == "--bind":
            self.files.own[path] = self.files.place(source)
            return OK
        if argv[1] == "ext2":
            found = "boot" if self.array == "clean" else None
        else:
            found = source if self.imported and source in self.datasets else None
        if found is None or found not in self.files.trees:
            return NO
        self.files.own[path] = (found, "")
        return OK

    def _remount(self, how: str, path: str) -> Result:
        name = self.files.place(path)[0]
        if how == "ro":
            self.files.read_only.add(name)
            return OK
        self.files.read_only.discard(name)
        self.mounted[name] += 1
        return OK

    def _mount_old(self, uuid: str, path: str) -> Result:
        known = source_file_systems(self.layout, self.facts)
        (target,) = (fs.target for fs in known if fs.uuid == uuid)
        name, _ = self.at_work[target]
        writable = name not in self.files.read_only
        if target in self.files.always and writable:
            return NO
        self.files.read_only.add(name)
        self.files.own[path] = (name, "")
        return OK

    def _umount(self, *argv: str) -> Result:
        path = argv[-1]
        below = {m for m in self.files.own if m == path or m.startswith(path + "/")}
        if path not in below or (len(below) > 1 and argv[0] != "--recursive"):
            return NO
        for mount in below:
            del self.files.own[mount]
        return OK

    # boot chain

    def _zstd(self, _version: str) -> Result:
        return OK

    def _chmod(self, _mode: str, path: str) -> Result:
        return OK if self._read(path) is not None else NO

    def _dracut(self, *argv: str) -> Result:
        release, image = argv[-2], argv[-1]
        hostid, cache = self._read("/etc/hostid"), self._read("/etc/zfs/zpool.cache")
        if "--include" in argv and cache is None:
            # what is there already is kept
            one, other = argv[argv.index("--include") + 1 :][:2]
            assert other == "/etc/zfs/zpool.cache"
            cache = self._read(one)
        confs = "/etc/dracut.conf.d"
        if "--confdir" in argv:
            confs = argv[argv.index("--confdir") + 1]
        if " zfs " not in (self._read(f"{confs}/zfs-root-migrate.conf") or ""):
            return NO
        hook = self._read(f"{dracut.MODULE}/{DRACUT_HOOK}")
        if hook is None or not self._read(f"{dracut.MODULE}/{DRACUT_SETUP}"):
            return NO
        text = f"release {release}\nhostid {hostid}\n{cache}\nhook {digest(hook)}\n"
        self.files.write(self._path(image), text)
        return OK

    def _grub_install(self, _target: str, disk: str) -> Result:
        on_array = self.files.place(self._path("/boot"))[0] == "boot"
        if not on_array or disk not in self.tables:
            return NO
        self.files.make_directory(self._path("/boot/grub"))
        self.loaders.add(disk)
        self.files.write(self._path("/boot/grub/i386-pc"), "modules")
        return OK

    def _grub_mkconfig(self, _o: str, path: str) -> Result:
        default = self._read("/etc/default/grub") or ""
        words = re.search(r'^GRUB_CMDLINE_LINUX="(.*)"$', default, re.M)
        lines = [f"search --no-floppy --fs-uuid --set=root {self.layout.array.fs_uuid}"]
        for kernel in self.facts.boot.kernels:
            image, initrd = kernel.image, kernel.initramfs
            if self._read(str(image)) and self._read(str(initrd)):
                short = str(image).removeprefix("/boot")
                lines.append(f"\tlinux\t{short} root=x ro {words[1] if words else ''}")
                lines.append(f"\tinitrd\t{str(initrd).removeprefix('/boot')}")
        self.files.write(self._path(path), "\n".join(lines) + "\n")
        return OK

    def _grub_script_check(self, path: str) -> Result:
        return OK if self._read(path) is not None else NO

    def _dd(self, path: str, *_: str) -> Result:
        return 0, "xxGRUBxx" if path.removeprefix("if=") in self.loaders else "\0"

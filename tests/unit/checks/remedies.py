"""What the commands of remedies do to a machine, as far as its facts show it.

A remedy is followed to the letter: each of its commands is looked up here, in the order
in which it is to be typed, and changes the facts or the settings. What the program on a
real machine would refuse fails here as well: a mask, a missing ebuild, a device that is
in use. What packages do is in `emerging`.
"""

import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from tests.unit.checks.emerging import Merges, load_module
from tests.unit.checks.machines import boot as change_boot
from tests.unit.checks.machines import device, kernel, storage, system
from tests.unit.checks.machines import portage as change_portage
from zfs_root_migrate import topology
from zfs_root_migrate.config import find_setting, parse_setting
from zfs_root_migrate.finding import Finding
from zfs_root_migrate.model import (
    BlockDevice,
    Firmware,
    LinkGroup,
    Mount,
    Tree,
    release_key,
)
from zfs_root_migrate.wishes import emerge_runs, emerge_words, wishes

OWN = "zfs-root-migrate"
# commands that show something, or that leave a choice to a person
_SHOWS = re.compile(
    r"(df|dmesg|findmnt|lsblk|mkdir|zfs version|wipefs --no-act|emerge --(info|pretend)"
    r"|eselect \w+ list|zpool import|zfs-root-migrate (list|status)"
    r"|zfs-root-migrate check(?! .*--fix))\b.*"
    r"|zfs-root-migrate set .*(NUMBER|PATH\.\.\.)"
)
# what a file system of the kernel's shows once it is mounted
_KERNEL_TELLS = {
    "sysfs": change_boot(firmware=Firmware.BIOS),
    "securityfs": change_boot(lockdown="none", enforces_signatures=False),
    "efivarfs": change_boot(secure_boot=False),
}
# what a person has to choose
PLACEHOLDERS = ("NUMBER", "PATH...")
# options that appear when others are set, or that others select
SELECTED = {"CRYPTO_DEFLATE": ("ZLIB_DEFLATE", "ZLIB_INFLATE")}


class Remedied(Merges):
    """A machine on which remedies are followed."""

    def type(self, command: str) -> None:
        """Do what a line of a remedy does."""
        if command.startswith("CONFIG_"):
            self._configure(*command.removeprefix("CONFIG_").split("="))
            return
        for words in _commands(command):
            deed = DEEDS.get(words[0])
            assert deed is not None, f"nobody knows what {command!r} does"
            deed(self, words[1:])

    # settings, and the tool itself

    def own(self, words: list[str]) -> None:
        """Start the tool itself."""
        verb, *rest = words
        if verb == "set" and not set(rest) & set(PLACEHOLDERS):
            row = find_setting(rest[0])
            change: dict[str, Any] = {
                row.field: parse_setting(row.name, tuple(rest[1:]))
            }
            self.config = replace(self.config, **change)
        elif verb == "check" and "--fix" in rest:
            self._fix(ask="--ask" in rest)
        elif verb == "check" and "--scan" in rest and self.facts.tree is None:
            self.change(lambda f: replace(f, tree=Tree(files=9, directories=3)))
        else:
            assert verb in ("check", "list", "set", "status", "facts"), words

    def _fix(self, *, ask: bool) -> None:
        atoms = emerge_words(self.facts, self.config)
        for wish in wishes(self.facts, self.config):
            self.add_line(wish.topic, wish.line)
        for words in emerge_runs(atoms) if ask else ():
            self.emerge(list(words))

    def echo(self, words: list[str]) -> None:
        """Append a line to one of Portage's files."""
        line, sign, path = words
        assert sign == ">>"
        place = next(p for p in path.split("/") if p.startswith("package."))
        self.add_line(place, line)

    # disks, mounts and swap

    def mount(self, words: list[str]) -> None:
        """Mount what fstab has, or make a mount writable."""
        if words[:2] == ["-o", "remount,rw"]:
            self._mounts(lambda m: replace(m, options=m.options.replace("ro", "rw", 1)))
            return
        if words[0] == "-t":
            self.change(_KERNEL_TELLS[words[1]])
            return
        (target,) = words
        (line,) = (x for x in self.facts.storage.fstab if x.file == target)
        found = topology.find_device(self.facts.storage, line.spec)
        new = Mount(
            target=target,
            source=line.spec,
            fs_type=line.fs_type,
            options="rw",
            device=found.name if found else None,
            size=1 << 29,
            used=1 << 20,
            files=9,
        )
        self.change(storage(mounts=(*self.facts.storage.mounts, new)))
        if target == "/boot":
            self._kernels(lambda k: replace(k, image=kernel(k.release).image))

    def _mounts(self, change: Callable[[Mount], Mount]) -> None:
        self.change(storage(mounts=tuple(map(change, self.facts.storage.mounts))))

    def umount(self, words: list[str]) -> None:
        """Take a mount away, where nothing lies upon it."""
        (target,) = words
        mounts = self.facts.storage.mounts
        assert target in {m.target for m in mounts}, f"{target} is not mounted"
        above = [m for m in mounts if m.target.startswith(f"{target}/")]
        assert not above, f"{target} is busy"
        self.change(storage(mounts=tuple(m for m in mounts if m.target != target)))

    def swapoff(self, words: list[str]) -> None:
        """Turn a swap area off."""
        (path,) = words
        left = tuple(s for s in self.facts.storage.swaps if s.path != path)
        assert left != self.facts.storage.swaps, f"{path} is no active swap"
        self.change(storage(swaps=left))

    def mkswap(self, words: list[str]) -> None:
        """Make a swap area anew."""
        one = self._device(words[-1])
        self.change(device(one.name, fs_type="swap"), change_boot(resume_image=False))

    def zpool(self, words: list[str]) -> None:
        """Export a pool, or see which there are."""
        pools = self.facts.storage.pools
        if words == ["import"]:
            self.change(storage(pools=pools or ()))
            return
        verb, name = words
        assert verb == "export"
        left = tuple(
            replace(p, imported=False) if p.name == name else p for p in pools or ()
        )
        assert left != pools, f"{name} is not imported"
        self.change(storage(pools=left))

    def mdadm(self, words: list[str]) -> None:
        """Stop an array."""
        assert words[0] == "--stop"
        self._close(words[1])

    def dmsetup(self, words: list[str]) -> None:
        """Remove a volume."""
        assert words[0] == "remove"
        self._close(words[1])

    def _close(self, text: str) -> None:
        names = (text, f"/dev/mapper/{text}")
        one = next(
            d for n in names if (d := topology.find_device(self.facts.storage, n))
        )
        self._assert_unused(one)
        self._drop(one)

    def _assert_unused(self, one: BlockDevice) -> None:
        here = self.facts.storage
        assert not topology.stacked(here, one), f"{one.name} is below another device"
        used = (m.device or m.source for m in here.mounts)
        swaps = (s.path for s in here.swaps)
        for text in (*used, *swaps):
            assert topology.find_device(here, text) != one, f"{one.name} is busy"

    def _drop(self, one: BlockDevice) -> None:
        left = tuple(d for d in self.facts.storage.devices if d != one)
        self.change(storage(devices=left))

    def wipefs(self, words: list[str]) -> None:
        """Take the signatures off a device."""
        if words[0] == "--no-act":
            return
        assert words[0] == "--all"
        one = self._device(words[1])
        above = topology.stacked(self.facts.storage, one)
        for part in above:
            # the kernel forgets partitions with their table, nothing else
            assert part.kind == "part"
            self._drop(part)
        here = self.facts.storage
        left = tuple(s for s in here.signatures or () if s.device != one.name)
        self.change(
            device(one.name, fs_type=None, fs_uuid=None, table=None),
            storage(signatures=left if here.signatures is not None else None),
        )

    def _device(self, text: str) -> BlockDevice:
        found = topology.find_device(self.facts.storage, text)
        assert found is not None, f"there is no {text}"
        return found

    # files

    def copy(self, words: list[str]) -> None:
        """Copy a file beside itself."""
        _, _, self.source, self.copied = words

    def zgenhostid(self, words: list[str]) -> None:
        """Write /etc/hostid."""
        option, hostid = words
        assert option == "-f"
        self.change(change_boot(hostid=hostid))

    def move(self, words: list[str]) -> None:
        """Put such a copy in its place, or the hostid aside."""
        if words == ["/etc/hostid", "/etc/hostid.bad"]:
            self.change(change_boot(hostid=None))
            return
        sign, source, target = words
        assert (sign, source, target) == ("--", self.copied, self.source)
        self._unlink(target)

    def link(self, words: list[str]) -> None:
        """Give a file another name."""
        _, _, _, target = words
        self._unlink(target)

    def _unlink(self, path: str) -> None:
        """Let a name no longer be one of the file that had it."""
        tree = self.facts.tree
        assert tree is not None
        groups = []
        for group in tree.links:
            paths = tuple(name for name in group.paths if name != path)
            groups.append(LinkGroup(paths=paths, links=len(paths)))
        new = tuple(groups)
        assert new != tree.links, f"{path} is no name of such a file"
        left = replace(tree, links=new)
        self.change(lambda facts: replace(facts, tree=left))

    def sed(self, words: list[str]) -> None:
        """Comment a setting out."""
        option, script, path = words
        assert option == "-i"
        assert path == self.facts.system.imports_all_pools
        _, pattern, new, _ = script.split("/")
        before = "ZPOOL_IMPORT_ALL_VISIBLE=yes"
        after = re.sub(pattern, new.replace("&", before), before)
        assert after.startswith("#"), script
        self.change(system(imports_all_pools=None))

    # kernels

    def _configure(self, name: str, value: str) -> None:
        """Set an option, build and install the kernel, and start it."""
        running = self.facts.judged_kernel
        names = SELECTED.get(name, (name,))

        def change(options: tuple[str, ...]) -> tuple[str, ...]:
            known = dict(option.split("=", 1) for option in options)
            if name == "EXT4_USE_FOR_EXT2":
                assert known.get("EXT4_FS") != "n", "it is shown with EXT4_FS only"
            known |= dict.fromkeys(names, value)
            return tuple(map("=".join, known.items()))

        self._kernels(
            lambda k: (
                replace(
                    k,
                    options=change(k.options),
                    raid1=k.raid1 or name == "MD_RAID1",
                )
                if k.release == running
                else k
            )
        )

    def eselect(self, words: list[str]) -> None:
        """Choose kernel sources."""
        if words[:2] == ["kernel", "set"]:
            release = self._to_build()
            self.change(
                change_boot(
                    sources=f"/usr/src/linux-{release}",
                    sources_release=release,
                    sources_built=True,
                )
            )

    def _to_build(self) -> str:
        """Choose the sources that a remedy means: the running kernel's come first."""
        boot, mine = self.facts.boot, self.facts.judged_kernel
        lacking = [k.release for k in boot.kernels if k.zfs_module is None]
        ready = boot.sources_release == mine and boot.sources_built
        if mine in lacking or not lacking or not ready:
            return mine
        return lacking[0]

    def reboot(self, words: list[str]) -> None:
        """Start the kernel that a remedy has installed or names, else the newest."""
        assert not words
        boot = self.facts.boot
        there = {k.release: k for k in boot.kernels if k.image}
        said = [release for release in there if f" {release}," in self.text]
        newest = sorted(there, key=release_key)
        release = (self.installed_kernel or said or newest)[-1]
        cmdline = boot.cmdline.replace(boot.running_kernel, release)
        self.change(
            change_boot(
                running_kernel=release,
                running_version=there[release].image_version,
                cmdline=cmdline,
            ),
            system(zfs_module=there[release].zfs_version),
        )

    def modprobe(self, words: list[str]) -> None:
        """Load a module."""
        if words == ["configs"]:
            running = self.facts.judged_kernel
            self._kernels(
                lambda k: (
                    replace(k, config="/proc/config.gz") if k.release == running else k
                )
            )
        else:
            assert words == ["zfs"]
            self.change(load_module)

    def _kernels(self, change: Callable[[Any], Any]) -> None:
        self.change(change_boot(kernels=tuple(map(change, self.facts.boot.kernels))))

    # what else Portage does

    def emaint(self, words: list[str]) -> None:
        """Sync, or forget an interrupted emerge."""
        if words == ["--fix", "cleanresume"]:
            self.change(change_portage(resumes=()))
        else:
            assert words == ["sync", "--auto"]
            self.sync()

    def dispatch(self, words: list[str]) -> None:
        """Merge the configuration files that wait."""
        self.change(change_portage(updates=()))


def look(_machine: Remedied, _words: list[str]) -> None:
    """Stand for a program that shows something, or that is for later."""


DEEDS: dict[str, Callable[[Remedied, list[str]], None]] = {
    **dict.fromkeys(("df", "dmesg", "findmnt", "lsblk", "mkdir", "zfs"), look),
    # on the new root
    "chattr": look,
    # what goes into the file that it reads is said in words
    "grub-mkconfig": look,
    OWN: Remedied.own,
    "cp": Remedied.copy,
    "dispatch-conf": Remedied.dispatch,
    "dmsetup": Remedied.dmsetup,
    "echo": Remedied.echo,
    "emaint": Remedied.emaint,
    "emerge": Remedied.emerge,
    "eselect": Remedied.eselect,
    "ln": Remedied.link,
    "mdadm": Remedied.mdadm,
    "mkswap": Remedied.mkswap,
    "modprobe": Remedied.modprobe,
    "mount": Remedied.mount,
    "mv": Remedied.move,
    "reboot": Remedied.reboot,
    "sed": Remedied.sed,
    "swapoff": Remedied.swapoff,
    "umount": Remedied.umount,
    "wipefs": Remedied.wipefs,
    "zgenhostid": Remedied.zgenhostid,
    "zpool": Remedied.zpool,
}


def only_shows(command: str) -> bool:
    """Tell whether a command changes nothing by itself."""
    return _SHOWS.match(command) is not None


def _commands(line: str) -> Iterator[list[str]]:
    """Split a line where one command follows another."""
    words: list[str] = []
    for word in shlex.split(line.replace(";", " ; ")):
        if word in ("&&", ";"):
            yield words
            words = []
        else:
            words.append(word)
    yield words


def ways(findings: Iterable[Finding]) -> tuple[tuple[str, ...], ...]:
    """Return the commands of each way that a remedy names, of several findings at once.

    A line that begins with "Or" begins another way; that one may wait is none.
    """
    each = [list(_ways(finding)) for finding in findings]
    most = max(map(len, each), default=0)
    return tuple(
        tuple(c for mine in each if mine for c in mine[min(n, len(mine) - 1)])
        for n in range(most)
    )


def _ways(finding: Finding) -> Iterator[tuple[str, ...]]:
    commands: list[str] = []
    for line in (*finding.remedy, "Or"):
        if line == "Or" or line.startswith("Or "):
            if commands:
                yield tuple(commands)
            commands = []
            if line.startswith("Or wait"):
                return
        elif line.startswith("  "):
            commands.append(line.strip())


def follow(machine: Remedied, findings: Iterable[Finding], way: int) -> bool:
    """Type the commands of one way; tell whether they change anything."""
    found = tuple(findings)
    machine.text = "\n".join(line for f in found for line in f.remedy)
    before = (machine.facts, machine.config)
    named = ways(found)
    for command in named[min(way, len(named) - 1)] if named else ():
        machine.type(command)
    return (machine.facts, machine.config) != before

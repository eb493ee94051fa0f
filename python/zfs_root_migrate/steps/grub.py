"""GRUB on BIOS machines: its settings, its installation and the proof of both."""

import re
import shlex

from zfs_root_migrate.layout import DiskLayout, Layout, Role
from zfs_root_migrate.model import Facts
from zfs_root_migrate.paths import NEW, in_new
from zfs_root_migrate.step import Hazard, Join, Probe, Run, Start, Step, WriteFile
from zfs_root_migrate.steps import probes
from zfs_root_migrate.steps.initramfs import bootable, image_path

DEFAULT = "/etc/default/grub"
CONFIG = "/boot/grub/grub.cfg"
INSTALLED, STARTED = "grub-install", "grub-mkconfig"
# of fonts and themes the one that grub-install(8) brings by itself: the user's own lie
# beside it
WRITTEN = (
    DEFAULT,
    CONFIG,
    "/boot/grub/grubenv",
    "/boot/grub/i386-pc",
    "/boot/grub/fonts/unicode.pf2",
    "/boot/grub/themes/starfield",
    "/boot/grub/locale",
)
# a hibernated system that is resumed after the pool was imported loses the pool
# (openzfs/zfs#260, #14118); a kernel can have a device to resume from built in
NO_RESUME = "noresume"
# options of the kernel command line that say where the old root is, and where to resume
_OLD_ROOT = re.compile(
    r"(?<![^\s\"'=])(?:(?:root|rootfstype|rootflags|resume|resume_offset)="
    rf"[^\s\"'\\]*|{NO_RESUME}(?![^\s\"'\\]))[ \t]*"
)
_SETTING = re.compile(r"^\s*(?:export\s+)?GRUB_CMDLINE_LINUX(_DEFAULT)?\+?=")
# one that says the same to whoever reads it, without knowing the shell's rules
_PLAIN = re.compile(
    r"^GRUB_CMDLINE_LINUX=(?:\"([^\"'\\$`]*)\"|'([^\"'\\$`]*)'|([^\s\"'\\$`#]*))\s*$"
)

# what was added for another root before
_APPENDED = re.compile(
    rf'^GRUB_CMDLINE_LINUX="\$GRUB_CMDLINE_LINUX (?:{NO_RESUME} )?root=ZFS=[^\s"]+"\n',
    re.M,
)


def grub_default(text: str | None, root: str) -> str:
    """Return /etc/default/grub with this root, and no resuming, on every command line.

    Everything else stays as the user has it. The file is a shell script: what is more
    than one plain assignment is added to, not rewritten.

    >>> grub_default('GRUB_CMDLINE_LINUX="quiet root=/dev/sda3"\\n', "rpool/ROOT")
    'GRUB_CMDLINE_LINUX="quiet noresume root=ZFS=rpool/ROOT"\\n'
    """
    added = f"{NO_RESUME} root=ZFS={root}"
    before = _APPENDED.sub("", text or "")
    lines = [_without_old_root(line) for line in before.splitlines()]
    found = [(n, m) for n, line in enumerate(lines) if (m := _SETTING.match(line))]
    places = [n for n, match in found if match[1] is None]
    plain = _PLAIN.match(lines[places[0]]) if len(places) == 1 else None
    if plain is not None:
        words = (plain[1] or plain[2] or plain[3] or "").split()
        lines[places[0]] = f'GRUB_CMDLINE_LINUX="{" ".join([*words, added])}"'
    else:
        first = "$GRUB_CMDLINE_LINUX " if places else ""
        lines.append(f'GRUB_CMDLINE_LINUX="{first}{added}"')
    return "\n".join(lines) + "\n"


def _without_old_root(line: str) -> str:
    if re.match(r"^GRUB_SAVEDEFAULT=[\"']?true", line):
        # "diskfilter writes are not supported": a menu that waits for a key
        return f"# {line}  (GRUB cannot write to an array)"
    return _OLD_ROOT.sub("", line) if _SETTING.match(line) else line


def default_file(facts: Facts, layout: Layout) -> WriteFile:
    """Return GRUB's settings in the new root."""
    content = grub_default(facts.boot.grub_default, layout.root)
    return WriteFile(path=in_new(DEFAULT), content=content)


def begin(layout: Layout) -> Start:
    """Return what starts installing GRUB on every new disk.

    It needs the array and the new root's programs, and neither menu nor initramfs.
    """
    commands = (install(disk.path).argv for disk in layout.disks)
    script = " && ".join(map(shlex.join, commands))
    return Start(name=INSTALLED, run=Run(argv=("sh", "-ec", script), chroot=NEW))


def begin_menu() -> Start:
    """Return what starts making the menu.

    It names each initramfs that lies in /boot, so those must be in place.
    """
    return Start(
        name=STARTED, run=Run(argv=("grub-mkconfig", "-o", CONFIG), chroot=NEW)
    )


def grub(facts: Facts, layout: Layout) -> Step:
    """Return the step that waits for GRUB and looks at what it has become."""
    return Step(
        id="grub",
        title="Install GRUB on the new disk" + "s" * (len(layout.disks) > 1),
        reason="each disk must be able to start the machine alone; it was begun while "
        "the files were compared, and the menu while the initramfs was looked at",
        hazard=Hazard.REVERSIBLE,
        needs=("delta", "initramfs"),
        undone_by=("pool", "array", "partition-1"),
        actions=(Join(name=INSTALLED), Join(name=STARTED)),
        proof=(*proof(facts, layout, root=NEW),),
        always=True,
        seconds=10,
    )


def install(disk: str) -> Run:
    """Return the command that puts GRUB for BIOS machines on a disk."""
    return Run(argv=("grub-install", "--target=i386-pc", disk))


def has_loader(disk: DiskLayout) -> tuple[Probe, ...]:
    """The disk's first sector is GRUB's, and its loader partition is not empty."""
    return (
        Probe(
            argv=("dd", f"if={disk.path}", "bs=512", "count=1", "status=none"),
            matches=("GRUB",),
        ),
        Probe(
            argv=probes.freshly(
                disk.part_path(Role.BIOS), "cmp", "--bytes=512", "--quiet", "/dev/zero"
            ),
            status=1,
        ),
    )


def proof(facts: Facts, layout: Layout, *, root: str) -> tuple[Probe, ...]:
    """Return what shows that GRUB will find /boot, the kernel and the root."""
    top = "" if root == "/" else root
    entries = []
    for kernel in bootable(facts.boot):
        image = re.escape(str(kernel.image).removeprefix("/boot"))
        initrd = re.escape(image_path(kernel).removeprefix("/boot"))
        entries += [
            rf"^\s+linux\s+{image}\s(?=.*\b{NO_RESUME}\b)"
            rf".*\broot=ZFS={re.escape(layout.root)}\b",
            # early microcode comes before it, where there is some (grub 10_linux)
            rf"^\s+initrd\s+(?:\S+\s+)*{initrd}\s*$",
        ]
    return (
        Probe(
            argv=("cat", f"{top}{CONFIG}"),
            matches=(rf"search .*--fs-uuid .*{layout.array.fs_uuid}", *entries),
        ),
        Probe(argv=("grub-script-check", f"{top}{CONFIG}")),
        *(probe for disk in layout.disks for probe in has_loader(disk)),
    )

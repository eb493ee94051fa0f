"""Facts about booting: firmware, kernels with their images and modules, hostid."""

import re
from collections.abc import Iterable, Iterator, Mapping

from zfs_root_migrate.model import Boot, Firmware, Generator, Kernel, Storage, Tool
from zfs_root_migrate.reader import Reader

MODULES = "/lib/modules"
# what `make install`, installkernel, genkernel and Debian call a kernel's files; R is
# its release, * the architecture that genkernel puts in
_IMAGES = ("vmlinuz-R", "kernel-R", "bzImage-R", "vmlinux-R", "kernel-genkernel-*-R")
_INITRAMFS = (
    *("initramfs-R.img", "initramfs-R", "initrd-R.img", "initrd-R", "initrd.img-R"),
    "initramfs-genkernel-*-R",
)
_RELEASE = re.compile(
    r"(?:vmlinuz|kernel|bzImage|vmlinux)-(?:genkernel-[^-]+-)?(\d+\.\d+[^/]*)"
)
_GRUB_PLATFORM = re.compile(r"[a-z0-9_]+-(pc|efi|ieee1275|coreboot|xen|emu|qemu)")

Files = Mapping[str, str]


def gather_boot(reader: Reader, storage: Storage, tools: Iterable[Tool]) -> Boot:
    """Read what the machine needs in order to start."""
    programs = {tool.name for tool in tools if tool.path is not None}
    cmdline = (reader.read("/proc/cmdline") or "").strip()
    uefi = reader.names("/sys/firmware/efi") is not None
    return Boot(
        firmware=Firmware.UEFI if uefi else Firmware.BIOS,
        running_kernel=(reader.read("/proc/sys/kernel/osrelease") or "").strip(),
        cmdline=cmdline,
        kernels=gather_kernels(reader),
        generators=tuple(g for g in Generator if g.value in programs),
        grub_default=reader.read("/etc/default/grub"),
        grub_platforms=tuple(
            name
            for name in reader.names("/usr/lib/grub") or ()
            if _GRUB_PLATFORM.fullmatch(name)
        ),
        hostid=parse_hostid(reader.read("/etc/hostid")),
        resume_image=find_resume_image(storage),
    )


def parse_hostid(text: str | None) -> str | None:
    r"""Return the hostid as zgenhostid and hostid print it.

    The file is asked, never hostid(1), which makes a number up where there is none. The
    bytes are in the machine's order, little-endian on all that Gentoo builds ZFS for.

    >>> parse_hostid("\x78\x56\x34\x12")
    '12345678'
    """
    data = (text or "").encode("utf-8", "surrogateescape")
    return f"{int.from_bytes(data[:4], 'little'):08x}" if len(data) >= 4 else None


def find_resume_image(storage: Storage) -> bool | None:
    """Tell whether a device holds a hibernation image; None where it is not known.

    Only signatures count: what lsblk has from udev is as old as the boot, and a swap
    that the machine has resumed from still shows as swsuspend there.
    """
    if any(found.kind == "swsuspend" for found in storage.signatures or ()):
        return True
    return None if storage.signatures is None or storage.unprobed else False


def gather_kernels(reader: Reader) -> tuple[Kernel, ...]:
    """Return the installed kernels, the releases in the order of their names."""
    files = _boot_files(reader)
    installed = reader.names(MODULES) or ()
    releases = {*installed, *_releases(files)}
    return tuple(
        _kernel(reader, release, files, has_modules=release in installed)
        for release in sorted(releases)
    )


def _boot_files(reader: Reader) -> Files:
    """Return path by name of the files in /boot, those in subdirectories renamed.

    systemd's kernel-install makes TOKEN/RELEASE/linux, or one unified image.
    """
    found: dict[str, str] = {}
    for top in ("/efi", "/boot/efi", "/boot"):
        for directory in (f"{top}/{token}" for token in _entry_tokens(reader)):
            for release in reader.names(directory) or ():
                for name in reader.names(f"{directory}/{release}") or ():
                    kind = {"linux": "vmlinuz", "initrd": "initrd"}.get(name, name)
                    found[f"{kind}-{release}"] = f"{directory}/{release}/{name}"
        for name in reader.names(f"{top}/EFI/Linux") or ():
            unified = re.fullmatch(r"(?:.+?-)?(\d+\.\d+.*)\.efi", name)
            if unified:
                found[f"vmlinuz-{unified[1]}"] = f"{top}/EFI/Linux/{name}"
    return found | {name: f"/boot/{name}" for name in reader.names("/boot") or ()}


def _entry_tokens(reader: Reader) -> Iterator[str]:
    for path in ("/etc/kernel/entry-token", "/etc/machine-id"):
        token = (reader.read(path) or "").strip()
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", token):
            yield token


def _releases(files: Files) -> Iterator[str]:
    for name in files:
        found = _RELEASE.fullmatch(name)
        if found and not name.endswith(".old"):
            yield found[1]


def _kernel(reader: Reader, release: str, files: Files, *, has_modules: bool) -> Kernel:
    modules = gather_modules(reader, release) if has_modules else {}
    zfs = modules.get("zfs", {})
    # a module of another release would not load
    fits = zfs.get("vermagic", "").split(" ")[0] == release
    return Kernel(
        release=release,
        image=_find(files, _IMAGES, release),
        initramfs=_find(files, _INITRAMFS, release),
        zfs_module=zfs.get("filename") if fits else None,
        zfs_version=zfs.get("version") if fits else None,
        raid1="raid1" in modules,
    )


def _find(files: Files, patterns: Iterable[str], release: str) -> str | None:
    for pattern in patterns:
        text = re.escape(pattern).replace("R", re.escape(release), 1)
        wanted = re.compile(text.replace(r"\*", "[^-]+"))
        for name, path in files.items():
            if wanted.fullmatch(name):
                return path
    return None


def gather_modules(reader: Reader, release: str) -> dict[str, dict[str, str]]:
    """Return what modinfo says of zfs and raid1 for a kernel, by their names."""
    answer = reader.query("modinfo", "-k", release, "zfs", "raid1")
    modules = parse_modinfo(answer.stdout)
    if "raid1" not in modules:
        builtin = reader.read(f"{MODULES}/{release}/modules.builtin") or ""
        if re.search(r"(?m)/raid1\.ko$", builtin):
            modules["raid1"] = {"filename": "(builtin)"}
    return modules


def parse_modinfo(text: str) -> dict[str, dict[str, str]]:
    """Read what modinfo prints of several modules; each begins with its file name.

    A built-in one has no file: it says `name:` and then `filename: (builtin)`.
    """
    found: dict[str, dict[str, str]] = {}
    fields: dict[str, str] = {}
    last = ""
    for line in text.split("\n"):
        key, _, value = (part.strip() for part in line.partition(":"))
        if key == "filename":
            file = re.sub(r"\.ko(\.\w+)?$", "", value.rpartition("/")[2])
            fields = found.setdefault(last if value == "(builtin)" else file, {})
        fields.setdefault(key, value)
        last = value if key == "name" else last
    return found

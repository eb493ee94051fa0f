"""Facts about booting: firmware, kernels with their images and modules, hostid."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from zfs_root_migrate.facts.kernel import (
    MODULES,
    Configuration,
    gather_configs,
    gather_enforcement,
    gather_lockdown,
    gather_spl_hostid,
)
from zfs_root_migrate.model import (
    Boot,
    Firmware,
    Generator,
    Kernel,
    Loader,
    Storage,
    Tool,
)
from zfs_root_migrate.reader import Reader

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
# what systemd-boot and newer GRUB tell of themselves (systemd.io/BOOT_LOADER_INTERFACE)
_LOADER_INFO = (
    "/sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
)
# UEFI specification, global variables
_SECURE_BOOT = (
    "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
)
# from the magic to the place of the version
_HEADER, _HEADER_SIZE = 0x202, 0x20E + 2 - 0x202
_GRUB_PLATFORM = re.compile(r"[a-z0-9_]+-(pc|efi|ieee1275|coreboot|xen|emu|qemu)")

Files = Mapping[str, str]


def gather_boot(reader: Reader, storage: Storage, tools: Iterable[Tool]) -> Boot:
    """Read what the machine needs in order to start."""
    programs = {tool.name for tool in tools if tool.path is not None}
    cmdline = (reader.read("/proc/cmdline") or "").strip()
    running = (reader.read("/proc/sys/kernel/osrelease") or "").strip()
    firmware = gather_firmware(reader)
    uefi = firmware is Firmware.UEFI
    files = _boot_files(reader)
    installed = reader.names(MODULES) or ()
    releases = sorted({*installed, *_releases(files)})
    settings = gather_configs(reader, releases, running, files)
    mine = settings.configs.get(running)
    lockdown = gather_lockdown(reader)
    spl_hostid, spl_hostid_file = gather_spl_hostid(reader)
    kernels = [
        _kernel(reader, release, files, settings.configs.get(release), installed)
        for release in releases
    ]
    return Boot(
        firmware=firmware,
        running_kernel=running,
        cmdline=cmdline,
        kernels=tuple(
            _with_version(reader, kernel) if kernel.release == running else kernel
            for kernel in kernels
        ),
        generators=tuple(g for g in Generator if g.value in programs),
        grub_default=reader.read("/etc/default/grub"),
        grub_platforms=tuple(
            name
            for name in reader.names("/usr/lib/grub") or ()
            if _GRUB_PLATFORM.fullmatch(name)
        ),
        hostid=parse_hostid(reader.read("/etc/hostid")),
        resume_image=find_resume_image(storage),
        loader=gather_loader(reader, cmdline, uefi=uefi),
        running_version=(reader.read("/proc/version") or "").strip() or None,
        sources=settings.sources,
        sources_release=settings.sources_release,
        sources_built=settings.sources_built,
        lockdown=lockdown,
        enforces_signatures=gather_enforcement(
            reader, lockdown, mine.options if mine else None
        ),
        secure_boot=False
        if firmware is Firmware.BIOS
        else parse_secure_boot(reader.read(_SECURE_BOOT)),
        spl_hostid=spl_hostid,
        spl_hostid_file=spl_hostid_file,
    )


def gather_firmware(reader: Reader) -> Firmware:
    """Tell what has started the machine.

    That there is no /sys/firmware/efi means a BIOS only where the kernel shows what it
    has of the firmware: a PC has ACPI or DMI tables. Containers hide the directory.
    """
    there = reader.names("/sys/firmware")
    if reader.names("/sys/firmware/efi") is not None:
        return Firmware.UEFI
    return Firmware.BIOS if there else Firmware.UNKNOWN


def gather_loader(reader: Reader, cmdline: str, *, uefi: bool) -> Loader:
    """Tell what has loaded the kernel that runs, where there is proof of it.

    A loader of UEFI may say so itself. GRUB puts BOOT_IMAGE on the command line, as
    others do; that its configuration is there as well makes it certain.
    """
    told = _variable(reader.read(_LOADER_INFO)).decode("utf-16-le", "replace")
    if told.startswith("systemd-boot"):
        return Loader.SYSTEMD_BOOT
    if told.startswith("GRUB"):
        return Loader.GRUB
    if re.search(r"(?:^|\s)BOOT_IMAGE=[/(]", cmdline):
        grub = "grub.cfg" in (reader.names("/boot/grub") or ())
        return Loader.GRUB if grub else Loader.UNKNOWN
    for top in ("/efi", "/boot/efi", "/boot") if uefi else ():
        if "entries" in (reader.names(f"{top}/loader") or ()):
            return Loader.SYSTEMD_BOOT
    return Loader.UNKNOWN


def _variable(text: str | None) -> bytes:
    """Return a variable of the firmware without the four bytes of its attributes."""
    return _bytes(text)[4:]


def parse_secure_boot(text: str | None) -> bool | None:
    r"""Tell whether the firmware starts signed programs only; None: not known.

    >>> parse_secure_boot("\x06\x00\x00\x00\x01"), parse_secure_boot(None)
    (True, None)
    """
    data = _variable(text)
    return data[0] == 1 if data else None


def parse_hostid(text: str | None) -> str | None:
    r"""Return the hostid as zgenhostid and hostid print it.

    The file is asked, never hostid(1), which makes a number up where there is none. The
    bytes are in the machine's order, little-endian on all that Gentoo builds ZFS for.

    >>> parse_hostid("\x78\x56\x34\x12")
    '12345678'
    """
    data = _bytes(text)
    return f"{int.from_bytes(data[:4], 'little'):08x}" if len(data) >= 4 else None


def find_resume_image(storage: Storage) -> bool | None:
    """Tell whether a device holds a hibernation image; None where it is not known.

    Only signatures count: what lsblk has from udev is as old as the boot, and a swap
    that the machine has resumed from still shows as swsuspend there.
    """
    if any(found.kind == "swsuspend" for found in storage.signatures or ()):
        return True
    return None if storage.signatures is None or storage.unprobed else False


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


def find_images(reader: Reader) -> tuple[tuple[str, str, str | None], ...]:
    """Return the kernels of /boot: release, path, and the initramfs where one is."""
    files = _boot_files(reader)
    return tuple(
        (release, path, _find(files, _INITRAMFS, release))
        for release in sorted(set(_releases(files)))
        if (path := _find(files, _IMAGES, release))
    )


def _releases(files: Files) -> Iterator[str]:
    for name in files:
        found = _RELEASE.fullmatch(name)
        if found and not name.endswith(".old"):
            yield found[1]


def _kernel(
    reader: Reader,
    release: str,
    files: Files,
    config: Configuration | None,
    installed: tuple[str, ...],
) -> Kernel:
    modules = gather_modules(reader, release) if release in installed else {}
    zfs = modules.get("zfs", {})
    # a module of another release would not load
    fits = zfs.get("vermagic", "").split(" ")[0] == release
    return Kernel(
        release=release,
        image=_find(files, _IMAGES, release),
        initramfs=_find(files, _INITRAMFS, release),
        zfs_module=zfs.get("filename") if fits else None,
        zfs_version=zfs.get("version") if fits else None,
        zfs_signed=not {"sig_id", "signer", "signature"}.isdisjoint(zfs)
        if fits
        else None,
        raid1="raid1" in modules,
        config=config.path if config else None,
        options=config.listed() if config else (),
    )


def _with_version(reader: Reader, kernel: Kernel) -> Kernel:
    """Add what the image says of itself; for the others nobody asks."""
    found = gather_image_version(reader, kernel.image) if kernel.image else None
    return replace(kernel, image_version=found)


def gather_image_version(reader: Reader, path: str) -> str | None:
    """Return the text with which an image for x86 names itself.

    Its header tells where that text is (Documentation/arch/x86/boot.rst, kernel_version
    at 0x20e); other images have none.
    """
    header = _bytes(reader.part(path, _HEADER, _HEADER_SIZE))
    if header[:4] != b"HdrS" or len(header) < _HEADER_SIZE:
        return None
    offset = int.from_bytes(header[-2:], "little")
    text, end, _ = _bytes(reader.part(path, offset + 0x200, 256)).partition(b"\0")
    found = text.decode("ascii", "replace")
    return found if offset and end and found.isprintable() else None


def _bytes(text: str | None) -> bytes:
    return (text or "").encode("utf-8", "surrogateescape")


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

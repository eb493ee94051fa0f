"""Facts about kernels: how they were configured, their sources, what they refuse.

All configurations are read by one start of zgrep, and of each only the options that
matter here: a whole one is 250 kB, and the running kernel's is compressed.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from zfs_root_migrate.reader import Reader

MODULES = "/lib/modules"
SOURCES = "/usr/src/linux"
RUNNING = "/proc/config.gz"
# the options that a check asks for
OPTIONS = (
    *("MODULES", "BLOCK", "ZLIB_DEFLATE", "ZLIB_INFLATE", "TRIM_UNUSED_KSYMS"),
    *("DEBUG_LOCK_ALLOC", "PAX_KERNEXEC_PLUGIN_METHOD_OR"),
    *("EFI_PARTITION", "BLK_DEV_INITRD", "DEVTMPFS", "TMPFS"),
    *("EXT2_FS", "EXT4_FS", "EXT4_USE_FOR_EXT2", "BLK_DEV_MD", "MD_RAID1"),
    *("MODULE_SIG", "MODULE_SIG_FORCE", "SECURITY_LOCKDOWN_LSM", "MODULE_SIG_KEY"),
    *("UNUSED_KSYMS_WHITELIST", "BINFMT_SCRIPT"),
    *("RD_GZIP", "RD_BZIP2", "RD_LZMA", "RD_XZ", "RD_LZO", "RD_LZ4", "RD_ZSTD"),
)
# in this order (modprobe.d(5))
MODPROBE = (
    *("/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d"),
    *("/usr/lib/modprobe.d", "/lib/modprobe.d"),
)
_SPL_HOSTID = r"(?m)^\s*options\s+spl\s+(?:.*\s)?spl_hostid=(\S+)"
_MAKEFILE = ("VERSION", "PATCHLEVEL", "SUBLEVEL", "EXTRAVERSION")
PATTERN = (
    rf"^(# )?CONFIG_({'|'.join(OPTIONS)}|LOCALVERSION)[= ]|^({'|'.join(_MAKEFILE)}) *="
)

Options = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The file that a kernel's options were read from, and those options."""

    path: str
    options: Options

    def listed(self) -> tuple[str, ...]:
        """Return the options as `NAME=value`; one that is not in the file is off."""
        return tuple(f"{name}={self.options.get(name, 'n')}" for name in OPTIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernels:
    """The configurations by release, and the sources that /usr/src/linux leads to."""

    configs: Mapping[str, Configuration] = field(default_factory=dict)
    sources: str | None = None
    sources_release: str | None = None
    sources_built: bool | None = None


def gather_configs(
    reader: Reader, releases: Iterable[str], running: str, in_boot: Mapping[str, str]
) -> Kernels:
    """Read how kernels were configured; `in_boot` are the files in /boot by name."""
    sources = reader.resolve(SOURCES)
    made = None
    if sources is not None:
        text = reader.read(f"{SOURCES}/include/config/kernel.release") or ""
        made = text.strip() or None
    places = {
        release: place
        for release in sorted(releases)
        if (place := _place(reader, release, running, made, in_boot)) is not None
    }
    raw = sources is not None and made is None
    more = (f"{SOURCES}/Makefile", f"{SOURCES}/.config") if raw else ()
    texts = ask_configs(reader, tuple(dict.fromkeys((*places.values(), *more))))
    will_be = parse_makefile(*(texts[path] for path in more)) if raw else None
    found = {release: parse_config(texts[path]) for release, path in places.items()}
    return Kernels(
        configs={
            release: Configuration(path=places[release], options=options)
            for release, options in found.items()
            if options
        },
        sources=sources,
        sources_release=made or will_be,
        sources_built=_is_built(reader, made) if sources is not None else None,
    )


def _is_built(reader: Reader, release: str | None) -> bool:
    """Look for the file that linux-mod-r1.eclass wants before it builds a module."""
    build = (f"{MODULES}/{release}/build",) if release else ()
    return any(
        reader.resolve(f"{place}/Module.symvers") is not None
        for place in (SOURCES, *build)
    )


def _place(
    reader: Reader,
    release: str,
    running: str,
    made: str | None,
    in_boot: Mapping[str, str],
) -> str | None:
    """Return the first place where a kernel's configuration is, the truest first."""
    if release == running and reader.resolve(RUNNING) is not None:
        return RUNNING
    if f"config-{release}" in in_boot:
        return in_boot[f"config-{release}"]
    for name in ("config", "build/.config"):
        path = f"{MODULES}/{release}/{name}"
        if reader.resolve(path) is not None:
            return path
    return f"{SOURCES}/.config" if release == made else None


def ask_configs(reader: Reader, paths: tuple[str, ...]) -> dict[str, str]:
    """Return the lines that matter of each file."""
    if not paths:
        return {}
    answer = reader.query("zgrep", "-aEH", "-e", PATTERN, "--", *paths)
    return split_lines(answer.stdout, paths)


def split_lines(text: str, paths: Iterable[str]) -> dict[str, str]:
    """Sort what grep -H printed by file; below another root, the path is longer.

    >>> split_lines("/mnt/a:x=1\\n/b:y\\n", ("/a", "/b"))
    {'/a': 'x=1', '/b': 'y'}
    """
    found: dict[str, list[str]] = {path: [] for path in paths}
    for line in text.split("\n"):
        for path, lines in found.items():
            _, sign, rest = line.partition(f"{path}:")
            if sign:
                lines.append(rest)
                break
    return {path: "\n".join(lines) for path, lines in found.items()}


def parse_config(text: str) -> dict[str, str]:
    r"""Read the options of a kernel's configuration.

    >>> parse_config('CONFIG_TMPFS=y\n# CONFIG_BLOCK is not set\nCONFIG_X="a b"')
    {'TMPFS': 'y', 'BLOCK': 'n', 'X': 'a b'}
    """
    found = {}
    for line in text.split("\n"):
        option = re.fullmatch(r"CONFIG_(\w+)=(.*)|# CONFIG_(\w+) is not set", line)
        if option and option[1]:
            found[option[1]] = option[2].strip('"')
        elif option:
            found[option[3]] = "n"
    return found


def parse_makefile(makefile: str, config: str) -> str | None:
    r"""Return the release that sources will have which are not prepared yet.

    >>> parse_makefile("VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 5\n"
    ...     "EXTRAVERSION = -gentoo", 'CONFIG_LOCALVERSION="-larry"')
    '6.12.5-gentoo-larry'
    """
    lines = re.finditer(r"(?m)^([A-Z]+) *= *(\S*)$", makefile)
    found = {line[1]: line[2] for line in lines}
    version, patchlevel, sublevel, extra = (found.get(key, "") for key in _MAKEFILE)
    if not (version.isdigit() and patchlevel.isdigit()):
        return None
    numbers = ".".join(number for number in (version, patchlevel, sublevel) if number)
    return numbers + extra + parse_config(config).get("LOCALVERSION", "")


def gather_spl_hostid(reader: Reader) -> tuple[str | None, str | None]:
    """Return what modprobe.d gives as spl_hostid, and the file; the last one counts.

    Of files with one name the first counts (modprobe.d(5)).
    """
    files: dict[str, str] = {}
    for directory in MODPROBE:
        for name in reader.names(directory) or ():
            if name.endswith(".conf"):
                files.setdefault(name, f"{directory}/{name}")
    found: tuple[str | None, str | None] = (None, None)
    for _, path in sorted(files.items()):
        for line in re.findall(_SPL_HOSTID, reader.read(path) or ""):
            found = line, path
    return found


def gather_lockdown(reader: Reader) -> str | None:
    """Return the kernel's lockdown mode, None where it does not tell.

    One that shows its security modules there and not this one does not have it.
    """
    text = reader.read("/sys/kernel/security/lockdown")
    if text is None and reader.names("/sys/kernel/security"):
        return "none"
    return parse_lockdown(text or "")


def parse_lockdown(text: str) -> str | None:
    """Return the mode in brackets.

    >>> parse_lockdown("none [integrity] confidentiality\\n")
    'integrity'
    """
    found = re.search(r"\[(\w+)\]", text)
    return found[1] if found else None


def gather_enforcement(
    reader: Reader, lockdown: str | None, options: Options | None
) -> bool | None:
    """Tell whether the running kernel refuses modules without a signature.

    Either it was told so (CONFIG_MODULE_SIG_FORCE, module.sig_enforce on its command
    line), or it is locked down. Without CONFIG_MODULE_SIG the parameter is not there,
    and nothing is refused.
    """
    if lockdown not in (None, "none"):
        return True
    told = (reader.read("/sys/module/module/parameters/sig_enforce") or "").strip()
    known = options or {}
    if told == "Y" or (told != "N" and known.get("MODULE_SIG_FORCE") == "y"):
        return True
    if told == "N":
        lacks = options is not None and known.get("SECURITY_LOCKDOWN_LSM", "n") == "n"
        return False if lockdown == "none" or lacks else None
    off = options is not None and known.get("MODULE_SIG", "n") == "n"
    return False if off or reader.resolve("/sys/module") is not None else None


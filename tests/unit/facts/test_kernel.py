"""How kernels were configured, their sources, and what they refuse."""

import doctest
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfs_root_migrate import zfs_versions
from zfs_root_migrate.checks import kconfig, zfs_use
from zfs_root_migrate.facts import boot as boot_facts
from zfs_root_migrate.facts import kernel as kernel_facts
from zfs_root_migrate.facts.boot import (
    gather_boot,
    gather_firmware,
    gather_image_version,
    gather_loader,
    parse_secure_boot,
)
from zfs_root_migrate.facts.kernel import (
    OPTIONS,
    PATTERN,
    ask_configs,
    gather_enforcement,
    gather_lockdown,
    gather_spl_hostid,
    parse_config,
    parse_lockdown,
    parse_makefile,
    split_lines,
)
from zfs_root_migrate.model import Firmware, Loader, Storage
from zfs_root_migrate.model import boot as boot_model
from zfs_root_migrate.reader import (
    LiveReader,
    Recording,
    RecordingReader,
    ReplayReader,
    part_key,
)

R = "6.12.58-gentoo"
NOTHING = Storage(
    devices=(), mounts=(), fstab=(), swaps=(), signatures=None, pools=None
)
HEAD = "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 58\nEXTRAVERSION = -gentoo\n"
EFIVARS = "/sys/firmware/efi/efivars"
LOADER_INFO = f"{EFIVARS}/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"


class Files:
    """A reader of text files, all of which zgrep can read; counts what is asked."""

    def __init__(self, files, directories=None) -> None:
        """Answer from these."""
        self.inner = ReplayReader(
            Recording(
                files=dict(files),
                directories=directories or {},
                links={path: path for path in files},
            )
        )
        self.files, self.asked = files, []
        self.read, self.names = self.inner.read, self.inner.names
        self.part = self.inner.part

    def resolve(self, path):
        """Return what is there; /usr/src/linux is where any of its files are."""
        below = any(name.startswith(f"{path}/") for name in self.files)
        if path == "/usr/src/linux" and below:
            return f"/usr/src/linux-{R}"
        return path if below else self.inner.resolve(path)

    def query(self, *argv):
        """Answer zgrep, and nothing else."""
        self.asked.append(argv)
        answer = self.inner.query(*argv)
        if argv[0] != "zgrep":
            return answer
        lines = (
            f"{path}:{line}"
            for path in argv[5:]
            for line in self.files.get(path, "").splitlines()
        )
        return answer.__class__(argv, 0, "".join(f"{line}\n" for line in lines), "")


def boot_of(files, running=R, modules=(R,)):
    """Return the facts of a machine that has these files."""
    names = tuple(
        path.rpartition("/")[2]
        for path in files
        if path.startswith("/boot/") and not path.endswith("]")
    )
    osrelease = {"/proc/sys/kernel/osrelease": f"{running}\n"}
    directories = {"/lib/modules": modules, "/boot": names}
    reader = Files({**osrelease, **files}, directories)
    return gather_boot(reader, NOTHING, ()), reader


PLACES = (
    "/proc/config.gz",
    f"/boot/config-{R}",
    f"/lib/modules/{R}/config",
    f"/lib/modules/{R}/build/.config",
    "/usr/src/linux/.config",
)


@pytest.mark.parametrize("first", range(len(PLACES)))
def test_the_truest_place_is_read(first):
    """What the kernel itself says counts most, sources that may have changed least."""
    files = dict.fromkeys(PLACES[first:], "CONFIG_TMPFS=y\n")
    files["/usr/src/linux/include/config/kernel.release"] = f"{R}\n"
    boot, reader = boot_of(files)
    assert boot.kernels[0].config == PLACES[first]
    assert boot.kernels[0].option("TMPFS") == "y"
    assert boot.kernels[0].option("MODULES") == "n"
    assert len([argv for argv in reader.asked if argv[0] == "zgrep"]) == 1


def test_sources_of_another_kernel_tell_nothing():
    """/usr/src/linux/.config is the running kernel's only if the sources are."""
    files = {
        "/usr/src/linux/.config": "CONFIG_TMPFS=y\n",
        "/usr/src/linux/include/config/kernel.release": "6.12.60-gentoo\n",
    }
    boot, reader = boot_of(files)
    assert boot.kernels[0].config is None
    assert boot.kernels[0].options == ()
    assert boot.sources_release == "6.12.60-gentoo"
    assert not any(argv[0] == "zgrep" for argv in reader.asked)


def test_config_gz_is_the_running_kernels_alone():
    """Other kernels have their own; one without any is not known."""
    files = {"/proc/config.gz": "CONFIG_TMPFS=y\n", "/boot/config-6.6.1": ""}
    boot, _ = boot_of(files, modules=("6.6.1", R, "6.6.2"))
    known = {kernel.release: kernel.config for kernel in boot.kernels}
    assert known == {"6.6.1": None, R: "/proc/config.gz", "6.6.2": None}


def test_sources():
    """Built ones say their release, others will have what the Makefile says."""
    built = {
        "/usr/src/linux/include/config/kernel.release": f"{R}-larry\n",
        "/usr/src/linux/Module.symvers": "",
    }
    boot, _ = boot_of(built)
    assert boot.sources == f"/usr/src/linux-{R}"
    assert (boot.sources_release, boot.sources_built) == (f"{R}-larry", True)
    raw = {
        "/usr/src/linux/Makefile": HEAD,
        "/usr/src/linux/.config": 'CONFIG_LOCALVERSION="-larry"\n',
    }
    boot, _ = boot_of(raw)
    assert (boot.sources_release, boot.sources_built) == (f"{R}-larry", False)
    boot, _ = boot_of({})
    assert (boot.sources, boot.sources_release, boot.sources_built) == (None,) * 3


def test_sources_built_elsewhere():
    """The build directory may be another one than the sources."""
    files = {
        "/usr/src/linux/include/config/kernel.release": f"{R}\n",
        f"/lib/modules/{R}/build/Module.symvers": "",
    }
    boot, _ = boot_of(files)
    assert boot.sources_built is True


@pytest.mark.parametrize(
    ("makefile", "release"),
    [
        (HEAD, R),
        (HEAD.replace("-gentoo", ""), "6.12.58"),
        (HEAD.replace("SUBLEVEL = 58\n", ""), "6.12-gentoo"),
        ("VERSION = 6\n", None),
        ("VERSION = x\nPATCHLEVEL = y\n", None),
        ("", None),
    ],
)
def test_makefile(makefile, release):
    """Without version and patch level there is no release."""
    assert parse_makefile(makefile, "") == release


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("[none] integrity confidentiality\n", "none"),
        ("none integrity [confidentiality]\n", "confidentiality"),
        ("", None),
        ("none integrity", None),
    ],
)
def test_lockdown(text, mode):
    """The mode is the one in brackets."""
    assert parse_lockdown(text) == mode


@pytest.mark.parametrize(
    ("told", "lockdown", "options", "sysfs", "enforces"),
    [
        ("Y\n", "none", None, True, True),
        ("N\n", None, None, True, None),
        ("N\n", "none", None, True, False),
        ("N\n", None, {"SECURITY_LOCKDOWN_LSM": "y"}, True, None),
        ("N\n", None, {"SECURITY_LOCKDOWN_LSM": "n"}, True, False),
        ("N\n", None, {}, True, False),
        ("N\n", "integrity", None, True, True),
        (None, "confidentiality", None, False, True),
        (None, None, None, True, False),
        (None, None, None, False, None),
        (None, None, {"MODULE_SIG": "n"}, False, False),
        (None, None, {"MODULE_SIG": "y"}, False, None),
        (None, None, {"MODULE_SIG": "y", "MODULE_SIG_FORCE": "y"}, False, True),
    ],
)
def test_who_wants_signatures(told, lockdown, options, sysfs, enforces):
    """The parameter, lockdown or the options; not known where none of them is."""
    path = "/sys/module/module/parameters/sig_enforce"
    links = {"/sys/module": "/sys/module"} if sysfs else {}
    reader = ReplayReader(Recording(files={path: told}, links=links))
    assert gather_enforcement(reader, lockdown, options) is enforces


def test_a_hostid_in_modprobe_d():
    """The last file that has it counts, and of two of one name the first."""
    files = {
        "/etc/modprobe.d/zfs.conf": "# options spl spl_hostid=1\noptions zfs x=1\n",
        "/etc/modprobe.d/a.conf": "options spl spl_hostid=0x5\n",
        "/lib/modprobe.d/a.conf": "options spl spl_hostid=0x6\n",
        "/lib/modprobe.d/b.conf": "options spl a=1  spl_hostid=0x7 b=2\n",
        "/lib/modprobe.d/c.conf.bak": "options spl spl_hostid=0x8\n",
        "/lib/modprobe.d/d.conf": "options splat spl_hostid=0x9\n",
    }
    names = {}
    for path in files:
        directory, _, name = path.rpartition("/")
        names[directory] = (*names.get(directory, ()), name)
    reader = ReplayReader(Recording(files=files, directories=names))
    assert gather_spl_hostid(reader) == ("0x7", "/lib/modprobe.d/b.conf")
    assert gather_spl_hostid(ReplayReader(Recording())) == (None, None)


def test_lockdown_where_the_kernel_does_not_have_it():
    """Security modules are shown, and this one is not among them."""
    path = "/sys/kernel/security"
    for names, mode in ((("integrity", "lsm"), "none"), ((), None), (None, None)):
        reader = ReplayReader(Recording(directories={path: names}))
        assert gather_lockdown(reader) == mode


@pytest.mark.parametrize(
    ("sysfs", "efi", "firmware"),
    [
        (("acpi", "dmi", "efi"), ("efivars",), Firmware.UEFI),
        (("acpi", "dmi", "memmap"), None, Firmware.BIOS),
        ((), None, Firmware.UNKNOWN),
        (None, None, Firmware.UNKNOWN),
    ],
)
def test_firmware(sysfs, efi, firmware):
    """That something is missing proves nothing where nothing is shown."""
    names = {"/sys/firmware": sysfs, "/sys/firmware/efi": efi}
    assert gather_firmware(ReplayReader(Recording(directories=names))) is firmware


@pytest.mark.parametrize(
    ("text", "on"),
    [
        ("\x06\0\0\0\x01", True),
        ("\x06\0\0\0\0", False),
        ("\x06\0\0\0", None),
        ("", None),
        (None, None),
    ],
)
def test_secure_boot(text, on):
    """The fifth byte, after four of attributes."""
    assert parse_secure_boot(text) is on


def told(name):
    """Return a variable of the firmware that holds a text."""
    return "\x06\0\0\0" + f"{name}\0".encode("utf-16-le").decode()


@pytest.mark.parametrize(
    ("cmdline", "files", "names", "loader"),
    [
        ("quiet BOOT_IMAGE=/vmlinuz", {}, {"/boot/grub": ("grub.cfg",)}, "grub"),
        ("BOOT_IMAGE=(hd0,2)/k ro", {}, {"/boot/grub": ("grub.cfg",)}, "grub"),
        ("BOOT_IMAGE=/vmlinuz", {}, {"/boot/grub": ("grubenv",)}, "unknown"),
        ("BOOT_IMAGE=/vmlinuz", {}, {}, "unknown"),
        ("BOOT_IMAGE=linux", {}, {"/boot/grub": ("grub.cfg",)}, "unknown"),
        ("root=x", {LOADER_INFO: told("systemd-boot 257")}, {}, "systemd-boot"),
        ("root=x", {LOADER_INFO: told("GRUB 2.14")}, {}, "grub"),
        ("root=x", {LOADER_INFO: "\x06"}, {}, "unknown"),
        ("root=x", {}, {"/efi/loader": ("entries", "loader.conf")}, "systemd-boot"),
    ],
)
def test_loader(cmdline, files, names, loader):
    """Only what is certain."""
    reader = ReplayReader(Recording(files=files, directories=names))
    assert gather_loader(reader, cmdline, uefi=True) is Loader(loader)


MAGIC = "HdrS" + "\0" * 8


@pytest.mark.parametrize(
    ("header", "text", "said"),
    [
        (MAGIC + "\x10\x3d", "6.1 (a@b) #1 SMP x\0rest", "6.1 (a@b) #1 SMP x"),
        (MAGIC + "\x10\x3d", "no end", None),
        (MAGIC + "\x10\x3d", "not\ntext\0", None),
        (MAGIC + "\0\0", "6.1 (a@b) #1\0", None),
        (MAGIC, "6.1 (a@b) #1\0", None),
        ("MZ" + "\0" * 12, "6.1 (a@b) #1\0", None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_what_an_image_says(header, text, said):
    """The header has the place of the text; whatever else is there is no version."""
    path = "/boot/vmlinuz"
    parts = {part_key(path, 0x202, 14): header}
    for offset in (0x3D10, 0):
        parts[part_key(path, offset + 0x200, 256)] = text
    assert gather_image_version(ReplayReader(Recording(files=parts)), path) == said


def test_only_the_image_of_the_running_kernel_is_read():
    """An image of another kernel tells nothing that is needed."""
    other = "6.12.40-gentoo"
    files = {f"/boot/vmlinuz-{R}": "", f"/boot/vmlinuz-{other}": ""}
    for release in (R, other):
        path = f"/boot/vmlinuz-{release}"
        files[part_key(path, 0x202, 14)] = MAGIC + "\x10\x3d"
        files[part_key(path, 0x3D10 + 0x200, 256)] = f"{release} (a@b) #1 SMP\0"
    boot, _ = boot_of({**files, "/proc/version": "Linux version x\n"})
    told = {kernel.release: kernel.image_version for kernel in boot.kernels}
    assert told == {R: f"{R} (a@b) #1 SMP", other: None}
    assert boot.running_version == "Linux version x"


def test_a_machine_that_tells_nothing():
    """Nothing is known, and nothing is guessed; no program is started for it."""
    reader = RecordingReader(ReplayReader(Recording()))
    boot = gather_boot(reader, NOTHING, ())
    unknown = (boot.sources, boot.sources_release, boot.sources_built, boot.lockdown)
    assert unknown == (None,) * 4
    assert (boot.firmware, boot.secure_boot) == (Firmware.UNKNOWN, None)
    assert boot.enforces_signatures is None
    assert boot.loader is Loader.UNKNOWN
    assert reader.recording.queries == {}


@pytest.mark.parametrize(
    "module",
    [boot_facts, kernel_facts, boot_model, zfs_versions, zfs_use],
    ids=lambda module: module.__name__,
)
def test_examples(module):
    """The worked examples of the docstrings are true."""
    done = doctest.testmod(module)
    assert done.attempted
    assert not done.failed


def test_all_that_is_checked_is_asked_for():
    """An option that nobody reads would always be as it should."""
    named = {
        name
        for option in (*kconfig.BOOT, *kconfig.MODULE, kconfig.EXT2)
        for name in (option.name, option.by)
        if name not in (None, "CRYPTO_DEFLATE")
    }
    assert named | {"EXT4_FS", "MODULE_SIG", "MODULE_SIG_FORCE"} <= set(OPTIONS)


TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from("\n:=# \x00\udcff"))
LINES = st.lists(
    st.sampled_from(
        [
            "CONFIG_TMPFS=y",
            "# CONFIG_TMPFS is not set",
            'CONFIG_LOCALVERSION="-x"',
            "CONFIG_=",
            "CONFIG_TMPFS",
            "/boot/config-6:/boot/config-6:",
            "\udcff:CONFIG_TMPFS=m",
        ]
    )
    | TEXTS
).map("\n".join)


@given(LINES)
def test_hostile_configurations(text):
    """Whatever is in a file, the options are those that have a line."""
    found = parse_config(text)
    assert all(f"CONFIG_{name}" in text for name in found)


@given(LINES, LINES)
def test_hostile_makefiles(makefile, config):
    """A release is one line or none."""
    release = parse_makefile(makefile, config)
    assert release is None or "\n" not in release


@given(LINES)
def test_hostile_answers(text):
    """Every file has an answer, made of lines that were printed for it."""
    found = split_lines(text, ("/boot/config-6", "/boot/config-6.1"))
    assert list(found) == ["/boot/config-6", "/boot/config-6.1"]
    for path, lines in found.items():
        assert all(f"{path}:{line}" in text for line in lines.split("\n") if line)


@given(TEXTS)
def test_hostile_variables(text):
    """What the firmware holds is not always what it should."""
    reader = ReplayReader(Recording(files={LOADER_INFO: text}))
    assert gather_loader(reader, "", uefi=True) in Loader
    assert parse_secure_boot(text) in (True, False, None)
    assert parse_lockdown(text) is None or parse_lockdown(text) in text


@pytest.mark.programs
def test_real_zgrep(tmp_path):
    """The pattern and the options are right; compressed or not, there or not."""
    text = (
        "#\n# Automatically generated file\n#\nCONFIG_LOCALVERSION=\"-x\"\n"
        "# CONFIG_LOCALVERSION_AUTO is not set\nCONFIG_MODULES=y\n"
        "CONFIG_MODULES_USE_ELF_RELA=y\n# CONFIG_TMPFS is not set\n"
        "CONFIG_TMPFS_XATTR=y\n"
    )
    packed, plain = tmp_path / "config.gz", tmp_path / "con fig-6:1"
    makefile, missing = tmp_path / "Makefile", tmp_path / "missing"
    packed.write_bytes(gzip.compress(text.encode()))
    plain.write_text(text.replace("=y", "=m"))
    makefile.write_bytes(f"# \xff\n{HEAD}NAME = x\nVERSION_OF = 2\n".encode("latin-1"))
    paths = tuple(str(path) for path in (packed, missing, plain, makefile))
    found = ask_configs(LiveReader(), paths)
    assert parse_config(found[str(packed)]) == {
        "LOCALVERSION": "-x",
        "MODULES": "y",
        "TMPFS": "n",
    }
    assert parse_config(found[str(plain)])["MODULES"] == "m"
    assert found[str(missing)] == ""
    assert found[str(makefile)] == HEAD.strip()
    assert "LOCALVERSION" in PATTERN

"""QEMU for the guests: the same on every machine, taken from the guest's own Debian.

What is tested should not depend on the version that a machine happens to have, and
neither should the times.

The program is run by its own loader with its own libraries, so that it does not matter
what the machine has.
"""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.vm.chroot import Chroot
from tests.vm.debian import unpack
from tests.vm.mirror import find_mirror
from tests.vm.process import BuildError, Runner

PACKAGES = ("qemu-system-x86",)
PROGRAM = "qemu-system-x86_64"
LOADER = "ld-linux-x86-64.so.2"
# firmware, where Debian has it, under the names that it gets here
FIRMWARE = {"qemu": "usr/share/qemu", "seabios": "usr/share/seabios"}


def build_emulator(
    work: Path, paths: Mapping[str, Path], target: Path, runner: Runner
) -> None:
    """Install QEMU into a Debian tree, and keep what it takes to run it."""
    chroot = Chroot(work / "tree", runner)
    unpack(paths["base"], chroot.root, runner)
    with chroot.mounted(), chroot.apt(find_mirror()):
        chroot.install(*PACKAGES)
        libraries = list(parse_ldd(chroot.read("ldd", f"/usr/bin/{PROGRAM}")))
    (target / "lib").mkdir(parents=True)
    shutil.copy2(chroot.root / "usr/bin" / PROGRAM, target)
    for library in libraries:
        # resolved inside the tree: /lib is a link there
        found = chroot.root / library.lstrip("/")
        shutil.copy2(found, target / "lib" / found.name)
    if not (target / "lib" / LOADER).exists():
        raise BuildError(f"{PROGRAM} asks for another loader than {LOADER}")
    for name, place in FIRMWARE.items():
        shutil.copytree(chroot.root / place, target / "share" / name, symlinks=True)
    runner.run([*command(target), "--version"])


def parse_ldd(text: str) -> Iterator[str]:
    """Yield the files that ldd(1) names.

    >>> list(parse_ldd('''
    ...     linux-vdso.so.1 (0x00007ffc)
    ...     libz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f)
    ...     /lib64/ld-linux-x86-64.so.2 (0x00007f)
    ... '''))
    ['/lib/x86_64-linux-gnu/libz.so.1', '/lib64/ld-linux-x86-64.so.2']
    """
    for line in text.splitlines():
        name, _, rest = line.strip().partition(" => ")
        found = (rest or name).split(" (")[0]
        if rest.startswith("not found"):
            raise BuildError(f"{name} is missing, which {PROGRAM} needs")
        if found.startswith("/"):
            yield found


def command(directory: Path) -> list[str]:
    """Return the words that start QEMU from what `build_emulator` made."""
    return [
        *(f"{directory}/lib/{LOADER}", "--library-path", f"{directory}/lib"),
        f"{directory}/{PROGRAM}",
        *(word for name in FIRMWARE for word in ("-L", f"{directory}/share/{name}")),
    ]

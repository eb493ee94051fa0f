"""Builds the guest's disk, or says where it lies: `python -m tests.vm.build`.

Only what is missing is built.  The path of the disk is all that goes to stdout.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.vm import stages
from tests.vm.cache import Cache, default_directory
from tests.vm.process import BuildError
from tests.vm.sandbox import run_private

CHECKOUT = Path(__file__).parents[2]
TOOLS = ("debootstrap", "mke2fs", "sgdisk", "sfdisk", "losetup", "partx", "tar")


def guest_disk(cache: Cache | None = None) -> Path:
    """Return the guest's disk; build what is missing, in a process of its own.

    QEMU is part of that. Guests get copies of it, never the file itself.
    """
    cache = cache or Cache(default_directory())
    if stages.missing(cache, *stages.WANTED):
        command = [sys.executable, "-m", "tests.vm.build"]
        command += ["--cache", str(cache.directory)]
        # stderr is the caller's: there the progress is shown
        done = subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.PIPE)
        if done.returncode:
            raise BuildError("the guest could not be built; see above")
    return stages.artefacts(cache)["installed"]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    cache = Cache(options.cache.resolve())
    if options.list:
        return _list(cache)
    try:
        wanted = (options.stage,) if options.stage else stages.WANTED
        if stages.missing(cache, *wanted):
            _check_machine()
            status = run_private(lambda: _build(cache, wanted))
            if status:
                return status
    except BuildError as error:
        sys.stderr.write(f"guest: {error}\n")
        return 1
    sys.stdout.write(f"{stages.artefacts(cache)[wanted[0]]}\n")
    return 0


def _build(cache: Cache, wanted: tuple[str, ...]) -> int:
    try:
        stages.build(cache, *wanted)
    except BuildError as error:
        sys.stderr.write(f"guest: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nguest: interrupted; the stages that were built are kept\n")
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.vm.build", description="build the guest's disk"
    )
    parser.add_argument("--cache", type=Path, default=default_directory())
    parser.add_argument("--stage", choices=list(stages.BY_NAME), help="only this one")
    parser.add_argument(
        "--list", action="store_true", help="show the stages and build nothing"
    )
    return parser


def _list(cache: Cache) -> int:
    for name, path in stages.artefacts(cache).items():
        state = "built" if path.exists() else "missing"
        sys.stdout.write(f"{name:9} {state:8} {path}\n")
    return 0


def _check_machine() -> None:
    if os.geteuid() != 0:
        raise BuildError("building the guest needs root: it mounts and uses chroot")
    lacking = [tool for tool in TOOLS if not shutil.which(tool)]
    if lacking:
        names = ", ".join(lacking)
        raise BuildError(f"missing here: {names}; see tests/vm/packages.txt")


if __name__ == "__main__":
    sys.exit(main())

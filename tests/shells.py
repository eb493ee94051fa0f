"""Every shell script of the checkout; shellcheck for them and for others."""

import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
# of the environment that runs the tests: the same version everywhere
SHELLCHECK = Path(sysconfig.get_path("scripts")) / "shellcheck"
# SC1091: files that are read elsewhere; SC2034: variables for Portage, dracut, OpenRC
QUIET = ("SC1091", "SC2034")
# what else is no fault, by the kind of script or by its place
HABITS = {
    # `$(use_enable ...)`, as in all ebuilds
    ".ebuild": ("SC2207",),
    # OpenRC's sh has local
    ".initd": ("SC3043",),
    # run by sh -e
    "tests/vm/scripts": ("SC2164",),
    # the guest's services, in OpenRC's manner: variables of conf.d, some of them lists
    "tests/vm/rootfs": ("SC2035", "SC2086", "SC2154", "SC3043"),
}
PLACES = (
    *("app-admin", "sys-devel", "sys-fs", "sys-kernel"),
    *("completions", "overlay", "python", "tests"),
)
BASH = (".bash", ".ebuild", ".eclass", ".eselect")
INTERPRETERS = ("/bash", "/sh", "/openrc-run")


def first_line(path: Path) -> str:
    """Return the first line of a file, if it has any text."""
    with path.open(encoding="utf-8", errors="replace") as stream:
        return stream.readline(100).rstrip()


def is_script(path: Path) -> bool:
    """Tell a shell script by its name or by its first line."""
    if path.suffix in (*BASH, ".sh"):
        return True
    head = first_line(path)
    return head.startswith("#!") and head.endswith(INTERPRETERS)


def scripts() -> Iterator[Path]:
    """Yield the shell scripts of the checkout."""
    yield CHECKOUT / ".ci/run"
    for place in PLACES:
        for path in sorted((CHECKOUT / place).rglob("*")):
            if path.is_file() and not path.is_symlink() and is_script(path):
                yield path


def shell(path: Path) -> str:
    """Return which shell a script is for."""
    bash = path.suffix in BASH or first_line(path).endswith("/bash")
    return "bash" if bash else "sh"


def complaints(path: Path) -> str:
    """Return what shellcheck has against a script."""
    codes = [*QUIET]
    for habit, more in HABITS.items():
        if path.suffix == habit or f"/{habit}/" in str(path):
            codes += more
    argv = (SHELLCHECK, "-s", shell(path), "-e", ",".join(codes), path)
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr

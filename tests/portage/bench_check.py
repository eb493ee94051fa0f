"""Times `check` against a bare `import portage`: `python -m tests.portage.bench_check`.

Two systems with 1,500 installed packages, one with a small tree of ebuilds and one with
a large one. Portage is real; its root is written here, all the rest is this machine's.
Runs take turns, so that what else the machine does falls upon all of them alike. The
status is 1 where an aim is missed, unless `--report-only` is given.
"""

import argparse
import compileall
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from tests.portage import tree
from tests.portage.ask import ACCOUNT
from tests.portage.gentoo import EBUILDS, Ebuild, find, zfs
from tests.portage.pythons import VERSIONS, python_with_portage
from zfs_root_migrate import runner

INSTALLED = 1500
TREES = {"small": 200, "large": 5000}
RUNS = 15
# the aims: seconds, times the bare import, large tree against small
MOST_SECONDS, MOST_RATIO, MOST_GROWTH = 1.0, 1.5, 1.1
BARE = "import portage; portage.settings['ARCH']"
CHECK = """\
import sys
sys.path.insert(0, sys.argv[1])
from zfs_root_migrate import cli, runner, scripts
argv = tuple(sys.argv[2:])
scripts.script_argv = lambda name, *args: argv
runner.ENVIRONMENT.update({account!r})
sys.exit(cli.main(["check"]))
"""


def write_system(root: Path, ebuilds: int) -> None:
    """Write a system of the usual size, its tree with so many packages."""
    others = tuple(
        Ebuild(cpv=f"{_category(n)}/package{n}-1.{n}", iuse="nls doc test")
        for n in range(ebuilds)
    )
    kernels = [e for e in EBUILDS if e.cpv.startswith("sys-kernel/gentoo-")]
    more = tuple(
        replace(e, cpv=f"{e.cpv.rpartition('-')[0]}-6.6.{n}", slot=f"6.6.{n}")
        for e in kernels[:3]
        for n in range(20)
    )
    tree.write_system(root, ebuilds=(*EBUILDS, *more, *others))
    _deepen_profile(root / tree.REPOSITORY / "profiles")
    for n in range(INSTALLED):
        name = f"{_category(n)}/installed{n}-2.{n}"
        tree.install(root, Ebuild(cpv=name, iuse="nls doc test"), ["nls"])
    for ebuild in (*zfs("2.3.6"), find("sys-fs/mdadm-4.4-r1")):
        tree.install(root, ebuild, ["rootfs", "initramfs"])
    tree.write_files(root, {f"etc/conf.d/file{n}": "" for n in range(2000)})


def _category(number: int) -> str:
    return f"cat{number % 150}"


def _deepen_profile(profiles: Path) -> None:
    """Give the profile parents and lists of about the size of ::gentoo's."""
    previous = None
    for level in range(12):
        words = [f"flag{level}_{n}" for n in range(30)]
        atoms = [f"cat{n}/masked{level}_{n}" for n in range(80)]
        place = f"features/level{level}"
        files = {
            "eapi": "8\n",
            "use.mask": "\n".join(words),
            "make.defaults": f'VIDEO_CARDS="{" ".join(words)}"\n',
            "package.mask": "\n".join(f">={atom}-1" for atom in atoms),
            "package.use.mask": "\n".join(f"{atom} {words[0]}" for atom in atoms),
            "package.use": "\n".join(f"{atom} {words[1]}" for atom in atoms),
        }
        if previous:
            files["parent"] = f"../level{level - 1}\n"
        tree.write_files(profiles / place, files)
        previous = place
    above = "/".join([".."] * len(Path(tree.PROFILE).parts))
    tree.write_files(profiles / tree.PROFILE, {"parent": f"{above}/{previous}\n"})
    categories = "".join(f"cat{n}\n" for n in range(150))
    with (profiles / "categories").open("a") as stream:
        stream.write(categories)


def install_tool(place: Path) -> Path:
    """Put the tool somewhere as it is installed: compiled."""
    package = Path(runner.__file__).parent
    shutil.copytree(package, place / package.name)
    compileall.compile_dir(place, quiet=1)
    return place


def run(argv: list[str], **more: str) -> float:
    """Return the seconds that a command takes; it may end with any status of check."""
    began = time.perf_counter()
    done = subprocess.run(
        argv,
        env={**runner.ENVIRONMENT, **ACCOUNT, **more},
        capture_output=True,
        check=False,
        cwd="/",
    )
    taken = time.perf_counter() - began
    if done.returncode not in (0, 3):
        raise SystemExit(done.stderr.decode())
    return taken


def main(words: list[str] | None = None) -> int:
    """Print the times and their ratio; tell by the status whether the aims are met."""
    parser = argparse.ArgumentParser(description="time check")
    parser.add_argument(
        "--report-only", action="store_true", help="end with 0 whatever the times are"
    )
    options = parser.parse_args(words)
    portage = str(python_with_portage(VERSIONS[0]))
    with tempfile.TemporaryDirectory() as directory:
        tool = install_tool(Path(directory, "tool"))
        roots = {name: Path(directory, name) for name in TREES}
        for name, root in roots.items():
            write_system(root, TREES[name])
        times: dict[str, list[float]] = {}
        for turn in range(RUNS + 1):
            for name, root in roots.items():
                taken = {
                    f"bare {name}": _bare(portage, root),
                    f"check {name}": _check(portage, root, tool),
                }
                # the first turn fills the caches
                for what, seconds in taken.items() if turn else ():
                    times.setdefault(what, []).append(seconds)
    middle = {what: statistics.median(taken) for what, taken in times.items()}
    missed = verdict(middle)
    _report(times, missed)
    return 1 if missed and not options.report_only else 0


def verdict(middle: dict[str, float]) -> tuple[str, ...]:
    """Name the aims that the medians miss.

    >>> verdict({"bare small": 0.2, "check small": 0.25, "bare large": 0.2,
    ...     "check large": 0.26})
    ()
    """
    found = []
    for name in TREES:
        seconds = middle[f"check {name}"]
        ratio = seconds / middle[f"bare {name}"]
        if seconds > MOST_SECONDS:
            found.append(f"check {name}: {seconds:.3f} s, aim {MOST_SECONDS} s")
        if ratio > MOST_RATIO:
            found.append(f"check / bare {name}: {ratio:.2f}, aim {MOST_RATIO}")
    growth = middle["check large"] / middle["check small"]
    if growth > MOST_GROWTH:
        found.append(f"large tree / small tree: {growth:.2f}, aim {MOST_GROWTH}")
    return tuple(found)


def _bare(portage: str, root: Path) -> float:
    return run(
        [portage, "-IBc", BARE],
        PORTAGE_CONFIGROOT=str(root),
        PORTAGE_REPOSITORIES=tree.repositories(root),
    )


def _check(portage: str, root: Path, tool: Path) -> float:
    query = str(tool / "zfs_root_migrate/portage_query")
    ask = [portage, "-IB", query, "--root", str(root)]
    check = CHECK.format(account=ACCOUNT)
    return run([sys.executable, "-Ic", check, str(tool), *ask])


def _report(times: dict[str, list[float]], missed: tuple[str, ...]) -> None:
    middle = {what: statistics.median(taken) for what, taken in times.items()}
    lines = [
        f"{what:12} {middle[what]:.3f} s   (fastest {min(taken):.3f} s)"
        for what, taken in times.items()
    ]
    for name, ebuilds in TREES.items():
        ratio = middle[f"check {name}"] / middle[f"bare {name}"]
        lines.append(f"check / bare with {ebuilds} packages in the tree: {ratio:.2f}")
    growth = middle["check large"] / middle["check small"]
    lines.append(f"check, large tree / small tree: {growth:.2f}")
    lines.append(
        f"{INSTALLED} packages installed, {RUNS} runs each, Portage {VERSIONS[0]}, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    lines += [f"missed: {aim}" for aim in missed] or ["all aims are met"]
    sys.stdout.write("\n".join((*lines, "")))


if __name__ == "__main__":
    sys.exit(main())

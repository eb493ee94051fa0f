"""The tool as a wheel, and its way into a guest without a network."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.vm.guest import Guest
from tests.vm.scenario.lab import CHECKOUT

WHEEL = "zfs_root_migrate.whl"
SCRIPT = """\
#!/usr/bin/python3
import sys

from zfs_root_migrate.cli import main

sys.exit(main())
"""
# what pip would do, in a system that has no pip; compiled at once, so that using the
# tool changes nothing more on the disk
INSTALL = f"""\
set -e
site=$(python3 -c 'import site; print(site.getsitepackages()[0])')
mkdir -p "$site" /usr/local/sbin
python3 -m zipfile -e /run/share/{WHEEL} "$site"
python3 -m compileall -q "$site/zfs_root_migrate"
cat > /usr/local/sbin/zfs-root-migrate <<'END'
{SCRIPT}END
chmod 755 /usr/local/sbin/zfs-root-migrate
zfs-root-migrate version
"""


def build_wheel(directory: Path) -> Path:
    """Build the wheel from a copy of the sources; return where it is."""
    work = directory / "wheel"
    source = work / "python"
    shutil.copytree(
        CHECKOUT / "python",
        source,
        ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build", ".*"),
    )
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += ["--no-index", "--no-build-isolation", "--wheel-dir", str(work)]
    done = subprocess.run([*command, str(source)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"pip could not build the wheel:\n{done.stderr}")
    (built,) = work.glob("*.whl")
    return built.rename(directory / WHEEL)


def place_files(share: Path) -> None:
    """Put all that guests need into the directory that they are shown."""
    wheel = build_wheel(share)
    shutil.rmtree(share / "wheel")
    here = CHECKOUT / "tests/vm"
    for name in ("manifest.py", "reference-migration.sh", "writer.py"):
        if (here / name).exists():
            shutil.copy(here / name, share / name)
    assert wheel.exists()


def install(guest: Guest) -> str:
    """Install the tool in a guest; return what it says of its version."""
    return guest.run(INSTALL, timeout=300).output.strip()

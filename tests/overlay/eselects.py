"""Finds eselect: that of the machine, or the one that ESELECT names.

ESELECT is a program, or a directory with eselect's sources; these are made ready in a
scratch place, as `make install` would do it.
"""

import os
import re
import shutil
from pathlib import Path

PROGRAMS = {
    "BASH": "bash",
    "SED": "sed",
    "CANONICALISE": "realpath",
    "ENV_UPDATE": "env-update",
    "PORTAGEQ": "portageq",
}


def find(place: Path) -> Path | None:
    """Return the program, if there is one; what ESELECT names must be there."""
    named = os.environ.get("ESELECT")
    if not named:
        found = shutil.which("eselect")
        return Path(found) if found else None
    source = Path(named).resolve(strict=True)
    return make_ready(source, place) if source.is_dir() else source


def make_ready(source: Path, place: Path) -> Path:
    """Write program, libraries and modules of a checkout; return the program."""
    configure = (source / "configure.ac").read_text()
    version = re.search(r"AC_INIT\(\S+ ([\d.]+),", configure)
    assert version, f"{source} has no eselect"
    values = {name: shutil.which(it) or it for name, it in PROGRAMS.items()} | {
        "DATADIR": str(place / "share"),
        "EPREFIX": "",
        "LIBDIR": "/usr/lib",
        "VERSION": version[1],
    }
    data = place / "share/eselect"
    shutil.copytree(source / "modules", data / "modules")
    (data / "libs").mkdir()
    program = place / "bin/eselect"
    program.parent.mkdir()
    targets = {source / "bin/eselect.in": program} | {
        path: data / "libs" / path.stem for path in (source / "libs").glob("*.in")
    }
    for path, target in targets.items():
        text = path.read_text()
        target.write_text(re.sub(r"@([A-Z_]+)@", lambda found: values[found[1]], text))
    program.chmod(0o755)
    return program

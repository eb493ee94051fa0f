"""What real gentoolkit says is read: GENTOOLKIT=DIR names a checkout of it.

It is on no package index, so nothing here runs without one.
"""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from tests.portage import tree
from tests.portage.ask import ACCOUNT
from tests.portage.gentoo import EBUILDS
from tests.portage.pythons import VERSIONS, python_with_portage
from zfs_root_migrate.opinion import summarize
from zfs_root_migrate.runner import ENVIRONMENT
from zfs_root_migrate.steps.second import EQUERY

GENTOOLKIT = os.environ.get("GENTOOLKIT", "")
pytestmark = pytest.mark.skipif(
    not GENTOOLKIT, reason="GENTOOLKIT=DIR names no checkout of gentoolkit"
)
# in a virtual environment, Portage takes that for the prefix of the system
START = """
import runpy, sys
import portage.const
portage.const.EPREFIX = ""
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
FILES = 3


@pytest.fixture
def root(tmp_path):
    """Return a root with one version of each package, and files they own."""
    tree.write_system(tmp_path)
    newest = {ebuild.cpv.rpartition("-")[0]: ebuild for ebuild in EBUILDS}
    for number, ebuild in enumerate(newest.values()):
        names = [f"usr/share/{number}/{n}" for n in range(FILES)]
        tree.write_files(tmp_path, {name: f"{name}\n" for name in names})
        lines = [f"dir /usr/share/{number}"]
        for name in names:
            path = tmp_path / name
            digest = hashlib.md5(path.read_bytes()).hexdigest()
            lines.append(f"obj /{name} {digest} {int(path.stat().st_mtime)}")
        place = tree.install(tmp_path, ebuild)
        (place / "CONTENTS").write_text("".join(f"{line}\n" for line in lines))
    return tmp_path


def ask(root, version):
    """Ask as the step does, but of a root that is not the running one."""
    _, *words = EQUERY
    done = subprocess.run(
        (
            *(python_with_portage(version), "-B", "-c", START),
            *(Path(GENTOOLKIT, "bin/equery"), *words),
        ),
        env={
            **ENVIRONMENT,
            **ACCOUNT,
            "PYTHONPATH": f"{GENTOOLKIT}/pym",
            "ROOT": str(root),
            "PORTAGE_CONFIGROOT": str(root),
            "EPREFIX": "",
            "PORTAGE_REPOSITORIES": tree.repositories(root),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return summarize(done.returncode, done.stdout, done.stderr)


def test_what_it_finds(root):
    """With a Portage that it fits."""
    packages = len(list((root / "var/db/pkg").glob("*/*")))
    assert ask(root, VERSIONS[1]).endswith(
        f"the files of {packages} packages are as installed"
    )
    (root / "usr/share/1/2").write_text("something else\n")
    (root / "usr/share/3/0").unlink()
    said = ask(root, VERSIONS[1])
    assert f"not as installed: 2, in 2 of {packages} packages" in said
    assert "2 of them not below /etc" in said


def test_with_a_portage_that_it_may_not_fit(root):
    """0.6.11 ends early or calls all bad: no file is said to have changed."""
    said = ask(root, VERSIONS[0])
    assert said.startswith("second opinion (equery check): ")
    assert "not as installed" not in said

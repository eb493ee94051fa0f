"""Stub lint: bash, shellcheck and pkgcheck; see stub.py for what it does not show."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.overlay.lint import CATEGORIES, CHECKOUT, PKGCHECK
from tests.portage.tree import write_files

TESTS = CHECKOUT / "tests"
SCRIPTS = sorted(
    path
    for name in (*CATEGORIES, "overlay", "tests/overlay")
    for pattern in ("*.ebuild", "*.sh", "*.bash", "*.eselect")
    for path in (CHECKOUT / name).rglob(pattern)
)
# SC2034: variables for Portage; SC2207: `$(use_enable ...)`, the habit of all ebuilds
QUIET = "SC2034,SC2207"
each = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)


def run(*argv: object) -> subprocess.CompletedProcess[str]:
    """Run a linter."""
    return subprocess.run(argv, capture_output=True, text=True, check=False)


@each
def test_bash_reads_it(script):
    """Portage would say it too, at the user's machine."""
    done = run("bash", "-n", script)
    assert done.returncode == 0, done.stderr


@each
def test_shellcheck(script):
    """Quoting, mostly."""
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    done = run("shellcheck", "-s", "bash", "-e", QUIET, script)
    assert done.returncode == 0, done.stdout


def test_stub_lint(lint, record_property):
    """pkgcheck finds no error, and nothing of a lesser level either."""
    record_property(
        "said",
        f"stub lint: pkgcheck {PKGCHECK} has looked at the ebuilds beside a master "
        "repository that is ours; no Gentoo was at hand",
    )
    done = lint.run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("processes", ["0", "1"])
def test_what_tests_say_is_printed(tmp_path, processes):
    """At the end, as `make test` runs them too: over several processes."""
    for name in ("__init__.py", "conftest.py"):
        write_files(tmp_path, {f"tests/{name}": (TESTS / name).read_text()})
    said = "def test_one(record_property):\n    record_property('said', 'what it is')\n"
    write_files(
        tmp_path,
        {
            "tests/below/__init__.py": "",
            "tests/below/test_it.py": f"{said}def test_two():\n    pass\n",
        },
    )
    words = ("-q", "-p", "no:cacheprovider", "--numprocesses", processes, "tests")
    done = subprocess.run(
        (sys.executable, "-m", "pytest", *words),
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines().count("what it is") == 1


def change(path, old, new):
    """Change a file of the copy."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_stub_lint_can_fail(lint):
    """Faults put into the copy are found: the lint looks at what it should."""
    zfs = lint.copy / "sys-fs/zfs/zfs-9999.ebuild"
    spl = lint.copy / "sys-devel/spl/spl-9999.ebuild"
    tool = lint.copy / "app-admin/zfs-root-migrate"
    change(zfs, 'SLOT="0/7"', 'SLOT="0/7"\nKEYWORDS="~amd64"')
    change(zfs, "app-misc/pax-utils", "app-misc/pax-utilities")
    change(zfs, "use rootfs && !", "use roots && !")
    change(spl, 'LICENSE="metapackage"', 'LICENSE="metapackages"')
    change(spl, "EAPI=8", "EAPI=7")
    change(spl.with_name("metadata.xml"), "<email>", "<mail>")
    change(tool / "metadata.xml", 'name="minimal"', 'name="maximal"')
    (tool / "Manifest").unlink()
    assert lint.run().returncode == 1
    expected = {
        ("VisibleVcsPkg", "zfs"),
        ("NonexistentDeps", "zfs"),
        ("UnknownLicense", "spl"),
        ("BannedEapi", "spl"),
        ("PkgBadlyFormedXml", "spl"),
        ("MissingManifest", "zfs-root-migrate"),
        ("UnknownUseFlags", "zfs-root-migrate"),
        ("UnusedLocalUse", "zfs-root-migrate"),
    }
    assert expected <= lint.found()


def test_only_the_other_folders_are_silenced(lint):
    """pkgcheck.conf keeps back that docs, python and so on are no categories."""
    kept = (lint.copy / "metadata/pkgcheck.conf").read_text()
    assert [x for x in kept.splitlines() if not x.startswith("#")] == [
        "[DEFAULT]",
        "keywords = -UnknownCategoryDirs",
    ]
    (lint.copy / "metadata/pkgcheck.conf").unlink()
    assert lint.found() == {("UnknownCategoryDirs", "")}

"""Stub lint: bash, shellcheck and pkgcheck; see stub.py for what it does not show."""

import os
import subprocess
import sys

import pytest

from tests import shells
from tests.overlay.lint import CHECKOUT, PKGCHECK
from tests.portage.tree import write_files

TESTS = CHECKOUT / "tests"
SCRIPTS = list(shells.scripts())
each = pytest.mark.parametrize(
    "script", SCRIPTS, ids=lambda path: str(path.relative_to(CHECKOUT))
)


@each
def test_shell_reads_it(script):
    """Portage would say it too, at the user's machine."""
    argv = (shells.shell(script), "-n", script)
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@each
def test_shellcheck(script):
    """Quoting, mostly."""
    assert shells.complaints(script) == ""


def test_all_scripts_are_looked_at():
    """Of every kind and place there are some; what is no script is left out."""
    names = {str(path.relative_to(CHECKOUT)) for path in SCRIPTS}
    assert names >= {
        ".ci/run",
        "app-admin/zfs-root-migrate/zfs-root-migrate-9999.ebuild",
        "completions/zfs-root-migrate.bash",
        "overlay/zfs-root.eselect",
        "python/zfs_root_migrate/units/module-setup.sh",
        "python/zfs_root_migrate/units/zfs-root-migrate-seal.initd",
        "python/zfs_root_migrate/units/zfs-root-migrate-sealed.sh",
        "sys-kernel/genkernel/files/gen_dracut.sh",
        "tests/bootstrap",
        "tests/overlay/eclass/git-r3.eclass",
        "tests/overlay/eselect.bash",
        "tests/vm/rootfs/etc/init.d/localmount",
        "tests/vm/scripts/modules.sh",
    }
    assert not any(name.endswith((".py", ".txt", ".md")) for name in names)


def test_shellcheck_can_fail(tmp_path):
    """It is there, and asked."""
    script = tmp_path / "x.sh"
    script.write_text("#!/bin/sh\nrm $1\n")
    assert "SC2086" in shells.complaints(script)


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
        env={k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")},
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

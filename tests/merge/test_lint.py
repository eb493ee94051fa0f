"""pkgcheck beside Gentoo's own repository; the stub lint is in tests/overlay."""

import pytest

from tests.merge import gentoo
from tests.merge.completed import complete, missing_licences, missing_packages
from tests.overlay.lint import PKGCHECK, prepare
from tests.overlay.stub import write_master

pytestmark = pytest.mark.merge


def test_lint_with_gentoos_own(tmp_path, record_property):
    """No error: licences, flags, eclasses and dependencies are Gentoo's."""
    tree = gentoo.given()
    if tree is None:
        pytest.skip("`make test-gentoo` looks for a Gentoo repository")
    master, label = complete(tree, tmp_path / "gentoo")
    record_property("said", f"lint: pkgcheck {PKGCHECK} beside {label}")
    done = prepare(tmp_path, master).run()
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


def test_a_part_is_completed(tmp_path):
    """By names; the part itself stays as it is, and what is whole is not copied."""
    part, groups = tmp_path / "part", "profiles/license_groups"
    write_master(part)
    (part / groups).write_text("# by kind\nFREE MIT ISC\nALL @FREE GPL-2\n")
    (part / "profiles/repo_name").write_text("part-of-gentoo\n")
    for name in ("mdadm-4.ebuild", "mdadm-4.1.ebuild"):
        (part / "sys-fs/mdadm" / name).unlink(missing_ok=True)
    before = sorted(part.rglob("*"))
    assert set(missing_packages(part)) == {"sys-fs/mdadm-4"}
    assert missing_licences(part) == ["ISC"]
    master, label = complete(part, tmp_path / "whole")
    assert "1 packages and 1 licences by name only" in label
    assert (master / "profiles/repo_name").read_text() == "gentoo\n"
    assert (master / "sys-fs/mdadm/mdadm-4.ebuild").is_file()
    assert (master / "eclass").readlink() == part / "eclass"
    assert (missing_packages(master), missing_licences(master)) == ({}, [])
    assert sorted(part.rglob("*")) == before
    assert complete(master, tmp_path / "again") == (master, "Gentoo's own repository")

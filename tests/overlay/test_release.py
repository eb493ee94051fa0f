"""The release tarball: same commit, same bytes, and the Manifest's hash."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile

import pytest

from overlay import release
from overlay.release import MANIFEST, ReleaseError, make, tarball
from tests.overlay.lint import CHECKOUT

WHO = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=no")


def git(top, *words, **env):
    """Run git in a small repository."""
    subprocess.run(
        ("git", "-C", str(top), *WHO, *words),
        env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", **env},
        check=True,
        capture_output=True,
    )


def write(top, name, text, mode=0o644):
    """Write a file of the small repository."""
    path = top / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def commit(top, date):
    """Commit all, at a given time."""
    git(top, "add", "-A")
    date = f"{date} +0000"
    git(top, "commit", "-qm", "x", GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date)


@pytest.fixture
def top(tmp_path):
    """Return a small repository that looks like ours."""
    top = tmp_path / "repository"
    for name in ("LICENSE", "NEWS.md", "README.md"):
        write(top, name, f"{name}\n")
    for name in ("completions/x.bash", "docs/a.md", "overlay/x.toml"):
        write(top, name, f"{name}\n")
    write(top, release.VERSION_FILE, '__version__ = "1.2"\n')
    write(top, "tests/run", "#!/bin/sh\n", 0o755)
    write(top, "app-admin/zfs-root-migrate/zfs-root-migrate-1.2.ebuild", "EAPI=8\n")
    write(top, ".ci/run", "x\n")
    git(tmp_path, "init", "-q", str(top))
    commit(top, 1700000000)
    return top


def names(content: bytes) -> list[str]:
    """Return what is in a tarball."""
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return tar.getnames()


def test_content(top):
    """The program, its documents and tests; no ebuilds, nobody's name, one date."""
    name, content = tarball(top, "HEAD")
    assert name == "zfs-root-migrate-1.2.tar.xz"
    prefix = "zfs-root-migrate-1.2/"
    assert names(content) == [
        prefix + one
        for one in (
            *("LICENSE", "NEWS.md", "README.md"),
            *("completions/x.bash", "docs/a.md", "overlay/x.toml"),
            *(release.VERSION_FILE, "tests/run"),
        )
    ]
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        for one in tar.getmembers():
            assert (one.uid, one.gid, one.uname, one.gname) == (0, 0, "", "")
            assert one.mtime == release.MTIME
            assert one.mode == (0o755 if one.name.endswith("run") else 0o644)


def test_same_commit_same_bytes(top, tmp_path):
    """In another clone, with other times, umask, git settings and time zone."""
    clone = tmp_path / "another"
    git(tmp_path, "clone", "-q", str(top), str(clone))
    git(clone, "config", "tar.umask", "0077")
    git(clone, "config", "core.autocrlf", "true")
    script = (
        "import sys, pathlib; from overlay.release import tarball\n"
        "sys.stdout.buffer.write(tarball(pathlib.Path(sys.argv[1]), 'HEAD')[1])"
    )
    done = subprocess.run(
        (sys.executable, "-c", script, str(clone)),
        cwd=CHECKOUT,
        env={**os.environ, "TZ": "Pacific/Auckland", "PYTHONHASHSEED": "7"},
        umask=0o077,
        capture_output=True,
        check=True,
    )
    assert done.stdout == tarball(top, "HEAD")[1]


def test_the_manifest_does_not_change_the_tarball(top):
    """The hash can be committed after the fact, and the check still passes."""
    before = tarball(top, "HEAD")
    with pytest.raises(ReleaseError, match="has no line"):
        make(top, "check", top / "out")
    make(top, "manifest", top / "out")
    commit(top, 1800000000)
    assert tarball(top, "HEAD") == before
    assert "is the one of" in make(top, "check", top / "out")


def test_check_fails_when_they_differ(top):
    """A byte of the program, or of the Manifest."""
    make(top, "manifest", top / "out")
    text = (top / MANIFEST).read_text()
    write(top, MANIFEST, text.replace("BLAKE2B ", "BLAKE2B 0", 1))
    with pytest.raises(ReleaseError, match="is not the file"):
        make(top, "check", top / "out")
    write(top, MANIFEST, text)
    write(top, "docs/a.md", "changed\n")
    make(top, "check", top / "out")  # not yet in the commit
    commit(top, 1800000000)
    with pytest.raises(ReleaseError, match="is not the file"):
        make(top, "check", top / "out")


def test_a_tagged_version_is_made_of_its_tag(top):
    """Work goes on after a release, whose tarball stays what it is."""
    make(top, "manifest", top / "out")
    git(top, "tag", "v1.2")
    write(top, "docs/a.md", "later\n")
    commit(top, 1800000000)
    make(top, "check", top / "out")
    with pytest.raises(ReleaseError, match="is not the file"):
        make(top, "check", top / "out", "HEAD")


def test_dist_writes_what_the_manifest_says(top):
    """Size and both hashes; other lines are kept, an older one is replaced."""
    write(top, MANIFEST, "DIST other-1.tar.xz 1 BLAKE2B 0 SHA512 0\n")
    make(top, "manifest", top / "out")
    make(top, "manifest", top / "out")
    make(top, "dist", top / "out")
    content = (top / "out/zfs-root-migrate-1.2.tar.xz").read_bytes()
    assert (top / MANIFEST).read_text().splitlines() == [
        "DIST other-1.tar.xz 1 BLAKE2B 0 SHA512 0",
        f"DIST zfs-root-migrate-1.2.tar.xz {len(content)} "
        f"BLAKE2B {hashlib.blake2b(content).hexdigest()} "
        f"SHA512 {hashlib.sha512(content).hexdigest()}",
    ]


def test_nothing_is_forgotten():
    """The real list of contents names what is there."""
    for name in release.CONTENT:
        assert (CHECKOUT / name).exists(), name
    assert (CHECKOUT / release.VERSION_FILE).exists()
    assert (CHECKOUT / "app-admin" / release.PACKAGE).is_dir()


def test_errors_are_told(tmp_path, monkeypatch, capsys):
    """Outside a checkout there is one line, and status 1."""
    monkeypatch.setattr(release, "TOP", tmp_path)
    assert release.main(["check"]) == 1
    assert "git show: fatal: not a git repository" in capsys.readouterr().err

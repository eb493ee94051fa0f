"""app-admin/zfs-root-migrate from sync to unmerge, as on a user's machine."""

import bz2
import json
import re
import subprocess

import pytest

from tests.merge.scratch import changed, entries, provide
from zfs_root_migrate import __version__
from zfs_root_migrate.errors import ExitStatus

pytestmark = pytest.mark.merge
TOOL = "app-admin/zfs-root-migrate"
SETTINGS = "etc/zfs-root-migrate.toml"


@pytest.fixture(scope="module")
def before(world):
    """Return what is in the scratch root before anything is merged."""
    world.scratch.write("package.accept_keywords", f"{TOOL} ~amd64\n")
    world.scratch.write("profile/package.provided", "")
    return entries(world.scratch.root)


@pytest.fixture(scope="module")
def merged(world, before):
    """Merge the release; return what emerge said."""
    provide(world.scratch, world.gentoo)
    return world.scratch.must("emerge", "--verbose", TOOL)


def test_sync_brings_what_is_new(world):
    """By the drop-in that users copy: a git clone, and later a pull."""
    assert (world.synced / "profiles/repo_name").read_text() == "zfs\n"
    (world.work / "NEWER").write_text("newer\n")
    world.push()
    assert not (world.synced / "NEWER").exists()
    world.scratch.must("emaint", "sync", "--repo", "zfs")
    assert (world.synced / "NEWER").read_text() == "newer\n"


def pretended(world, *words, **env):
    """Return the versions that emerge would merge, by package."""
    said = world.scratch.must("emerge", "--pretend", *words, **env)
    rows = re.findall(r"(?m)^\[ebuild[^\]]*\] (\S+?)-(\d\S*)", said)
    return dict(rows)


def test_masked_without_a_keyword(world):
    """And emerge says which one is missing."""
    world.scratch.write("package.accept_keywords", "")
    world.scratch.write("profile/package.provided", "")
    done = world.scratch.run("emerge", "--pretend", TOOL)
    assert done.returncode == 1
    assert "~amd64 keyword" in done.stdout


@pytest.mark.usefixtures("before")
def test_resolution(world):
    """The release, with what the tool calls; USE=minimal leaves the migration's out."""
    if world.gentoo:
        pytest.skip("what Gentoo's packages depend on is not asked here")
    both = {"app-portage/gentoolkit", "sys-apps/util-linux", TOOL}
    run = {"sys-fs/zfs", "sys-fs/mdadm", "net-misc/rsync", "sys-kernel/dracut"}
    whole, minimal = pretended(world, TOOL), pretended(world, TOOL, USE="minimal")
    assert whole[TOOL] == minimal[TOOL] == __version__
    assert whole.keys() >= both | run
    assert minimal.keys() >= both
    assert minimal.keys() & run == set()


@pytest.mark.usefixtures("before")
def test_tests_do_not_need_what_the_tool_runs(world):
    """Who tests it before a merge needs no ZFS that builds for the kernel."""
    if world.gentoo:
        pytest.skip("what Gentoo's packages depend on is not asked here")
    build = ("--onlydeps", "--onlydeps-with-rdeps=n", TOOL)
    plain, tested = pretended(world, *build), pretended(world, *build, FEATURES="test")
    assert plain.keys() <= tested.keys()
    more = tested.keys() - plain.keys()
    assert more == {"dev-python/hypothesis", "dev-python/pytest"}


def test_says_what_comes_next(merged):
    """elog's lines are at the end, and kept."""
    assert "zfs-root-migrate check " in merged
    assert "Have a backup" in merged


def test_notices(merged):
    """Portage has nothing to complain of, but that there is no python-exec here."""
    found = re.findall(r"QA Notice.*(?:\n.*){,6}", merged)
    assert [one for one in found if "python-exec2" not in one] == []
    assert "unexpected" not in merged.lower()


def test_the_test_phase(world, record_property):
    """All unit tests pass on the wheel that is built of the tarball.

    By their number: a phase that is skipped, or finds no test, is no success.
    """
    ebuild = world.synced / TOOL / f"zfs-root-migrate-{__version__}.ebuild"
    said = world.scratch.must("ebuild", ebuild, "clean", "test", FEATURES="test")
    (last,) = re.findall(r"(?m)^=+ (.* passed.*) =+$", said)
    (passed,) = re.findall(r"(\d+) passed", last)
    assert int(passed) >= 3000
    assert "failed" not in last
    assert "error" not in last
    record_property("said", f"src_test by Portage, {world.label}: {last}")
    # as Gentoo's eclass does it: what others have installed is not loaded
    assert re.search(r"(?m)^plugins: hypothesis-[\d.]+$", said)


@pytest.mark.usefixtures("merged")
def test_command(world):
    """It is the merged one, and knows its version."""
    assert (world.scratch.root / "usr/bin/zfs-root-migrate").is_symlink() or not (
        world.gentoo
    )
    assert world.scratch.command.stat().st_mode & 0o777 == 0o755
    done = world.scratch.installed("version")
    assert (done.returncode, done.stdout) == (0, f"zfs-root-migrate {__version__}\n")
    asked = "import zfs_root_migrate as z; print(z.__file__)"
    where = subprocess.run(
        (world.scratch.python, "-Ic", asked), capture_output=True, text=True, check=True
    )
    assert where.stdout.startswith(f"{world.scratch.root}/usr/lib/python3")


@pytest.mark.usefixtures("merged")
def test_check(world):
    """The merged command examines this machine, and the root it was merged into."""
    done = world.scratch.installed("--check")
    assert done.returncode in (ExitStatus.DONE, ExitStatus.INHIBITED), done.stderr
    # what it says depends on this machine; it need not be a Gentoo one
    assert re.search(r"(?m)^(Ready|Not ready|This version cannot)", done.stdout)
    root = str(world.scratch.root)
    done = world.scratch.installed("check", "--root", root, "--json")
    assert done.returncode in (ExitStatus.DONE, ExitStatus.INHIBITED), done.stderr
    keys = {finding["key"] for finding in json.loads(done.stdout)["findings"]}
    assert {"zfs-missing", "not-looked-at"} <= keys


@pytest.mark.usefixtures("merged")
def test_manual_pages(world):
    """Both, compressed as Portage does it."""
    for page in ("man8/zfs-root-migrate.8", "man5/zfs-root-migrate.toml.5"):
        stored = world.scratch.root / f"usr/share/man/{page}.bz2"
        source = world.work / "docs/man" / page.partition("/")[2]
        assert bz2.decompress(stored.read_bytes()).decode() == source.read_text()


@pytest.mark.usefixtures("merged")
def test_all_that_is_beside_the_program(world):
    """Completions, services, eselect's module: where others look for them."""
    share, etc = "usr/share", "etc/init.d"
    wanted = {
        f"{share}/bash-completion/completions/zfs-root-migrate": "completions/*.bash",
        f"{share}/zsh/site-functions/_zfs-root-migrate": "completions/_*",
    }
    units = world.work / "python/zfs_root_migrate/units"
    for path in units.glob("*.initd"):
        wanted[f"{etc}/{path.stem}"] = f"python/zfs_root_migrate/units/{path.name}"
        mode = (world.scratch.root / etc / path.stem).stat().st_mode
        assert mode & 0o777 == 0o755
    for path in units.glob("*.service"):
        place = f"usr/lib/systemd/system/{path.name}"
        wanted[place] = f"python/zfs_root_migrate/units/{path.name}"
    for path in world.work.glob("*/*.eselect"):
        place = f"{share}/eselect/modules/{path.name}"
        wanted[place] = f"{path.parent.name}/{path.name}"
    for place, pattern in wanted.items():
        (source,) = world.work.glob(pattern)
        assert (world.scratch.root / place).read_text() == source.read_text()


@pytest.mark.usefixtures("merged")
def test_documents(world):
    """Each that is installed, with no link to one that is not."""
    place = world.scratch.root / f"usr/share/doc/zfs-root-migrate-{__version__}"
    pages = {path.name.removesuffix(".bz2"): path for path in place.iterdir()}
    sources = [path.name for path in (world.work / "docs").glob("*.md")]
    assert set(pages) == {"NEWS.md", *sources}
    for path in pages.values():
        text = bz2.decompress(path.read_bytes()).decode()
        links = re.findall(r"\]\(([^)#]+)[^)]*\)", text)
        assert [x for x in links if "://" not in x and x not in pages] == [], path


@pytest.mark.usefixtures("merged")
def test_module_of_eselect_is_installed_once(world):
    """By one line of the ebuild: a second one would hide that the first is wrong."""
    entry = world.scratch.root / f"var/db/pkg/{TOOL}-{__version__}"
    ebuild = (entry / f"zfs-root-migrate-{__version__}.ebuild").read_text()
    assert ebuild.count(".eselect") == 1
    assert (entry / "CONTENTS").read_text().count(".eselect ") == 1


def test_live_version_and_protected_settings(world, merged):
    """9999 comes from git, in place of the release; what a user has set stays."""
    scratch = world.scratch
    scratch.write("package.accept_keywords", f"{TOOL} **\n")
    mine = scratch.root / SETTINGS
    theirs = mine.read_text()
    mine.write_text(f'{theirs}pool = "tank"\n')
    version = world.work / "python/zfs_root_migrate/__init__.py"
    text = version.read_text()
    version.write_text(text.replace(__version__, "9.9.9"))
    world.push()
    said = scratch.must("emerge", f"={TOOL}-9999")
    version.write_text(text)
    assert "Have a backup" not in said
    assert scratch.installed("version").stdout == "zfs-root-migrate 9.9.9\n"
    database = scratch.root / "var/db/pkg/app-admin"
    assert [path.name for path in database.iterdir()] == ["zfs-root-migrate-9999"]
    assert mine.read_text() == f'{theirs}pool = "tank"\n'
    (update,) = mine.parent.glob("._cfg????_zfs-root-migrate.toml")
    assert update.read_text() == theirs
    # as dispatch-conf does it
    update.rename(mine)


@pytest.mark.usefixtures("merged")
def test_unmerge_leaves_nothing(world, before):
    """But Portage's own notes."""
    world.scratch.must("emerge", "--unmerge", TOOL)
    assert changed(before, entries(world.scratch.root)) == []
    assert list((world.scratch.root / "var/db/pkg/app-admin").glob("*")) == []

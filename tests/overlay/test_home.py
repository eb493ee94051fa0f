"""Where the repository lives: said in one place, the same everywhere."""

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest

from overlay import home
from overlay.home import Home, files, moved, read_home, read_mail, read_url, set_home
from tests.overlay.lint import CATEGORIES, CHECKOUT

# the 1.0 schema of repository lists: children of <repo> in order, least and most
REPO = {
    "name": (1, 1),
    "description": (1, None),
    "longdescription": (0, None),
    "homepage": (0, 1),
    "owner": (1, None),
    "source": (1, None),
    "feed": (0, None),
}
REPO_ATTRIBUTES = {
    "quality": {"core", "stable", "testing", "experimental"},
    "status": {"official", "unofficial"},
}
SOURCES = {"bzr", "cvs", "darcs", "git", "mercurial", "rsync", "svn", "tar"}


def faults(top: ET.Element) -> list[str]:
    """Return what the schema does not allow in a list of repositories."""
    found = []
    if (top.tag, dict(top.attrib)) != ("repositories", {"version": "1.0"}):
        found.append("top")
    for repo in top:
        found += ["repo"] * (repo.tag != "repo")
        found += [*faults_of_content(repo), *faults_of_attributes(repo)]
    return found


def faults_of_content(repo: ET.Element) -> Iterator[str]:
    """Yield what is wrong in kind, order, number and text of the elements."""
    tags = [child.tag for child in repo]
    if tags != [tag for tag in REPO for _ in range(tags.count(tag))]:
        yield "order"
    for tag, (least, most) in REPO.items():
        if not least <= tags.count(tag) <= (most or len(tags)):
            yield f"number of {tag}"
    for owner in repo.iter("owner"):
        if [child.tag for child in owner] not in (["email"], ["email", "name"]):
            yield "owner"
    for one in repo.iter():
        if not len(one) and not (one.text or "").strip():
            yield "empty"


def faults_of_attributes(repo: ET.Element) -> Iterator[str]:
    """Yield what is wrong in the attributes."""
    for name, values in REPO_ATTRIBUTES.items():
        if repo.get(name) not in values:
            yield name
    if set(repo.attrib) - {*REPO_ATTRIBUTES, "priority"}:
        yield "attribute"
    for owner in repo.iter("owner"):
        if owner.get("type") not in ("person", "project"):
            yield "owner type"
    for source in repo.iter("source"):
        if source.get("type") not in SOURCES:
            yield "source"


def listed() -> ET.Element:
    """Return the list."""
    return ET.parse(CHECKOUT / "overlay/repositories.xml").getroot()


def test_list_is_valid():
    """Valid against the 1.0 schema."""
    assert faults(listed()) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda top: top.set("version", "1.1"), "top"),
        (lambda top: top[0].remove(top[0].find("owner")), "number of owner"),
        (lambda top: top[0].insert(0, top[0][-1]), "order"),
        (lambda top: top[0].set("quality", "good"), "quality"),
        (lambda top: top[0].set("colour", "red"), "attribute"),
        (lambda top: top.find("repo/source").set("type", "ftp"), "source"),
        (lambda top: top.find("repo/owner").remove(top.find("repo/owner")[0]), "owner"),
        (lambda top: setattr(top.find("repo/homepage"), "text", " "), "empty"),
    ],
)
def test_schema_refuses(change, fault):
    """The validator above can say no."""
    top = listed()
    change(top)
    assert fault in faults(top)


def addresses(top) -> dict[str, set[str]]:
    """Return, by file, what looks like an address of this repository."""
    here = read_home(top)
    project = re.escape(here.url.rpartition("/")[2])
    found = {}
    for path in files(top):
        text = path.read_text().replace(r"\-", "-")
        found[str(path.relative_to(top))] = {
            *re.findall(rf"\w+://[\w.@/-]*/{project}(?![\w-])", text),
            *re.findall(r"<email>(.*)</email>", text),
        }
    return found


def test_every_file_says_the_same():
    """No address but the one of home.conf."""
    here = read_home()
    found = addresses(CHECKOUT)
    assert found.pop("overlay/home.conf") == {here.url}
    assert {one for several in found.values() for one in several} == {
        here.url,
        here.mail,
    }
    assert {name for name, several in found.items() if here.url in several} >= {
        "README.md",
        "overlay/repositories.xml",
        "overlay/zfs.conf",
        "app-admin/zfs-root-migrate/metadata.xml",
        "app-admin/zfs-root-migrate/zfs-root-migrate-9999.ebuild",
        "docs/man/zfs-root-migrate.8",
        "docs/man/zfs-root-migrate.8.in",
    }


def test_no_other_file_says_it():
    """What git keeps and `set-home` does not know would be forgotten."""
    url = read_home().url
    known = {str(path.relative_to(CHECKOUT)) for path in files(CHECKOUT)}
    tracked = subprocess.run(
        ("git", "grep", "-lF", "--untracked", url),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    if tracked.returncode > 1:
        pytest.skip("not a git checkout")
    assert set(tracked.stdout.split()) <= known


def test_layman_is_told_where_the_list_is(copy):
    """Its line in the README is whole, and moves along."""
    for new in (
        Home("https://codeberg.org/somebody/zfs", "z@example.org"),
        Home("https://github.com/somebody/zfs", "z@example.org"),
    ):
        assert layman_asks(copy) == read_home(copy).listed
        set_home(new, copy)
    assert layman_asks(copy) == (
        "https://github.com/somebody/zfs/raw/HEAD/overlay/repositories.xml"
    )


def layman_asks(top):
    """Return the address in layman's line."""
    line = r"layman -o (\S+) \\\n +-f -a zfs\n"
    return re.search(line, (top / "README.md").read_text())[1]


@pytest.fixture
def copy(tmp_path):
    """Return a copy of the files in question."""
    for name in (*CATEGORIES, "overlay", "docs/man"):
        shutil.copytree(CHECKOUT / name, tmp_path / name)
    shutil.copy(CHECKOUT / "README.md", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "new",
    [
        Home("https://github.com/somebody/zfs-overlay", "somebody@example.org"),
        Home("https://codeberg.org/somebody/zfs", "pendor@users.noreply.github.com"),
        Home("https://git.example.org/deep/er/zfs", "z@example.org"),
        Home("file:///srv/git/zfs", "z@example.org"),
    ],
)
def test_moves_everywhere_and_back(copy, new):
    """Nothing of the old home is left; the way back gives the same files."""
    old = read_home()
    before = {path: path.read_text() for path in files(copy)}
    assert set_home(new, copy)
    assert read_home(copy) == new
    for path in files(copy):
        text = path.read_text()
        # the tutorial stays where it is
        text = text.replace(r"\-", "-").replace(f"Gentoo on ZFS Root]({old.url})", "")
        assert old.url not in text, path
        assert f'type="github">{"/".join(old.url.split("/")[-2:])}<' not in text
    metadata = (copy / "app-admin/zfs-root-migrate/metadata.xml").read_text()
    assert (new.remote_id or "<remote-id") in metadata or new.remote_id is None
    assert metadata.count("remote-id type") == (1 if new.remote_id else 0)
    set_home(old, copy)
    assert {path: path.read_text() for path in files(copy)} == before
    assert set_home(old, copy) == ()


def test_longer_names_are_left_alone():
    """A fork's address may begin like ours."""
    old = Home("https://a.org/b/zfs", "a@b.org")
    new = Home("https://c.org/d", "c@d.org")
    text = "https://a.org/b/zfs-fork https://a.org/b/zfs.git"
    assert moved(text, old, new) == "https://a.org/b/zfs-fork https://c.org/d.git"


@pytest.mark.parametrize(
    "text", ["", "zfs", "https://", "https://a b/c", "a@b:c", "x\ny"]
)
def test_refuses_what_is_no_address(text):
    """A typing error must not get into ten files."""
    with pytest.raises(ValueError, match="not the address"):
        read_url(text)


def test_refuses_what_is_no_mail_address():
    """The same for the maintainer."""
    with pytest.raises(ValueError, match="not a mail address"):
        read_mail("somebody")


def test_command_says_what_is_wrong(capsys):
    """And ends with status 2."""
    with pytest.raises(SystemExit) as ended:
        home.main(["nonsense"])
    assert ended.value.code == 2
    assert "not the address of a git repository" in capsys.readouterr().err

"""The frame of the ebuild repository agrees with itself."""

import configparser
import re
import xml.etree.ElementTree as ET
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
CATEGORIES = ("app-admin", "sys-devel", "sys-fs", "sys-kernel")


def layout_conf() -> dict[str, str]:
    """Return the keys of layout.conf."""
    lines = (CHECKOUT / "metadata/layout.conf").read_text().splitlines()
    pairs = [x.split("=", 1) for x in lines if x.strip() and not x.startswith("#")]
    return {key.strip(): value.strip() for key, value in pairs}


def listed() -> ET.Element:
    """Return the one repository of the list."""
    top = ET.parse(CHECKOUT / "overlay/repositories.xml").getroot()
    assert (top.tag, top.get("version")) == ("repositories", "1.0")
    (repo,) = top.findall("repo")
    return repo


def drop_in() -> configparser.ConfigParser:
    """Return the drop-in for repos.conf, read as Portage reads it."""
    parser = configparser.ConfigParser(strict=True, interpolation=None)
    parser.read_string((CHECKOUT / "overlay/zfs.conf").read_text())
    return parser


def test_name_and_eapi():
    """The files that Portage reads first."""
    assert (CHECKOUT / "profiles/repo_name").read_text() == "zfs\n"
    assert (CHECKOUT / "profiles/eapi").read_text() == "8\n"


def test_layout_conf():
    """Nothing is missing and nothing is misspelt."""
    found = layout_conf()
    assert found == {
        "masters": "gentoo",
        "thin-manifests": "true",
        "sign-manifests": "false",
        "manifest-hashes": "BLAKE2B SHA512",
        "manifest-required-hashes": "BLAKE2B",
        "cache-formats": "md5-dict",
        "profile-formats": "portage-2",
        "eapis-banned": "0 1 2 3 4 5 6 7",
    }


def test_list_is_whole():
    """layman and eselect-repository find what they need."""
    repo = listed()
    assert repo.findtext("name") == "zfs"
    assert repo.findtext("description")
    assert repo.get("status") == "unofficial"
    assert repo.get("quality") in ("core", "stable", "testing", "experimental")
    homepage, source = repo.findtext("homepage"), repo.find("source")
    assert source is not None
    assert source.get("type") == "git"
    assert source.text == f"{homepage}.git"


def test_drop_in_agrees_with_the_list():
    """Whichever way it is added, it is the same repository."""
    parser = drop_in()
    assert parser.sections() == [(CHECKOUT / "profiles/repo_name").read_text().strip()]
    repo = parser["zfs"]
    assert repo["location"] == "/var/db/repos/zfs"
    assert repo["sync-type"] == "git"
    assert repo["sync-uri"] == listed().findtext("source")
    assert repo.getboolean("auto-sync")


def test_readme_names_the_same_home():
    """The README's line adds the same one."""
    text = (CHECKOUT / "README.md").read_text()
    assert f"eselect repository add zfs git {drop_in()['zfs']['sync-uri']}" in text


def test_no_package_without_an_ebuild():
    """Portage would list a package that cannot be had."""
    for category in CATEGORIES:
        assert any((CHECKOUT / category).iterdir()), "git keeps no empty directory"
        for package in filter(Path.is_dir, (CHECKOUT / category).iterdir()):
            assert list(package.glob(f"{package.name}-*.ebuild")), package


def test_ebuilds_are_of_the_eapi_of_the_profiles():
    """EAPI 8 everywhere."""
    for category in CATEGORIES:
        for ebuild in (CHECKOUT / category).rglob("*.ebuild"):
            assert re.search(r"(?m)^EAPI=8$", ebuild.read_text()), ebuild

"""What pkgcheck does not ask of overlays, and what this repository asks of itself."""

import re
import subprocess
import xml.etree.ElementTree as ET

import pytest

from tests.overlay.lint import CATEGORIES, CHECKOUT
from zfs_root_migrate import __version__, config
from zfs_root_migrate.config import Config, read_settings
from zfs_root_migrate.settings_file import change_settings

EBUILDS = sorted(
    path for name in CATEGORIES for path in (CHECKOUT / name).rglob("*.ebuild")
)
PACKAGES = sorted({path.parent for path in EBUILDS})
TOOL = CHECKOUT / "app-admin/zfs-root-migrate"
HEADER = re.compile(
    r"# Copyright (?:\d{4}-)?20\d\d Gentoo Authors\n"
    r"# Distributed under the terms of the GNU General Public License v2\n\n"
    r"EAPI=8\n\n"
)
each_ebuild = pytest.mark.parametrize("ebuild", EBUILDS, ids=lambda path: path.stem)
each_package = pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)


def unquoted(value: str) -> str:
    """Return a shell word without its quotes."""
    return value.strip("\"'")


def test_all_packages_are_there():
    """Those that the tutorial installs, and the tool in two versions."""
    assert [path.relative_to(CHECKOUT).as_posix() for path in EBUILDS] == [
        f"app-admin/zfs-root-migrate/zfs-root-migrate-{__version__}.ebuild",
        "app-admin/zfs-root-migrate/zfs-root-migrate-9999.ebuild",
        "sys-devel/spl/spl-9999.ebuild",
        "sys-fs/zfs/zfs-9999.ebuild",
        "sys-kernel/genkernel/genkernel-9999.ebuild",
    ]


@each_ebuild
def test_header_and_eapi(ebuild):
    """The first lines, as Gentoo wants them; pkgcheck looks in ::gentoo only."""
    assert HEADER.match(ebuild.read_text()), ebuild


@each_ebuild
def test_name_is_that_of_its_directory(ebuild):
    """Portage finds it by that."""
    assert re.fullmatch(rf"{re.escape(ebuild.parent.name)}-[\d.]+", ebuild.stem)


@each_ebuild
def test_live_ebuilds_have_no_keywords(ebuild):
    """Else a plain `emerge` would build what was pushed an hour ago."""
    text = ebuild.read_text()
    live = ebuild.stem.endswith("-9999")
    always = re.findall(r"(?m)^KEYWORDS=(.*)$", text)
    sometimes = re.findall(r"(?m)^\s+KEYWORDS=(.*)$", text)
    assert always == []
    if not live:
        assert [unquoted(value) for value in sometimes] == ["~amd64"]
    elif sometimes:
        condition, _, rest = text.partition("if [[ ${PV} == 9999 ]]; then\n")
        assert condition
        assert "KEYWORDS" not in rest.partition("\nelse\n")[0]


@each_ebuild
def test_live_ebuilds_say_so(ebuild):
    """By git-r3 or in words, so that `emerge @live-rebuild` finds them."""
    text = ebuild.read_text()
    if ebuild.stem.endswith("-9999"):
        assert re.search(r'(?m)^\s*inherit .*\bgit-r3\b|^PROPERTIES="live"$', text)


@each_ebuild
def test_pythons_are_those_of_gentoo(ebuild):
    """3.11 has left Gentoo; the tool's own range is 3.11 to 3.14."""
    found = re.findall(r"(?m)^PYTHON_COMPAT=\( (.*) \)$", ebuild.read_text())
    assert found in ([], ["python3_{12..14}"])


@each_package
def test_metadata(package):
    """A maintainer to write to, where bugs go, and a word on every flag of its own.

    Who lives at the address is not known: no name that is the repository's.
    """
    top = ET.parse(package / "metadata.xml").getroot()
    assert top.tag == "pkgmetadata"
    assert top.findtext("maintainer/email")
    assert top.find("maintainer/name") is None
    assert top.find("maintainer").get("type") == "person"
    assert top.findtext("upstream/bugs-to")
    assert top.find("upstream/remote-id") is not None
    flags = {flag.get("name"): "".join(flag.itertext()) for flag in top.iter("flag")}
    assert all(len(text) > len(name) for name, text in flags.items())
    text = "".join(path.read_text() for path in package.glob("*.ebuild"))
    iuse = " ".join(re.findall(r'(?m)^IUSE="(.*)"$', text)).replace("+", "")
    assert set(flags) <= set(iuse.split())


@each_package
def test_manifest_is_thin(package):
    """Only what is downloaded is in it, and only where something is."""
    manifest = package / "Manifest"
    if package != TOOL:
        assert not manifest.exists()
        return
    line = (
        rf"DIST zfs-root-migrate-{re.escape(__version__)}\.tar\.xz \d+ "
        r"BLAKE2B [0-9a-f]{128} SHA512 [0-9a-f]{128}\n"
    )
    assert re.fullmatch(line, manifest.read_text())


def test_both_ebuilds_of_the_tool_are_one():
    """What the live one learns the next version has."""
    first, second = (path.read_text() for path in sorted(TOOL.glob("*.ebuild")))
    assert first == second


def test_keyword_line_can_be_typed(tmp_path):
    """On a system that has no package.accept_keywords yet, and on one that has it."""
    text = (CHECKOUT / "README.md").read_text()
    typed = re.search(r"(?m)^    mkdir .*\n    echo .*\n", text)[0]
    here = typed.replace("/etc/", f"{tmp_path}/")
    for times in (1, 2):
        subprocess.run(("sh", "-ec", here), check=True)
        keywords = tmp_path / "portage/package.accept_keywords/zfs"
        assert keywords.read_text() == "app-admin/zfs-root-migrate ~amd64\n" * times


def test_settings_file_is_all_comments_and_all_defaults():
    """Installed as /etc/zfs-root-migrate.toml: it names each setting, changes none."""
    path = "overlay/zfs-root-migrate.toml"
    text = (CHECKOUT / path).read_text()
    assert read_settings(text, path) == {}
    values = re.sub(r"(?m)^#(?=[a-z])", "", text)
    read = read_settings(values, path)
    assert list(read) == [setting.name for setting in config.SETTINGS]
    assert config.parse_config(read) == Config()


def test_settings_file_keeps_its_comments():
    """`set` writes into this very file."""
    text = (CHECKOUT / "overlay/zfs-root-migrate.toml").read_text()
    changed = change_settings(text, "pool", ("tank",))
    assert changed == f'{text}pool = "tank"\n'
    assert change_settings(changed, "pool", ()) == text

"""The Debian mirror is found in all forms of apt's configuration."""

from pathlib import Path

import pytest

from tests.vm.mirror import choose, parse_deb822, parse_one_line, read_sources

DEB822 = """\
# the archive
Types: deb deb-src
URIs: http://mirror.example/debian
# a comment within
Suites: bookworm
 bookworm-updates
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEY865UxYJKwYBBAHaRw8BAQdAd7Z0srwuhlB6JKFkcf4HU4SSS
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""


def test_deb822() -> None:
    """Folded lines, comments, keys: the first plain archive is taken."""
    sources = list(parse_deb822(DEB822))
    assert [source.uri.rpartition("/")[2] for source in sources] == [
        "debian",
        "debian-security",
    ]
    assert sources[0].suites == ("bookworm", "bookworm-updates")
    assert choose(sources) == "http://mirror.example/debian"


@pytest.mark.parametrize("value", ["no", "No", "false"])
def test_disabled_stanzas_do_not_count(value: str) -> None:
    """Enabled: no takes a stanza out."""
    text = DEB822.replace("Suites: bookworm\n", f"Enabled: {value}\nSuites: sid\n")
    assert choose(parse_deb822(text)) is None


@pytest.mark.parametrize(
    "line",
    [
        "deb http://mirror.example/debian trixie main",
        "deb  [ arch=amd64 signed-by=/k.gpg ]  http://mirror.example/debian sid main",
        "deb http://mirror.example/debian stable main contrib # the usual",
    ],
)
def test_one_line(line: str) -> None:
    """Options and comments are no part of the address."""
    assert choose(parse_one_line(f"# first\n{line}\n")) == (
        "http://mirror.example/debian"
    )


@pytest.mark.parametrize(
    "line",
    [
        "deb-src http://mirror.example/debian trixie main",
        "deb http://mirror.example/debian-security trixie-security main",
        "deb http://mirror.example/tool nodistro main",
        "deb http://mirror.example/debian trixie contrib",
        "deb cdrom:[Debian]/ trixie main",
        "# deb http://mirror.example/debian trixie main",
        "deb http://mirror.example/flat ./",
    ],
)
def test_other_archives_are_not_taken(line: str) -> None:
    """Sources, updates, other projects and media are no mirror to build from."""
    assert choose(parse_one_line(line)) is None


def test_all_files_are_read(tmp_path: Path) -> None:
    """Both forms are read, other files in the directory are not."""
    (tmp_path / "sources.list.d").mkdir()
    one = "deb http://one.example/debian sid main\n"
    (tmp_path / "sources.list").write_text("")
    (tmp_path / "sources.list.d/a.list.save").write_text(one)
    (tmp_path / "sources.list.d/b.sources").write_text(DEB822)
    (tmp_path / "sources.list.d/c.list").write_text(one)
    uris = [source.uri for source in read_sources(tmp_path)]
    assert uris == [
        "http://mirror.example/debian",
        "http://mirror.example/debian-security",
        "http://one.example/debian",
    ]


def test_no_apt_at_all(tmp_path: Path) -> None:
    """Elsewhere debootstrap's own choice holds."""
    assert choose(read_sources(tmp_path)) is None

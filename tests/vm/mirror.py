"""Finds the Debian mirror that this machine itself uses.

No mirror is named anywhere in this project: it is read from apt's own
configuration, in both of its forms.  A machine without apt (Gentoo has
debootstrap as well) leaves the choice to debootstrap.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

# codenames and suites that only Debian's own archive has
DEBIAN_SUITES = frozenset(
    (
        *("bullseye", "bookworm", "trixie", "forky", "sid"),
        *("oldoldstable", "oldstable", "stable", "testing", "unstable"),
    )
)
# what debootstrap and the apt inside the guest both understand
SCHEMES = ("http://", "https://", "file:/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One archive named in apt's configuration."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]


def parse_one_line(text: str) -> Iterator[Source]:
    """Parse sources.list.

    >>> next(parse_one_line("deb [arch=amd64] http://mirror.example/debian sid main"))
    Source(uri='http://mirror.example/debian', suites=('sid',), components=('main',))
    """
    for raw in text.splitlines():
        kind, _, rest = raw.split("#", 1)[0].strip().partition(" ")
        if kind != "deb":
            continue
        rest = rest.strip()
        if rest.startswith("["):
            rest = rest.partition("]")[2]
        words = rest.split()
        if len(words) > 1:
            yield Source(uri=words[0], suites=(words[1],), components=tuple(words[2:]))


def parse_deb822(text: str) -> Iterator[Source]:
    """Parse a *.sources file: stanzas of fields, folded lines and comments allowed."""
    for stanza in _stanzas(text):
        enabled = " ".join(stanza.get("enabled", ["yes"])).lower()
        if "deb" not in stanza.get("types", []) or enabled in {"no", "false", "0"}:
            continue
        for uri in stanza.get("uris", []):
            yield Source(
                uri=uri,
                suites=tuple(stanza.get("suites", [])),
                components=tuple(stanza.get("components", [])),
            )


def _stanzas(text: str) -> Iterator[dict[str, list[str]]]:
    fields: dict[str, list[str]] = {}
    name = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                yield fields
            fields, name = {}, ""
        elif line[0] in " \t":
            fields.setdefault(name, []).extend(line.split())
        else:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.split()


def choose(sources: Iterable[Source]) -> str | None:
    """Return the URI of the main Debian archive, None where there is none.

    Updates and security archives hold only part of the packages, and other
    projects' archives none of them: what counts is a plain Debian suite with the
    component main.
    """
    for source in sources:
        plain = DEBIAN_SUITES.intersection(source.suites)
        if plain and "main" in source.components and source.uri.startswith(SCHEMES):
            return source.uri
    return None


def read_sources(etc: Path = Path("/etc/apt")) -> list[Source]:
    """Read every source apt on this machine knows, in apt's order."""
    found: list[Source] = []
    files = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]
    for file in files:
        parse = {".list": parse_one_line, ".sources": parse_deb822}.get(file.suffix)
        if parse and file.is_file():
            found += parse(file.read_text(errors="replace"))
    return found


def find_mirror() -> str | None:
    """Return this machine's Debian mirror, None to leave it to debootstrap."""
    return choose(read_sources())

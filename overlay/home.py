"""Change where this repository lives, everywhere: `make set-home URL=... [MAIL=...]`.

`overlay/home.conf` says it; the other files repeat it, as Portage, layman and people
read each of them alone. Guarantee: no file is changed before all new texts are written.
"""

import argparse
import configparser
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).parents[1]
CONF = "overlay/home.conf"
MODULE = "overlay/zfs-root.eselect"
# all that repeat the address; ebuilds, metadata and manual pages come by pattern
REPEATED = ("README.md", "overlay/repositories.xml", "overlay/zfs.conf", MODULE)
# in these only what git and layman are told: README names the tutorial too, which does
# not move
SOURCES_ONLY = ("README.md",)
PATTERNS = ("*-*/*/*.ebuild", "*-*/*/metadata.xml", "docs/man/*")
# GLEP 68 has a remote-id for these hosts only
FORGES = {
    "github.com": "github",
    "gitlab.com": "gitlab",
    "codeberg.org": "codeberg",
}
# how single files are had there, where it is not as at GitHub
RAW = {"gitlab.com": "-/raw/HEAD", "codeberg.org": "raw/branch/main"}
_URL = re.compile(r"(?:https?|ssh|git|file)://[\w.@:-]*(?:/[\w.~+-]+)+")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


@dataclass(frozen=True, slots=True)
class Home:
    """The address of the repository without `.git`, and its maintainer's."""

    url: str
    mail: str

    @property
    def remote_id(self) -> str | None:
        """The line of metadata.xml that names the project at its forge.

        >>> Home("https://codeberg.org/a/b", "a@b.org").remote_id
        '<remote-id type="codeberg">a/b</remote-id>'
        >>> Home("https://git.example.org/a/b", "a@b.org").remote_id
        """
        host, _, project = self.url.partition("://")[2].partition("/")
        if host not in FORGES:
            return None
        return f'<remote-id type="{FORGES[host]}">{project}</remote-id>'

    @property
    def listed(self) -> str:
        """The address of `repositories.xml`, as the forge serves single files.

        Where it is not known, GitHub's way stands for it.

        >>> Home("https://gitlab.com/a/b", "a@b.org").listed
        'https://gitlab.com/a/b/-/raw/HEAD/overlay/repositories.xml'
        """
        host = self.url.partition("://")[2].partition("/")[0]
        return f"{self.url}/{RAW.get(host, 'raw/HEAD')}/overlay/repositories.xml"


def read_url(text: str) -> str:
    """Check an address, and take off what is put on again where it is wanted.

    >>> read_url("https://example.org/a/zfs.git")
    'https://example.org/a/zfs'
    """
    url = text.rstrip("/").removesuffix(".git")
    if not _URL.fullmatch(url):
        raise ValueError(f"not the address of a git repository: {text!r}")
    return url


def read_mail(text: str) -> str:
    """Check the address of a maintainer."""
    if not _MAIL.fullmatch(text):
        raise ValueError(f"not a mail address: {text!r}")
    return text


def read_home(top: Path = TOP) -> Home:
    """Return where the repository lives."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string((top / CONF).read_text())
    return Home(parser["home"]["url"], parser["home"]["mail"])


def files(top: Path) -> Iterator[Path]:
    """Yield every file that says where the repository lives."""
    yield from (top / name for name in (CONF, *REPEATED))
    for pattern in PATTERNS:
        yield from sorted(top.glob(pattern))


def moved(text: str, old: Home, new: Home, *, sources_only: bool = False) -> str:
    """Return a file's text for the new home."""
    if sources_only:
        text = text.replace(old.listed, new.listed)
        return re.sub(rf"{re.escape(old.url)}\.git(?![\w-])", f"{new.url}.git", text)
    if old.remote_id:
        line = rf"(?m)^([ \t]*){re.escape(old.remote_id)}\n"
        text = re.sub(line, rf"\1{new.remote_id}\n" if new.remote_id else "", text)
    elif new.remote_id:
        bugs = rf"([ \t]*)<bugs-to>{re.escape(old.url)}/issues</bugs-to>\n"
        text = re.sub(bugs, rf"\g<0>\1{new.remote_id}\n", text)
    names = {old.url: new.url, old.mail: new.mail}
    # not the beginning of another address
    either = "|".join(re.escape(name) for name in names)
    return re.sub(rf"(?:{either})(?![\w-])", lambda found: names[found[0]], text)


def typeset(home: Home) -> Home:
    r"""Return the addresses as they stand in a manual page that `make man` wrote.

    >>> typeset(Home("https://example.org/a-b", "a@b.org")).url
    'https://example.org/a\\-b'
    """
    return Home(home.url.replace("-", r"\-"), home.mail.replace("-", r"\-"))


def set_home(new: Home, top: Path = TOP) -> tuple[Path, ...]:
    """Change every file that names the old home; return those that changed."""
    old = read_home(top)
    texts = {path: path.read_text() for path in files(top)}
    only = [top / name for name in SOURCES_ONLY]
    changed = {
        path: moved(text, typeset(old), typeset(new))
        if path.suffix[1:].isdigit()
        else moved(text, old, new, sources_only=path in only)
        for path, text in texts.items()
    }
    different = tuple(path for path in texts if changed[path] != texts[path])
    for path in different:
        path.with_name(path.name + ".part").write_text(changed[path])
    for path in different:
        path.with_name(path.name + ".part").replace(path)
    return different


def main(argv: list[str]) -> int:
    """Read the command line and say what was changed."""
    parser = argparse.ArgumentParser(prog="make set-home", description=__doc__)
    parser.add_argument("url", metavar="URL")
    parser.add_argument("mail", metavar="MAIL", nargs="?", default="")
    wanted = parser.parse_args(argv)
    try:
        old = read_home()
        mail = read_mail(wanted.mail) if wanted.mail else old.mail
        new = Home(read_url(wanted.url), mail)
        different = set_home(new)
    except ValueError as error:
        parser.error(str(error))
    for path in different:
        print(f"changed {path.relative_to(TOP)}")
    if different:
        print(f"README.md sends layman there; is it right?\n  {new.listed}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The release tarball: `make dist`, `make manifest`, `make release-check`.

Guarantee: the same commit gives the same bytes, in any clone, under any settings and at
any time, as long as liblzma packs the same way; another version of it may not, and then
`make release-check` fails. The packages of this repository are left out: the Manifest
has the tarball's hash, cannot be inside it, and so the commit that adds the hash does
not change the tarball.
"""

import argparse
import hashlib
import io
import lzma
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).parents[1]
PACKAGE = "zfs-root-migrate"
MANIFEST = f"app-admin/{PACKAGE}/Manifest"
VERSION_FILE = "python/zfs_root_migrate/__init__.py"
# no category of ebuilds, nothing that only Portage or the maintainer's machine reads
CONTENT = (
    *("LICENSE", "NEWS.md", "README.md"),
    *("completions", "docs", "overlay", "python", "tests"),
)
# one date for all files, so that the commit's own does not matter (2026-01-01)
MTIME = 1767225600
HASHES = ("blake2b", "sha512")


class ReleaseError(Exception):
    """There is no tarball, or it is not the one of the Manifest."""


def git(top: Path, *words: str, given: bytes = b"") -> bytes:
    """Return what git says."""
    argv = ("git", "-C", str(top), *words)
    done = subprocess.run(argv, input=given, capture_output=True, check=False)
    if done.returncode:
        raise ReleaseError(f"git {words[0]}: {done.stderr.decode().strip()}")
    return done.stdout


def version(top: Path, commit: str) -> str:
    """Return the program's version in a commit."""
    text = git(top, "show", f"{commit}:{VERSION_FILE}").decode()
    found = re.search(r'(?m)^__version__ = "([\d.]+)"$', text)
    if not found:
        raise ReleaseError(f"{VERSION_FILE} has no version")
    return found[1]


def released(top: Path) -> str:
    """Return the commit that a release is made of: its tag's, else the current one."""
    tag = f"refs/tags/v{version(top, 'HEAD')}"
    names = git(top, "for-each-ref", "--format=%(refname)", tag).decode().split()
    return tag if tag in names else "HEAD"


def members(top: Path, commit: str) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Yield the files of a commit in the order of their names, alike everywhere.

    What is stored is read, and not what `git archive` makes of it: that depends on
    core.autocrlf, tar.umask and attributes of the machine.
    """
    there = set(git(top, "ls-tree", "--name-only", commit).decode().splitlines())
    missing = set(CONTENT) - there
    if missing:
        raise ReleaseError(f"{commit} has no {', '.join(sorted(missing))}")
    listing = git(top, "ls-tree", "-rz", "--full-tree", commit, "--", *CONTENT)
    rows = [row.partition("\t") for row in listing.decode().split("\0") if row]
    rows.sort(key=lambda row: row[2])
    for head, _, name in rows:
        if head.split()[1] != "blob":
            raise ReleaseError(f"{name} is a {head.split()[1]}: that cannot be packed")
    contents = blobs(top, [head.split()[2] for head, *_ in rows])
    for (head, _, name), content in zip(rows, contents, strict=True):
        mode = head.split()[0]
        info = tarfile.TarInfo(name)
        info.mtime = MTIME
        info.mode = 0o755 if mode == "100755" else 0o644
        if mode == "120000":
            info.type, info.linkname, content = tarfile.SYMTYPE, content.decode(), b""
        info.size = len(content)
        yield info, content


def blobs(top: Path, names: list[str]) -> Iterator[bytes]:
    """Yield the contents of files, by the names that git has for them."""
    asked = "".join(f"{name}\n" for name in names).encode()
    answer = io.BytesIO(git(top, "cat-file", "--batch", given=asked))
    for _ in names:
        size = int(answer.readline().split()[2])
        yield answer.read(size)
        answer.readline()


def tarball(top: Path, commit: str) -> tuple[str, bytes]:
    """Return the name and the bytes of a commit's tarball."""
    name = f"{PACKAGE}-{version(top, commit)}"
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for info, content in members(top, commit):
            info.name = f"{name}/{info.name}"
            tar.addfile(info, io.BytesIO(content))
    # xz rather than gzip: the libraries that write gzip differ in their output
    packed = lzma.compress(plain.getvalue(), check=lzma.CHECK_CRC64, preset=6)
    return f"{name}.tar.xz", packed


def manifest_line(name: str, content: bytes) -> str:
    """Return the line of a thin Manifest, with layout.conf's hashes (GLEP 74)."""
    sums = " ".join(
        f"{kind.upper()} {hashlib.new(kind, content).hexdigest()}" for kind in HASHES
    )
    return f"DIST {name} {len(content)} {sums}\n"


def write_manifest(top: Path, line: str) -> None:
    """Put a tarball's line into the Manifest, in place of an older one."""
    path = top / MANIFEST
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    name = line.split()[1]
    kept = [one for one in lines if one.split()[1:2] != [name]]
    path.write_text("".join(sorted([*kept, line])))


def check(top: Path, name: str, line: str) -> None:
    """Demand that the Manifest has this very line for the tarball."""
    path = top / MANIFEST
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    found = [one for one in lines if one.split()[1:2] == [name]]
    if not found:
        raise ReleaseError(f"{MANIFEST} has no line for {name}: make manifest")
    if found != [line]:
        raise ReleaseError(
            f"{name} is not the file of {MANIFEST}:\n  there {found[0].rstrip()}\n"
            f"  here  {line.rstrip()}\n"
            "Is a release due, raise the version; is it not yet tagged: make manifest"
        )


def make(top: Path, action: str, out: Path, commit: str | None = None) -> str:
    """Do one of the three things; return what is to be said."""
    commit = commit or released(top)
    name, content = tarball(top, commit)
    line = manifest_line(name, content)
    if action == "dist":
        out.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(content)
        return f"{out / name}, of {commit}\n{line}"
    if action == "manifest":
        write_manifest(top, line)
        return f"{MANIFEST}: {line}"
    check(top, name, line)
    return f"{name} of {commit} is the one of {MANIFEST}\n"


def main(argv: list[str]) -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("dist", "manifest", "check"))
    parser.add_argument("--commit", help="else the version's tag, else HEAD")
    parser.add_argument("--out", type=Path, default=TOP / "out")
    wanted = parser.parse_args(argv)
    try:
        said = make(TOP, wanted.action, wanted.out, wanted.commit)
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    print(said, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

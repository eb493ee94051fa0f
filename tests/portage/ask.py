"""Asks real Portage about a root that a test has written."""

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zfs_root_migrate.facts.portage import parse_portage
from zfs_root_migrate.model import Ebuild, Package, PortageFacts
from zfs_root_migrate.runner import ENVIRONMENT
from zfs_root_migrate.scripts import script_argv

# no account called portage is needed
ACCOUNT = {"PORTAGE_USERNAME": "root", "PORTAGE_GRPNAME": "root"}
WARM = Path(__file__).with_name("warm.py")
# begins a command as root who may no longer read what is closed to all
WITHOUT_RIGHTS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


@dataclass(frozen=True, slots=True)
class Portage:
    """One version of Portage, by the interpreter that has it."""

    python: Path

    def run(self, root: Path, *, begin: tuple[str, ...] = ()) -> str:
        """Run the program that asks, as the tool would; return what it prints.

        `begin` is a command that starts it.
        """
        _, *argv = script_argv("portage", "--root", str(root))
        done = subprocess.run(
            [*begin, self.python, *argv],
            capture_output=True,
            text=True,
            env={**ENVIRONMENT, **ACCOUNT},
            cwd="/",
            timeout=120,
            check=True,
        )
        return done.stdout

    def ask(self, root: Path, *, begin: tuple[str, ...] = ()) -> PortageFacts:
        """Return the facts."""
        return parse_portage(self.run(root, begin=begin))


@dataclass(frozen=True, slots=True)
class WarmPortage(Portage):
    """One version of Portage that is loaded already: three times as fast."""

    server: "subprocess.Popen[str]"
    directory: Path

    def run(self, root: Path, *, begin: tuple[str, ...] = ()) -> str:
        """Run the program in a process of its own that has Portage in it."""
        if begin:
            # without `super()`: a class with slots is made anew by its decorator
            return Portage.run(self, root, begin=begin)
        _, _, *words = script_argv("portage", "--root", str(root))
        output, errors = self.directory / "output", self.directory / "errors"
        assert self.server.stdin
        assert self.server.stdout
        self.server.stdin.write(json.dumps([words, str(output), str(errors)]) + "\n")
        self.server.stdin.flush()
        status = self.server.stdout.readline().strip()
        assert status == "0", f"status {status or 'unknown'}: {errors.read_text()}"
        return output.read_text()


@contextlib.contextmanager
def keep_warm(python: Path) -> Iterator[WarmPortage]:
    """Load a version of Portage, for as long as it is asked."""
    with (
        tempfile.TemporaryDirectory() as directory,
        subprocess.Popen(
            [python, "-IB", WARM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**ENVIRONMENT, **ACCOUNT},
            cwd="/",
        ) as server,
    ):
        # leaving closes its input, which ends it
        yield WarmPortage(python, server, Path(directory))


def package(facts: PortageFacts, name: str) -> Package:
    """Return what is known of a package."""
    found = facts.package(name)
    assert found is not None
    return found


def ebuild(facts: PortageFacts, cpv: str) -> Ebuild:
    """Return what is known of a version."""
    return next(e for p in facts.packages for e in p.ebuilds if e.cpv == cpv)

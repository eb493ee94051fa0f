"""Asks real Portage about a root that a test has written."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from zfs_root_migrate.facts.portage import parse_portage
from zfs_root_migrate.model import Ebuild, Package, PortageFacts
from zfs_root_migrate.runner import ENVIRONMENT
from zfs_root_migrate.scripts import script_argv

# no account called portage is needed
ACCOUNT = {"PORTAGE_USERNAME": "root", "PORTAGE_GRPNAME": "root"}
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


def package(facts: PortageFacts, name: str) -> Package:
    """Return what is known of a package."""
    found = facts.package(name)
    assert found is not None
    return found


def ebuild(facts: PortageFacts, cpv: str) -> Ebuild:
    """Return what is known of a version."""
    return next(e for p in facts.packages for e in p.ebuilds if e.cpv == cpv)

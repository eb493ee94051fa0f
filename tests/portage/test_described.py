"""The recorded machines' answers are those that Portage gives about such a system."""

import json
from pathlib import Path

import pytest

from tests.machines.compose import __main__ as compose
from tests.machines.compose.portage import Gentoo, fields
from tests.portage import tree
from tests.portage.ask import Portage
from tests.portage.pythons import VERSIONS, python_with_portage

# one machine for each answer
DESCRIBED = {repr(make().portage): name for name, make in compose.DESCRIBED.items()}


def write(root: Path, gentoo: Gentoo) -> None:
    """Write what the description says."""
    repository = root / gentoo.repository[1:]
    tree.write_repository(repository)
    tree.write_profile(repository, gentoo.profile)
    tree.write_files(
        root,
        {
            "etc/portage/make.conf": f'USE="{" ".join(gentoo.use)}"\n'
            f'DISTDIR="{gentoo.distdir}"\nPKGDIR="{gentoo.pkgdir}"\n'
            f'GRUB_PLATFORMS="{" ".join(gentoo.platforms)}"\n',
            "etc/portage/repos.conf": "[DEFAULT]\nmain-repo = gentoo\n"
            f"[gentoo]\nlocation = {gentoo.repository}\n",
        },
    )
    link = root / "etc/portage/make.profile"
    link.symlink_to(f"{gentoo.repository}/profiles/{gentoo.profile}")
    for name in ("accept_keywords", "license", "mask", "use"):
        place = root / f"etc/portage/package.{name}"
        place.mkdir() if gentoo.kind == "directory" else place.touch()
    for ebuild in gentoo.ebuilds:
        tree.install(root, ebuild, gentoo.flags(ebuild)[0])


@pytest.mark.parametrize("name", DESCRIBED.values())
def test_portage_answers_like_this(name, tmp_path):
    """All but what depends on the machine that asks."""
    gentoo = compose.DESCRIBED[name]().portage
    write(tmp_path, gentoo)
    text = Portage(python_with_portage(VERSIONS[0])).run(tmp_path)
    answer = json.loads(text.strip().rpartition("\n")[2])
    assert answer.pop("version") == VERSIONS[0]
    assert answer.pop("at_work") is None
    assert answer.pop("updates") == []
    expected = fields(gentoo)
    for field in ("version", "at_work", "updates"):
        del expected[field]
    assert answer == expected

"""The running system: what it is asked without `--root`, in a root of its own.

A tree with the programs of this machine bound into it is made the root by chroot, in a
mount namespace that ends with the process.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.portage import tree
from tests.portage.ask import ACCOUNT, Portage
from tests.portage.gentoo import find
from zfs_root_migrate.facts.portage import parse_portage
from zfs_root_migrate.runner import ENVIRONMENT
from zfs_root_migrate.scripts import script_argv

PROGRAM = Path(script_argv("portage")[-1])
ENTER = """\
root=$1; shift
for d in /usr /dev /proc "$@"; do mkdir -p "$root$d"; mount --rbind "$d" "$root$d"; done
for d in /bin /lib /lib64; do
    [ -L $d ] && cp -a $d "$root$d" || { mkdir "$root$d"; mount --rbind $d "$root$d"; }
done
exec chroot "$root" sh -c "$WHAT"
"""
ASK = '"$PYTHON" -IB "$PROGRAM"'
# two that begin a merge, one of which only pretends to
EMERGE = """\
for option in --ask --pretend; do
    "$PYTHON" /emerge $option sys-fs/zfs >/dev/null 2>&1 & children="$children $!"
done
while ! [ -e /begun--ask ] || ! [ -e /begun--pretend ]; do sleep 0.05; done
"$PYTHON" -IB "$PROGRAM"
kill $children
"""


@pytest.fixture
def ask(portage, root):
    """Return a function that asks about the root from within it."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("only root can change the root")
    bound = {Path(sys.base_prefix), portage.python.parents[1], PROGRAM}
    needed = [str(p) for p in sorted(bound) if not p.is_relative_to("/usr")]

    def run(what=ASK):
        enter = ("unshare", "--mount", "--propagation", "private", "sh", "-ec", ENTER)
        place = {"PYTHON": str(portage.python), "PROGRAM": str(PROGRAM), "WHAT": what}
        done = subprocess.run(
            [*enter, "sh", str(root), *needed],
            capture_output=True,
            text=True,
            env={**ENVIRONMENT, **ACCOUNT, **place},
            check=True,
        )
        return parse_portage(done.stdout)

    return run


def test_the_running_system(portage, root, ask):
    """From within the facts are the same as from without."""
    tree.install(root, find("sys-fs/zfs-2.4.3"), ["rootfs"])
    mask = {"etc/portage/package.mask": "sys-fs/mdadm\n"}
    tree.write_files(root, mask)
    (root / "var/db/pkg/sys-fs/-MERGING-zfs-2.4.3").mkdir()
    outside: Portage = portage
    expected = outside.ask(root)
    facts = ask()
    assert facts.at_work is not None
    assert replace(facts, at_work=None) == expected
    assert facts.package("sys-fs/mdadm").candidate is None


def test_merges_at_work(root, ask, tmp_path_factory):
    """A merge that runs is told; one that pretends, or runs in another root, is not."""
    source = "import sys, time\nopen('/begun' + sys.argv[1], 'w')\ntime.sleep(60)\n"
    tree.write_files(root, {"emerge": source})
    elsewhere = tmp_path_factory.mktemp("bin") / "emerge"
    elsewhere.write_text("print(flush=True)\nimport time\ntime.sleep(60)\n")
    command = [sys.executable, elsewhere, "--ask", "elsewhere"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout
            assert child.stdout.readline() == b"\n"
            told = ask(EMERGE).at_work
        finally:
            child.kill()
    assert [line.partition(" ")[2] for line in told] == ["emerge --ask sys-fs/zfs"]
    assert told[0].split()[0].isdigit()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("etc/portage/make.conf", "Portage cannot read /etc/portage/make.conf: "),
        ("etc/portage/repos.conf/a", "there is no ebuild repository in "),
    ],
)
def test_broken_files(name, said, root, ask):
    """The running system's own files are named as well."""
    tree.write_files(root, {name: "'\n"})
    tree.install(root, find("sys-fs/zfs-2.4.3"))
    facts = ask()
    assert facts.reason
    assert facts.reason.startswith(said)
    assert facts.package("sys-fs/zfs").installed

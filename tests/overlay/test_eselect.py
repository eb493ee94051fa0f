"""`eselect zfs-root` under functions that stand in for eselect's, and under eselect."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.overlay.eselects import find
from tests.overlay.lint import CHECKOUT
from zfs_root_migrate import __version__

MODULE = CHECKOUT / "overlay/zfs-root.eselect"
STAND_IN = Path(__file__).with_name("eselect.bash")
ACTIONS = ("list", "show", "set", "create", "destroy")
# what the tool says by --porcelain, and one line of a kind that is not known yet
LINES = (
    (
        "environment",
        "gentoo",
        "rpool/ROOT/gentoo",
        "running",
        "-",
        "9",
        "1",
        "yes",
        "-",
    ),
    (
        "environment",
        "try",
        "rpool/ROOT/try",
        "-",
        "default",
        "8",
        "2",
        "yes",
        "-",
        "new",
    ),
    ("environment", "old", "rpool/ROOT/old", "-", "-", "7", "3", "no", "no /sbin/init"),
    ("environment", "far", "rpool/ROOT/far", "-", "-", "7", "4", "unknown", "-"),
    ("kernel", "try", "rpool/ROOT/try", "6.12", "/boot/vmlinuz-6.12", "/boot/i-6.12"),
    ("weather", "fine"),
)
TOOL = """\
#!/bin/bash
case "$*" in
"environments --porcelain") cat "${0%/*}/lines"; exit "$(<"${0%/*}/status")" ;;
esac
echo "$*" >> "${0%/*}/calls"
echo "the tool says: $*"
exit "$(<"${0%/*}/status")"
"""


class Place:
    """A directory that everybody may read, with a tool that only notes its calls."""

    def __init__(self, top: Path) -> None:
        """Write the tool."""
        self.top = top
        self.tool(LINES)
        script = top / "zfs-root-migrate"
        script.write_text(TOOL)
        script.chmod(0o755)
        (top / "calls").touch()
        (top / "calls").chmod(0o666)
        shutil.copy(MODULE, top / "zfs-root.eselect")

    def tool(self, lines: tuple[tuple[str, ...], ...], status: int = 0) -> None:
        """Let the tool list this, and end with this status."""
        text = "".join("\t".join(line) + "\n" for line in lines)
        (self.top / "lines").write_text(text)
        (self.top / "status").write_text(str(status))

    @property
    def calls(self) -> list[str]:
        """What the tool was told to do."""
        return (self.top / "calls").read_text().splitlines()

    def stand_in(
        self, *words: str, before: tuple[str, ...] = (), **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the module under the functions that stand in for eselect's."""
        brief = words[:1] == ("--brief",)
        argv = (*before, "bash", str(STAND_IN), *words[:brief])
        module = str(self.top / "zfs-root.eselect")
        return self._run((*argv, module, *words[brief:]), env)

    def eselect(self, program: Path, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the module under eselect itself."""
        brief = words[:1] == ("--brief",)
        argv = (str(program), "--colour=no", *words[:brief], "zfs-root", *words[brief:])
        for name in ("modules", "modules}"):  # 1.4.13 has that brace in its path
            (self.top / ".eselect" / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(MODULE, self.top / ".eselect" / name)
        return self._run(argv, {})

    def _run(
        self, argv: tuple[str, ...], env: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        path = f"{self.top}:{os.environ['PATH']}"
        surroundings = {"PATH": path, "HOME": str(self.top), "LC_ALL": "C.UTF-8"}
        return subprocess.run(
            argv,
            env={**surroundings, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def place():
    """Return a place; not below pytest's own, which only its owner may read."""
    with tempfile.TemporaryDirectory() as top:
        Path(top).chmod(0o755)
        yield Place(Path(top))


@pytest.fixture(scope="module")
def eselect(tmp_path_factory):
    """Return eselect itself, where it is installed or ESELECT names it."""
    program = find(tmp_path_factory.mktemp("eselect"))
    if program is None:
        pytest.skip("eselect is not installed: only the stand-in was asked")
    return program


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")


def test_list(place):
    """Numbered, the default one starred, with what stands against booting one."""
    done = place.stand_in("list")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "Available boot environments:",
        "  [1]   gentoo (running)",
        "  [2]   try *",
        "  [3]   old (would not boot: no /sbin/init)",
        "  [4]   far",
    ]


def test_list_for_scripts(place):
    """Names, and nothing else."""
    assert place.stand_in("--brief", "list").stdout.split("\n") == [
        *("gentoo", "try", "old", "far", "")
    ]


def test_list_of_none(place):
    """It says so."""
    place.tool(LINES[4:])
    lines = place.stand_in("list").stdout.splitlines()
    assert [line.strip() for line in lines[1:]] == ["(none found)"]


def test_show(place):
    """The running one and the default one; without a default, that."""
    lines = place.stand_in("show").stdout.splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["running", "gentoo"],
        ["default", "try"],
    ]
    place.tool(LINES[:1])
    assert place.stand_in("show").stdout.splitlines()[2].split()[1] == "(unset)"


@as_root
@pytest.mark.parametrize(
    ("words", "call"),
    [
        (["set", "try"], "environments activate try"),
        (["set", "1"], "environments activate gentoo"),
        (["set", "04"], "environments activate far"),
        (["create", "new"], "environments create -- new"),
        (["create", "--yes"], "environments create -- --yes"),
        (["destroy", "old"], "environments destroy old"),
        (["destroy", "3"], "environments destroy old"),
        (["destroy", "--yes", "3"], "environments destroy --yes old"),
    ],
)
def test_the_tool_does_it(place, words, call):
    """By name or by number; what the tool says is shown."""
    done = place.stand_in(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"the tool says: {call}\n"
    assert place.calls == [call]


@as_root
@pytest.mark.parametrize(
    "words",
    [
        *(["set"], ["set", ""], ["set", "no"], ["set", "0"], ["set", "5"]),
        *(["set", "a b"], ["set", "try", "old"], ["set", "08"], ["set", "-1"]),
        *(["create"], ["create", "a", "b"], ["list", "x"], ["show", "x"]),
        *(["destroy"], ["destroy", "--yes"], ["destroy", "9"], ["destroy", "1", "2"]),
        *(["weather"], ["environment"]),
    ],
)
def test_wrong_words(place, words):
    """One line says why, and the tool is told nothing."""
    done = place.stand_in(*words)
    assert (done.returncode, done.stdout) == (250, "")
    assert re.fullmatch(r"!!! Error: .+\nexiting\n", done.stderr)
    assert place.calls == []


@as_root
@pytest.mark.parametrize(
    "words", [["list"], ["show"], ["set", "try"], ["create", "x"], ["destroy", "try"]]
)
def test_a_failing_tool(place, words):
    """Its failure is the module's."""
    place.tool(LINES, status=3)
    done = place.stand_in(*words)
    assert done.returncode == 250
    assert "!!! Error: " in done.stderr


@as_root
@pytest.mark.parametrize("words", [["set", "1"], ["create", "x"], ["destroy", "old"]])
def test_only_root_changes_something(place, words):
    """Others are told, before the tool is asked anything."""
    someone = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    done = place.stand_in(*words, before=someone)
    assert (done.returncode, done.stdout) == (250, "")
    assert "root privileges" in done.stderr
    assert place.calls == []
    assert place.stand_in("list", before=someone).returncode == 0


@pytest.mark.parametrize("action", ["list", "show"])
def test_another_root(place, action):
    """The tool knows the running system only; its own root may be named."""
    done = place.stand_in(action, ROOT="/mnt/gentoo")
    assert (done.returncode, done.stdout) == (250, "")
    assert "/mnt/gentoo" in done.stderr
    assert place.stand_in(action, ROOT="/").returncode == 0


def test_every_action_is_described():
    """For `eselect zfs-root help`, and the module says which version it is of."""
    text = MODULE.read_text()
    for name in ACTIONS:
        assert f"\ndescribe_{name}() {{\n" in text
    assert set(re.findall(r"(?m)^do_(\w+)\(\)", text)) == set(ACTIONS)
    assert f'\nVERSION="{__version__}"\n' in text
    assert text.startswith("# -*-eselect-*-  vim: ft=eselect\n")


@as_root
@pytest.mark.parametrize(
    "words",
    [
        *(["list"], ["--brief", "list"], ["show"], ["--brief", "show"]),
        *(["set", "try"], ["set", "3"], ["set", "9"], ["set", "no"], ["set"]),
        *(["create", "new"], ["create"], ["destroy", "--yes", "old"], ["destroy", "0"]),
    ],
)
@pytest.mark.parametrize("lines", [LINES, LINES[4:]], ids=["some", "none"])
def test_eselect_itself_says_the_same(place, eselect, words, lines):
    """Byte for byte."""
    place.tool(lines)
    ours = place.stand_in(*words)
    calls = place.calls
    theirs = place.eselect(eselect, *words)
    assert theirs.returncode == ours.returncode
    assert theirs.stdout == ours.stdout
    assert theirs.stderr == ours.stderr
    assert place.calls == calls * 2


def test_eselect_describes_the_actions(place, eselect):
    """`eselect zfs-root help` names each with its parameters."""
    done = place.eselect(eselect, "help")
    assert (done.returncode, done.stderr) == (0, "")
    for action in ACTIONS:
        assert re.search(rf"(?m)^  {action}\b.{{10,}}", done.stdout)
    for words in ("create <name>", "destroy <target>", "set <target>", "--yes"):
        assert words in done.stdout

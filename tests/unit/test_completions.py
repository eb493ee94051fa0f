"""The shells' completions say what the program knows, and the shells read them.

With UPDATE_MANUAL=1 in the environment (`make man`) their tables are written anew.
"""

import argparse
import subprocess

import pytest

from tests.unit.test_manual import PARSER, UPDATE, VERBS
from tests.unit.test_overlay import CHECKOUT
from zfs_root_migrate import completions, config
from zfs_root_migrate.finding import KINDS

PLACE = CHECKOUT / "completions"
BASH, ZSH = PLACE / "zfs-root-migrate.bash", PLACE / "_zfs-root-migrate"
MADE = {BASH: completions.bash, ZSH: completions.zsh}
SETTINGS = [setting.name for setting in config.SETTINGS]
each = pytest.mark.parametrize("script", MADE, ids=lambda path: path.name)
IN_BASH = r"""
source "$1"
compopt() { :; }
COMP_TYPE=9
shift
COMP_WORDS=( "$@" )
COMP_CWORD=$(( $# - 1 ))
_zfs_root_migrate
printf '%s\n' "${COMPREPLY[@]}"
"""
# types lines and tabs at a terminal; prints what completion would add to each
IN_ZSH = r"""
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PS1= PROMPT= RPS1=; fpath=( '${(q)1}' $fpath )'
zpty -w shell 'autoload -Uz compinit; compinit -D -u'
zpty -w shell 'compadd() {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
        builtin compadd "$@"
        return
    fi
    local -a hits
    builtin compadd -A hits "$@"
    print -l -- ${hits/(#b)(*)/HIT<$match[1]>}
    builtin compadd "$@"
}'
zpty -w shell 'setopt extended_glob'
zpty -w shell 'tab() { zle complete-word; print "END"; BUFFER=; zle send-break }'
zpty -w shell 'zle -N tab; bindkey "^I" tab; print REA""DY'
zpty -r shell said '*READY*'
shift
for line; do
    zpty -w -n shell $line$'\t'
    zpty -r shell said '*END*'
    print -r -- $said
done
"""


@each
def test_tables_are_what_the_program_gives(script):
    """What is stored is what would be made, or `make man` was forgotten."""
    text = completions.filled(script.read_text(), MADE[script](PARSER))
    if UPDATE:
        script.write_text(text)
    assert script.read_text() == text


def test_every_script_is_tested():
    """The ebuild installs what is there."""
    assert set(PLACE.iterdir()) == set(MADE)


@each
def test_everything_is_in_the_tables(script):
    """Verbs, options, settings, their values, the keys of findings."""
    text = script.read_text()
    wanted = {*VERBS, *SETTINGS, *KINDS}
    wanted |= {word for one in config.SETTINGS for word in completions._offered(one)}
    for verb in VERBS.values():
        wanted |= {name for action in verb._actions for name in action.option_strings}
    assert [word for word in wanted if word not in text] == []


def test_a_value_of_an_unknown_kind_cannot_be_forgotten():
    """Who adds an option says what its value is."""
    parser = argparse.ArgumentParser()
    verb = parser.add_subparsers(dest="verb").add_parser("go", description="go on")
    verb.add_argument("--far", metavar="MILES", help="how far")
    for make in MADE.values():
        with pytest.raises(KeyError, match="MILES"):
            make(parser)


@pytest.mark.parametrize("text", ["", "# --- made\n", "# --- end\n# --- made\n"])
def test_marks_are_needed(text):
    """Else there would be nothing between them."""
    with pytest.raises(ValueError, match="wanted once"):
        completions.filled(text, "new\n")


# bash


@pytest.fixture
def bash(needs, tmp_path):
    """Return a function that returns what bash completes to, given the words."""
    needs("bash")
    disks = tmp_path / "by-id"
    disks.mkdir()
    for name in ("ata-NEW_1", "ata-NEW_1-part1", "usb-A_0:0", "usb-A_0:0-part15"):
        (disks / name).touch()
    script = tmp_path / "script"
    script.write_text(BASH.read_text().replace("/dev/disk/by-id", str(disks)))

    def complete(*words):
        done = subprocess.run(
            ["bash", "--norc", "-c", IN_BASH, "bash", script, *words],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout.splitlines()

    return complete


PROGRAM = "zfs-root-migrate"


@pytest.mark.programs
def test_bash_verbs(bash):
    """At the beginning, and after `help`."""
    assert bash(PROGRAM, "") == list(VERBS)
    assert bash(PROGRAM, "help", "") == list(VERBS)
    assert bash(PROGRAM, "ve") == ["verify", "version"]
    assert bash(PROGRAM, "--ch") == ["--check"]
    assert bash(PROGRAM, "verify", "") == [""]


@pytest.mark.programs
@pytest.mark.parametrize("verb", VERBS)
def test_bash_options(bash, verb):
    """Of each verb, all and no other."""
    actions = VERBS[verb]._actions
    options = [name for action in actions for name in action.option_strings]
    assert bash(PROGRAM, verb, "-") == options


@pytest.mark.programs
@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("--check", "--ex"), ["--explain"]),
        (("check", "--explain", "kernel-too"), ["kernel-too-new", "kernel-too-old"]),
        (("check", "--explain", "--j"), ["--json"]),
        (("-p", "--fa"), ["--facts"]),
        (("list", "t"), ["target", "topology"]),
        (("set", ""), SETTINGS),
        (("set", "--config", "file", "comp"), ["compression"]),
        (("set", "topology", "r"), ["raidz1", "raidz2", "raidz3"]),
        (("set", "topology", "mirror", ""), [""]),
        (("set", "boot-size", ""), ["auto"]),
        (("set", "pool", ""), [""]),
        (("mirror", "--serial", ""), [""]),
        (("plan", "--set", "topo"), ["topology="]),
        (("plan", "--set", "topology", "="), "single mirror raidz1 raidz2 raidz3"),
        (("plan", "--set", "topology", "=", "m"), ["mirror"]),
        (("plan", "--set", "topology", "=", "mirror", "--j"), ["--json"]),
        (("plan", "--config", "sc"), ["script"]),
        (("check", "--root", "by"), ["by-id"]),
        (("set", "exclude", "a", "by"), ["by-id"]),
    ],
)
def test_bash_values(bash, words, answer):
    """Split at = as bash does it."""
    wanted = answer.split() if isinstance(answer, str) else answer
    assert bash(PROGRAM, *words) == wanted


@pytest.mark.programs
def test_bash_disks(bash, tmp_path):
    """Whole disks, after the first as well; a colon splits their names."""
    place = f"{tmp_path}/by-id"
    both = [f"{place}/ata-NEW_1", f"{place}/usb-A_0:0"]
    assert bash(PROGRAM, "set", "target", "") == both
    assert bash(PROGRAM, "set", "target", "1", f"{place}/a") == both[:1]
    assert bash(PROGRAM, "set", "target", f"{place}/usb-A_0", ":", "0") == ["0"]
    assert bash(PROGRAM, "plan", "--set", "target", "=", f"{place}/u") == both[1:]
    assert bash(PROGRAM, "plan", "--set", "target", "=", f"x,{place}/u") == [
        f"x,{place}/usb-A_0:0"
    ]


# zsh

TYPED = {
    "": [*VERBS],
    "ver": ["verify", "version"],
    "--che": ["--check"],
    "help ": [*VERBS],
    "list ": ["target", "topology", "layout"],
    "check --expl": ["--explain"],
    "--check --expl": ["--explain"],
    "check --explain kernel-too": ["kernel-too-new", "kernel-too-old"],
    "set ": SETTINGS,
    "set topology raid": ["raidz1", "raidz2", "raidz3"],
    "set --config x compression z": ["zstd"],
    "plan --set topology=mi": ["mirror"],
    "plan --set comp": ["compression"],
}


@pytest.mark.programs
def test_zsh(needs):
    """As it is typed at a terminal, where zsh is installed."""
    needs("zsh")
    lines = [f"{PROGRAM} {line}" for line in TYPED]
    done = subprocess.run(
        ["zsh", "-f", "-c", IN_ZSH, "zsh", str(PLACE), *lines],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    answers = done.stdout.split("END")[: len(TYPED)]
    hits = [[x.partition(">")[0] for x in a.split("HIT<")[1:]] for a in answers]
    assert dict(zip(TYPED, map(set, hits), strict=True)) == {
        line: set(answer) for line, answer in TYPED.items()
    }, done.stdout


@pytest.mark.programs
def test_zsh_reads_it(needs):
    """The syntax, as a whole."""
    needs("zsh")
    subprocess.run(["zsh", "-n", str(ZSH)], check=True)

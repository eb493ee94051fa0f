"""The manual pages are what the program says, and every reader can show them.

With UPDATE_MANUAL=1 in the environment (`make man`) the pages are written anew from
their sources; look at the difference.
"""

import argparse
import inspect
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.unit.test_docs import README
from zfs_root_migrate import __version__, cli, config, manual
from zfs_root_migrate.errors import ExitStatus, UsageError
from zfs_root_migrate.finding import KINDS

UPDATE = os.environ.get("UPDATE_MANUAL") == "1"
MAN = Path(__file__).parents[2] / "docs/man"
COMMAND, SETTINGS = MAN / "zfs-root-migrate.8", MAN / "zfs-root-migrate.toml.5"
BOTH = (COMMAND, SETTINGS)
PARSER = cli.build_parser()
VERBS = manual.subparsers(PARSER)
GLYPHS = {
    **{rf"\f{font}": "" for font in "BIR"},
    **{r"\-": "-", r"\~": " ", r"\&": "", r"\(aq": "'", r"\(ga": "`"},
    **{r"\(ha": "^", r"\(ti": "~", r"\e": "\\"},
}


def source_of(page):
    """Return the source of a page."""
    return page.with_name(f"{page.name}.in")


def made(text):
    """Return the page that a source comes to."""
    return manual.page(text, "source", PARSER)


def plain(text):
    """Return troff as the text that a reader sees, the macros as they are."""
    text = re.sub(r'(?m)^\.\\".*\n', "", text)
    shown = re.sub(r"\\(?:f[BIR]|\([a-z]{2}|.)", lambda m: GLYPHS[m[0]], text)
    return re.sub(r"(?m)^\.BR (\S+) (\S+)$", r"\1\2", shown)


def words(text):
    """Return a text as one line."""
    return " ".join(text.split())


def part(page, macro, heading):
    """Return what stands below a heading (SH, SS), up to the next of its rank."""
    ends = r"^\.SH " if macro == "SH" else r"^\.S[HS] "
    text = plain(page.read_text()).split(f"\n.{macro} {heading}\n")
    assert len(text) == 2, heading
    return re.split(f"(?m){ends}", text[1])[0]


def tags(text):
    """Return the paragraphs below .TP, by their first line."""
    found = {}
    for entry in re.split(r"(?m)^\.TP.*\n", text)[1:]:
        tag, _, rest = entry.partition("\n")
        assert tag not in found
        found[tag] = re.split(r"(?m)^\.PP\n", rest)[0]
    return found


def examples(page):
    """Return what stands between .EX and .EE."""
    return re.findall(r"(?ms)^\.EX\n(.*?)^\.EE$", plain(page.read_text()))


def options(parser):
    """Return all spellings of all options."""
    return {name for action in parser._actions for name in action.option_strings}


# both pages


@pytest.mark.parametrize("page", BOTH, ids=lambda page: page.name)
def test_pages_are_what_the_program_gives(page):
    """The stored page is the generated one, or `make man` was forgotten."""
    source = source_of(page)
    text = manual.page(source.read_text(), source.name, PARSER)
    if UPDATE:
        page.write_text(text)
    assert page.read_text() == text


def test_every_page_is_tested():
    """No page in the directory goes untested."""
    assert set(MAN.iterdir()) == {*BOTH, *map(source_of, BOTH)}


@pytest.mark.parametrize("page", BOTH, ids=lambda page: page.name)
def test_head_and_name(page):
    """Section, version and the line that `whatis` shows."""
    name, section = page.stem, page.suffix[1:]
    lines = page.read_text().splitlines()
    assert lines[0].startswith('.\\" Made by `make man`')
    head = rf'\.TH {name} {section} \d{{4}}-\d\d-\d\d "zfs-root-migrate {__version__}" '
    assert re.match(head, lines[1])
    assert part(page, "SH", "NAME").startswith(f"{name} - ")


@pytest.mark.programs
@pytest.mark.parametrize("page", BOTH, ids=lambda page: page.name)
@pytest.mark.parametrize(
    "argv",
    [
        ("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"),
        ("groff", "-man", "-ww", "-Tutf8", "-z"),
        ("mandoc", "-T", "lint", "-W", "warning"),
    ],
    ids=lambda argv: argv[0],
)
def test_no_reader_complains(needs, page, argv):
    """man-db, groff and mandoc, where they are installed."""
    needs(argv[0])
    done = subprocess.run([*argv, str(page)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert argv[0] != "mandoc" or done.stdout == ""


@pytest.mark.programs
@pytest.mark.parametrize("page", BOTH, ids=lambda page: page.name)
def test_page_as_it_is_read(needs, page):
    """At 80 columns nothing sticks out, and what is typed can be copied."""
    needs("groff")
    argv = ["groff", "-man", "-Tutf8", "-P-cbou", "-rLL=80n", str(page)]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert shown.count("\n") > 100
    assert [line for line in shown.splitlines() if len(line) > 80] == []
    # troff's own signs; hyphens and minus signs that no shell understands
    assert not re.search(r"[\\\u2010\u2212]|\bf[BIR]\b", shown)
    for example in examples(page):
        for line in example.splitlines():
            assert line in shown


@pytest.mark.programs
@pytest.mark.parametrize("page", BOTH, ids=lambda page: page.name)
def test_apropos_finds_it(needs, page):
    """man-db reads name and description."""
    needs("lexgrog")
    argv = ["lexgrog", str(page)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert f'"{page.stem} - ' in done.stdout


# the page of the command


@pytest.mark.parametrize("row", cli.VERBS, ids=lambda row: row.name)
def test_verb_has_its_text_and_options(row):
    """What `help` says of a verb, and each option with its own words."""
    text = part(COMMAND, "SS", row.name)
    assert row.help[1:].replace("`", "").rstrip(".") in words(text)
    entries = tags(text)
    shown = {name for tag in entries for name in re.findall(r"(?:^| )(-[-a-z]+)", tag)}
    parser = VERBS[row.name]
    assert shown == options(parser) - {"-h", "--help", "--config"}
    for action in parser._actions:
        if action.dest not in ("help", "config") and action.help:
            (tag,) = (t for t in entries if f" {action.dest} " in f" {spoken(t)} ")
            assert action.help[1:].replace("`", "") in words(entries[tag])


def spoken(tag):
    """Return the words of a tag the way argparse names them."""
    return re.sub(r"[^a-z]+", " ", tag.lower().replace("value ...", "values"))


@pytest.mark.parametrize("name", VERBS)
def test_synopsis_has_every_option(name):
    """Each verb has its line, with nothing missing and nothing else."""
    calls = part(COMMAND, "SH", "SYNOPSIS").split(".SY zfs-root-migrate\n")[1:]
    (call,) = (call for call in calls if call.startswith(f"{name}\n"))
    given = set(re.findall(r"(?<![\w-])--?[a-z]+", call))
    for action in VERBS[name]._actions:
        if action.dest in ("help", "config"):
            continue
        names = set(action.option_strings)
        assert len(given & names) == bool(names)
        given -= names
        if action.metavar:
            assert action.metavar in call
        for choice in action.choices or ():
            assert choice in call
    assert given == set()


def test_options_without_a_verb():
    """Those of the program itself, and those of every verb."""
    shown = set(re.findall(r"(?m)(?:^|, )(-[-a-z]+)", part(COMMAND, "SH", "OPTIONS")))
    assert shown == options(PARSER) | {"--config"}


@pytest.mark.parametrize("page", BOTH, ids=lambda page: page.name)
def test_no_option_is_named_that_is_not_there(page):
    """Neither in a list nor in a sentence."""
    known = options(PARSER).union(*map(options, VERBS.values()))
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", plain(page.read_text())))
    # of wipefs, blockdev and emerge, in findings
    others = {"--all", "--setro", "--resume"}
    assert named - known - others == set()


def test_examples_can_be_typed():
    """The command line understands each of them, and they show every way through."""
    typed = [line for text in examples(COMMAND) for line in text.splitlines()]
    ours = [shlex.split(line[2:]) for line in typed if " zfs-root-migrate " in line]
    given = [PARSER.parse_args(cut(argv)[1:]) for argv in ours]
    assert all(line[:2] in ("# ", "$ ") for line in typed)
    assert {"check", "set", "plan", "run", "mirror", "undo"} <= {a.verb for a in given}
    wishes = [(a.name, tuple(a.values)) for a in given if a.verb == "set"]
    assert ("topology", ("raidz1",)) in wishes
    for name, value in wishes:
        if not any(word.isdigit() for word in value):
            config.parse_setting(name, value)


def cut(argv):
    """Leave out where the output goes."""
    return argv[: argv.index(">")] if ">" in argv else argv


@pytest.mark.parametrize("key", sorted(KINDS))
def test_every_finding_is_explained(key):
    """Key, weight, title, and the words of its manual entry."""
    kind = KINDS[key]
    entries = tags(part(COMMAND, "SH", "FINDINGS"))
    tag = f"{key} ({kind.severity}): {kind.title}"
    tag = tag.replace("`", "")
    assert tag in entries
    text = words(entries[tag].replace("\n.IP\n", "\n"))
    summary, *others = inspect.cleandoc(kind.__doc__).replace("`", "").split("\n\n")
    for paragraph in others:
        assert words(paragraph) in text
    assert words(summary) in text or words(summary).lower() == f"{kind.title.lower()}."
    assert text


def test_no_finding_is_explained_that_is_not_there():
    """One entry for each, in the order of the keys."""
    keys = [tag.split()[0] for tag in tags(part(COMMAND, "SH", "FINDINGS"))]
    assert keys == sorted(KINDS)


def test_exit_statuses():
    """All of them."""
    shown = set(tags(part(COMMAND, "SH", "EXIT STATUS")))
    assert shown == {str(int(status)) for status in ExitStatus}


def test_files():
    """The same as in the README, which is held against the program."""
    named = set(re.findall(r"(?m)^\| `(/[^`]*)` \|", README.read_text()))
    assert set(tags(part(COMMAND, "SH", "FILES"))) == named


def test_environment():
    """What the tool's own modules ask the environment for."""
    package = Path(manual.__file__).parent
    source = "".join(path.read_text() for path in package.glob("*.py"))
    asked = re.findall(r"(?:in |)os\.environ\b|getenv", source)
    assert asked == ["in os.environ"]
    assert set(tags(part(COMMAND, "SH", "ENVIRONMENT"))) == {"NO_COLOR"}
    assert '"NO_COLOR" not in os.environ' in source


# the page of the settings file


def test_every_setting_has_an_entry():
    """One for each, and no other."""
    shown = list(tags(part(SETTINGS, "SH", "SETTINGS")))
    assert shown == [setting.name for setting in config.SETTINGS]


@pytest.mark.parametrize("setting", config.SETTINGS, ids=lambda row: row.name)
def test_setting_is_described(setting):
    """Its help, all its values, its default, and an example that is valid."""
    text = tags(part(SETTINGS, "SH", "SETTINGS"))[setting.name]
    assert setting.help[1:] in words(text)
    shown = re.search(r"(?m)^Values: (.*)\.$", text)[1]
    for value in setting.values.removesuffix("...").split(" | "):
        assert value in re.findall(r"[\w-]+", shown)
    default = re.search(r"(?m)^Default: (.*)\.$", text)[1].removesuffix(" (none)")
    usual = getattr(config.Config(), setting.field)
    assert value_of(f"{setting.name} = {default}", setting) == usual
    (example,) = re.findall(r"(?ms)^\.EX\n(.*?)^\.EE$", text)
    assert value_of(example, setting) != usual


def value_of(text, setting):
    """Return what a line of the settings file comes to."""
    values = config.read_settings(text, "page")
    assert list(values) == [setting.name]
    return getattr(config.parse_config(values), setting.field)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("boolean", "true"), ("integer", "512"), ("array", "[]")],
)
@pytest.mark.parametrize("setting", config.SETTINGS, ids=lambda row: row.name)
def test_types_are_true(setting, kind, value):
    """A value of a type that is named is read, one of another type is refused."""
    text = tags(part(SETTINGS, "SH", "SETTINGS"))[setting.name]
    named = kind in re.search(r"(?m)^Type: (.*)\.$", text)[1]
    line = f"{setting.name} = {value}"
    if named:
        value_of(line, setting)
    # where any text will do, so does what these are read as: yes, 512
    elif setting.name not in ("overwrite", "pool"):
        with pytest.raises(UsageError):
            value_of(line, setting)


def test_whole_files_are_valid():
    """The examples at the end can be copied."""
    found = part(SETTINGS, "SH", "EXAMPLES")
    texts = re.findall(r"(?ms)^\.EX\n(.*?)^\.EE$", found)
    read = [config.parse_config(config.read_settings(text, "page")) for text in texts]
    assert [len(wishes.target) for wishes in read] == [1, 3]


# the generator


@pytest.mark.parametrize("line", ["@verb nothing@", "@lists@", "@setting nothing@"])
def test_what_is_not_there_cannot_be_named(line):
    """A source that asks for it comes to nothing."""
    with pytest.raises((KeyError, UsageError)):
        made(f"{line}\n")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a `-p` b", r"a \fB\-p\fR b"),
        ("it's a \\ ~ ^", r"it's a \e \(ti \(ha"),
        ("`it's`", r"\fBit\(aqs\fR"),
        ("'tis", r"\&'tis"),
        (".BR a", ".BR a"),
    ],
)
def test_text_is_text(text, line):
    """No letter of a text is taken for a command of troff."""
    assert made(f"{text}\n").splitlines()[1] == line


def test_a_lone_backquote_is_an_error():
    """Else the wrong half of the page would be bold."""
    with pytest.raises(ValueError, match="backquote"):
        made("what `is\nsaid`\n")


def test_examples_are_as_they_are_typed():
    """Backquotes and dots mean nothing special in them, and end with them."""
    lines = made(".EX\n`a` 'b' -c\n.EE\n`a`\n").splitlines()
    assert lines[2:] == [r"\(gaa\(ga \(aqb\(aq \-c", ".EE", r"\fBa\fR"]


def test_a_new_finding_comes_into_the_page(monkeypatch):
    """The lists are the program's: what it learns, the page says."""
    other = type("Other", (), {**vars(KINDS["target-unset"]), "key": "new-key"})
    monkeypatch.setitem(KINDS, "new-key", other)
    assert r"\fBnew\-key\fR (inhibitor): no new disk is chosen" in made("@findings@\n")


def test_a_new_option_comes_into_the_page():
    """The command line is described as it is given."""
    parser = argparse.ArgumentParser()
    verb = parser.add_subparsers(dest="verb").add_parser("go", description="go on")
    verb.add_argument("--far", metavar="MILES", help="how far")
    text = manual.page("@synopsis@\n@verb go@\n", "source", parser)
    assert "[\\fB\\-\\-far\\fR\\~\\fIMILES\\fR]\n" in text
    assert ".SS go\nGo on.\n.TP 4\n\\fB\\-\\-far" in text
    assert "\nHow far.\n" in text

"""The documents say what the program does: verbs, settings, JSON fields, files."""

import json
import os
import re
from pathlib import Path

import pytest

from tests.unit.fakes.roots import Roots
from zfs_root_migrate import cli, codec, config, layout, model, paths, step
from zfs_root_migrate.environment_reports import environments_data
from zfs_root_migrate.errors import ExitStatus
from zfs_root_migrate.facts import load_facts
from zfs_root_migrate.facts.environments import gather_environments
from zfs_root_migrate.finding import Severity
from zfs_root_migrate.journal import Event, Record
from zfs_root_migrate.plan import plan_run
from zfs_root_migrate.state import Phase, Recorded, State
from zfs_root_migrate.status import status_data
from zfs_root_migrate.steps import dracut, menu, openrc
from zfs_root_migrate.wishes import Topic

CHECKOUT = Path(__file__).parents[2]
DOCS = tuple(sorted((CHECKOUT / "docs").glob("*.md")))
README = CHECKOUT / "README.md"
PAGES = (README, CHECKOUT / "NEWS.md", *DOCS)
MACHINES = CHECKOUT / "tests/machines"
MACHINE = MACHINES / "openrc-bios/facts.json"
TARGET = "/dev/disk/by-id/ata-WDC_WD10EZEX-08WN4A0_WD-WCC6Y1ABC002"
HEAD = ("schema", "version")
WIDTH = 96


def everything() -> str:
    """Return the text of README and docs."""
    return "\n".join(page.read_text() for page in (README, *DOCS))


def documented() -> dict[str, set[str]]:
    """Return the fields in each table of docs/json.md, by the name in its heading."""
    text = (CHECKOUT / "docs/json.md").read_text()
    found = {}
    for part in re.split(r"(?m)^### ", text)[1:]:
        name = re.match(r"`(\w+)`\n", part)
        assert name, part.splitlines()[0]
        assert name[1] not in found
        section = re.split(r"(?m)^## ", part)[0]
        found[name[1]] = set(re.findall(r"(?m)^\| `(\w+)` \|", section))
    return found


@pytest.fixture
def ask(tmp_path, capsys):
    """Return a function that asks the command line about the recorded machine."""
    settings = tmp_path / "settings.toml"
    settings.write_text(f'target = ["{TARGET}"]\n')

    def run(verb: str) -> dict[str, object]:
        given = ("--config", str(settings), "--facts", str(MACHINE), "--json")
        assert cli.main([verb, *given]) == ExitStatus.DONE
        document = json.loads(capsys.readouterr().out)
        assert document["schema"] == f"zfs-root-migrate/{verb}"
        return document

    return run


def body(document: dict[str, object]) -> set[str]:
    """Return the fields of a document beside its head."""
    return set(document) - set(HEAD)


def kinds(data: object) -> dict[str, set[str]]:
    """Return the fields of every object that names its kind."""
    found: dict[str, set[str]] = {}
    todo = [data]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            if isinstance(item.get("type"), str):
                found[item["type"]] = set(item) - {"type"}
            todo += item.values()
        elif isinstance(item, list):
            todo += item
    return found


def recorded() -> Recorded:
    """Return what the tool writes down when it begins on the recorded machine."""
    facts = load_facts(MACHINE.read_text(), str(MACHINE))
    wishes = config.Config(target=(TARGET,))
    plan = plan_run(wishes, facts)
    return Recorded(config=wishes, facts=facts, digest=plan.digest, plan=plan)


# README


def test_first_screen_has_the_two_commands():
    """Whoever opens the README sees what to type, and what it risks."""
    screen = "\n".join(README.read_text().splitlines()[:40])
    assert "make demo" in screen
    assert "make test" in screen
    assert "risk" in screen


@pytest.mark.parametrize("verb", [row.name for row in cli.VERBS])
def test_every_verb_is_explained(verb):
    """Each verb has a row."""
    assert re.search(rf"(?m)^\| .*`{verb}`", README.read_text())


@pytest.mark.parametrize("setting", config.SETTINGS, ids=lambda row: row.name)
def test_every_setting_is_explained(setting):
    """Each setting has a row with its true default."""
    rows = re.findall(rf"(?m)^\| `{setting.name}` \| (.*) \| (.*) \|$", everything())
    assert rows, "no row in a table of settings"
    now = getattr(config.Config(), setting.field)
    default = config.show_value(now).strip("()")
    assert rows[0][1].strip("`") == default


def test_exit_statuses_are_all_there():
    """Each exit status has a row, and no other one has."""
    rows = set(re.findall(r"(?m)^\| (\d+) \|", README.read_text()))
    assert rows == {str(int(status)) for status in ExitStatus}


def test_the_tools_own_files_are_all_there():
    """The files that are named are the ones that the tool uses."""
    files = {config.SETTINGS_FILE, f"{paths.STATE}/", paths.LOG, str(paths.LOCK)}
    files |= {f"{paths.PORTAGE}/{topic}/{paths.OWN_NAME}" for topic in Topic}
    files |= {f"{paths.WORK}/", dracut.CONF, f"/etc/init.d/{openrc.MD_SERVICE}"}
    files.add(menu.SCRIPT)
    files |= {paths.ARMED, paths.ARMED_SCRIPT, f"{dracut.MODULE}/"}
    named = set(re.findall(r"(?m)^\| `(/[^`]*)` \|", README.read_text()))
    assert files == named


def test_example_of_the_settings_file_is_valid():
    """The example can be copied."""
    found = re.search(r"(?m)^For example:\n\n((?:    .*\n)+)", README.read_text())
    assert found
    text = re.sub(r"(?m)^    ", "", found[1])
    values = config.read_settings(text, "README")
    assert config.parse_config(values).target == (TARGET,)


def test_options_that_are_named_exist():
    """No command of the README has an option that is not there."""
    parser = cli.build_parser()
    known = set()
    for action in parser._actions:
        known |= set(action.option_strings)
        for sub in (action.choices or {}) if action.dest == "verb" else ():
            known |= set(action.choices[sub]._option_string_actions)
    typed = re.findall(r"(?:zfs-root-migrate|`)[a-z -]*(--[a-z]+)", README.read_text())
    others = {"--repo"}
    assert set(typed) - known - others == set()


# docs/json.md


def test_reports_have_the_documented_fields(ask):
    """check, list and show."""
    fields = documented()
    check, listing, show = ask("check"), ask("list"), ask("show")
    assert body(check) == fields["check"]
    assert check["findings"]
    assert all(set(f) == fields["finding"] for f in check["findings"])
    assert body(listing) == fields["list"]
    rows = [row for name in body(listing) for row in listing[name]]
    assert all(set(row) == fields["choice"] for row in rows)
    assert body(show) == fields["show"]
    assert set(show["settings"]) == {row.name for row in config.SETTINGS}
    assert all(set(row) == fields["setting"] for row in show["settings"].values())


def test_plan_has_the_documented_fields(ask):
    """plan, with the layout and the steps in it."""
    fields, plan = documented(), ask("plan")
    assert body(plan) == fields["plan"]
    found = kinds(plan)
    assert found == {name: fields[name] for name in found}
    wanted = {"Layout", "DiskLayout", "Partition", "Array", "Dataset", "Step", "Mount"}
    assert found.keys() == wanted | {
        *("Run", "WriteFile", "Require", "CopyTree", "CopyRounds", "CompareTrees"),
        *("Start", "Join", "Probe", "Arm", "SourceFs"),
    }


def test_facts_have_the_documented_fields():
    """Facts of all machines, with everything in them."""
    fields = documented()
    found: dict[str, set[str]] = {}
    for machine in sorted(MACHINES.glob("*/facts.json")):
        facts = codec.encode(load_facts(machine.read_text(), machine.parent.name))
        found |= kinds(facts)
    # what no recording has: somebody has to walk through the files
    links = (model.LinkGroup(paths=("/a", "/b"), links=2),)
    marked = (model.Marked(path="/c", attribute="encrypted"),)
    walked = model.Tree(files=3, directories=1, links=links, marked=marked)
    found |= kinds(codec.encode(walked))
    assert found == {name: fields[name] for name in found}
    values = [v for v in vars(model).values() if isinstance(v, type)]
    assert found.keys() == {
        v.__name__ for v in values if hasattr(v, "__dataclass_fields__")
    }


def test_status_has_the_documented_fields():
    """status, before and after something has begun."""
    fields = documented()
    line = Record(event=Event.BEGIN, verb="run", plan="digest")
    for known in (None, recorded()):
        status = status_data(Phase.NOTHING, known, (line,))
        assert set(status) == fields["status"]
        assert kinds(status) == {"Record": fields["Record"]}


@pytest.mark.parametrize("tutorial", [True, False])
def test_environments_have_the_documented_fields(tutorial):
    """environments, for both layouts."""
    fields = documented()
    machine = Roots(tutorial=tutorial)
    grub = ("/etc/default/grub", menu.SCRIPT)
    data = environments_data(gather_environments(machine, files=grub, is_root=True))
    assert set(data) == fields["environments"]
    (row,) = data["environments"]
    assert set(row) == fields["environment"]
    assert kinds(data) == {"Image": fields["Image"]}


def test_recordings_have_the_documented_fields():
    """Recordings of all machines."""
    fields = documented()
    for machine in sorted(MACHINES.glob("*/recording.json")):
        document = json.loads(machine.read_text())
        assert body(document) == fields["recording"]
        for query in document["queries"].values():
            assert {"status", "stdout"} <= set(query) <= fields["query"]


def test_state_has_the_documented_fields(tmp_path):
    """What is written down when a migration begins."""
    known = recorded()
    State(str(tmp_path)).record(known.config, known.facts, known.plan)
    document = json.loads((tmp_path / "plan.json").read_text())
    assert document["schema"] == "zfs-root-migrate/state"
    assert body(document) == documented()["state"]


def test_every_table_is_of_something():
    """No table describes what is gone."""
    tables = documented()
    named = {"check", "finding", "list", "choice", "show", "setting", "plan", "status"}
    named |= {"recording", "query", "state", "Record", "fix", "file"}
    named |= {"environments", "environment", "Image"}
    assert tables.keys() - named <= {*vars(model), *vars(layout), *vars(step)}
    assert all(tables.values())


@pytest.mark.parametrize(
    "names",
    [
        *(Phase, Event, Severity, layout.Role, model.Topology, model.PlaceKind),
        *(model.Firmware, model.Generator, model.Init, model.Loader),
    ],
)
def test_every_word_of_an_enumeration_is_named(names):
    """Fixed words are listed with the field that has them."""
    text = (CHECKOUT / "docs/json.md").read_text()
    assert [name for name in names if f"`{name}`" not in text] == []


# all pages


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    """A relative link is a file."""
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" not in link:
            assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page):
    """A path between backquotes is a file."""
    tops = (CHECKOUT, CHECKOUT / "python/zfs_root_migrate", CHECKOUT / "tests/vm/boots")
    file = r"(?:[\w.-]+/)*[\w.-]+\.(?:py|txt|toml|sh)|(?:tests|python|steps)/[\w./-]*"
    own = {"differences.txt", "second-opinion.txt", "transcript.txt"}
    for name in set(re.findall(f"`({file})`", page.read_text())) - own:
        assert any((top / name).exists() for top in tops), name


def test_make_targets_that_are_named_exist():
    """make is told nothing that it does not know."""
    targets = set(re.findall(r"(?m)^([a-z-]+):", (CHECKOUT / "Makefile").read_text()))
    for page in PAGES:
        named = re.findall(r"(?m)(?:^    |`)make ([a-z-]+)", page.read_text())
        assert set(named) <= targets, page.name


def tracked() -> list[Path]:
    """Return the files of the checkout that are nobody's cache."""
    caches = {"__pycache__", "build", "out", "zfs_root_migrate.egg-info"}
    found = [CHECKOUT / ".ci/run"]
    for top, below, names in os.walk(CHECKOUT):
        below[:] = [d for d in below if d not in caches and d[0] != "."]
        # in a linked worktree .git is a file that says where the repository is
        # in a worktree of git, .git is a file with a path of this machine in it
        found += [Path(top) / name for name in names if name != ".git"]
    return found


def test_no_file_names_a_machine_or_a_mirror():
    """Where things come from is asked of the machine."""
    hosts = r"p[y]pi\.org|python[h]osted|deb\.d[e]bian|ftp\.d[e]bian|n[p]mjs"
    places = r"(?<![\w/.-])/w[o]rk/"
    wrong = re.compile(f"{hosts}|{places}".encode())
    guards = {Path(__file__), CHECKOUT / "tests/vm/unit/test_build.py"}
    guilty = {
        (str(file.relative_to(CHECKOUT)), found[0])
        for file in tracked()
        if file not in guards and (found := wrong.search(file.read_bytes()))
    }
    assert guilty == set()


def test_pages_are_no_wider_than_a_terminal():
    """Pages can be read as they are."""
    for page in PAGES:
        for line in page.read_text().splitlines():
            assert line.startswith("|") or len(line) <= WIDTH, line

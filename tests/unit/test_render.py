"""Plans, findings, choices and the status as text and as data."""

import shlex
from dataclasses import replace

import pytest

from tests.unit.checks.test_recorded import read
from tests.unit.fakes.machines import JOINING, WISHES, wished
from zfs_root_migrate import copier, reports, status
from zfs_root_migrate.amounts import duration
from zfs_root_migrate.checks import run_checks
from zfs_root_migrate.config import Config
from zfs_root_migrate.errors import UsageError
from zfs_root_migrate.finding import Severity
from zfs_root_migrate.journal import Event, Record
from zfs_root_migrate.layout import design
from zfs_root_migrate.model import Topology
from zfs_root_migrate.plan import plan_mirror, plan_run
from zfs_root_migrate.render import action_text, plan_text, probe_text, steps_text
from zfs_root_migrate.state import NEXT, NEXT_ALONE, Phase, Recorded
from zfs_root_migrate.step import (
    Arm,
    Await,
    CompareTrees,
    CopyRounds,
    CopyTree,
    Join,
    Probe,
    Require,
    Run,
    Start,
    WriteFile,
)
from zfs_root_migrate.steps.copying import left_out, left_out_mounts


def text_of(case):
    """Return the plan of a machine and its text."""
    config, facts = wished(case)
    plan, layout = plan_run(config, facts), design(config, facts)
    skipped = (*left_out_mounts(config, facts), *left_out(config, facts, layout))
    return plan, plan_text(plan, facts, layout, skipped)


def commands(actions):  # noqa: C901 - one case for each
    """Yield every command and every file content of actions."""
    for action in actions:
        match action.run if isinstance(action, Start) else action:
            case Run() as action:
                yield shlex.join(action.argv)
                yield from (action.stdin or "").splitlines()
                if action.when is not None:
                    yield shlex.join(action.when.argv)
            case Require():
                yield shlex.join(action.probe.argv)
            case Await():
                yield shlex.join(action.argv)
            case WriteFile():
                yield action.path
                yield from action.content.splitlines()
            case CopyTree():
                yield shlex.join(copier.command(action))
            case CopyRounds():
                yield from (shlex.join(copier.command(tree)) for tree in action.trees)
            case Arm():
                yield action.path
            case CompareTrees():
                yield from (pair.destination for pair in action.pairs)
            case Join():
                yield action.name


@pytest.mark.parametrize("case", WISHES)
def test_every_command_is_in_the_text(case):
    """`plan` hides nothing that `run` will do."""
    plan, text = text_of(case)
    shown = "\n".join(line.strip() for line in text.splitlines())
    count = 0
    for step in plan.steps:
        assert step.title in text
        assert step.reason in text
        for touched in step.old_disk:
            assert touched in text
        for command in commands(step.actions):
            for line in command.splitlines():
                assert line.strip() in shown, (step.id, line)
                count += 1
    assert count > 100


@pytest.mark.parametrize("case", WISHES)
def test_the_picture(case):
    """All disks, sizes, what is copied and what is not, with a reason."""
    config, facts = wished(case)
    layout = design(config, facts)
    text = text_of(case)[1]
    for disk in (*layout.disks, *filter(None, [layout.old_disk])):
        assert disk.path in text
    for dataset in layout.datasets:
        assert dataset.name in text
    for item in (*left_out_mounts(config, facts), *left_out(config, facts, layout)):
        assert f"{item.path}: {item.reason}" in text
    assert ("After `mirror`" in text) == (layout.old_disk is not None)
    assert ("stays out of the pool" in text) == (layout.old_disk is None)


@pytest.mark.parametrize("case", JOINING)
def test_the_mirror_s_steps(case):
    """They are shown in full as well."""
    config, facts = wished(case)
    plan = plan_mirror(config, facts, facts)
    text = steps_text(plan)
    for step in plan.steps:
        for command in commands(step.actions):
            assert command.splitlines()[0].strip() in text
    assert "cannot be undone" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (75, "1 min 15 s"),
        (3600, "1 h 0 min"),
        (90061, "25 h 1 min"),
    ],
)
def test_durations(seconds, text):
    """Rounded, with two units at most."""
    assert duration(seconds) == text


def test_guards_and_places_are_shown():
    """A condition, a chroot, a text given: all of it is seen."""
    run = Run(
        argv=("sh", "-c", "a b"),
        stdin="x\ny\n",
        chroot="/new",
        when=Probe(argv=("zpool", "list", "tank"), holds=False),
    )
    assert action_text(run) == [
        "if not (`zpool list tank` succeeds): in the new root: sh -c 'a b' <<'END'",
        "x",
        "y",
        "END",
    ]


@pytest.mark.parametrize(
    ("probe", "text"),
    [
        (Probe(argv=("a", "b c")), "`a 'b c'` succeeds"),
        (Probe(argv=("a",), status=1), "`a` ends with 1"),
        (
            Probe(argv=("a",), matches=("x",), absent=("y",)),
            "`a` says /x/ and does not say /y/",
        ),
        (Probe(argv=("a",), holds=False), "not (`a` succeeds)"),
    ],
)
def test_questions(probe, text):
    """A probe's question and the answer that is expected."""
    assert probe_text(probe) == text


def findings(*targets, case="guest-openrc-bios"):
    """Return what the checks find with other targets."""
    _, facts = wished(case)
    return run_checks(facts, Config(target=targets))


def test_the_check_as_text():
    """The worst first; every finding with its key; the verdict in the last line."""
    found = findings()
    text = reports.check_text(found, colour=False)
    places = [text.index(f"[{f.key}]") for f in found]
    ranks = [f.severity.rank for f in found]
    assert [r for _, r in sorted(zip(places, ranks, strict=True))] == sorted(ranks)
    for finding in found:
        assert finding.title in text
        assert finding.seen in text
        for line in finding.remedy:
            assert line in text
    assert text.splitlines()[-1].startswith("Not ready: 1 thing to mend.")
    assert "\033" not in text
    coloured = reports.check_text(found, colour=True)
    assert coloured.count("\033[0m") == coloured.count("\033[1;") > 0


def test_the_check_as_data():
    """The verdict and each finding, with what to type."""
    found = findings()
    data = reports.check_data(found)
    assert data["verdict"] == "inhibited"
    assert [f["key"] for f in data["findings"]] == [f.key for f in found]
    ready = findings("/dev/disk/by-id/virtio-NEWDISK")
    assert reports.check_data(ready)["verdict"] == "ready"
    assert reports.check_text(ready, colour=False).splitlines()[-1].startswith("Ready")
    assert not [f for f in ready if f.severity is Severity.INHIBITOR]


@pytest.mark.parametrize("case", ["systemd-uefi", "luks", "btrfs-root", "lvm"])
def test_a_system_that_cannot_be_migrated(case):
    """That is what is said; what would have to be mended is only named."""
    found = run_checks(read(case), Config())
    beyond = reports.unsupported(found)
    assert beyond
    text = reports.check_text(found, colour=False)
    assert text.startswith(f"Not possible with this version ({len(beyond)})\n")
    for finding in found:
        assert f"[{finding.key}]" in text
        typed = [line for line in finding.commands if line in text]
        assert not typed or finding in beyond
    last = text.splitlines()[-1]
    assert all(finding.title in last for finding in beyond)
    assert last.startswith("This version cannot migrate this system: ")
    assert "--fix" not in text
    assert reports.check_data(found)["verdict"] == "unsupported"


def test_choices():
    """The running disk is no choice; the chosen ones are starred."""
    config, facts = wished("raidz")
    data = reports.choices(config, facts)
    assert [row["value"] for row in data["target"]] == list(config.target)
    assert all(row["chosen"] for row in data["target"])
    assert [r["value"] for r in data["topology"] if r["chosen"]] == ["raidz1"]
    assert len(data["topology"]) == len(Topology)
    text = reports.choices_text(data, colour=False)
    assert text.count(" *  (") == len(config.target) + 2
    assert "  [1]   " + config.target[0] in text
    nothing = reports.choices_text({"target": []}, colour=False)
    assert "(none found)" in nothing


def test_numbers_of_a_list():
    """1 is the first; names pass; other numbers are an error."""
    data = reports.choices(*wished("raidz"))
    values = [str(row["value"]) for row in data["target"]]
    assert reports.by_number("target", ("2", "1"), data) == (values[1], values[0])
    assert reports.by_number("target", ("/dev/x", "3"), data) == ("/dev/x", values[2])
    for bad in ("0", "4", "00", "99999999999999999999"):
        with pytest.raises(UsageError, match="there is no target number"):
            reports.by_number("target", (bad,), data)


@pytest.mark.parametrize("case", WISHES)
def test_facts_in_short(case):
    """Every disk with its state."""
    config, facts = wished(case)
    text = reports.facts_text(facts)
    assert text.count(": blank") == len(config.target)
    assert text.count("the running system") == 1
    for path in config.target:
        assert path in text


HOSTILE = "X\033]0;t\007\n        rm -rf /"


def renamed(facts, name):
    """Return a machine whose disks and system have a name."""
    rows = facts.storage.devices
    disks = tuple(replace(d, model=name, serial=name) for d in rows)
    storage, system = (
        replace(facts.storage, devices=disks),
        replace(facts.system, os_name=name, os_id="x"),
    )
    return replace(facts, storage=storage, system=system)


@pytest.mark.parametrize("name", [HOSTILE, "\r\033[2K"])
def test_names_that_a_terminal_would_obey(name):
    """They are shown on the line they belong to, and nothing looks typed."""
    texts = []
    for text in ("X", name):
        facts = renamed(wished("guest-openrc-bios")[1], text)
        findings = run_checks(facts, Config())
        texts.append(
            "\n".join(
                (
                    reports.check_text(findings, colour=False),
                    reports.facts_text(facts),
                    reports.choices_text(
                        reports.choices(Config(), facts), colour=False
                    ),
                )
            )
        )
    assert texts[1].count("\n") == texts[0].count("\n")
    assert "\033" not in texts[1]
    assert "\r" not in texts[1]


def recorded(case="guest-openrc-bios"):
    """Return what was decided for a machine."""
    config, facts = wished(case)
    plan = plan_run(config, facts)
    return Recorded(config=config, facts=facts, digest=plan.digest, plan=plan)


@pytest.mark.parametrize("now", Phase)
def test_the_status(now):
    """Where it stands, on which disks, what was last, who is at work, what is next."""
    records = (Record(event=Event.INTENT, verb="run", plan="d", step="copy", time=0.0),)
    text = status.status_text(now, recorded(), records, "4711")
    for part in ("virtio-NEWDISK", "virtio-OLDDISK", "step copy", "process 4711"):
        assert part in text
    assert text.splitlines()[-1] == NEXT[now]
    data = status.status_data(now, recorded(), records)
    assert (data["phase"], data["next"]) == (str(now), NEXT[now])
    assert status.status_text(now, None, (), None)


PASS = [(Event.BEGIN, ""), (Event.INTENT, "quiet")]
FAILURE = (Event.FAILED, "quiet")


@pytest.mark.parametrize(
    ("now", "rows", "said"),
    [
        (Phase.STALE, PASS, "Sealed by the pass that began at"),
        (Phase.UNSEALED, PASS, "was cut short"),
        (Phase.UNSEALED, PASS[:1], "was cut short"),
        (Phase.UNSEALED, [*PASS, FAILURE], "failed in step quiet: no such disk"),
    ],
)
def test_how_the_last_pass_ended(now, rows, said):
    """As far as the old root can know."""
    records = tuple(
        Record(event=event, verb="seal", plan="d", step=step, text=FAILURES.get(event))
        for event, step in rows
    )
    assert said in status.status_text(now, recorded(), records, None)
    # once something else was begun, it is of no interest
    later = (*records, Record(event=Event.BEGIN, verb="sync", plan="d"))
    assert said not in status.status_text(now, recorded(), later, None)


FAILURES = {Event.FAILED: "no such disk"}


def test_the_end_without_the_old_disk():
    """Over several new disks the first boot of the new root is the end."""
    assert status.status_line(Phase.ARRIVED, recorded("raidz")) == NEXT_ALONE
    assert status.status_data(Phase.ARRIVED, recorded("raidz"), ())["old_disk"] is None


def test_only_the_newest_records_are_shown():
    """A long journal does not make a long status."""
    records = tuple(
        Record(event=Event.DONE, verb="run", plan="d", step=str(n)) for n in range(50)
    )
    data = status.status_data(Phase.STARTED, recorded(), records)
    assert [row["step"] for row in data["journal"]][-1] == "49"
    assert len(data["journal"]) <= 20

"""The state directory, and where a migration stands."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.fakes.machines import WISHES, wished
from zfs_root_migrate import journal
from zfs_root_migrate.errors import UsageError
from zfs_root_migrate.journal import Event, Journal, Record
from zfs_root_migrate.plan import plan_run
from zfs_root_migrate.state import NEXT, Phase, Recorded, State, phase


@pytest.fixture
def state(tmp_path):
    """Return a state directory that is not there yet."""
    return State(str(tmp_path / "var/state"))


@pytest.mark.parametrize("case", WISHES)
def test_round_trip(state, case):
    """Settings, facts and plan come back as the same values, with the same digest."""
    config, facts = wished(case)
    plan = plan_run(config, facts)
    state.record(config, facts, plan)
    found = state.recorded()
    assert (found.config, found.facts, found.plan) == (config, facts, plan)
    assert found.digest == plan.digest == found.plan.digest


def test_what_is_decoded_is_what_lies_there(recorded):
    """It is decoded once, and anew when a file has changed."""
    first = recorded.recorded()
    assert recorded.recorded() is first
    config, facts = wished("raidz")
    State(str(recorded.directory)).record(config, facts, plan_run(config, facts))
    assert recorded.recorded().config == config != first.config
    recorded.forget()
    assert recorded.recorded() is None


def test_nothing_is_recorded_yet(state):
    """No directory, no migration, and looking makes none."""
    assert state.recorded() is None
    assert state.records() == ()
    assert not state.directory.exists()


@pytest.fixture
def recorded(state):
    """Return a state with a recorded migration."""
    config, facts = wished("guest-openrc-bios")
    state.record(config, facts, plan_run(config, facts))
    return state


def test_nobody_else_can_look_in(recorded):
    """The directory is root's."""
    assert recorded.directory.stat().st_mode & 0o777 == 0o700


def test_plan_comes_last(state, monkeypatch):
    """A crash in between leaves what counts as nothing begun."""
    names = []
    real = journal.write_state
    monkeypatch.setattr(
        journal,
        "write_state",
        lambda path, text: (names.append(path.name), real(path, text)),
    )
    config, facts = wished("guest-openrc-bios")
    state.record(config, facts, plan_run(config, facts))
    assert names == ["facts.json", "plan.json"]
    (state.directory / "plan.json").unlink()
    assert state.recorded() is None


def test_forget_removes_everything(recorded):
    """Afterwards nothing is left, not even the directory."""
    Journal.open(recorded.journal_path)
    (recorded.directory / "plan.json.part").write_text("torn")
    (recorded.directory / "differences.txt").write_text("none")
    recorded.forget()
    assert not recorded.directory.exists()


@pytest.mark.parametrize("steps", range(1, 4))
def test_a_new_beginning_after_a_forget_cut_short(recorded, monkeypatch, steps):
    """What a killed `undo` left behind is no part of the next migration."""
    log = Journal.open(recorded.journal_path)
    log.write(Event.UNDONE, "run", "d", "modules")

    old = recorded.recorded()
    real, done = Path.unlink, []

    def unlink(path, **more):
        done.append(path)
        if len(done) > steps:
            raise KeyboardInterrupt
        real(path, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", unlink)
        with pytest.raises(KeyboardInterrupt):
            recorded.forget()
    assert recorded.recorded() is None
    recorded.record(old.config, old.facts, old.plan)
    now = phase(recorded.recorded(), recorded.records(), on_new_root=False)
    assert now is Phase.STARTED
    recorded.forget()
    assert not recorded.directory.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[: len(text) // 2], "is damaged"),
        (lambda text: "[]", "another version"),
        (lambda text: text.replace('"version": 1', '"version": 2'), "another version"),
        (lambda text: text.replace('"pool"', '"pole"', 1), "pole"),
        (lambda text: text.replace('"hazard": 0', '"hazard": 9', 1), "hazard"),
        (lambda text: text.replace('"type": "Run"', '"type": "Rum"', 1), "actions"),
    ],
)
def test_a_plan_that_cannot_be_read(recorded, change, message):
    """It is a clear error that names the place, never a guess."""
    path = recorded.directory / "plan.json"
    path.write_text(change(path.read_text()))
    with pytest.raises(UsageError, match=message):
        recorded.recorded()


def test_documents_say_what_they_are(recorded):
    """Schema and version stand in the file."""
    data = json.loads((recorded.directory / "plan.json").read_text())
    assert (data["schema"], data["version"]) == ("zfs-root-migrate/state", 1)


B, E, N, U = Event.BEGIN, Event.END, Event.INTENT, Event.UNDONE
F = Event.FAILED
RUN = [(B, "run"), (N, "run"), (E, "run")]
FAILED_PASS = [(B, "seal"), (N, "seal"), (F, "seal"), (U, "seal")]


@pytest.mark.parametrize(
    ("rows", "here", "there"),
    [
        ([], Phase.STARTED, Phase.ARRIVED),
        ([(B, "run")], Phase.STARTED, Phase.ARRIVED),
        ([(B, "run"), (N, "run")], Phase.STARTED, Phase.ARRIVED),
        (RUN, Phase.ARMED, Phase.ARRIVED),
        # died in the middle, gone on, ended
        ([(B, "run"), (N, "run"), *RUN], Phase.ARMED, Phase.ARRIVED),
        # what was begun after the first end must come to its own
        ([*RUN, (B, "run")], Phase.SYNCING, Phase.ARRIVED),
        ([*RUN, (B, "verify"), (E, "verify")], Phase.ARMED, Phase.ARRIVED),
        ([*RUN, (B, "sync"), (N, "sync")], Phase.SYNCING, Phase.ARRIVED),
        ([*RUN, (B, "sync"), (N, "sync"), (E, "sync")], Phase.ARMED, Phase.ARRIVED),
        ([*RUN, (B, "seal")], Phase.UNSEALED, Phase.ARRIVED),
        ([*RUN, (B, "seal"), (N, "seal")], Phase.STALE, Phase.ARRIVED),
        ([*RUN, (B, "seal"), (N, "seal"), (F, "seal")], Phase.UNSEALED, Phase.ARRIVED),
        ([*RUN, *FAILED_PASS], Phase.UNSEALED, Phase.ARRIVED),
        ([*RUN, *FAILED_PASS, (B, "sync")], Phase.SYNCING, Phase.ARRIVED),
        ([*RUN, *FAILED_PASS, (B, "sync"), (E, "sync")], Phase.ARMED, Phase.ARRIVED),
        ([*RUN, *FAILED_PASS, (U, "run")], Phase.UNDOING, Phase.ARRIVED),
        ([*RUN, (U, "run")], Phase.UNDOING, Phase.ARRIVED),
        ([(B, "run"), (N, "run"), (U, "run")], Phase.UNDOING, Phase.ARRIVED),
        ([*RUN, (B, "mirror")], Phase.SYNCING, Phase.MIRRORING),
        ([*RUN, (B, "mirror"), (E, "mirror")], Phase.ARMED, Phase.MIRRORED),
    ],
)
def test_phases(rows, here, there):
    """What the journal says, on the old and on the new root."""
    config, facts = wished("guest-openrc-bios")
    plan = plan_run(config, facts)
    recorded = Recorded(config=config, facts=facts, digest=plan.digest, plan=plan)
    records = tuple(Record(event=e, verb=v, plan="d") for e, v in rows)
    assert phase(recorded, records, on_new_root=False) is here
    assert phase(recorded, records, on_new_root=True) is there
    assert phase(None, records, on_new_root=False) is Phase.NOTHING


def test_without_a_last_pass_nothing_is_armed():
    """With `consistency = now` the copy is all there is."""
    config, facts = wished("guest-openrc-bios")
    config = replace(config, consistency="now")
    plan = plan_run(config, facts)
    recorded = Recorded(config=config, facts=facts, digest=plan.digest, plan=plan)
    records = tuple(Record(event=e, verb=v, plan="d") for e, v in RUN)
    assert phase(recorded, records, on_new_root=False) is Phase.COPIED


def test_every_phase_says_what_is_next():
    """People are never left alone."""
    assert set(NEXT) == set(Phase)


def test_settings_of_a_begun_migration_stay(recorded):
    """Other wishes afterwards do not change what was decided."""
    config, _ = wished("guest-openrc-bios")
    assert recorded.recorded().config == config
    assert recorded.recorded().config != replace(config, pool="tank")

"""How the last pass is started: the text for the service, and what it refuses."""

import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import zfs_root_migrate
from tests.unit.fakes.machines import WISHES, wished
from zfs_root_migrate import arming, paths
from zfs_root_migrate.arming import armed_file, compose
from zfs_root_migrate.errors import StepFailedError, UsageError
from zfs_root_migrate.layout import design
from zfs_root_migrate.plan import plan_run, plan_sync
from zfs_root_migrate.shipped import OPENRC_SERVICE, SERVICE, shipped
from zfs_root_migrate.step import Arm, Require, SourceFs, WriteFile
from zfs_root_migrate.steps import copying
from zfs_root_migrate.steps.sealing import arm, source_file_systems

UNITS = Path(zfs_root_migrate.__file__).parent / "units"
ROOT = SourceFs(target="/", fs_type="ext4", uuid="r")


def test_this_very_program_is_started():
    """Its Python and its package, wherever they lie."""
    text = armed_file(Arm(path="/armed", mounts=(ROOT,))).content
    assert f"PYTHONPATH={UNITS.parent.parent}" in text
    assert f"{sys.executable} -B -P -m zfs_root_migrate seal" in text
    assert "mount -t" not in text


def test_a_program_elsewhere_is_refused(monkeypatch):
    """What will not be there by then is named, and what to do."""
    monkeypatch.setattr(arming, "_places", lambda _: [Path("/proc/version")])
    with pytest.raises(StepFailedError, match="/proc/version will not be") as caught:
        armed_file(Arm(path="/armed", mounts=(ROOT,)))
    assert "consistency now" in caught.value.resolution


@pytest.mark.programs
def test_the_text_does_what_it_says(tmp_path):
    """sh mounts what is not mounted, and starts Python with odd names and all."""
    mounts = tuple(
        SourceFs(target=f"{tmp_path}/{name}", fs_type="xfs", uuid=name[0])
        for name in ("a b", "c$d")
    )
    python = tmp_path / "py thon"
    python.write_text('#!/bin/sh\necho "$PYTHONPATH: $*"\n')
    python.chmod(0o755)
    script = (
        'mountpoint() { [ "$2" = "$there" ]; }; mount() { echo "mount $*"; };\n'
        f"there={shlex.quote(mounts[0].target)}\n"
        + compose(str(python), "/pack age", mounts)
        + "last_pass\n"
    )
    argv = ["/bin/sh", "-ec", script]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        f"mount -t xfs UUID=c {mounts[1].target}",
        "/pack age: -B -P -m zfs_root_migrate seal",
    ]


@pytest.mark.parametrize("case", WISHES)
def test_armed_at_the_end(case):
    """`run` and `sync` arm as their last step, and only where that is wished for."""
    config, facts = wished(case)
    for make in (plan_run, plan_sync):
        assert make(config, facts).steps[-1].id == "arm"
        plan = make(replace(config, consistency="now"), facts)
        assert plan.steps[-1].id == "close"
        assert "zfs-root-migrate:seal" not in repr(plan)


def test_a_service_that_the_package_brought_stays():
    """It is neither written nor removed, but must be the one of this version."""
    config, facts = wished("openrc-bios")
    ours, theirs = (
        arm(config, known, design(config, known))[0]
        for known in (facts, with_service(facts))
    )
    removed = [run.argv[-1] for run in ours.undo]
    assert paths.ARMED_SCRIPT in removed
    assert any(isinstance(a, WriteFile) for a in ours.actions)
    assert paths.ARMED_SCRIPT not in [run.argv[-1] for run in theirs.undo]
    assert not any(isinstance(a, WriteFile) for a in theirs.actions)
    assert any(isinstance(a, Require) for a in theirs.actions)


def with_service(facts):
    """Return the facts with the service installed by a package."""
    services = (*facts.system.services, SERVICE)
    return replace(facts, system=replace(facts.system, services=services))


def test_the_new_root_is_not_armed():
    """What arms is not copied; the service is, where it belongs to a package."""
    config, facts = wished("openrc-bios")
    for known, copied in ((facts, False), (with_service(facts), True)):
        layout = design(config, known)
        out = {item.path for item in copying.left_out(config, known, layout)}
        assert {paths.ARMED_LINK, paths.ARMED} <= out
        assert (paths.ARMED_SCRIPT not in out) == copied


def test_a_file_system_without_a_name_is_refused():
    """It could not be found again."""
    config, facts = wished("guest-openrc-bios")
    devices = tuple(replace(d, fs_uuid=None) for d in facts.storage.devices)
    bare = replace(facts, storage=replace(facts.storage, devices=devices))
    with pytest.raises(UsageError, match="has no UUID"):
        source_file_systems(design(config, bare), bare)


def test_units_are_all_there():
    """What is installed as it is."""
    assert {path.name for path in UNITS.iterdir()} == {
        OPENRC_SERVICE,
        f"{SERVICE}.service",
        "module-setup.sh",
        "zfs-root-migrate-sealed.sh",
    }
    assert paths.ARMED in shipped(OPENRC_SERVICE)
    assert paths.ARMED in shipped(f"{SERVICE}.service")


@pytest.mark.programs
def test_the_systemd_unit_is_sound(needs):
    """As far as can be told without systemd running."""
    needs("systemd-analyze")
    argv = ["systemd-analyze", "--man=no", "verify", UNITS / f"{SERVICE}.service"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")

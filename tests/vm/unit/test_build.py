"""Stages, keys, the cache, progress and failures of the builder."""

import io
import time
from pathlib import Path

import pytest

from tests.vm import gentoo, stages
from tests.vm.cache import Cache, digest
from tests.vm.debian import read_list, upstream_version
from tests.vm.process import BuildError, Runner
from tests.vm.progress import DEFAULT_SECONDS, Estimate, Progress


def test_keys_follow_the_inputs(tmp_path: Path) -> None:
    """A changed byte, name or word changes the key."""
    file = tmp_path / "a"
    file.write_text("one")
    first = digest(tmp_path, [file], "word")
    assert digest(tmp_path, [file], "word") == first
    assert digest(tmp_path, [file], "other") != first
    file.write_text("two")
    assert digest(tmp_path, [file], "word") != first
    file.write_text("one")
    moved = tmp_path / "d/a"
    moved.parent.mkdir()
    file.rename(moved)
    assert digest(tmp_path, [moved], "word") != first


def test_every_stage_has_its_inputs() -> None:
    """No stage names a file that is not there."""
    for stage in stages.STAGES:
        for name in stage.inputs:
            assert (stages.HERE / name).exists(), name
        for name in stage.sources:
            assert (stages.CHECKOUT / name).exists(), name
        assert stage.files() or stage.words


def test_only_what_is_missing_is_built(tmp_path: Path) -> None:
    """What an existing artefact was made of may be gone."""
    cache = Cache(tmp_path)
    names = [stage.name for stage in stages.missing(cache, "image")]
    assert names == ["base", "modules", "packages", "tree", "image"]
    paths = stages.artefacts(cache)
    paths["packages"].touch()
    names = [stage.name for stage in stages.missing(cache, "image")]
    assert names == ["tree", "image"]
    paths["image"].touch()
    assert stages.missing(cache, "image") == []
    # of what is wanted beside it, only that and what it needs
    names = [stage.name for stage in stages.missing(cache, *stages.WANTED)]
    assert names == ["base", "emulator", "installed", "systemd"]
    paths["emulator"].mkdir()
    paths["installed"].touch()
    paths["systemd"].touch()
    assert stages.missing(cache, *stages.WANTED) == []


def test_old_artefacts_go_and_others_stay(tmp_path: Path) -> None:
    """Pruning a stage touches neither other stages nor logs."""
    cache = Cache(tmp_path)
    keep = cache.path("tree", "0" * 16, ".tar")
    old = cache.path("tree", "1" * 16, ".tar")
    other = cache.path("base", "1" * 16, ".tar")
    for file in (keep, old, other, cache.log("tree")):
        file.touch()
    directory = cache.path("tree", "2" * 16, ".d")
    (directory / "lib").mkdir(parents=True)
    cache.prune("tree", keep)
    assert sorted(tmp_path.iterdir()) == sorted([keep, other, cache.log("tree")])


def test_a_killed_build_leaves_nothing_for_good(tmp_path: Path) -> None:
    """The next build removes half-made artefacts and work directories."""
    cache = Cache(tmp_path)
    keep = cache.path("tree", "0" * 16, ".tar")
    keep.touch()
    (tmp_path / f"{keep.name}.part").touch()
    (tmp_path / "emulator-0.d.part/lib").mkdir(parents=True)
    (tmp_path / "tree.work/dev").mkdir(parents=True)
    cache.clear_leftovers()
    assert list(tmp_path.iterdir()) == [keep]


def test_a_damaged_record_of_durations_is_no_failure(tmp_path: Path) -> None:
    """Estimates are worth no failed build."""
    cache = Cache(tmp_path)
    for text in ("", "[]", '{"tree": null}', '{"tree": "x"}'):
        (tmp_path / "durations.json").write_text(text)
        assert cache.durations() == {}
    cache.record("tree", 12.34)
    assert cache.durations() == {"tree": 12.3}


def test_estimate_uses_what_is_known() -> None:
    """A stage that takes longer than ever does not make time run backwards."""
    estimate = Estimate({"tree": 10.0})
    assert estimate.left((), "tree", 4.0) == 6.0
    assert estimate.left((), "tree", 40.0) == 0.0
    assert estimate.left(("image",), "tree", 0.0) == 10.0 + DEFAULT_SECONDS["image"]


def test_progress_is_plain_without_a_terminal() -> None:
    """A log file gets whole lines and no control characters."""
    stream = io.StringIO()
    with Progress(Estimate({}), stream).stage("tree", ("image",)):
        time.sleep(0.05)
    text = stream.getvalue()
    assert text.isascii()
    assert "\x1b" not in text
    assert "\r" not in text
    assert "guest: tree  0:00 gone, about 1:40 left\n" in text
    assert text.endswith("guest: tree built in 0:00\n")


def test_a_failure_says_what_and_where(tmp_path: Path) -> None:
    """The message has the command, the status, the last lines and the log."""
    log = tmp_path / "x.log"
    with pytest.raises(BuildError) as caught:
        Runner(log).run(["/bin/sh", "-c", "echo the reason; exit 3"])
    text = str(caught.value)
    for part in ("echo the reason", "exit status 3", "| the reason", str(log)):
        assert part in text


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    """A program that is not there is told from one that fails."""
    with pytest.raises(BuildError, match="cannot start /no/such"):
        Runner(tmp_path / "x.log").run(["/no/such"])


def test_lists_have_names_and_comments(tmp_path: Path) -> None:
    """Comments and empty lines are no names."""
    file = tmp_path / "list"
    file.write_text("# first\n\nrsync   # why\nzstd\n")
    assert read_list(file) == ["rsync", "zstd"]


@pytest.mark.parametrize(
    ("debian", "gentoo_version"),
    [("2.3.9-0+deb13u1", "2.3.9"), ("1:3.10-4", "3.10"), ("2.12-9+deb13u2", "2.12")],
)
def test_versions(debian: str, gentoo_version: str) -> None:
    """Epoch and Debian's revision are no part of a Gentoo version."""
    assert upstream_version(debian) == gentoo_version


def test_pruning_stays_inside_the_tree(tmp_path: Path) -> None:
    """A link is removed, not what it points to."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    root = tmp_path / "root"
    (root / "usr/share").mkdir(parents=True)
    (root / "usr/share/man").symlink_to(outside)
    gentoo.prune(root)
    assert not (root / "usr/share/man").is_symlink()
    assert (outside / "kept").exists()


def test_no_mirror_is_named() -> None:
    """What the guest is made from is this machine's choice."""
    for file in stages.HERE.rglob("*"):
        if file.is_file() and file.suffix != ".pyc" and "unit" not in file.parts:
            text = file.read_text(errors="replace")
            assert "deb.debian" not in text, file
            assert ".".join(("pypi", "org")) not in text, file

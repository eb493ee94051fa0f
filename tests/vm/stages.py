"""The stages that lead to the guest's disk and QEMU, and which of them need building.

Each stage makes one artefact from its own inputs and the artefacts of the stages
before it.  Its key is the hash of those inputs and of the earlier keys: what has
not changed is not built again, and what is not needed any more (the base, once all
that stands on it is there) may be missing.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.vm import debian, emulator, gentoo, image, installed, systemd
from tests.vm.cache import Cache, digest, remove
from tests.vm.process import BuildError, Runner
from tests.vm.progress import Estimate, Progress

Build = Callable[[Path, Mapping[str, Path], Path, Runner], None]
HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One artefact: what it is made of, by what, and how its file is called."""

    name: str
    needs: tuple[str, ...]
    inputs: tuple[str, ...]
    words: tuple[str, ...]
    suffix: str
    build: Build
    # of the checkout, outside of this directory
    sources: tuple[str, ...] = ()

    def files(self) -> list[Path]:
        """Return the files of this directory that the stage is made of."""
        return _files(HERE, self.inputs)

    @property
    def source_words(self) -> tuple[str, ...]:
        """The hash of the sources, where there are any."""
        files = _files(CHECKOUT, self.sources)
        return (digest(CHECKOUT, files),) if files else ()


def _files(top: Path, names: tuple[str, ...]) -> list[Path]:
    found: list[Path] = []
    for name in names:
        path = top / name
        found += [path] if path.is_file() else sorted(path.rglob("*"))
    return [file for file in found if file.is_file() and file.suffix != ".pyc"]


STAGES = (
    Stage(
        name="base",
        needs=(),
        inputs=(),
        words=debian.BASE_WORDS,
        suffix=".tar",
        build=debian.build_base,
    ),
    Stage(
        name="emulator",
        needs=("base",),
        inputs=("emulator.py",),
        words=(),
        suffix=".d",
        build=emulator.build_emulator,
    ),
    Stage(
        name="modules",
        needs=("base",),
        inputs=("scripts/modules.sh",),
        words=(),
        suffix=".tar",
        build=debian.build_modules,
    ),
    Stage(
        name="packages",
        needs=("base", "modules"),
        inputs=(
            *("debian.py", "chroot.py"),
            *("lists/guest-packages.txt", "scripts/prune.sh"),
        ),
        words=debian.PACKAGES_WORDS,
        suffix=".tar",
        build=debian.build_packages,
    ),
    Stage(
        name="tree",
        needs=("packages",),
        inputs=(
            *("gentoo.py", "portage_tree.py", "vdb.py", "agent.py"),
            *("rootfs", "repo", "lists/gentoo-packages.txt", "lists/pruned.txt"),
        ),
        words=(),
        suffix=".tar",
        build=gentoo.build_tree,
    ),
    Stage(
        name="image",
        needs=("tree",),
        inputs=("image.py", "torture.py"),
        words=(),
        suffix=".raw",
        build=image.build_image,
    ),
    Stage(
        name="installed",
        needs=("image",),
        inputs=("installed.py",),
        words=(),
        suffix=".raw",
        build=installed.build_installed,
        sources=installed.SOURCES,
    ),
    Stage(
        name="systemd",
        needs=("base",),
        inputs=("systemd.py",),
        words=(),
        suffix=".tar",
        build=systemd.build_systemd,
    ),
)
BY_NAME = {stage.name: stage for stage in STAGES}
# what guests are made of
WANTED = ("installed", "emulator", "systemd")


def keys() -> dict[str, str]:
    """Return the key of every stage."""
    found: dict[str, str] = {}
    for stage in STAGES:
        earlier = tuple(found[name] for name in stage.needs)
        words = (stage.name, *stage.words, *stage.source_words, *earlier)
        found[stage.name] = digest(HERE, stage.files(), *words)
    return found


def artefacts(cache: Cache) -> dict[str, Path]:
    """Return where the artefact of every stage lies or will lie."""
    found = keys()
    return {
        stage.name: cache.path(stage.name, found[stage.name], stage.suffix)
        for stage in STAGES
    }


def missing(cache: Cache, *wanted: str) -> list[Stage]:
    """Return the stages to build, in order, for the wanted ones to exist."""
    paths = artefacts(cache)
    needed: set[str] = set()

    def require(name: str) -> None:
        if not paths[name].exists():
            needed.add(name)
            for earlier in BY_NAME[name].needs:
                require(earlier)

    for name in wanted:
        require(name)
    return [stage for stage in STAGES if stage.name in needed]


def build(cache: Cache, *wanted: str, progress: Progress | None = None) -> None:
    """Build what is missing of the wanted artefacts."""
    progress = progress or Progress(Estimate(cache.durations()))
    with cache.lock(progress.say):
        cache.clear_leftovers()
        todo = missing(cache, *wanted)
        for number, stage in enumerate(todo):
            waiting = tuple(later.name for later in todo[number + 1 :])
            with progress.stage(stage.name, waiting):
                _build_one(cache, stage)


def _build_one(cache: Cache, stage: Stage) -> None:
    paths = artefacts(cache)
    target = paths[stage.name]
    part = target.with_name(target.name + ".part")
    log = cache.log(stage.name)
    log.write_text("")
    begun = time.monotonic()
    try:
        with cache.workspace(stage.name) as work:
            stage.build(work, paths, part, Runner(log))
        part.replace(target)
    except BuildError as error:
        raise BuildError(f"the stage {stage.name} failed: {error}") from error
    finally:
        remove(part)
    cache.record(stage.name, time.monotonic() - begun)
    cache.prune(stage.name, target)

"""The real machine: carries out actions and answers probes. Part of the rim."""

import math
import os
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from zfs_root_migrate import arming, comparison, copier, opinion, rounds, runner
from zfs_root_migrate.comparison_walk import Difference
from zfs_root_migrate.errors import StepFailedError, VerificationError
from zfs_root_migrate.paths import NEW, SEAL
from zfs_root_migrate.started import LAST, Started, failed
from zfs_root_migrate.step import (
    Action,
    Arm,
    Await,
    CompareTrees,
    Consult,
    CopyRounds,
    CopyTree,
    Join,
    Probe,
    Require,
    Run,
    Seal,
    Start,
    WriteFile,
)
from zfs_root_migrate.windows import seal_text


class Progress(Protocol):
    """Who is told what happens inside a step."""

    def command(self, text: str) -> None:
        """A command is started; `text` can be pasted into a shell."""

    def said(self, text: str) -> None:
        """A command wrote a line."""

    def noted(self, text: str) -> None:
        """Something that the user should read."""

    def round_begins(self) -> None:
        """All trees are copied once more from now on."""

    def tree_begins(self, tree: CopyTree) -> None:
        """A tree is being copied or compared from now on."""

    def advance(self, *, bytes_done: int, files_done: int) -> None:
        """How far the present tree is, counted from its beginning."""

    def percent(self, done: float | None) -> None:
        """How far something is that the kernel does by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passes:
    """When copying passes began, as Unix times, 0.0 where there was none.

    `last` is the one at work or just ended, `before` the one before it, `compared` the
    last one after which every file was compared.
    """

    last: float = 0.0
    before: float = 0.0
    compared: float = 0.0


class LiveWorld:
    """The machine that this process runs on."""

    def __init__(self, progress: Progress, *, passes: Callable[[], Passes]) -> None:
        """`passes` tells when copying passes began."""
        self._progress = progress
        self._passes = passes
        self._manifest = ""
        self._started = Started(progress.command, progress.said)

    def close(self) -> None:
        """End what was started and not waited for."""
        self._started.close()

    def holds(self, probe: Probe) -> bool:
        """Tell whether the probe's answer is the expected one."""
        answer = _ask(probe)
        return fits(probe, answer) is probe.holds

    def act(self, action: Action) -> None:  # noqa: C901 - one case for each
        """Do it, or raise StepFailedError."""
        self._started.look()
        match action:
            case Run():
                self._run(action)
            case WriteFile():
                write_file(action)
            case Require():
                self._require(action)
            case CopyTree():
                copier.copy_tree(action, self._progress)
            case CopyRounds():
                before = self._passes().before
                rounds.make_rounds(action, self._progress, since=before)
            case CompareTrees():
                self._compare(action)
            case Start():
                self._started.start(action)
            case Join():
                self._started.join(action.name)
            case Await():
                self._await(action)
            case Consult():
                self._consult(action)
            case Arm():
                write_file(arming.armed_file(action))
            case Seal():
                self._seal(action)

    def _run(self, action: Run) -> None:
        if action.when is not None and not self.holds(action.when):
            return
        text = runner.shell_text(action.argv, action.chroot)
        self._progress.command(text)
        said: list[str] = []

        def on_line(line: str, _is_error: bool) -> None:
            said.append(line)
            del said[:-LAST]
            self._progress.said(line)

        status = runner.stream(
            action.argv, on_line, stdin=action.stdin, chroot=action.chroot
        )
        if status not in action.accept:
            raise failed(action, text, status, said)

    def _require(self, action: Require) -> None:
        answer = _ask(action.probe)
        if fits(action.probe, answer) is not action.probe.holds:
            raise StepFailedError(
                action.brief,
                details=f"{runner.shell_text(action.probe.argv)}\n"
                + (answer.stdout + answer.stderr)[:2000].rstrip(),
                resolution=action.resolution,
            )

    def _compare(self, action: CompareTrees) -> None:
        result = self._compare_once(action, self._passes().last)
        if result.differences and action.amend:
            self._progress.noted(f"copied again: {_first(result.differences)}")
            begun = time.time()
            # what is still may need a second pass, and ends with one that finds nothing
            most = 3 if action.still else 1
            again = CopyRounds(
                trees=action.pairs, goal=0, most=most, still=action.still
            )
            rounds.make_rounds(again, self._progress, since=begun)
            result = self._compare_once(action, begun)
        if result.differences:
            raise VerificationError(
                f"{len(result.differences)} differences between the old and the new "
                "root",
                details=f"{_first(result.differences)}\nAll of them: {action.report}",
                resolution="`zfs-root-migrate run` copies again what differs; if the "
                "same files differ again, test memory and disk",
            )

    def _compare_once(
        self, action: CompareTrees, since: float
    ) -> comparison.Comparison:
        result = comparison.compare_all(
            action.pairs,
            since=math.inf if action.still else since,
            contents_since=self._passes().compared if action.still else 0.0,
            progress=self._progress,
            jobs=comparison.default_jobs(),
        )
        self._manifest = result.manifest
        Path(action.report).write_text(
            result.report(), encoding="utf-8", errors="surrogateescape"
        )
        self._progress.noted(result.summary())
        # by inode and change time the copier would not look at them again
        copier.distrust(action.pairs, tuple(d.path for d in result.differences))
        return result

    def _consult(self, action: Consult) -> None:
        """Note an opinion; nothing about it can fail the step."""
        self._progress.command(runner.shell_text(action.argv, action.chroot))
        answer = runner.query(
            action.argv, chroot=action.chroot, timeout=action.timeout
        )
        said = opinion.summarize(answer.status, answer.stdout, answer.stderr)
        self._progress.noted(said)
        try:
            Path(action.report).write_text(
                f"{said}\n\n{answer.stderr}\n{answer.stdout}",
                encoding="utf-8",
                errors="surrogateescape",
            )
        except OSError as error:
            self._progress.noted(f"it could not be written down: {error}")

    def _seal(self, action: Seal) -> None:
        text = seal_text(action.sources, self._manifest)
        self._run(Run(argv=("zfs", "set", f"{SEAL}={text}", action.dataset)))

    def _await(self, action: Await) -> None:
        while True:
            answer = runner.query(action.argv)
            text = answer.stdout
            failed = action.failed and re.search(action.failed, text, re.M)
            if answer.status != 0 or failed:
                raise StepFailedError(
                    f"something went wrong while {action.what}",
                    details=f"{runner.shell_text(action.argv)}\n{text}{answer.stderr}",
                )
            if re.search(action.done, text, re.M):
                return
            seen = action.progress and re.search(action.progress, text, re.M)
            self._progress.percent(float(seen[1]) if seen else None)
            time.sleep(action.interval)


def _first(differences: list[Difference]) -> str:
    return "\n".join(map(str, differences[:10]))


def _ask(probe: Probe) -> runner.Answer:
    """Ask a probe's question; a program that is missing proves nothing either way."""
    answer = runner.query(probe.argv, chroot=probe.chroot)
    if answer.status == runner.NOT_FOUND:
        raise StepFailedError(
            f"{probe.argv[0]} is missing",
            details=runner.shell_text(probe.argv, probe.chroot),
            resolution="`zfs-root-migrate check` tells which package has it",
        )
    return answer


def fits(probe: Probe, answer: runner.Answer) -> bool:
    """Tell whether an answer is the one that the probe describes, without `holds`."""
    if probe.status is not None and answer.status != probe.status:
        return False
    found = all(re.search(text, answer.stdout, re.M) for text in probe.matches)
    return found and not any(re.search(t, answer.stdout, re.M) for t in probe.absent)


def write_file(action: WriteFile) -> None:
    """Write a file whole or not at all, with its mode, and sync it to the disk.

    A symbolic link in its place is replaced, never followed.
    """
    path = Path(action.path)
    data = action.content.encode("utf-8", "surrogateescape")
    _stay_inside(path)
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), action.mode)
            os.fsync(file.fileno())
        Path(part).replace(path)
    except OSError as error:
        if part is not None:
            Path(part).unlink(missing_ok=True)
        raise StepFailedError(
            f"cannot write {action.path}", details=str(error)
        ) from error


def _stay_inside(path: Path) -> None:
    """Stop where a link on the way leads from the new root into the running one."""
    new, place = Path(NEW), path.parent.resolve()
    if path.is_relative_to(new) and not place.is_relative_to(new.resolve()):
        raise StepFailedError(
            f"cannot write {path}",
            details=f"it would be written to {place} of the running system",
            resolution=f"make the link on the way to {path.relative_to(new)} a "
            "relative one",
        )

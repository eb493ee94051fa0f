"""Steps, actions and probes: what a plan is made of.

A step is a value. It holds no callable, so it can be printed, compared, hashed and
stored; only the executor acts on it. A probe is a read-only command together with the
answer that shows that something is so; resume believes probes, not the journal.
"""

from dataclasses import dataclass
from enum import IntEnum

from zfs_root_migrate.model import Copier


class Hazard(IntEnum):
    """What a step can cost, in rising order.

    READS changes nothing that outlives this boot. REVERSIBLE can be undone to the last
    bit that matters. LOSSY destroys what the user allowed to be destroyed on a new
    disk. FINAL destroys the old disk: only `mirror` has such steps.
    """

    READS = 0
    REVERSIBLE = 1
    LOSSY = 2
    FINAL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A read-only command and the answer that proves a state.

    The proof holds when the exit status is `status` (any, where None), every regular
    expression of `matches` is found in standard output (multi-line mode) and none of
    `absent` is. `holds=False` turns the answer round.
    """

    argv: tuple[str, ...]
    status: int | None = 0
    matches: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    chroot: str | None = None
    holds: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Run a program; any exit status but those in `accept` is a failure.

    With `when`, it is run only where the probe holds. With `chroot`, it runs in that
    directory with /dev, /proc, /sys and /run of the running system, in a mount
    namespace of its own.
    """

    argv: tuple[str, ...]
    stdin: str | None = None
    chroot: str | None = None
    when: Probe | None = None
    accept: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteFile:
    """Write a whole file atomically, or do nothing where it is right already."""

    path: str
    content: str
    mode: int = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class Require:
    """Stop unless the probe holds: the last look before something dangerous."""

    probe: Probe
    brief: str
    resolution: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyTree:
    """Make destination equal to source, within the one source file system.

    `exclude` are paths below the source, with a leading slash, that are neither copied
    nor deleted at the destination. `size` (bytes) and `files` are what progress is
    measured against. `sparse` has rsync look for holes; where the destination is
    compressed, ZFS itself stores a block of zeros as a hole (zfsprops(7), compression).
    `state` is where our own copier remembers what it has copied, at the destination, so
    that both are there or gone; `verify` has it read back what it copied. With
    `split_links`, names of one file that come to lie on several file systems become
    files of their own.
    """

    source: str
    destination: str
    exclude: tuple[str, ...]
    size: int
    files: int
    sparse: bool = True
    copier: Copier = Copier.OWN
    state: str = ""
    verify: bool = False
    split_links: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRounds:
    """Make passes over the trees, one after the other, until there is no gain in more.

    That is when the next one is expected to take `goal` seconds or less, or hardly less
    than the last, and after `most` passes. With `still`, the sources do not change any
    more: it ends when a pass has found nothing, and has failed when the last one has.
    """

    trees: tuple[CopyTree, ...]
    goal: int
    most: int
    still: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareTrees:
    """Compare two trees without the copier's help; a difference fails the step.

    With `still`, no change is forgiven, and only files that may have changed since the
    last whole comparison are read; everything else about all files is compared. With
    `amend`, what differs is copied again first, once: programs that worked in the new
    root may have written there, which the copier, who looks at the old one, cannot see.
    """

    pairs: tuple[CopyTree, ...]
    report: str
    still: bool = False
    amend: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFs:
    """A file system of the old disk: where it belongs, its type, a lasting name."""

    target: str
    fs_type: str
    uuid: str

    @property
    def device(self) -> str:
        """Path of the device that it lies on."""
        return f"/dev/disk/by-uuid/{self.uuid}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """Write down, for the service, how this very program is started at shutdown.

    `mounts` are the file systems that can be mounted for it by then; where the program
    lies on another one, the step fails.
    """

    path: str
    mounts: tuple[SourceFs, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """Write into a dataset's property what the old file systems are like now."""

    dataset: str
    sources: tuple[SourceFs, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Start a program that goes on while later actions and steps are carried out.

    It lives no longer than this process: the step that starts it must be `always`
    done. Where it fails, the next action fails.
    """

    name: str
    run: Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Wait for the program that was started under this name; it must succeed."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Await:
    """Ask again and again until `done` is found in the command's output.

    `failed` ends the waiting with an error; `progress` is a regular expression whose
    group 1 is a percentage to show.
    """

    argv: tuple[str, ...]
    done: str
    failed: str | None
    progress: str | None
    what: str
    interval: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Consult:
    """Ask `equery check` for its opinion: it is noted, and proves nothing.

    What it says goes to `report`. Whatever that is, and where the program fails, is not
    there or takes longer than `timeout` seconds, the step goes on.
    """

    argv: tuple[str, ...]
    chroot: str | None
    report: str
    timeout: int


Action = (
    Run
    | WriteFile
    | Require
    | CopyTree
    | CopyRounds
    | CompareTrees
    | Start
    | Join
    | Await
    | Consult
    | Arm
    | Seal
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a plan.

    `proof` tells whether its effect is there. A step without one, and a step that is
    `always` done, is done anew whenever it comes up. `undone_by` names the steps whose
    undo takes this one's effects with it. `old_disk` lists in plain words what it
    touches on the running system. `seconds` is an estimate.
    """

    id: str
    title: str
    reason: str
    hazard: Hazard
    actions: tuple[Action, ...]
    needs: tuple[str, ...] = ()
    undo: tuple[Action, ...] = ()
    undone_by: tuple[str, ...] = ()
    proof: tuple[Probe, ...] = ()
    old_disk: tuple[str, ...] = ()
    seconds: int = 1
    always: bool = False

"""What is to be copied, and what came of it."""

from dataclasses import dataclass, field
from enum import StrEnum

# how many paths of one kind a report names; all are counted
NAMED_MAX = 1000


class Detect(StrEnum):
    """How a later pass finds what has changed.

    WALK asks every name for its change time. TABLES reads the inode tables of ext2,
    ext3 and ext4 as they lie on the device, and looks only at directories that hold a
    changed inode. AUTO takes the tables where they can be read.
    """

    AUTO = "auto"
    WALK = "walk"
    TABLES = "tables"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One pass: make `destination` equal to `source` within its one file system.

    `exclude` are paths below the source, with a leading slash, that are neither copied
    nor removed. `state` is the file that remembers from pass to pass (others beside it
    begin with its name); without one, everything is copied. `jobs` is the number of
    worker processes, 0 for a number that suits the machine.
    """

    source: str
    destination: str
    exclude: tuple[str, ...] = ()
    state: str | None = None
    jobs: int = 0
    detect: Detect = Detect.AUTO
    split_links: bool = False
    verify: bool = False


@dataclass(slots=True)
class Tally:
    """Names and bytes counted on the way."""

    files: int = 0
    directories: int = 0
    bytes: int = 0
    copied: int = 0
    unchanged: int = 0
    removed: int = 0
    vanished: int = 0
    changed_meanwhile: int = 0
    verified: int = 0

    def add(self, counts: tuple[int, ...]) -> None:
        """Add what a worker has counted since it told last."""
        for name, count in zip(self.__slots__, counts, strict=True):
            setattr(self, name, getattr(self, name) + count)

    def take(self) -> tuple[int, ...]:
        """Return all counts and begin again at nothing."""
        counts = tuple(getattr(self, name) for name in self.__slots__)
        for name in self.__slots__:
            setattr(self, name, 0)
        return counts


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """A path and what about it went wrong or could not be kept."""

    path: str
    what: str

    def __str__(self) -> str:
        """Return one line, with odd bytes of the name made visible."""
        return f"{self.path!r}: {self.what}"


@dataclass(slots=True)
class Report:
    """What one pass did."""

    tally: Tally = field(default_factory=Tally)
    not_kept: list[Problem] = field(default_factory=list)
    not_kept_found: int = 0
    errors: list[Problem] = field(default_factory=list)
    errors_found: int = 0
    # why the pass ended early; empty where it did not
    fatal: str = ""
    full: bool = False
    method: Detect = Detect.WALK
    seconds: float = 0.0

    def note(self, path: str, what: str, *, error: bool) -> None:
        """Count a problem, and keep its path while there are few."""
        kept = self.errors if error else self.not_kept
        if error:
            self.errors_found += 1
        else:
            self.not_kept_found += 1
        if len(kept) < NAMED_MAX:
            kept.append(Problem(path, what))

    def forget_errors(self) -> None:
        """Forget what failed, as it is tried again."""
        self.errors.clear()
        self.errors_found = 0

    @property
    def is_good(self) -> bool:
        """Whether everything was copied that was there."""
        return not self.errors_found and not self.fatal

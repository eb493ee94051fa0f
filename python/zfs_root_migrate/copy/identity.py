"""Which two trees the passes are between, as the ledger remembers it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which trees a ledger is about; with any other it is worth nothing."""

    source: int
    source_root: int
    destination: int
    destination_root: int
    exclude: tuple[str, ...]

    @classmethod
    def of(cls, source: int, destination: int, exclude: tuple[str, ...]) -> Self:
        """Return what two open directories are."""
        return cls(
            source=os.fstatvfs(source).f_fsid,
            source_root=os.fstat(source).st_ino,
            destination=os.fstatvfs(destination).f_fsid,
            destination_root=os.fstat(destination).st_ino,
            exclude=exclude,
        )

    @classmethod
    def read(cls, head: Mapping[str, Any]) -> Self:
        """Return what a head names; LookupError or TypeError where it names none."""
        return cls(
            source=head["source"][0],
            source_root=head["source"][1],
            destination=head["destination"][0],
            destination_root=head["destination"][1],
            exclude=tuple(head["exclude"]),
        )

    def written(self) -> dict[str, object]:
        """Return what the head names."""
        return {
            "source": [self.source, self.source_root],
            "destination": [self.destination, self.destination_root],
            "exclude": list(self.exclude),
        }

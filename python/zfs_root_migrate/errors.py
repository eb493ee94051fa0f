"""What can go wrong, in the words of the person at the keyboard.

Every error carries three texts: what happened, why, and what to do next, plus the exit
status that the command ends with. Nothing below the command line exits by itself.
"""

import errno
from enum import IntEnum


class ExitStatus(IntEnum):
    """Exit status of the command, documented in the manual."""

    DONE = 0
    STEP_FAILED = 1
    USAGE = 2
    INHIBITED = 3
    VERIFICATION_FAILED = 4
    INTERRUPTED = 130


class MigrateError(Exception):
    """Something went wrong that the user is told in three texts."""

    status = ExitStatus.STEP_FAILED

    def __init__(self, brief: str, *, details: str = "", resolution: str = "") -> None:
        """Hold what happened (brief), why (details), and what to do (resolution)."""
        super().__init__(brief)
        self.brief = brief
        self.details = details
        self.resolution = resolution


class UsageError(MigrateError):
    """The command line, a setting or an input file is wrong."""

    status = ExitStatus.USAGE


class InhibitedError(MigrateError):
    """A check found something that must be mended before going on."""

    status = ExitStatus.INHIBITED


class StepFailedError(MigrateError):
    """A step's command failed or its proof does not hold."""


class VerificationError(MigrateError):
    """The copy or the boot chain is not what it should be."""

    status = ExitStatus.VERIFICATION_FAILED


class InterruptedRunError(MigrateError):
    """The user pressed Ctrl-C or the process was asked to end."""

    status = ExitStatus.INTERRUPTED


def from_os(error: OSError) -> MigrateError:
    """Return what people are told of an error of the operating system."""
    hints = {
        errno.ENOSPC: "free some space there and run the same command again",
        errno.EROFS: "make the file system writable (mount -o remount,rw) and run the "
        "same command again",
    }
    return MigrateError(
        f"{error.filename or 'a file'}: {error.strerror}",
        resolution=hints.get(error.errno or 0, ""),
    )


def interrupted(verb: str) -> InterruptedRunError:
    """Return what people are told when a verb was interrupted."""
    if verb in ("run", "sync", "seal", "verify"):
        return InterruptedRunError(
            "interrupted; the old system is as it was and still boots",
            resolution="`zfs-root-migrate run` goes on, `undo` goes back",
        )
    if verb in ("undo", "mirror"):
        return InterruptedRunError(
            "interrupted", resolution=f"`zfs-root-migrate {verb}` goes on"
        )
    return InterruptedRunError("interrupted; nothing was changed")

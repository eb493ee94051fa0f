"""Why something could not be copied, as the copier tells errors apart."""

import errno

# the name went away or became something else: normal while the system is at work
GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE, errno.ENXIO)
# nothing more can be written: no use in going on
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
FATAL = (*NO_ROOM, errno.EROFS)
# a file system has no attributes, or refuses to keep this one
REFUSED = (errno.ENOTSUP, errno.EPERM, errno.EACCES, errno.EINVAL, errno.ERANGE)


class SourceError(Exception):
    """The source could not be read; the cause is the OSError."""

    def __init__(self, error: OSError) -> None:
        """Keep the cause."""
        super().__init__(str(error))
        self.error = error


class ChangedError(Exception):
    """What was there a moment ago is something else now; the next pass takes it."""


class StoppedError(Exception):
    """Somebody asked to stop."""


class FatalError(Exception):
    """The pass cannot go on; the text says why, `number` is the errno or 0."""

    def __init__(self, text: str, number: int = 0) -> None:
        """Keep both."""
        super().__init__(text)
        self.number = number

"""The one place that starts programs.

Programs get a clean environment (LC_ALL=C.UTF-8, a fixed PATH), a closed standard
input unless text is given, and die with this process: a killed migration must not
leave a copier at work behind its back.
"""

import ctypes
import os
import selectors
import shlex
import signal
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = {
    "PATH": PATH,
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "TERM": "dumb",
}
NOT_FOUND = 127
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)

# Own mount namespace: what is mounted into the new root for a command goes away with
# the command, however it ends, and the copier can never walk into it. What programs
# leave in /tmp goes with it, and does not make the new root another than the old.
_ENTER = (
    'for d in dev proc sys run; do mkdir -p "$0/$d"; mount --rbind "/$d" "$0/$d"; '
    'done; [ -h "$0/tmp" ] || { mkdir -p "$0/tmp"; '
    'mount -t tmpfs -o mode=1777 tmp "$0/tmp"; }; exec chroot "$0" "$@"'
)


# In process identifiers of its own a program ends with all that it has started, however
# it ends: the kernel kills them with the first of them (pid_namespaces(7)).
_APART = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


class Answer(NamedTuple):
    """How a program ended and what it said."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def full_argv(argv: Sequence[str], chroot: str | None = None) -> tuple[str, ...]:
    """Return what is really started for a command, in a chroot or not."""
    if chroot is None:
        return tuple(argv)
    enter = ("unshare", "--mount", "--propagation", "private", "sh", "-ec", _ENTER)
    return (*enter, chroot, *argv)


def shell_text(argv: Sequence[str], chroot: str | None = None) -> str:
    """Return the command as it can be pasted into a shell."""
    return shlex.join(full_argv(argv, chroot))


def query(
    argv: Sequence[str],
    *,
    stdin: str | None = None,
    chroot: str | None = None,
    timeout: float | None = None,
) -> Answer:
    """Run a program to its end and return what it said; never raises for a failure.

    A program that is missing answers with status 127, one that takes longer than
    `timeout` seconds with 124, as a shell and timeout(1) would have it. It only reads:
    outside of a chroot, where its mounts would stay in use, it may outlive this process
    for a moment, which starts it in half the time (vfork, not fork).
    """
    try:
        done = subprocess.run(
            full_argv(argv, chroot),
            input=None if stdin is None else stdin.encode("utf-8", "surrogateescape"),
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            env=ENVIRONMENT,
            cwd="/",
            timeout=timeout,
            check=False,
            preexec_fn=_die_with_parent if chroot else None,
        )
    except OSError as error:
        return _not_started(argv, error)
    except subprocess.TimeoutExpired:
        return _late(argv, timeout)
    return Answer(tuple(argv), done.returncode, _text(done.stdout), _text(done.stderr))


def begin(argv: Sequence[str], *, timeout: float) -> Callable[[], Answer]:
    """Start what `query` would run; return what waits for its end and answers."""
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            cwd="/",
            preexec_fn=_die_with_parent,
        )
    except OSError as error:
        return partial(_not_started, argv, error)

    def wait() -> Answer:
        try:
            stdout, stderr = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            _end(child)
            return _late(argv, timeout)
        return Answer(tuple(argv), child.returncode, _text(stdout), _text(stderr))

    return wait


def stream(
    argv: Sequence[str],
    on_line: Callable[[str, bool], None],
    *,
    stdin: str | None = None,
    chroot: str | None = None,
) -> int:
    """Run a program and hand over each line as it comes; return the exit status.

    `on_line(text, is_error)`; a carriage return ends a line as well, which is how
    programs redraw their progress. The program is ended when `on_line` raises.
    """
    try:
        child = subprocess.Popen(
            full_argv(argv, chroot),
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            cwd="/",
            preexec_fn=_die_with_parent,
        )
    except OSError as error:
        answer = _not_started(argv, error)
        on_line(answer.stderr, True)
        return answer.status
    with child:
        try:
            _pump(child, (stdin or "").encode("utf-8", "surrogateescape"), on_line)
            return child.wait()
        finally:
            _end(child)


class Background:
    """A program that runs while this process does something else; only for root.

    When this process dies, it dies at once, with all that it has started.
    """

    def __init__(self, argv: Sequence[str], *, chroot: str | None = None) -> None:
        """Start it; what it says is kept in a file that has no name."""
        # here, as it takes its time, and `scripts` is to begin at once
        import shutil
        import tempfile

        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as this
        self._failed: Answer | None = None
        self._child: subprocess.Popen[bytes] | None = None
        if chroot is None and shutil.which(argv[0], path=PATH) is None:
            # unshare(1) would say so too, but later
            self._failed = _not_started(argv, FileNotFoundError())
            return
        try:
            self._child = subprocess.Popen(
                (*_APART, *full_argv(argv, chroot)),
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=subprocess.STDOUT,
                env=ENVIRONMENT,
                cwd="/",
                preexec_fn=_die_with_parent,
            )
        except OSError as error:
            self._failed = _not_started(argv, error)

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more, or was never started."""
        return self._child is None or self._child.poll() is not None

    def wait(self) -> tuple[int, list[str]]:
        """Wait for its end; return the exit status and all lines that it wrote."""
        if self._failed is not None:
            return self._failed.status, [self._failed.stderr]
        assert self._child is not None
        status = self._child.wait()
        self._said.seek(0)
        return status, _text(self._said.read()).splitlines()

    def close(self) -> None:
        """End it where it still runs."""
        if self._child is not None and self._child.poll() is None:
            # unshare(1) takes no other signal while it waits
            self._child.kill()
            self._child.wait()
        self._said.close()


def _not_started(argv: Sequence[str], error: OSError) -> Answer:
    """Answer as a shell does for a program that is missing or is none."""
    if isinstance(error, FileNotFoundError):
        return Answer(tuple(argv), NOT_FOUND, "", f"{argv[0]}: not found")
    return Answer(tuple(argv), 126, "", f"{argv[0]}: {error.strerror}")


def _late(argv: Sequence[str], timeout: float | None) -> Answer:
    return Answer(tuple(argv), 124, "", f"{argv[0]}: no answer in {timeout} s")


def _end(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _pump(
    child: "subprocess.Popen[bytes]",
    text: bytes,
    on_line: Callable[[str, bool], None],
) -> None:
    """Write and read at the same time: either pipe may be full while we wait."""
    with selectors.DefaultSelector() as selector:
        for pipe, is_error in ((child.stdout, False), (child.stderr, True)):
            if pipe is not None:
                reader = _reader(on_line, is_error=is_error)
                selector.register(pipe, selectors.EVENT_READ, reader)
        if child.stdin is not None:
            os.set_blocking(child.stdin.fileno(), False)
            selector.register(child.stdin, selectors.EVENT_WRITE, _writer(text))
        while selector.get_map():
            for key, _ in selector.select():
                if not key.data(key.fd):
                    selector.unregister(key.fileobj)
                    if key.fileobj is child.stdin:
                        child.stdin.close()


def _reader(
    on_line: Callable[[str, bool], None], *, is_error: bool
) -> Callable[[int], bool]:
    """Return what reads a pipe, hands its lines over and tells if more may come."""
    rest = b""

    def read(descriptor: int) -> bool:
        nonlocal rest
        chunk = os.read(descriptor, 65536)
        *lines, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
        for line in lines if chunk else [*lines, rest]:
            if line.strip():
                on_line(_text(line), is_error)
        return bool(chunk)

    return read


def _writer(text: bytes) -> Callable[[int], bool]:
    """Return what writes as much as a pipe takes and tells if there is more."""
    left = memoryview(text)

    def write(descriptor: int) -> bool:
        nonlocal left
        try:
            left = left[os.write(descriptor, left[:65536]) :]
        except BrokenPipeError:
            # the program did not want it all; its status tells whether that is bad
            return False
        return bool(left)

    return write


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def fork(work: Callable[[], None]) -> int:
    """Start a process that does this piece of our own work; return its number.

    It dies with this one and never returns from here; whoever starts it waits for it.
    """
    us = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        _die_with_parent()
        if os.getppid() == us:
            work()
            status = 0
    except BaseException:  # noqa: BLE001 - nothing above this belongs to this process
        import traceback

        traceback.print_exc()
    finally:
        os._exit(status)


def enter_own_mounts() -> None:
    """Give this process a mount namespace of its own.

    What is mounted elsewhere still shows up here, but nothing that is mounted here is
    seen by others, and all of it is gone when this process ends (mount_namespaces(7)).
    """
    clone_newns, ms_rec, ms_slave = 0x00020000, 0x4000, 0x80000
    if _libc.unshare(clone_newns) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    if _libc.mount(b"none", b"/", None, ms_rec | ms_slave, None) != 0:
        raise OSError(ctypes.get_errno(), "mount --make-rslave /")

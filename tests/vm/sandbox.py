"""Runs a function where its mounts and processes cannot outlive it.

Guarantee: however the function or this process ends, be it by SIGKILL, the kernel
unmounts all that the function has mounted and ends all that it has started.
"""

import ctypes
import os
import signal
from collections.abc import Callable
from types import FrameType

from tests.vm.process import BuildError

CLONE_NEWNS = 0x00020000
CLONE_NEWPID = 0x20000000
PR_SET_PDEATHSIG = 1
MS_REC, MS_PRIVATE = 0x4000, 0x40000


def run_private(action: Callable[[], int]) -> int:
    """Run a function in namespaces of its own; return its exit status."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS | CLONE_NEWPID):
        reason = os.strerror(ctypes.get_errno())
        raise BuildError(f"no mount namespace of its own for the builder: {reason}")
    child = os.fork()
    if child == 0:
        # nothing of the parent's own clean-up may run here
        os._exit(_run_as_init(libc, action))
    return _wait_for(child)


def _run_as_init(libc: ctypes.CDLL, action: Callable[[], int]) -> int:
    """Run the function as the first process, with whose end all others end."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave_once)
    # from here on nothing mounted is seen outside, and /proc shows this namespace
    libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    libc.mount(b"proc", b"/proc", b"proc", 0, None)
    try:
        return action()
    except KeyboardInterrupt:
        return 130


def _leave_once(_number: int, _frame: FrameType | None) -> None:
    """Begin to leave; a second signal must not cut the cleaning up short."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _wait_for(child: int) -> int:
    """Wait for the first process of the namespace; pass on what ends this one."""

    def forward(number: int, _frame: FrameType | None) -> None:
        os.kill(child, number)

    before = {
        number: signal.signal(number, forward)
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        _, status = os.waitpid(child, 0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code

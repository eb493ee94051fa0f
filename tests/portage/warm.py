"""Asks Portage many times, having loaded it once. Run by a Python that has Portage.

Each line of standard input asks for one run of the program: the words of its command
line, then the files for its output and for its errors, in JSON. The program runs in a
child that has loaded Portage and done nothing with it; its status is the answer.
"""

import contextlib
import json
import os
import runpy
import signal
import sys
import traceback

TIMEOUT = 120
# what Portage would load while it answers
PARTS = (
    "portage",
    "portage._sets",
    "portage.dbapi.porttree",
    "portage.dbapi.vartree",
    "portage.package.ebuild.config",
    "portage.package.ebuild.getmaskingstatus",
)


def run(words: list[str], output: str, errors: str) -> None:
    """Be the program from here on; does not return."""
    signal.alarm(TIMEOUT)
    for place, number in ((output, 1), (errors, 2)):
        os.dup2(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = words
    try:
        runpy.run_path(words[0], run_name="__main__")
    except BaseException:  # noqa: BLE001 - the end of this process, whatever it is
        traceback.print_exc()
    os._exit(1)


def main() -> None:
    """Answer until there is nothing more to read."""
    for name in PARTS:
        with contextlib.suppress(ImportError):
            __import__(name)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run(*json.loads(line))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(f"{status}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

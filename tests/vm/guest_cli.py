"""Guests by hand: `python -m tests.vm.guest VERB DIRECTORY ...`."""

import argparse
import sys
import time
from pathlib import Path

from tests.vm.guest import Disk, Guest, GuestError, Machine

USAGE = """\
start DIR --disk FILE[,serial=S][,bus=virtio|ata|nvme|scsi] ... [--share DIR]
exec DIR [--timeout S] -- COMMAND     print what it writes, end with its status
wait DIR                              until the guest's agent answers
reboot DIR | poweroff DIR             as the guest's init does it
kill DIR                              cut the power
console DIR                           what the serial line has said so far
type DIR -- TEXT                      type a line on the serial line
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    words = sys.argv[1:] if arguments is None else arguments
    cut = words.index("--") if "--" in words else len(words)
    options = _parser().parse_args(words[:cut])
    text = " ".join(words[cut + 1 :])
    guest = Guest(options.directory.resolve())
    try:
        return _run(guest, options, text)
    except GuestError as error:
        sys.stderr.write(f"guest: {error}\n")
        return 125


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.vm.guest",
        description=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = ("start", "exec", "wait", "reboot", "poweroff", "kill", "console", "type")
    parser.add_argument("verb", choices=verbs)
    parser.add_argument("directory", type=Path, help="the guest's run directory")
    parser.add_argument("--disk", action="append", type=Disk.from_arg, default=[])
    parser.add_argument("--share", type=Path, help="directory for the 9p tag `share`")
    parser.add_argument("--memory", type=int, default=2048, metavar="MIB")
    parser.add_argument("--wait", action="store_true", help="wait for the agent")
    parser.add_argument("--timeout", type=float, default=900, metavar="S")
    return parser


def _run(guest: Guest, options: argparse.Namespace, text: str) -> int:
    begun = time.monotonic()
    match options.verb:
        case "start":
            guest.start(
                Machine(
                    disks=tuple(options.disk),
                    share=options.share,
                    memory_mib=options.memory,
                )
            )
            if options.wait:
                guest.wait(options.timeout)
        case "exec":
            limit = options.timeout
            return guest.run(text, timeout=limit, check=False, stream=sys.stdout).status
        case "wait":
            guest.wait(options.timeout)
        case "reboot":
            guest.reboot(options.timeout)
        case "poweroff":
            guest.poweroff(timeout=options.timeout)
        case "kill":
            guest.kill()
        case "console":
            sys.stdout.write(guest.console())
            return 0
        case _:
            guest.type(text)
            return 0
    seconds = time.monotonic() - begun
    sys.stdout.write(f"{guest.name}: {options.verb} took {seconds:.1f} s\n")
    return 0

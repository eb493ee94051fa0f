"""What gentoolkit's `equery check` says of a root: a second opinion. Pure.

It compares checksums and times with those that Portage kept, so it also names what the
user changed since. gentoolkit and Portage can disagree: with Portage 3.0.83,
gentoolkit 0.6.11 called every file bad. So it is noted, and proves nothing.
"""

import re
from dataclasses import dataclass

# from which share on it is the opinion that is wrong, and from how many packages on
WRONG = 0.9
FEW = 5
TIMED_OUT, MISSING = 124, 127


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What was said of packages and files; `outside` counts those not below /etc."""

    packages: int
    suspect: int
    files: int
    outside: int


def parse_opinion(stdout: str, stderr: str) -> Opinion:
    r"""Read both forms of the answer, that for people and that for a pipe.

    >>> parse_opinion(
    ...     "* Checking a/b-1 ...\n   2 out of 3 files passed\n",
    ...     "!!! /usr/bin/b has incorrect MD5sum\n",
    ... )
    Opinion(packages=1, suspect=1, files=1, outside=1)
    >>> parse_opinion("a/b-1: failed(0)\na/c-1: failed(2)\n", "")
    Opinion(packages=2, suspect=1, files=2, outside=0)
    """
    told = re.findall(r"(?m)^ +(\d{1,9}) out of (\d{1,9}) files passed$", stdout)
    failed = [int(checked) - int(passed) for passed, checked in told]
    failed += map(int, re.findall(r"(?m)^\S+/\S+: failed\((\d{1,9})\)$", stdout))
    named = re.findall(r"(?m)^!!! (/.*)", stderr)
    return Opinion(
        packages=len(failed),
        suspect=sum(number > 0 for number in failed),
        files=sum(number for number in failed if number > 0),
        outside=sum(not path.startswith("/etc/") for path in named),
    )


def summarize(status: int, stdout: str, stderr: str) -> str:
    """Say in one line what the second opinion is worth and what it is."""
    found = parse_opinion(stdout, stderr)
    head = "second opinion (equery check): "
    if status == MISSING:
        return head + "none, equery is not there"
    if status == TIMED_OUT:
        return head + "none, equery took too long"
    if not found.packages:
        last = stderr.strip().rpartition("\n")[2][:200]
        return f"{head}none, equery ended with status {status}: {ascii(last)[1:-1]}"
    early = f"; it ended early, with status {status}" if status else ""
    if found.packages >= FEW and found.suspect >= WRONG * found.packages:
        return (
            f"{head}{found.suspect} of {found.packages} packages would be bad. It is "
            "gentoolkit that does not fit this Portage; nothing is said of the copy"
            f"{early}"
        )
    if not found.suspect:
        return f"{head}the files of {found.packages} packages are as installed{early}"
    return (
        f"{head}files that are not as installed: {found.files}, in {found.suspect} of "
        f"{found.packages} packages"
        + (f", {found.outside} of them not below /etc" if found.outside else "")
        + f"; what you changed yourself is among them{early}"
    )

"""What the report verbs say, for people and for programs. Pure functions."""

import textwrap
from collections.abc import Iterator
from typing import Any

from zfs_root_migrate import topology
from zfs_root_migrate.amounts import show_size
from zfs_root_migrate.checks.table import NotLookedAt
from zfs_root_migrate.config import Config
from zfs_root_migrate.datasets import LAYOUTS
from zfs_root_migrate.errors import UsageError
from zfs_root_migrate.finding import Finding, Severity, finding_json
from zfs_root_migrate.layout import boot_size, swap_size
from zfs_root_migrate.model import BlockDevice, Facts, Topology
from zfs_root_migrate.quoting import one_line
from zfs_root_migrate.wishes import FIX

NUMBERED = ("target", "topology", "layout")
_COLOURS = {
    Severity.INHIBITOR: "\033[1;31m",
    Severity.WARNING: "\033[1;33m",
    Severity.INFO: "\033[1;36m",
}
_HEADS = {
    Severity.INHIBITOR: "Must be mended first",
    Severity.WARNING: "Look at this",
    Severity.INFO: "Good to know",
}
Choices = dict[str, list[dict[str, Any]]]


def is_inhibited(findings: tuple[Finding, ...]) -> bool:
    """Tell whether a finding forbids the migration."""
    return any(f.severity is Severity.INHIBITOR for f in findings)


def unsupported(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return what this version cannot migrate, whatever is mended."""
    return tuple(f for f in findings if f.unsupported)


def is_of_a_tree(findings: tuple[Finding, ...]) -> bool:
    """Tell whether a tree that does not run was examined: no word about a machine."""
    return any(isinstance(finding, NotLookedAt) for finding in findings)


def check_data(findings: tuple[Finding, ...]) -> dict[str, Any]:
    """Return the JSON form of a check."""
    word = "unknown" if is_of_a_tree(findings) else "ready"
    word = "inhibited" if is_inhibited(findings) else word
    word = "unsupported" if unsupported(findings) else word
    return {"verdict": word, "findings": [finding_json(f) for f in findings]}


def check_text(
    findings: tuple[Finding, ...],
    *,
    colour: bool,
    width: int | None = None,
    before_verdict: tuple[str, ...] = (),
) -> str:
    """Write the findings, the worst first, and a verdict in the last line.

    What is read is wrapped at `width` columns; what is typed never is. What would have
    to be mended is not told in full where mending it leads nowhere.
    """
    lines: list[str] = []
    if beyond := unsupported(findings):
        lines += _beyond(beyond, findings, colour=colour, width=width)
        return "\n".join([*lines, *before_verdict, verdict(findings)])
    for severity in Severity:
        chosen = [f for f in findings if f.severity is severity]
        if not chosen:
            continue
        on, off = (_COLOURS[severity], "\033[0m") if colour else ("", "")
        lines.append(f"{on}{_HEADS[severity]} ({len(chosen)}){off}")
        for finding in chosen:
            lines += _finding_lines(finding, on, off, width)
        lines.append("")
    if findings:
        lines.append("More about one of them: zfs-root-migrate check --explain KEY")
    return "\n".join([*lines, *before_verdict, verdict(findings)])


def _beyond(
    beyond: tuple[Finding, ...],
    findings: tuple[Finding, ...],
    *,
    colour: bool,
    width: int | None,
) -> Iterator[str]:
    on, off = (_COLOURS[Severity.INHIBITOR], "\033[0m") if colour else ("", "")
    yield f"{on}Not possible with this version ({len(beyond)}){off}"
    for finding in beyond:
        yield from _finding_lines(finding, on, off, width)
    yield ""
    others = [f for f in findings if f not in beyond]
    if others:
        yield f"Seen besides ({len(others)}); mending it would not help now"
        yield from (f"  {f.title}  [{f.key}]" for f in others)
        yield ""
    yield "More about one of them: zfs-root-migrate check --explain KEY"


def verdict(findings: tuple[Finding, ...]) -> str:
    """Say in one line whether the machine is ready, and what is next."""
    bad = sum(f.severity is Severity.INHIBITOR for f in findings)
    warned = sum(f.severity is Severity.WARNING for f in findings)
    fixed = sum(is_mended_by_fix(f) for f in findings)
    if beyond := unsupported(findings):
        titles = "; ".join(dict.fromkeys(f.title for f in beyond))
        return f"This version cannot migrate this system: {titles}."
    if is_of_a_tree(findings):
        count = _count(bad, "thing") if bad else "nothing"
        return f"Of the tree only, no word about a machine: {count} to mend in it."
    if bad:
        mended = f" `{FIX}` mends {fixed} of {len(findings)}." if fixed else ""
        return f"Not ready: {_count(bad, 'thing')} to mend.{mended}"
    also = f", {_count(warned, 'warning')}" if warned else ""
    mended = f"`{FIX}` mends {fixed} of {len(findings)}. " if fixed else ""
    return f"Ready{also}. {mended}Next: zfs-root-migrate plan"


def is_mended_by_fix(finding: Finding) -> bool:
    """Tell whether `check --fix` does what a finding's remedy says."""
    return any(command.startswith(FIX) for command in finding.commands)


def _finding_lines(finding: Finding, on: str, off: str, width: int | None) -> list[str]:
    lines = [f"  {on}{finding.title}{off}  [{finding.key}]"]
    lines += _wrapped(one_line(finding.seen), "    ", "    ", width)
    if finding.why:
        lines += _wrapped(one_line(finding.why), "    why: ", " " * 9, width)
    if finding.remedy:
        lines.append("    do:")
        for line in map(one_line, finding.remedy):
            is_typed = line.startswith("  ")
            lines += _wrapped(line, " " * 6, " " * 6, None if is_typed else width)
    return lines


def _wrapped(text: str, first: str, others: str, width: int | None) -> list[str]:
    """Break a line at blanks; a word that is too long stays whole.

    >>> _wrapped("one two", "- ", "  ", 7)
    ['- one', '  two']
    """
    if width is None:
        return [first + text]
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def facts_text(facts: Facts) -> str:
    """Write the facts in short."""
    system, boot = facts.system, facts.boot
    lines = [
        f"System:   {system.os_name}, {system.machine}, {system.init}, "
        f"{show_size(system.memory)} memory, "
        f"{'merged' if system.merged_usr else 'split'} /usr",
        f"Boot:     {boot.firmware}, kernel {boot.running_kernel}, "
        f"hostid {boot.hostid or 'none'}, "
        f"initramfs by {', '.join(boot.generators) or 'nothing known'}",
        f"ZFS:      userland {system.zfs_userland or 'unknown'}, "
        f"module {system.zfs_module or 'not loaded'}",
        f"Portage:  {facts.portage.version or facts.portage.reason or 'unknown'}, "
        f"profile {facts.portage.profile or 'unknown'}",
        "Disks:",
    ]
    old = topology.old_disks(facts.storage)
    for disk in topology.disks(facts.storage):
        what = "the running system" if disk in old else _state(facts, disk)
        lines.append(f"  {_disk_line(disk)}: {what}")
    lines.append("All of it: zfs-root-migrate facts --json")
    return "\n".join(map(one_line, lines))


def _disk_line(disk: BlockDevice) -> str:
    serial = f", serial {disk.serial}" if disk.serial else ""
    return f"{topology.stable_path(disk)} ({disk.name}, {show_size(disk.size)}{serial})"


def _state(facts: Facts, disk: BlockDevice) -> str:
    reasons = topology.uses(facts.storage, disk)
    if reasons:
        return "in use: " + "; ".join(reasons)
    content = topology.contents(facts.storage, disk)
    if content:
        return "not blank: " + "; ".join(content)
    return (
        "blank" if topology.is_blank(facts.storage, disk) else "unknown (ask as root)"
    )


def choices(config: Config, facts: Facts) -> Choices:
    """Return what can be chosen for the settings that have a numbered list."""
    old = topology.old_disks(facts.storage)
    targets = []
    chosen = [topology.find_disk(facts.storage, name) for name in config.target]
    for disk in topology.disks(facts.storage):
        if disk not in old:
            targets.append(
                {
                    "value": topology.stable_path(disk),
                    "chosen": disk in chosen,
                    "text": ", ".join(
                        (disk.name, show_size(disk.size), _state(facts, disk))
                    ),
                }
            )
    topologies = [
        {
            "value": str(t),
            "chosen": t is config.topology,
            "text": f"{_count(t.fewest_disks, 'new disk')}"
            + ("" if t is Topology.SINGLE else " at least"),
        }
        for t in Topology
    ]
    layouts = [
        {"value": name, "chosen": name == config.layout, "text": f"root is POOL/{root}"}
        for name, (root, _) in LAYOUTS.items()
    ]
    return {"target": targets, "topology": topologies, "layout": layouts}


def choices_text(data: Choices, *, colour: bool) -> str:
    """Write numbered lists with the chosen one starred, as eselect does."""
    lines = []
    on, off = ("\033[1;34m", "\033[0m") if colour else ("", "")
    titles = {
        "target": "New disks (set target NUMBER...)",
        "topology": "Topologies (set topology NUMBER)",
        "layout": "Dataset layouts (set layout NUMBER)",
    }
    for name, rows in data.items():
        lines.append(f"{titles[name]}:")
        for number, row in enumerate(rows, 1):
            star = f" {on}*{off}" if row["chosen"] else ""
            value, text = one_line(row["value"]), one_line(row["text"])
            lines.append(f"  [{number}]   {value}{star}  ({text})")
        if not rows:
            lines.append("  (none found)")
    return "\n".join(lines)


def by_number(name: str, words: tuple[str, ...], data: Choices) -> tuple[str, ...]:
    """Replace numbers of the list by what they stand for."""
    rows = data[name]
    found = []
    for word in words:
        if not word.isdigit():
            found.append(word)
        elif 0 < int(word) <= len(rows):
            found.append(str(rows[int(word) - 1]["value"]))
        else:
            raise UsageError(
                f"there is no {name} number {word}",
                resolution=f"zfs-root-migrate list {name}",
            )
    return tuple(found)


def resolved(config: Config, facts: Facts) -> dict[str, str]:
    """Say what settings come to on this machine, where that is not plain."""
    found = [topology.find_disk(facts.storage, name) for name in config.target]
    targets = [_disk_line(d) if d else "no such disk here" for d in found]
    old = [_disk_line(disk) for disk in topology.old_disks(facts.storage)]
    root = LAYOUTS[config.layout][0]
    return {
        "target": "; ".join(targets),
        "boot-size": show_size(boot_size(config, facts)),
        "swap-size": show_size(swap_size(config, facts)),
        "layout": f"the root is {config.pool}/{root}",
        "join-old-disk": "; ".join(old) if config.join_old_disk else "",
    }


def settings_text(
    rows: tuple[tuple[str, str, bool], ...], comes_to: dict[str, str]
) -> str:
    """Write the settings; the ones that differ from the default are starred."""
    width = max(len(name) for name, _, _ in rows)
    lines = []
    for name, value, default in rows:
        meaning = f"  ({one_line(comes_to[name])})" if comes_to.get(name) else ""
        lines.append(f"  {name:<{width}}  {value}{'' if default else ' *'}{meaning}")
    return "\n".join(lines)

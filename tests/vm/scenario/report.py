"""The report that the demonstration ends with: what is proved, how long it took."""

import textwrap

from tests.vm.progress import clock
from tests.vm.scenario.lab import CHECKOUT
from tests.vm.scenario.migration import Migration


def report(scenario: Migration, seconds: float) -> str:
    """Return the report as text."""
    facts, lab = scenario.facts, scenario.lab
    rows = [
        ("root before", facts["before"]),
        ("root now", facts["after"]),
        (
            "compared",
            f"{facts['compared']} paths, equal but for what boots and the tool write",
        ),
        ("killed in mid-copy", "nothing left behind; `run` went on to the end"),
        ("clone of the root", f"boots, root {facts['environment']}; then back again"),
        ("old disk alone", f"boots unattended, root {facts['only the old disk']}"),
        ("new disk alone", f"boots unattended, root {facts['only the new disk']}"),
        ("hostid", f"{facts['hostid']}, the same on both roots and in the pool"),
    ]
    width = max(len(name) for name, _ in rows)
    lines = ["", "== Report", ""]
    lines += [f"  {name:<{width}}  {text}" for name, text in rows]
    lines += ["", "  The pool, and the array under /boot, after `mirror`:", ""]
    lines.append(textwrap.indent(facts["pool"] + "\n\n" + facts["array"], "    "))
    lines += ["", f"  Times ({clock(seconds)} in all):", ""]
    lines += _times(scenario)
    lines += ["", "  What the consoles said:", ""]
    for guest in lab.guests:
        path = (guest.directory / "console.log").relative_to(CHECKOUT)
        lines.append(f"    {path}")
    place = lab.directory.relative_to(CHECKOUT)
    lines += ["", f"  What was typed and answered: {place}/transcript.txt"]
    return "\n".join([*lines, "", ""])


def _times(scenario: Migration) -> list[str]:
    times = scenario.lab.times
    lines = []
    for part in scenario.parts():
        lines.append(f"    {clock(times[part.name]):>6}  {part.title}")
    boots = [
        f"{name[5:]} {clock(s)}" for name, s in times.items() if name[:5] == "boot "
    ]
    return [*lines, f"            boots: {', '.join(boots)}"]

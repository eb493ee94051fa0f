"""Boot environments as the tool lists them."""

import json

from tests.vm.scenario.tool import Tool

MARKS = ("running", "default")


def listed(tool: Tool) -> dict[str, set[str]]:
    """Return what is true of each environment; demand that all of them would boot."""
    shown = tool("environments")
    assert shown.status == 0, shown
    rows = json.loads(tool("environments", "--json", shown=False).out)["environments"]
    assert all(row["boots"] for row in rows), rows
    assert all(row["name"] in shown.out for row in rows), shown
    return {row["name"]: {mark for mark in MARKS if row[mark]} for row in rows}

"""The benchmark of `check` fails where an aim is missed."""

import pytest

from tests.portage import bench_check
from tests.portage.bench_check import verdict

GOOD = {
    "bare small": 0.16,
    "check small": 0.22,
    "bare large": 0.16,
    "check large": 0.23,
}


@pytest.mark.parametrize(
    ("worse", "missed"),
    [
        ({}, []),
        ({"bare small": 0.9, "check small": 1.0}, []),
        ({"bare small": 0.9, "check small": 1.01}, ["check small: 1.010 s"]),
        ({"check small": 0.25}, ["check / bare small: 1.56"]),
        ({"bare large": 0.15}, ["check / bare large: 1.53"]),
        (
            {"bare large": 0.9, "check large": 1.1},
            ["check large: 1.100 s", "large tree / small tree: 5.00"],
        ),
        ({"check small": 0.2}, ["large tree / small tree: 1.15"]),
    ],
)
def test_the_aims(worse, missed):
    """One second, 1.5 times the bare import, and hardly any growth."""
    said = verdict(GOOD | worse)
    assert [text.partition(", aim")[0] for text in said] == missed


@pytest.mark.parametrize(
    ("words", "seconds", "status"),
    [([], 0.2, 0), ([], 1.2, 1), (["--report-only"], 1.2, 0)],
)
def test_the_status(words, seconds, status, monkeypatch, capsys):
    """It is the verdict's, unless only a report is wanted."""
    monkeypatch.setattr(bench_check, "RUNS", 2)
    monkeypatch.setattr(bench_check, "python_with_portage", lambda _: "python3")
    monkeypatch.setattr(bench_check, "install_tool", lambda place: place)
    monkeypatch.setattr(bench_check, "write_system", lambda *_: None)
    monkeypatch.setattr(bench_check, "_bare", lambda *_: 0.9)
    monkeypatch.setattr(bench_check, "_check", lambda *_: seconds)
    assert bench_check.main(words) == status
    assert ("missed: check small" in capsys.readouterr().out) is (seconds > 1)

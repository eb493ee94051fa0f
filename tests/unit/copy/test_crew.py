"""How many workers there are."""

import os

import pytest

from zfs_root_migrate.copy.crew import default_jobs


@pytest.mark.parametrize(
    ("processors", "workers"), [(1, 1), (2, 4), (3, 6), (4, 8), (64, 8)]
)
def test_default_jobs(monkeypatch, processors, workers):
    """More than processors, but not where there is one alone, and never very many."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(processors)))
    assert default_jobs() == workers

"""The worked examples in docstrings are true, in every module."""

import doctest
import importlib
import pkgutil

import pytest

import overlay
import tests.copy
import tests.vm
import zfs_root_migrate
from tests.unit.checks.machines import CONFIG, base
from zfs_root_migrate.layout import design

# run as programs, or without the package
NOT_IMPORTED = ("__main__", "portage_query")
# what examples of a whole machine speak of
GIVEN = {"storage": base().storage, "layout": design(CONFIG, base())}


def modules():
    """Yield the names of all modules of the program and of what surrounds it."""
    for top in (zfs_root_migrate, tests.copy, tests.vm, overlay):
        for found in pkgutil.walk_packages(top.__path__, f"{top.__name__}."):
            if not any(part in found.name.split(".") for part in NOT_IMPORTED):
                yield found.name


@pytest.mark.parametrize("name", list(modules()))
def test_examples(name):
    """What is shown is what comes out."""
    result = doctest.testmod(importlib.import_module(name), extraglobs=GIVEN)
    assert not result.failed


def test_examples_are_there():
    """The search above does find some."""
    finder = doctest.DocTestFinder()
    found = [test for name in modules() for test in examples(finder, name)]
    assert len(found) > 60


def examples(finder, name):
    """Return the tests of one module that have examples."""
    module = importlib.import_module(name)
    return [test for test in finder.find(module) if test.examples]

"""Fixtures of the real boots, and what is shown when one of them fails."""

import signal
from collections.abc import Callable, Generator, Iterator
from types import FrameType
from typing import TypeVar

import pytest

from tests.vm.build import guest_disk
from tests.vm.progress import clock
from tests.vm.scenario.lanes import BESIDE, Lanes
from tests.vm.scenario.last_pass import LastPass
from tests.vm.scenario.migration import Migration
from tests.vm.scenario.mistakes import Mistakes
from tests.vm.scenario.parts import BlockedError, Scenario
from tests.vm.scenario.raidz import Raidz
from tests.vm.scenario.systemd import Systemd
from tests.vm.scenario.undo import Undo

S = TypeVar("S", bound=Scenario)
LANES = pytest.StashKey[Lanes]()


def pytest_configure() -> None:
    """Let a request to end run the fixtures' clean-up, which ends the guests."""
    signal.signal(signal.SIGTERM, _interrupt)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ask last for what is performed beside: until then nobody waits for it."""

    def is_beside(item: pytest.Item) -> bool:
        names = getattr(item, "fixturenames", ())
        is_boot = item.get_closest_marker("boot") is not None
        return is_boot and any(name in BESIDE for name in names)

    items.sort(key=is_beside)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="session")
def lanes(request: pytest.FixtureRequest) -> Iterator[Lanes]:
    """All scenarios; some run beside the main one where both are wanted."""
    found = Lanes(guest_disk())
    request.config.stash[LANES] = found
    wanted = {
        name
        for item in request.session.items
        for name in getattr(item, "fixturenames", ())
    }
    try:
        if "migration" in wanted:
            found.perform_beside(*(name for name in BESIDE if name in wanted))
        yield found
    finally:
        found.close()


@pytest.fixture
def migration(lanes: Lanes) -> Migration:
    """The main scenario."""
    return lanes.migration()


def _begun(make: Callable[[], S]) -> S:
    """Return what begins where the main scenario ends, if that came so far."""
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - whatever it was has been reported
        pytest.skip(f"the main scenario has failed: {error}")


@pytest.fixture
def undo(lanes: Lanes) -> Undo:
    """Going back, from where `run` ends in the main scenario."""
    return _begun(lanes.undo)


@pytest.fixture
def last_pass(lanes: Lanes) -> LastPass:
    """The last pass, from where the main scenario has shut down."""
    return _begun(lanes.last_pass)


@pytest.fixture
def systemd(lanes: Lanes) -> Systemd:
    """The last pass by systemd, from where the main scenario has shut down."""
    return _begun(lanes.systemd)


@pytest.fixture
def raidz(lanes: Lanes) -> Raidz:
    """RAID-Z over three disks."""
    return lanes.raidz()


@pytest.fixture
def mistakes(lanes: Lanes) -> Mistakes:
    """Bad input and bad luck."""
    return lanes.mistakes()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """Skip what an earlier failure makes pointless."""
    try:
        return (yield)
    except BlockedError as error:
        pytest.skip(str(error))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the consoles of the guests with a failure."""
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, Scenario):
                report.sections.append(("guests", value.lab.consoles()))
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say how long each part took and where the consoles are."""
    lanes = config.stash.get(LANES, None)
    for scenario in lanes.made() if lanes else ():
        terminalreporter.section(scenario.lab.name)
        for part in scenario.parts():
            if part.name in scenario.lab.times:
                took = clock(scenario.lab.times[part.name])
                terminalreporter.line(f"{took:>6}  {part.title}")
        terminalreporter.line(f"consoles and transcript: {scenario.lab.directory}")

"""What is said of a kernel that ZFS does not support: the limit, and the way out."""

from dataclasses import replace

import pytest

from tests.unit.checks.cases_zfs import BARE, no_loaded, no_zfs, runs, use, whole
from tests.unit.checks.machines import (
    CONFIG,
    Change,
    all_of,
    base,
    boot,
    kernel,
    system,
)
from tests.unit.checks.machines import package as change_package
from tests.unit.checks.packages import WHOLE_USE, plain_package
from zfs_root_migrate.checks import run_checks
from zfs_root_migrate.finding import Finding, Severity
from zfs_root_migrate.model import ConfigPlace, Facts, PlaceKind

RANGE = {
    *("kernel-too-new", "kernel-beyond-range", "next-kernel-too-new"),
    *("kernel-update-too-new", "zfs-range-unknown"),
}
KERNEL = "sys-kernel/gentoo-kernel"


def found(*changes: Change) -> dict[str, Finding]:
    """Return the findings of the ready machine after some changes, by key."""
    return {f.key: f for f in run_checks(all_of(*changes)(base()), CONFIG)}


@pytest.mark.parametrize(
    ("release", "limit", "fits"),
    [
        ("7.0.12-gentoo", "7.0", True),
        ("7.0.0", "7.0", True),
        ("6.19.300-gentoo-dist", "7.0", True),
        ("7.1.0-rc1", "7.0", False),
        ("7.10.1", "7.9", False),
        ("6.9.1", "6.10", True),
        ("8.0.0", "7.99", False),
    ],
)
def test_only_the_first_two_numbers_count(
    release: str, limit: str, fits: bool
) -> None:
    """A limit of 7.0 is one for every 7.0.x."""
    keys = found(whole(linux_max=limit), runs(release))
    assert ("kernel-beyond-range" in keys) is not fits


def test_too_new_without_any_way_but_another_kernel() -> None:
    """The common case of the testing branch: every ZFS ends at 7.0, and 7.1 runs."""
    keys = found(no_zfs, runs("7.1.3-gentoo", **BARE))
    one = keys["kernel-too-new"]
    assert one.severity is Severity.INHIBITOR
    assert "7.1.3-gentoo" in one.seen
    assert "7.0 (sys-fs/zfs-2.4.3)" in one.seen
    mask = ">=sys-kernel/gentoo-sources-7.1"
    assert f"echo '{mask}' >> /etc/portage/package.mask/zfs" in one.commands
    text = "\n".join(one.remedy)
    assert "2.3.9 or 2.4.4" in text
    assert one.commands[-1] == "zfs-root-migrate check"


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        (PlaceKind.DIRECTORY, "/etc/portage/package.mask/zfs"),
        (PlaceKind.FILE, "/etc/portage/package.mask"),
        (PlaceKind.ABSENT, "/etc/portage/package.mask"),
        (None, "/etc/portage/package.mask/zfs"),
    ],
)
def test_kernels_are_masked_where_this_machine_does_it(
    kind: PlaceKind | None, file: str
) -> None:
    """package.mask may be a single file, and then no directory can be made of it."""
    place = "/etc/portage/package.mask"
    known = (ConfigPlace(path=place, kind=kind),) if kind else ()

    def change(facts: Facts) -> Facts:
        return replace(facts, portage=replace(facts.portage, places=known))

    one = found(no_zfs, runs("7.1.3-gentoo", **BARE), change)["kernel-too-new"]
    echo = f"echo '>=sys-kernel/gentoo-sources-7.1' >> {file}"
    made = () if kind else (f"mkdir -p {place}",)
    assert one.commands[: len(made) + 1] == (*made, echo)


def test_an_installed_kernel_that_fits_is_named() -> None:
    """The newest of those that can be started; one without an image cannot."""
    older = (kernel("6.9.9"), kernel("6.12.1"), replace(kernel("7.0.1"), image=None))
    mine = replace(kernel("7.1.3"), **BARE)
    there = boot(running_kernel="7.1.3", kernels=(mine, *older))
    one = found(whole(), no_loaded, there)["kernel-too-new"]
    assert "Start 6.12.1," in one.remedy[0]


def test_one_cause_one_finding() -> None:
    """The missing module is explained once."""
    keys = found(whole(), no_loaded, runs("7.1.3-gentoo", **BARE))
    assert "zfs-module-missing" not in keys
    assert RANGE & set(keys) == {"kernel-too-new"}


def test_what_comes_is_said_once() -> None:
    """Installed and offered: the one that is there already is told of."""
    later = replace(kernel("7.1.0"), **BARE)
    keys = found(
        whole(),
        boot(kernels=(kernel(), later)),
        change_package(
            "sys-kernel/gentoo-sources", candidate="sys-kernel/gentoo-sources-7.1.2"
        ),
    )
    assert RANGE & set(keys) == {"next-kernel-too-new"}
    assert "kernels-without-zfs" not in keys


def test_capped_kernels_do_not_come() -> None:
    """With dist-kernel and dist-kernel-cap Portage keeps the kernel back by itself."""
    offered = replace(
        plain_package(f"{KERNEL}-6.12.31"), candidate=f"{KERNEL}-7.1.2"
    )
    there = change_package(
        KERNEL, installed=offered.installed, candidate=offered.candidate
    )
    capped = (*WHOLE_USE, "dist-kernel")
    loose = tuple(flag for flag in capped if flag != "dist-kernel-cap")
    assert "kernel-update-too-new" not in found(use(*capped), there)
    assert "kernel-update-too-new" in found(use(*loose), there)


def test_a_live_version_is_no_promise() -> None:
    """Its ebuild says 7.0 whatever its sources say: it neither helps nor hinders."""
    live = tuple(e for e in base().portage.package("sys-fs/zfs").ebuilds if e.live)
    keys = found(
        no_zfs,
        change_package("sys-fs/zfs", ebuilds=live),
        runs("7.1.3", **BARE),
    )
    assert "kernel-too-new" not in keys


def elsewhere(facts: Facts) -> Facts:
    """Look at the machine's tree while it does not run."""
    return replace(
        facts,
        elsewhere="/mnt/gentoo",
        boot=replace(facts.boot, running_kernel="", cmdline=""),
        storage=replace(facts.storage, mounts=()),
        system=replace(facts.system, zfs_module=None),
    )


def test_a_tree_that_does_not_run() -> None:
    """Its newest kernel is judged; nothing is said of what only a machine has."""
    keys = set(found(elsewhere))
    assert not [key for key in keys if "boot" in key or key.startswith("zfs-")]
    assert "kernel-too-new" in found(
        whole(), boot(kernels=(replace(kernel("7.1.0"), **BARE),)), elsewhere
    )
    assert "zfs-corrupting" in found(
        system(zfs_userland="2.2.1"),
        boot(kernels=(replace(kernel(), zfs_version="2.2.1-r0-gentoo"),)),
        elsewhere,
    )

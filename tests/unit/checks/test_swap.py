"""What is said of swap, beyond the cases."""

from dataclasses import replace

from tests.unit.checks.machines import CONFIG, base
from zfs_root_migrate.checks import run_checks
from zfs_root_migrate.model import FstabLine, Swap

LINE = FstabLine(
    spec="/dev/zvol/tank/swap", file="none", fs_type="swap", options="sw"
)


def test_swap_on_a_volume_comes_back_by_fstab() -> None:
    """swapoff lasts until the next boot, so the line in fstab is named as well."""
    storage = base().storage
    active = Swap(path="/dev/zd0", is_file=False, size=1 << 30)
    storage = replace(storage, swaps=(active,), fstab=(*storage.fstab, LINE))
    found = run_checks(replace(base(), storage=storage), CONFIG)
    (finding,) = (f for f in found if f.key == "swap-on-zvol")
    assert finding.commands == ("swapoff /dev/zd0",)
    assert LINE.spec in finding.remedy[-1]

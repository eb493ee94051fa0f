"""The second opinion about the new root, where gentoolkit is installed."""

from zfs_root_migrate.model import Facts
from zfs_root_migrate.paths import NEW, OPINION
from zfs_root_migrate.step import Consult, Hazard, Step

# Portage and Python may write caches: the new root is read-only for this command alone,
# in the mount namespace that it gets
_READ_ONLY = (
    "findmnt --raw --noheadings --types zfs --output TARGET | while read -r place; do "
    'mount -o remount,bind,ro "$place" || exit 1; done && exec "$@"'
)
EQUERY = ("equery", "--no-color", "--no-pipe", "check", "*")
# a checksum of every file that a package owns
SECONDS = 60
LONGEST = 3600


def second_opinion(facts: Facts) -> tuple[Step, ...]:
    """Return the step that asks `equery check`, if it is there to be asked."""
    if not any(tool.name == "equery" and tool.path for tool in facts.system.tools):
        return ()
    return (
        Step(
            id="second-opinion",
            title="Ask gentoolkit for a second opinion",
            reason="it compares with what Portage kept of each file; what it says is "
            "noted and decides nothing",
            hazard=Hazard.READS,
            needs=("mount",),
            actions=(
                Consult(
                    argv=("sh", "-c", _READ_ONLY, "sh", *EQUERY),
                    chroot=NEW,
                    report=OPINION,
                    timeout=LONGEST,
                ),
            ),
            seconds=SECONDS,
        ),
    )

"""What `environments` does: facts, plan, executor. Part of the rim.

Nothing of it is resumed: each step can be done again, so the same command goes on where
it was cut off, and what has failed is taken back at once. So the journal lives only as
long as the command; the log has every command for good.
"""

import os

from zfs_root_migrate import plan as planning
from zfs_root_migrate import runner
from zfs_root_migrate.environment_reports import shared_remark
from zfs_root_migrate.environments import Environments, Removal, plan_removal
from zfs_root_migrate.errors import InterruptedRunError, MigrateError, UsageError
from zfs_root_migrate.executor import Executor
from zfs_root_migrate.facts.environments import gather_environments
from zfs_root_migrate.journal import Lock
from zfs_root_migrate.paths import LOCK
from zfs_root_migrate.plan import Plan
from zfs_root_migrate.reader import Reader
from zfs_root_migrate.sessions import Confirm
from zfs_root_migrate.steps.grub import DEFAULT
from zfs_root_migrate.steps.menu import SCRIPT
from zfs_root_migrate.terminal import Terminal
from zfs_root_migrate.workbench import open_passing


def look(reader: Reader) -> Environments:
    """Read the boot environments of the running root's pool."""
    return gather_environments(
        reader, files=(DEFAULT, SCRIPT), is_root=os.geteuid() == 0
    )


def plan_change(now: Environments, action: str, name: str) -> Plan:
    """Plan what `create`, `activate` or `destroy` does."""
    if action == "create":
        return planning.plan_create(now, name)
    if action == "activate":
        return planning.plan_activate(now, name)
    return planning.plan_destroy(now, plan_removal(now, name))


def change(
    terminal: Terminal, reader: Reader, action: str, name: str, confirm: Confirm | None
) -> str:
    """Do it, asking before where `confirm` is given; return what is to be said."""
    with Lock(LOCK):
        now = look(reader)
        plan = plan_change(now, action, name)
        if confirm and not confirm(_question(now, action, name)):
            raise UsageError("nothing was changed")
        runner.enter_own_mounts()
        _carry_out(terminal, plan)
    if action == "create" and shared_remark(now):
        terminal.talk(shared_remark(now))
    return _DONE[action].format(name)


_DONE = {
    "create": "Made {0}. `zfs-root-migrate environments activate {0}` makes it the "
    "default; in the boot menu it is under `Boot environments`.",
    "activate": "{0} is the default now; the next boot starts it.",
    "destroy": "Destroyed {0}.",
}


def _question(now: Environments, action: str, name: str) -> str:
    if action == "create":
        return f"Make {now.new_dataset(name)} from the running root?"
    if action == "activate":
        return f"Make {name} the default?"
    return _removal_question(plan_removal(now, name))


def _removal_question(removal: Removal) -> str:
    lost = f", with {', '.join(removal.lost)}" if removal.lost else ""
    return f"Destroy {removal.environment.dataset}{lost}? It does not come back."


def _carry_out(terminal: Terminal, plan: Plan) -> None:
    with open_passing(terminal) as executor:
        try:
            executor.run(plan)
        except MigrateError:
            _take_back(terminal, executor, plan)
            raise
        except KeyboardInterrupt:
            _take_back(terminal, executor, plan)
            raise InterruptedRunError(
                "interrupted; what can be taken back was taken back",
                resolution="zfs-root-migrate environments",
            ) from None


def _take_back(terminal: Terminal, executor: Executor, plan: Plan) -> None:
    """Undo what was begun; what stands against that is told beside the first error."""
    if not any(step.undo for step in plan.steps):
        return
    terminal.talk("Taking back what was begun:")
    try:
        executor.undo(plan)
    except MigrateError as error:
        terminal.error(error)

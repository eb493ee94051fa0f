"""Plans: which steps a verb takes, in order. Pure functions of settings and facts."""

import hashlib
from dataclasses import dataclass, replace

from zfs_root_migrate import codec, topology
from zfs_root_migrate.config import Config
from zfs_root_migrate.environments import (
    Environments,
    Removal,
    new_snapshot,
    require_menu,
    require_startable,
)
from zfs_root_migrate.errors import UsageError
from zfs_root_migrate.layout import Layout, design
from zfs_root_migrate.model import Facts
from zfs_root_migrate.step import Hazard, Probe, Require, Run, Step
from zfs_root_migrate.steps import (
    array,
    copying,
    disks,
    environments,
    grub,
    host,
    initramfs,
    mirror,
    pool,
    sealing,
    second,
    system,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps of one verb; two plans with equal digests do the same thing."""

    verb: str
    steps: tuple[Step, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over every step with all its commands."""
        return hashlib.sha256(codec.canonical(self).encode("ascii")).hexdigest()

    @property
    def seconds(self) -> int:
        """Estimate of how long it takes."""
        return sum(step.seconds for step in self.steps)


def plan_run(config: Config, facts: Facts) -> Plan:
    """Plan everything up to the reboot into the new root."""
    layout = design(config, facts)
    return _checked(
        Plan(
            verb="run",
            steps=(
                *host.prepare(layout),
                *disks.partition(layout, _overwritten(config, facts, layout)),
                array.array(layout),
                *array.swap(layout),
                pool.pool(layout),
                pool.open_pool(layout, pool.refuse_booted(layout)),
                initramfs.begin(facts, layout),
                pool.datasets(layout),
                pool.mount(layout),
                copying.sources(layout),
                copying.copy(config, facts, layout),
                system.files(facts, layout),
                copying.delta(config, facts, layout, grub.begin(layout)),
                initramfs.initramfs(facts, layout, grub.begin_menu()),
                grub.grub(facts, layout),
                copying.hand_over(layout),
                pool.close(layout, copying.release(layout)),
                *sealing.arm(config, facts, layout),
            ),
        )
    )


def plan_sync(config: Config, facts: Facts, *, discard: bool = False) -> Plan:
    """Plan one more pass over a finished copy.

    `discard` gives up what was written in the new root since.
    """
    layout = design(config, facts)
    booted = pool.forget_booted(layout) if discard else pool.refuse_booted(layout)
    return Plan(
        verb="sync",
        steps=(
            *_reopen(layout, booted),
            copying.delta(config, facts, layout),
            copying.hand_over(layout),
            pool.close(layout, copying.release(layout)),
            *sealing.arm(config, facts, layout),
        ),
    )


def plan_seal(config: Config, facts: Facts) -> Plan:
    """Plan the last pass, which is made when the system goes down and nothing runs."""
    layout = design(config, facts)
    return Plan(
        verb="seal",
        steps=(
            host.prepare(layout)[0],
            sealing.quiet(facts, layout),
            sealing.open_again(config, layout),
            pool.mount(layout),
            copying.sources(layout),
            sealing.last_pass(config, facts, layout),
            copying.hand_over(layout),
            sealing.snapshot(layout),
            sealing.seal(facts, layout),
            pool.close(layout, copying.release(layout)),
        ),
    )


def plan_verify(config: Config, facts: Facts) -> Plan:
    """Plan a look at every link of the boot chain and at every file."""
    layout = design(config, facts)
    return Plan(
        verb="verify",
        steps=(
            *_reopen(layout),
            _boot_chain(config, facts, layout),
            *second.second_opinion(facts),
            copying.compare(config, facts, layout),
            pool.close(layout, copying.release(layout)),
        ),
    )


def plan_mirror(config: Config, facts: Facts, now: Facts) -> Plan:
    """Plan the old disk's joining.

    `facts` were recorded before the migration, `now` are the new root's own.
    """
    layout = design(config, facts)
    if layout.old_disk is None:
        raise UsageError(
            "the old disk has no place in this pool",
            details=f"the topology is {config.topology} and join-old-disk is "
            f"{'yes' if config.join_old_disk else 'no'}",
            resolution="the migration is complete as it is; the old disk stays out and "
            "is yours to use",
        )
    return _checked(
        Plan(
            verb="mirror",
            steps=mirror.mirror_steps(now, _as_running(layout, now), layout.old_disk),
        )
    )


def plan_create(now: Environments, name: str) -> Plan:
    """Plan a new boot environment, made from the running root."""
    dataset = now.new_dataset(name)
    require_menu(now)
    steps = environments.create(now, dataset, new_snapshot(now, name))
    return _checked(Plan(verb="environments create", steps=steps))


def plan_activate(now: Environments, name: str) -> Plan:
    """Plan another default, if that one would boot."""
    chosen = now.named(name)
    require_menu(now)
    require_startable(now, chosen)
    steps = environments.activate(now, chosen)
    return _checked(Plan(verb="environments activate", steps=steps))


def plan_destroy(now: Environments, removal: Removal) -> Plan:
    """Plan the end of a boot environment that is not in use."""
    require_menu(now)
    steps = environments.destroy(now, removal)
    return _checked(Plan(verb="environments destroy", steps=steps))


def _as_running(layout: Layout, now: Facts) -> Layout:
    """Return the layout with the boot environment that is running as its root."""
    roots = [m for m in now.storage.mounts if m.target == "/" and m.fs_type == "zfs"]
    if roots and roots[-1].source.partition("/")[0] == layout.pool:
        return replace(layout, root=roots[-1].source)
    return layout


def _reopen(layout: Layout, *then: Run | Require) -> tuple[Step, ...]:
    return (
        host.prepare(layout)[0],
        pool.open_pool(layout, *then),
        pool.mount(layout),
        copying.sources(layout),
    )


def _overwritten(config: Config, facts: Facts, layout: Layout) -> frozenset[str]:
    """Return the paths of target disks with content that the user gave up."""
    given_up = set(config.overwrite)
    return frozenset(
        disk.path
        for disk in layout.disks
        if disk.serial in given_up
        and (found := topology.find_disk(facts.storage, disk.path)) is not None
        and not topology.is_blank(facts.storage, found)
    )


def _boot_chain(config: Config, facts: Facts, layout: Layout) -> Step:
    """Ask every proof of the finished steps again, and one more."""
    proofs = [
        (step.title, probe)
        for step in plan_run(config, facts).steps
        if step.hazard is not Hazard.READS and step.id not in ("hand-over", "arm")
        for probe in step.proof
    ]
    proofs += [("Hostid of pool and root", p) for p in system.hostid_proof(layout)]
    return Step(
        id="boot-chain",
        title="Look at every link of the boot chain",
        reason="from the boot sector to the root dataset",
        hazard=Hazard.READS,
        needs=("mount",),
        actions=tuple(_require(title, probe) for title, probe in proofs),
        seconds=10,
    )


def _require(title: str, probe: Probe) -> Require:
    return Require(
        probe=probe,
        brief=f"not as it should be: {title}",
        resolution="`zfs-root-migrate run` puts right what a step can put right; "
        "`undo` goes back",
    )


def _checked(plan: Plan) -> Plan:
    """See that the plan keeps the rules that the executor relies on."""
    done: set[str] = set()
    for step in plan.steps:
        if step.id in done:
            raise AssertionError(f"two steps are called {step.id}")
        if not set(step.needs) <= done:
            raise AssertionError(f"{step.id} comes before what it needs")
        if plan.verb == "run" and step.hazard is Hazard.FINAL:
            raise AssertionError(f"{step.id} would destroy the old disk")
        revocable = step.hazard is Hazard.READS or step.undo or step.undone_by
        if plan.verb == "run" and not revocable:
            raise AssertionError(f"{step.id} has no undo")
        done.add(step.id)
    return plan

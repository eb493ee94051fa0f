"""Steps that make, activate and destroy boot environments.

Whatever point a power cut comes at, the menu is the old one or the new one, and what it
starts is there: an environment is looked into before it becomes the default, and is
destroyed only when it is neither the default nor what the menu starts.
"""

import re
from dataclasses import replace

from zfs_root_migrate.environments import (
    Environment,
    Environments,
    Inside,
    Removal,
)
from zfs_root_migrate.paths import NEW
from zfs_root_migrate.step import Action, Hazard, Probe, Require, Run, Step, WriteFile
from zfs_root_migrate.steps import menu, probes
from zfs_root_migrate.steps.grub import CONFIG, DEFAULT, grub_default
from zfs_root_migrate.steps.probes import has_content, make_directory, property_is


def create(now: Environments, dataset: str, snapshot: str) -> tuple[Step, ...]:
    """Return the steps that make a clone of the running root."""
    return (
        _script(now),
        _clone(now, dataset, snapshot),
        Step(
            id="menu",
            title="Write the boot menu anew",
            reason="so that it can be started by hand",
            hazard=Hazard.REVERSIBLE,
            needs=("clone",),
            actions=menu.renew(),
            undone_by=("clone",),
            always=True,
            seconds=5,
        ),
    )


def _script(now: Environments) -> Step:
    """Put the menu's script into the running root, and so into its clones."""
    inside = now.now.inside or Inside()
    file = WriteFile(path=menu.SCRIPT, content=menu.SCRIPT_TEXT, mode=0o755)
    before = inside.menu_script
    return Step(
        id="script",
        title="Let GRUB's menu have the boot environments",
        reason="grub-mkconfig runs it, now and after each new kernel",
        hazard=Hazard.REVERSIBLE,
        actions=(file,),
        undo=(_restored(file, before),),
        proof=(has_content(file.path, file.content),),
    )


def _restored(file: WriteFile, before: str | None) -> Action:
    if before is None:
        return Run(argv=("rm", "-f", file.path))
    return replace(file, content=before)


def _clone(now: Environments, dataset: str, snapshot: str) -> Step:
    # legacy and noauto: neither `zfs mount -a` nor dracut, which looks for children of
    # the root that are to be mounted, ever mounts one beside the running one
    options = (("mountpoint", "legacy"), ("canmount", "noauto"), *now.kept)
    words = tuple(w for name, value in options for w in ("-o", f"{name}={value}"))
    return Step(
        id="clone",
        title=f"Make {dataset} from the running root",
        reason="a snapshot and its clone take no room until they differ",
        hazard=Hazard.REVERSIBLE,
        needs=("script",),
        actions=(
            Run(argv=("sync",)),
            Run(argv=("zfs", "snapshot", snapshot)),
            Run(argv=("zfs", "clone", *words, snapshot, dataset)),
        ),
        undo=(
            Run(argv=("zfs", "destroy", dataset), when=_exists(dataset)),
            Run(argv=("zfs", "destroy", snapshot), when=_exists(snapshot)),
        ),
        proof=(
            property_is(dataset, "origin", snapshot),
            property_is(dataset, "mountpoint", "legacy"),
            property_is(dataset, "canmount", "noauto"),
        ),
        seconds=2,
    )


def _exists(name: str, *, holds: bool = True) -> Probe:
    return Probe(argv=("zfs", "list", "-H", "-o", "name", name), holds=holds)


def activate(now: Environments, chosen: Environment) -> tuple[Step, ...]:
    """Return the steps that make an environment the default of pool and boot menu."""
    images = tuple(image.path for image in now.kernels(chosen))
    check = menu.starts(chosen.dataset, images)
    other = () if chosen == now.now else _settings_there(chosen)
    return (
        Step(
            id="look",
            title="Look once more",
            reason="what is not there cannot become the default",
            hazard=Hazard.READS,
            actions=(
                Require(
                    probe=_exists(chosen.dataset),
                    brief=f"{chosen.dataset} is not there",
                    resolution="zfs-root-migrate environments",
                ),
                Require(
                    probe=probes.is_mounted("/boot"),
                    brief="/boot is not mounted",
                    resolution="mount /boot",
                ),
            ),
        ),
        _settings_here(now, chosen),
        *other,
        _bootfs(now, chosen),
        Step(
            id="menu",
            title="Write the boot menu anew",
            reason="its first entry is the new default; beside the old menu first, and "
            "looked at before it takes its place",
            hazard=Hazard.REVERSIBLE,
            needs=("bootfs",),
            actions=(*menu.forget_choices(), *menu.renew(check)),
            undone_by=("bootfs",),
            proof=(menu.starts(chosen.dataset, images, file=CONFIG),),
            always=True,
            seconds=6,
        ),
    )


def _files(
    environment: Environment, root: str, top: str
) -> tuple[tuple[WriteFile, str | None], ...]:
    """Return what is written in an environment, and what was there before."""
    inside = environment.inside or Inside()
    content = grub_default(inside.grub_default, root)
    script = WriteFile(path=top + menu.SCRIPT, content=menu.SCRIPT_TEXT, mode=0o755)
    return (
        (WriteFile(path=top + DEFAULT, content=content), inside.grub_default),
        (script, inside.menu_script),
    )


def _settings_here(now: Environments, chosen: Environment) -> Step:
    files = _files(now.now, chosen.dataset, "")
    return Step(
        id="settings",
        title="Write GRUB's settings in the running environment",
        reason="who runs grub-mkconfig here must not set another default",
        hazard=Hazard.REVERSIBLE,
        needs=("look",),
        actions=tuple(file for file, _ in files),
        undo=tuple(_restored(file, before) for file, before in files),
        proof=tuple(has_content(file.path, file.content) for file, _ in files),
    )


def _settings_there(chosen: Environment) -> tuple[Step, ...]:
    """Write the same in an environment that is not running.

    It is mounted for this process alone, and the mount ends with it.
    """
    files = _files(chosen, chosen.dataset, NEW)
    opened = Run(argv=("mount", "-t", "zfs", chosen.dataset, NEW))
    closed = Run(argv=("umount", NEW), when=probes.is_mounted(NEW))
    return (
        Step(
            id="open",
            title=f"Mount {chosen.dataset}",
            reason="for this process alone",
            hazard=Hazard.READS,
            needs=("look",),
            actions=(make_directory(NEW), opened),
            undo=(closed,),
            always=True,
        ),
        Step(
            id="settings-there",
            title=f"Write GRUB's settings in {chosen.name}",
            reason="nor must who runs it there",
            hazard=Hazard.REVERSIBLE,
            needs=("open", "settings"),
            actions=tuple(file for file, _ in files),
            undo=tuple(_restored(file, before) for file, before in files),
            proof=tuple(has_content(file.path, file.content) for file, _ in files),
        ),
        Step(
            id="close",
            title=f"Unmount {chosen.dataset}",
            reason="it must not be in use",
            hazard=Hazard.READS,
            needs=("settings-there",),
            actions=(closed,),
            undo=(replace(opened, when=probes.is_mounted(NEW, holds=False)),),
            always=True,
        ),
    )


def _bootfs(now: Environments, chosen: Environment) -> Step:
    def set_to(value: str) -> Run:
        return Run(argv=("zpool", "set", f"bootfs={value}", now.pool))

    proof = Probe(
        argv=("zpool", "get", "-H", "-o", "value", "bootfs", now.pool),
        matches=(rf"^{re.escape(chosen.dataset)}$",),
    )
    return Step(
        id="bootfs",
        title=f"Make {chosen.dataset} the pool's bootfs",
        reason="the default, by which the menu is made",
        hazard=Hazard.REVERSIBLE,
        needs=("settings",),
        actions=(set_to(chosen.dataset),),
        undo=(replace(set_to(now.bootfs or ""), when=proof),),
        proof=(proof,),
    )


def destroy(now: Environments, removal: Removal) -> tuple[Step, ...]:
    """Return the steps that destroy an environment that is not in use."""
    doomed = removal.environment.dataset
    word = re.escape(doomed)
    children = Probe(
        argv=("zfs", "list", "-Hr", "-o", "name", "-t", "filesystem,volume", doomed),
        absent=(rf"^{word}/",),
    )
    bootfs = Probe(
        argv=("zpool", "get", "-H", "-o", "value", "bootfs", now.pool),
        absent=(rf"^{word}$",),
    )
    running = Probe(
        argv=("findmnt", "--noheadings", "--output=SOURCE", "--types=zfs"),
        absent=(rf"^{word}\s*$",),
    )
    stays = "it was not touched; look at: zfs-root-migrate environments"
    return (
        Step(
            id="look",
            title="Look once more",
            reason="what is destroyed does not come back",
            hazard=Hazard.READS,
            actions=tuple(
                Require(probe=probe, brief=f"{doomed} {what}", resolution=stays)
                for probe, what in (
                    (running, "is mounted"),
                    (bootfs, "is the default"),
                    (children, "holds other datasets"),
                )
            ),
        ),
        *((_promote(removal),) if removal.promoted else ()),
        Step(
            id="destroy",
            title=f"Destroy {doomed}",
            reason="with the snapshots of it that no clone needs",
            hazard=Hazard.LOSSY,
            needs=("look",),
            actions=(Run(argv=("zfs", "destroy", "-r", doomed)),),
            proof=(_exists(doomed, holds=False),),
            seconds=3,
        ),
        Step(
            id="menu",
            title="Write the boot menu anew",
            reason="it must not offer what is gone",
            hazard=Hazard.REVERSIBLE,
            needs=("destroy",),
            actions=menu.renew(),
            always=True,
            seconds=5,
        ),
        *((_tidy(removal.tidied),) if removal.tidied else ()),
    )


def _promote(removal: Removal) -> Step:
    heir, doomed = str(removal.promoted), removal.environment.dataset
    return Step(
        id="promote",
        title=f"Give {heir} what it shares with {doomed}",
        reason="it is a clone, and a clone needs the snapshot that it was made from",
        hazard=Hazard.REVERSIBLE,
        needs=("look",),
        actions=(Run(argv=("zfs", "promote", heir)),),
        # of what is left, nothing is needed by a clone any more
        proof=(
            Probe(
                argv=("zfs", "get", "-H", "-o", "value", "origin", doomed),
                matches=(rf"^{re.escape(heir)}@",),
            ),
        ),
    )


def _tidy(snapshot: str) -> Step:
    unused = Probe(
        argv=("zfs", "get", "-H", "-o", "value", "clones", snapshot),
        matches=(r"\A-?\s*\Z",),
    )
    return Step(
        id="snapshot",
        title=f"Destroy {snapshot}",
        reason="`create` has made it; where other clones need it, it stays",
        hazard=Hazard.LOSSY,
        needs=("destroy",),
        actions=(Run(argv=("zfs", "destroy", snapshot), when=unused),),
        always=True,
    )

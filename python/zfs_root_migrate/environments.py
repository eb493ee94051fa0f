"""Boot environments: what they are, and which of them would start the machine.

In the layout `boot-environments` they lie beside each other, POOL/ROOT/gentoo and
POOL/ROOT/NAME. In the layout `tutorial` the first one is POOL/ROOT itself, called ROOT,
and the others lie in it. Pure functions of values.
"""

import re
from dataclasses import dataclass

from zfs_root_migrate.errors import InhibitedError, UsageError
from zfs_root_migrate.model import release_key

HOME = "ROOT"
# of the snapshots that `create` makes; no other ones are ever destroyed for tidiness
PREFIX = "zfs-root-migrate-"
# what dracut, GRUB's menu, ZFS and eselect all read as one word that is no number
_NAME = re.compile(r"(?!\d+$)[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONGEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A kernel in /boot."""

    release: str
    path: str
    initramfs: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What was found in an environment; `failure` says why it could not be mounted.

    `modules` are the kernel releases that it has modules for, ZFS among them.
    """

    failure: str = ""
    has_init: bool = False
    hostid: str = ""
    modules: tuple[str, ...] = ()
    grub_default: str | None = None
    menu_script: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A root; `inside` is None where nobody could look into it (only root can)."""

    dataset: str
    origin: str | None
    used: int
    creation: int
    mountpoint: str
    mounted: bool
    inside: Inside | None = None

    @property
    def name(self) -> str:
        """The last word of its dataset's name."""
        return self.dataset.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A snapshot below POOL/ROOT and what was cloned from it."""

    name: str
    clones: tuple[str, ...]

    @property
    def dataset(self) -> str:
        """What it is a snapshot of."""
        return self.name.partition("@")[0]

    @property
    def is_ours(self) -> bool:
        """Whether `create` has made it."""
        return self.name.partition("@")[2].startswith(PREFIX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environments:
    """All of them, and what the machine starts.

    `bootfs` is the pool's property, `menu` what the boot menu's first entry starts.
    `datasets` are all file systems below POOL/ROOT, `kept` the local properties of the
    running root that say how files are kept. `packages` is where Portage's database of
    installed packages lies.
    """

    running: str
    bootfs: str | None
    menu: str | None
    found: tuple[Environment, ...]
    datasets: tuple[str, ...]
    snapshots: tuple[Snapshot, ...]
    images: tuple[Image, ...]
    hostid: str
    boot_is_mounted: bool
    has_menu: bool
    kept: tuple[tuple[str, str], ...] = ()
    packages: str | None = None

    @property
    def pool(self) -> str:
        """The pool that holds them."""
        return self.running.partition("/")[0]

    @property
    def home(self) -> str:
        """The dataset that new ones are made in."""
        return f"{self.pool}/{HOME}"

    @property
    def now(self) -> Environment:
        """The one that is running."""
        return next(e for e in self.found if e.dataset == self.running)

    def named(self, name: str) -> Environment:
        """Return the one of that name, or tell which there are."""
        for environment in self.found:
            if name == environment.name:
                return environment
        raise UsageError(
            f"there is no boot environment {name!r}",
            details="there are: " + ", ".join(e.name for e in self.found),
            resolution="zfs-root-migrate environments",
        )

    def new_dataset(self, name: str) -> str:
        """Return the dataset of an environment that is to be made."""
        if not _NAME.fullmatch(name) or name == HOME:
            raise UsageError(
                f"{name!r} cannot be the name of a boot environment",
                details="letters, digits, dots, hyphens and underscores; it begins "
                f"with a letter or digit, is not all digits, and not {HOME}",
            )
        dataset = f"{self.home}/{name}"
        if dataset in self.datasets:
            raise UsageError(f"{dataset} is there already")
        if len(dataset) > _LONGEST:
            raise UsageError(f"the name {name!r} is too long")
        return dataset

    def kernels(self, environment: Environment) -> tuple[Image, ...]:
        """Return the kernels of /boot that it can be started with, newest first."""
        inside = environment.inside
        known = inside.modules if inside else ()
        fitting = (i for i in self.images if i.initramfs and i.release in known)
        return tuple(
            sorted(fitting, key=lambda i: release_key(i.release), reverse=True)
        )

    def obstacle(self, environment: Environment) -> str | None:
        """Say why it would not start the machine; empty if it would, None: unknown."""
        if re.search(r"\s", environment.dataset):
            return "there is a blank in its name"
        if environment.mountpoint != "legacy":
            return f"its mountpoint is {environment.mountpoint}, not legacy"
        if environment.inside is None:
            return None
        return self._obstacle(environment, environment.inside)

    def _obstacle(self, environment: Environment, inside: Inside) -> str:
        if inside.failure:
            return f"it cannot be mounted: {inside.failure}"
        if not inside.has_init:
            return "there is no /sbin/init in it"
        if inside.hostid != self.hostid:
            return f"its /etc/hostid is {inside.hostid or 'missing'}, not {self.hostid}"
        if not self.boot_is_mounted:
            return "/boot is not mounted"
        if not self.kernels(environment):
            known = ", ".join(inside.modules) or "none"
            return f"/boot has no kernel that it has modules and ZFS for ({known})"
        return ""


def require_menu(environments: Environments) -> None:
    """Stop where the boot menu could not be written."""
    if not environments.boot_is_mounted:
        raise InhibitedError(
            "/boot is not mounted; nothing was changed", resolution="mount /boot"
        )
    if not environments.has_menu:
        raise InhibitedError(
            "there is no /boot/grub/grub.cfg; nothing was changed",
            details="boot environments are started from GRUB's menu",
        )
    chosen = default_entry(environments.now)
    if chosen not in ("", "0", "saved"):
        raise InhibitedError(
            f"GRUB_DEFAULT in /etc/default/grub is {chosen}; nothing was changed",
            details="so the menu would not start its first entry, which is the "
            "default environment's",
            resolution="take the line out of /etc/default/grub, or set it to 0",
        )


def default_entry(environment: Environment) -> str:
    """Return what GRUB_DEFAULT is set to in an environment."""
    inside = environment.inside
    text = (inside.grub_default if inside else None) or ""
    found = re.findall(r"(?m)^\s*(?:export\s+)?GRUB_DEFAULT=(.*?)\s*$", text)
    return found[-1].strip("\"'") if found else ""


def require_startable(environments: Environments, environment: Environment) -> None:
    """Stop where an environment would not start the machine."""
    obstacle = environments.obstacle(environment)
    if obstacle:
        raise InhibitedError(
            f"{environment.name} would not boot: {obstacle}; nothing was changed"
        )
    if obstacle is None:
        raise UsageError(
            f"only root can look into {environment.name}", resolution="run it as root"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """How an environment can be destroyed.

    `promoted` is a clone of it that takes over the snapshots that clones need. `lost`
    are the snapshots that go with it, `tidied` is one that `create` made and that
    nothing needs afterwards, or perhaps another clone.
    """

    environment: Environment
    promoted: str | None
    lost: tuple[str, ...]
    tidied: str | None


def plan_removal(environments: Environments, name: str) -> Removal:
    """Work out how an environment can be destroyed, or say why it must not be."""
    doomed = environments.named(name)
    obstacle = _why_kept(environments, doomed)
    if obstacle:
        raise InhibitedError(f"{name} stays: {obstacle[0]}", resolution=obstacle[1])
    own = [s for s in environments.snapshots if s.dataset == doomed.dataset]
    needed = [number for number, s in enumerate(own) if s.clones]
    if not needed:
        made_from = [s for s in environments.snapshots if s.name == doomed.origin]
        ours = [s.name for s in made_from if s.is_ours]
        return Removal(
            environment=doomed,
            promoted=None,
            lost=tuple(s.name for s in own),
            tidied=ours[0] if ours else None,
        )
    # promotion hands over all snapshots up to the one that the clone was made from, so
    # a clone of the newest one that has any takes everything that is needed by others
    newest = own[needed[-1]]
    heir = newest.clones[0]
    kept = f"{heir}@{newest.name.partition('@')[2]}"
    return Removal(
        environment=doomed,
        promoted=heir,
        lost=tuple(s.name for s in own[needed[-1] + 1 :]),
        tidied=kept if newest.is_ours else None,
    )


def _why_kept(
    environments: Environments, doomed: Environment
) -> tuple[str, str] | None:
    """Return why it must not be destroyed, and what to do."""
    others = "zfs-root-migrate environments activate NAME"
    if doomed.dataset == environments.running:
        return "it is the one that is running", f"boot another one first: {others}"
    if doomed.dataset == environments.bootfs:
        return "it is the default", f"make another one the default: {others}"
    if doomed.dataset == environments.menu:
        return "the boot menu starts it", f"make another one the default: {others}"
    if doomed.dataset == environments.home:
        return "the others lie in it", ""
    below = [d for d in environments.datasets if d.startswith(f"{doomed.dataset}/")]
    if below:
        return f"it holds other datasets: {', '.join(below)}", "look at: zfs list -r"
    if doomed.mounted:
        return "it is mounted", f"unmount it: umount -t zfs {doomed.dataset}"
    known = {e.dataset for e in environments.found}
    strangers = {
        clone
        for s in environments.snapshots
        if s.dataset == doomed.dataset
        for clone in s.clones
        if clone not in known
    }
    if strangers:
        clones = ", ".join(sorted(strangers))
        return f"these are clones of it: {clones}", "make them independent: zfs promote"
    return None


def new_snapshot(environments: Environments, name: str) -> str:
    """Return a name for the snapshot of the running root that is not taken.

    No other environment may have one of that name either: promoting a clone hands its
    origin's snapshots over, and stops where a name is there twice.
    """
    taken = {s.name.partition("@")[2] for s in environments.snapshots}
    wanted, number = f"{PREFIX}{name}", 1
    while wanted in taken:
        number += 1
        wanted = f"{PREFIX}{name}-{number}"
    return f"{environments.running}@{wanted}"

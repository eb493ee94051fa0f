"""Checks of packages: what Portage has against those that the migration needs."""

from collections.abc import Iterator

from zfs_root_migrate.config import Config
from zfs_root_migrate.finding import Finding, Severity
from zfs_root_migrate.model import Ebuild, Facts, Package
from zfs_root_migrate.needs import (
    GRUB,
    INSTALLKERNEL,
    Need,
    find_need,
    is_asked,
    needs,
)
from zfs_root_migrate.wishes import (
    FIX,
    FIX_ASK,
    by_fix,
    by_hand,
    deed,
    emerge_line,
    together,
    use_wish,
)
from zfs_root_migrate.zfs_versions import ZFS, choices

GIT = "dev-vcs/git"


class PackageKeyword(Finding):
    """Portage keeps a needed package back by its keyword.

    A version with the keyword ~amd64 is on the testing branch; a machine on the stable
    one takes it where package.accept_keywords says so. Where a stable version supports
    the kernel, that one is chosen. Only this very version is accepted, so later ones
    are still looked at by somebody (portage(5)).
    """

    key = "package-keyword"
    severity = Severity.WARNING
    title = "a needed package is on the testing branch"


class PackageLicence(Finding):
    """Portage keeps a needed package back by its licence.

    ACCEPT_LICENSE in make.conf names the licences that this machine accepts; the
    default is free ones, `@FREE`. OpenZFS has the CDDL, which is free, but is left out
    by settings such as `-* @GPL-COMPATIBLE`. package.license accepts it for one package
    (portage(5), GLEP 23).
    """

    key = "package-licence"
    severity = Severity.WARNING
    title = "a needed package has a licence that is not accepted"


class PackageMasked(Finding):
    """A needed package is masked by package.mask.

    Either somebody did that on this machine, or the profile or the repository did:
    versions that are known to be bad are masked there. Find out why before you unmask
    it. `check --fix` never unmasks anything.
    """

    key = "package-masked"
    severity = Severity.WARNING
    title = "a needed package is masked"


class PackageNotInTree(Finding):
    """No repository of this machine has a package that is needed.

    The ebuild repository is old, or only partly there, or not the one of Gentoo.
    """

    key = "package-not-in-tree"
    severity = Severity.WARNING
    title = "a needed package is in no repository"


class PackageRefused(Finding):
    """Portage keeps a needed package back for a reason that no line here changes.

    For instance an EAPI that this Portage is too old for, a version that is not made
    for this kind of machine, or a live version: those change from day to day, and are
    not taken for a root unless somebody installs one on purpose.
    """

    key = "package-refused"
    severity = Severity.WARNING
    title = "no version of a needed package would do"


class GrubPlatformUse(Finding):
    """Portage would build GRUB without the platform of this machine's firmware.

    The USE flags grub_platforms_* come from GRUB_PLATFORMS in make.conf or in
    package.use: pc for a BIOS, efi-64 for UEFI. Where none is set the ebuild lets GRUB
    guess, and on a PC it guesses pc. Without the right one grub-install has nothing to
    install. GRUB as it is built now may still have it, until it is built again.
    """

    key = "grub-platform-use"
    severity = Severity.WARNING
    title = "GRUB would be built without this machine's platform"


class InstallkernelUse(Finding):
    """installkernel does not make an initramfs or GRUB's menu for new kernels.

    It is run whenever a kernel is installed, by Portage or by `make install`. With USE
    dracut (or ugrd) it makes the initramfs, with USE grub it runs grub-mkconfig. A
    system on ZFS does not start with a kernel that has no initramfs, so the next kernel
    update would leave one that does not boot.
    """

    key = "installkernel-use"
    severity = Severity.WARNING
    title = "new kernels would have no initramfs or menu entry"


class InstallkernelMissing(Finding):
    """sys-kernel/installkernel is not installed.

    Then nothing makes an initramfs and a menu entry when a kernel is installed by
    `make install`. A system on ZFS needs both, each time; with installkernel, built
    with USE="dracut grub", nobody has to think of it.
    """

    key = "installkernel-missing"
    severity = Severity.INFO
    title = "nothing makes the initramfs of new kernels"


class GitMissing(Finding):
    """ZFS is, or would be, a live version, and git is not installed.

    Live ebuilds (9999) fetch their sources by git each time they are built, also when
    only the module is built again for a new kernel. Portage installs git by itself
    before that, with all that it needs.
    """

    key = "git-missing"
    severity = Severity.INFO
    title = "a live ebuild of ZFS will want git"


def check_packages(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look for what an `emerge` of what is needed would stumble over.

    That a package is missing is another check's finding, which leads here.
    """
    for need in needs(facts, config):
        if (need.missing or need.rebuild) and need.asked:
            yield from _obstacles(facts, config, need)


def _obstacles(facts: Facts, config: Config, need: Need) -> Iterator[Finding]:
    ebuild = need.ebuild
    if ebuild is None:
        package = facts.portage.package(need.package)
        if package is not None and not package.ebuilds:
            yield _not_in_tree(need)
        elif package is not None and not choices(facts.portage):
            # that none of them fits the kernel is another check's to say
            yield _none_good(package)
    elif ebuild.masked:
        yield _masked(ebuild)
    elif not need.acceptable:
        yield _refused(ebuild)
    else:
        yield from _to_accept(facts, config, need, ebuild)


def _to_accept(
    facts: Facts, config: Config, need: Need, ebuild: Ebuild
) -> Iterator[Finding]:
    remedy = _written(facts, config, need)
    if ebuild.keyword:
        yield PackageKeyword(
            seen=f"{ebuild.cpv} has the keyword {ebuild.keyword}",
            why="Without a line for it emerge would refuse it or take one that does "
            "not do (portage(5), package.accept_keywords).",
            remedy=remedy,
        )
    if ebuild.licences:
        yield PackageLicence(
            seen=f"{ebuild.cpv} has {' '.join(ebuild.licences)}, which is not among "
            "ACCEPT_LICENSE",
            why="Without a line for it emerge would refuse it (portage(5), "
            "package.license).",
            remedy=remedy,
        )


def _written(facts: Facts, config: Config, need: Need) -> tuple[str, ...]:
    """Say how the lines get there: all that this package wants, at once."""
    install = () if need.dependency else (f"  {emerge_line((need.atom,))}",)
    return (
        *by_fix(
            facts,
            "This writes the lines that are needed, and asks whether to "
            f"{deed(facts, need)}:",
            f"  {FIX_ASK}",
        ),
        *by_hand(facts, together(facts, config, need)),
        *install,
    )


def _masked(ebuild: Ebuild) -> Finding:
    return PackageMasked(
        seen=f"{ebuild.cpv} is masked by package.mask",
        why="Portage would not install it, and somebody had a reason for that.",
        remedy=(
            "See who has masked it, and why:",
            f"  emerge --pretend ={ebuild.cpv}",
            "Where it was you, take the line out of /etc/portage/package.mask. Where",
            "Gentoo did it, get the newest repository and look again:",
            "  emaint sync --auto",
            "  zfs-root-migrate check",
        ),
    )


def _refused(ebuild: Ebuild) -> Finding:
    return PackageRefused(
        seen=f"{ebuild.cpv}: {', '.join(ebuild.obstacles)}",
        why="Portage would not install it.",
        remedy=(
            "See what Portage says itself; newer versions of it and of the repository",
            "may do:",
            f"  emerge --pretend ={ebuild.cpv}",
            "  emaint sync --auto",
        ),
    )


def _none_good(package: Package) -> Finding:
    return PackageRefused(
        seen="there is only " + ", ".join(e.cpv for e in package.ebuilds),
        why="Live versions, candidates for a release and versions that corrupt files "
        "are not taken for a root.",
        remedy=(
            "Bring the repositories up to date, and look again:",
            "  emaint sync --auto",
            "  zfs-root-migrate check",
            "If you want a live version all the same, install it yourself.",
        ),
    )


def _not_in_tree(need: Need) -> Finding:
    return PackageNotInTree(
        seen=f"no repository has {need.package}",
        why="Portage cannot install it.",
        remedy=(
            "Bring the repositories up to date, and look again:",
            "  emaint sync --auto",
            "  zfs-root-migrate check",
        ),
    )


def check_build_flags(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look at the USE flags that GRUB and installkernel would be built with."""
    grub = find_need(facts, config, GRUB)
    if grub is not None and grub.lacks:
        yield GrubPlatformUse(
            seen=f"{GRUB} would be built without {' '.join(grub.lacks)}",
            why="grub-install could not write a boot loader for this firmware.",
            remedy=_flags_remedy(facts, grub),
        )
    kernels = find_need(facts, config, INSTALLKERNEL)
    if kernels is not None:
        off = " ".join(kernels.lacks) or "flags that are set by now"
        yield InstallkernelUse(
            seen=f"{INSTALLKERNEL} is built without {off}",
            why="A kernel without an initramfs cannot mount a ZFS root.",
            remedy=_flags_remedy(facts, kernels),
        )
    package = facts.portage.package(INSTALLKERNEL)
    if package and not package.installed and is_asked(facts, package):
        yield InstallkernelMissing(
            seen=f"{INSTALLKERNEL} is not installed",
            why="After each new kernel dracut and grub-mkconfig have to be run.",
            remedy=(
                "If you want that to be done for you:",
                *by_hand(facts, (use_wish(INSTALLKERNEL, ("dracut", "grub")),)),
                f"  emerge --ask {INSTALLKERNEL}",
            ),
        )


def _flags_remedy(facts: Facts, need: Need) -> tuple[str, ...]:
    """Say how flags are set; a package that is as needed is not built again."""
    build = (f"  {emerge_line((need.atom,))}",) if need.missing or need.rebuild else ()
    if not need.lacks:
        return (f"{deed(facts, need).capitalize()}:", *build)
    line = by_hand(facts, (use_wish(need.package, need.lacks),))
    if not need.acceptable:
        return ("Add the line for it:", *line)
    asks = (
        f"This writes the line, and asks whether to {deed(facts, need)}:",
        f"  {FIX_ASK}",
    )
    writes = ("This writes the line:", f"  {FIX}")
    return (*by_fix(facts, *(asks if build else writes)), *line, *build)


def check_live(facts: Facts, config: Config) -> Iterator[Finding]:
    """Look for git where ZFS is a live version."""
    package, git = facts.portage.package(ZFS), facts.portage.package(GIT)
    if package is None or git is None or git.installed:
        return
    live = {ebuild.cpv for ebuild in package.ebuilds if ebuild.live}
    wanted = {one.cpv for one in package.installed} | {package.candidate}
    found = sorted(c for c in wanted if c and (c in live or c.endswith("-9999")))
    if found:
        yield GitMissing(
            seen=f"{found[0]} is a live version, and {GIT} is not installed",
            why="Its sources are fetched by git whenever it is built.",
            remedy=(
                "Portage installs it when it is needed; or now:",
                f"  {emerge_line((GIT,))}",
            ),
        )

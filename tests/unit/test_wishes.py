"""What is lacking becomes lines; Portage obeying these lines, nothing is lacking."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.checks.cases_packages import (
    BARE_KERNELS,
    CASES,
    EFI_GRUB,
    LICENCE,
    MASKED,
    NO_ZFS,
    SINGLE,
    UGRD_KERNELS,
    ebuild,
    offer,
    package,
    portage,
)
from tests.unit.checks.machines import CONFIG, all_of, base, boot, system, without
from tests.unit.checks.packages import (
    KMOD_IUSE,
    KMOD_PACKAGE,
    LIVE,
    TESTING,
    WHOLE_IUSE,
    ZFS_IUSE,
    ZFS_PACKAGE,
    kmod_ebuild,
    plain_package,
    zfs_ebuild,
)
from tests.unit.checks.test_hostile_facts import mutated
from zfs_root_migrate.basics import BASICS
from zfs_root_migrate.checks import run_checks
from zfs_root_migrate.checks.system import TOOL_ATOMS
from zfs_root_migrate.errors import MigrateError
from zfs_root_migrate.fix import fix_data, intent_text, plan_fix, spots_of
from zfs_root_migrate.model import Copier, Firmware, Installed, Package
from zfs_root_migrate.needs import find_need, needs
from zfs_root_migrate.own_files import parse
from zfs_root_migrate.portage_query import query_files
from zfs_root_migrate.wishes import (
    FIX,
    Topic,
    emerge_line,
    emerge_words,
    install_remedy,
    wishes,
)

ZFS, KMOD = "sys-fs/zfs", "sys-fs/zfs-kmod"
BARE_KERNEL = replace(
    base().boot.kernels[0], zfs_module=None, zfs_version=None, zfs_signed=None
)
NOTHING = without("zfs", "zpool", "mdadm", "rsync", "grub-install", "grub-mkconfig")


def lines(facts):
    """Return the lines that are wanted, by the file that they are for."""
    found = {}
    for wish in wishes(facts, CONFIG):
        found.setdefault(wish.topic, []).append(wish.line)
    return found


def obeyed(facts):
    """Let Portage obey the lines: what is accepted is no obstacle, flags are on."""
    wanted = wishes(facts, CONFIG)

    def obey(one):
        mine = [w for w in wanted if w.line.split()[0].lstrip("=") in (one.cpv,)]
        flags = [
            flag
            for w in wanted
            if w.topic is Topic.USE and one.cpv.startswith(f"{w.package}-")
            for flag in w.line.split()[1:]
        ]
        left = replace(one, use=tuple(dict.fromkeys((*one.use, *flags))))
        topics = {w.topic for w in mine}
        if Topic.KEYWORDS in topics:
            left = replace(left, keyword=None, obstacles=left.obstacles[:-1])
        if Topic.LICENCE in topics:
            left = replace(left, licences=(), obstacles=left.obstacles[1:])
        return left

    packages = tuple(
        replace(p, ebuilds=tuple(obey(e) for e in p.ebuilds))
        for p in facts.portage.packages
    )
    return replace(facts, portage=replace(facts.portage, packages=packages))


def test_nothing_is_wanted_where_nothing_lacks():
    """The ready machine needs no line and no emerge."""
    assert wishes(base(), CONFIG) == ()
    assert emerge_words(base(), CONFIG) == ()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.key} {case.note}")
def test_lines_that_are_obeyed_leave_nothing_to_write(case):
    """Twice is once, on every machine of the cases."""
    facts = case.change(base())
    after = obeyed(facts)
    assert wishes(after, CONFIG) == ()
    gone = {"package-keyword", "package-licence", "grub-platform-use"}
    assert not gone & {f.key for f in run_checks(after, CONFIG)}
    assert emerge_words(after, CONFIG) == emerge_words(facts, CONFIG)


def test_everything_is_missing():
    """One line for all of it, and no line of configuration."""
    facts = all_of(NOTHING, boot(generators=()))(base())
    assert lines(facts) == {}
    packages = ("sys-fs/zfs", "sys-fs/mdadm", "sys-boot/grub", "sys-kernel/dracut")
    assert emerge_words(facts, CONFIG) == packages
    by_rsync = replace(CONFIG, copier=Copier.RSYNC)
    assert emerge_words(facts, by_rsync) == (*packages, "net-misc/rsync")
    line = emerge_line(emerge_words(facts, by_rsync))
    # what is not in the world file is removed by depclean; rsync comes with the profile
    assert line == (
        "emerge --ask sys-fs/zfs sys-fs/mdadm sys-boot/grub sys-kernel/dracut && "
        "emerge --ask --oneshot net-misc/rsync"
    )


def test_what_every_system_has_is_wanted_where_it_is_gone():
    """Once, by its package; the finding and the one line name the same."""
    mine = {tool: atom for atom, tools in BASICS.items() for tool in tools}
    assert {t: atom for t, atom in TOOL_ATOMS.items() if atom in BASICS} == mine
    assert set(BASICS) <= set(query_files.PACKAGES)
    facts = without("modprobe", "modinfo", "cmp")(base())
    assert emerge_words(facts, CONFIG) == ("sys-apps/diffutils", "sys-apps/kmod")
    testing = ebuild("sys-apps/kmod-35", **TESTING)
    facts = all_of(without("modprobe"), offer("sys-apps/kmod", testing))(base())
    assert lines(facts) == {Topic.KEYWORDS: ["=sys-apps/kmod-35 ~amd64"]}
    assert {"tool-missing", "package-keyword"} <= {
        f.key for f in run_checks(facts, CONFIG)
    }
    # facts of an older version of this tool do not say
    older = tuple(t for t in base().system.tools if t.name != "cmp")
    assert emerge_words(system(tools=older)(base()), CONFIG) == ()


def test_what_is_built_again_does_not_enter_the_world_file():
    """Unless the new system cannot start without it."""
    kernels = package(BARE_KERNELS)(base())
    assert [c for f in run_checks(kernels, CONFIG) for c in f.commands][-1:] == [
        "emerge --ask --oneshot sys-kernel/installkernel"
    ]
    tool = install_remedy(without("sfdisk")(base()), CONFIG, "sys-apps/util-linux")
    assert tool[-1] == "  emerge --ask --oneshot sys-apps/util-linux"
    built = zfs_24("rootfs", config=("rootfs", "initramfs", "modules"))
    assert install_remedy(built, CONFIG, ZFS)[-1] == "  emerge --ask sys-fs/zfs"


def missing(*ebuilds, kmods=(), candidate=None):
    """Return a machine without ZFS, whose repositories have these versions."""
    change = all_of(
        NO_ZFS,
        offer(ZFS, *ebuilds, candidate=candidate),
        offer(KMOD, *kmods),
    )
    return change(base())


def test_a_stable_version_is_preferred():
    """2.3.4 supports the kernel and is stable; the newer one is not."""
    facts = missing(
        zfs_ebuild("2.3.4"),
        zfs_ebuild("2.4.4", "7.2", **TESTING),
        kmods=(kmod_ebuild("2.3.4", "6.16"),),
        candidate="sys-fs/zfs-2.3.4",
    )
    assert lines(facts) == {}
    assert emerge_words(facts, CONFIG) == ("sys-fs/zfs",)


def test_the_stable_one_does_not_support_the_kernel():
    """Then the testing one is accepted, in this very version."""
    facts = boot(running_kernel="7.2.1-gentoo")(
        missing(
            zfs_ebuild("2.4.3", "7.0"),
            zfs_ebuild("2.4.4", "7.2", **TESTING),
            zfs_ebuild("9999", "7.2", **LIVE),
            candidate="sys-fs/zfs-2.4.3",
        )
    )
    assert lines(facts) == {Topic.KEYWORDS: ["=sys-fs/zfs-2.4.4 ~amd64"]}
    assert emerge_words(facts, CONFIG) == ("=sys-fs/zfs-2.4.4",)


def test_a_partner_of_the_same_version():
    """Before 2.4 the module's package is accepted too, and comes as a dependency."""
    facts = missing(
        zfs_ebuild("2.3.8", **TESTING),
        kmods=(
            kmod_ebuild("2.3.8", "7.0", **TESTING),
            kmod_ebuild("2.4.0_rc2-r1", "7.0"),
        ),
    )
    assert lines(facts) == {
        Topic.KEYWORDS: ["=sys-fs/zfs-2.3.8 ~amd64", "=sys-fs/zfs-kmod-2.3.8 ~amd64"]
    }
    assert emerge_words(facts, CONFIG) == ("=sys-fs/zfs-2.3.8",)


@pytest.mark.parametrize(
    "ebuilds",
    [
        (zfs_ebuild("9999", "7.0", **LIVE),),
        (zfs_ebuild("9999", "7.0", live=True),),
        (zfs_ebuild("2.4.0_rc1", "7.0"),),
        (zfs_ebuild("2.4.3", "6.6"),),
        (zfs_ebuild("2.4.3", "7.0", **MASKED),),
        (zfs_ebuild("2.3.8"),),
        (),
    ],
    ids=("live", "accepted live", "candidate", "kernel", "mask", "alone", "none"),
)
def test_versions_that_are_never_chosen(ebuilds):
    """Then nothing is written and nothing is to be installed: it would not do."""
    facts = missing(*ebuilds, candidate=ebuilds[-1].cpv if ebuilds else None)
    assert lines(facts) == {}
    assert emerge_words(facts, CONFIG) == ()
    assert not [c for c in install_remedy(facts, CONFIG, ZFS) if c.startswith("  ")]
    # the finding that the remedy speaks of is there
    why = {"package-masked", "package-refused", "package-not-in-tree", "kernel-too-new"}
    assert len(why & {f.key for f in run_checks(facts, CONFIG)}) == 1


def test_corrupting_versions_are_never_chosen():
    """Neither visible nor to be accepted; and an installed one is replaced."""
    kmods = (kmod_ebuild("2.2.0", "6.12"), kmod_ebuild("2.3.8", "7.0"))
    every = (zfs_ebuild("2.2.0"), zfs_ebuild("2.3.8", **TESTING))
    facts = missing(*every, kmods=kmods, candidate="sys-fs/zfs-2.2.0")
    assert lines(facts) == {Topic.KEYWORDS: ["=sys-fs/zfs-2.3.8 ~amd64"]}
    old = Installed(cpv="sys-fs/zfs-2.2.0", use=("rootfs",), iuse=ZFS_IUSE)
    bad = package(replace(ZFS_PACKAGE, installed=(old,)))(base())
    assert find_need(bad, CONFIG, ZFS).rebuild
    assert install_remedy(bad, CONFIG, ZFS)[0] == "Update it:"
    testing = replace(ZFS_PACKAGE.ebuilds[0], **TESTING)
    offered = replace(ZFS_PACKAGE, installed=(old,), ebuilds=(testing,), candidate=None)
    remedy = install_remedy(package(offered)(base()), CONFIG, ZFS)
    assert "This writes them, and asks whether to update it:" in remedy
    assert emerge_words(bad, CONFIG) == ("sys-fs/zfs",)


def test_licences_and_keywords_together():
    """Both lines, for the very version."""
    both = {**LICENCE, "keyword": "~amd64"}
    both["obstacles"] = ("CDDL license(s)", "~amd64 keyword")
    facts = missing(zfs_ebuild("2.4.3", "7.0", **both))
    assert lines(facts) == {
        Topic.KEYWORDS: ["=sys-fs/zfs-2.4.3 ~amd64"],
        Topic.LICENCE: ["=sys-fs/zfs-2.4.3 CDDL"],
    }


def test_an_unknown_range_does_not_decide():
    """Where no limit is known at all, what Portage would take is taken."""
    facts = missing(ebuild("sys-fs/zfs-2.4.3"), candidate="sys-fs/zfs-2.4.3")
    assert emerge_words(facts, CONFIG) == ("sys-fs/zfs",)
    # one that is known to fit is better than one of which nothing is known
    facts = missing(zfs_ebuild("2.4.3", "7.0"), ebuild("sys-fs/zfs-2.4.4"))
    assert emerge_words(facts, CONFIG) == ("=sys-fs/zfs-2.4.3",)


# USE flags


def zfs_24(*use, config=()):
    """Return a machine with zfs 2.4 built with these flags, and configured flags."""
    new = Package(
        name=ZFS,
        installed=(
            Installed(
                cpv="sys-fs/zfs-2.4.3", use=use, iuse=WHOLE_IUSE, linux_max="7.0"
            ),
        ),
        candidate="sys-fs/zfs-2.4.3",
        ebuilds=(zfs_ebuild("2.4.3", "7.0", use=config or use),),
    )
    return package(new)(base())


def test_flags_of_zfs_24():
    """Only those that are off, and only known ones."""
    facts = zfs_24("rootfs", "modules")
    assert lines(facts) == {Topic.USE: ["sys-fs/zfs initramfs"]}
    assert emerge_words(facts, CONFIG) == ("sys-fs/zfs",)
    facts = zfs_24("nls")
    assert lines(facts) == {Topic.USE: ["sys-fs/zfs rootfs initramfs modules"]}


def test_flags_that_are_configured_and_not_built():
    """Nothing to write, but to build."""
    facts = zfs_24("rootfs", config=("rootfs", "initramfs", "modules"))
    assert lines(facts) == {}
    assert install_remedy(facts, CONFIG, ZFS)[0] == "Build it again:"
    assert emerge_words(facts, CONFIG) == ("sys-fs/zfs",)


def test_flags_that_are_built_and_not_configured():
    """To write, so that the next update does not lose them; nothing to build."""
    all_on = ("rootfs", "initramfs", "modules")
    facts = zfs_24(*all_on, config=("rootfs",))
    assert lines(facts) == {Topic.USE: ["sys-fs/zfs initramfs modules"]}
    assert emerge_words(facts, CONFIG) == ()


def test_dist_kernels_want_a_flag():
    """Where one is installed or runs, and nowhere else."""
    all_on = ("rootfs", "initramfs", "modules")
    facts = zfs_24(*all_on)
    assert lines(facts) == {}
    dist = package(plain_package("sys-kernel/gentoo-kernel-bin-6.12.58"))(facts)
    assert lines(dist) == {Topic.USE: ["sys-fs/zfs dist-kernel"]}
    assert find_need(dist, CONFIG, ZFS).rebuild


SIGNED = "sys-fs/zfs rootfs initramfs modules modules-sign"


@pytest.mark.parametrize("key", [None, "n", "", "/root/mine.pem"])
def test_a_kernel_that_wants_signatures(key):
    """The first build is signed already, and with which key is said."""
    option = () if key is None else (f"MODULE_SIG_KEY={key}",)
    kernel = replace(BARE_KERNEL, options=option)
    wanted = boot(enforces_signatures=True, kernels=(kernel,))
    facts = all_of(wanted, system(zfs_module=None))(zfs_24("nls"))
    there = key if key and key.startswith("/") else "certs/signing_key.pem"
    assert lines(facts) == {Topic.USE: [SIGNED]}
    said = " ".join(install_remedy(facts, CONFIG, ZFS))
    assert "MODULES_SIGN_KEY names in make.conf" in said
    assert there in said
    assert "gentoo-kernel-bin" not in said
    binary = package(plain_package("sys-kernel/gentoo-kernel-bin-6.12.58"))(facts)
    assert "gentoo-kernel-bin" in " ".join(install_remedy(binary, CONFIG, ZFS))
    for wish in wishes(facts, CONFIG):
        assert wish.why.endswith("this kernel loads signed modules only")


def test_where_a_module_needs_no_flag_to_be_signed():
    """Not wanted by the kernel, or signed in another way; a flag is not lost again."""
    all_on = ("rootfs", "initramfs", "modules")
    assert lines(zfs_24(*all_on)) == {}
    signed = replace(base().boot.kernels[0], zfs_signed=True)
    wanted = boot(enforces_signatures=True, kernels=(signed,))
    assert lines(wanted(zfs_24(*all_on))) == {}
    assert lines(wanted(zfs_24(*all_on, "modules-sign", config=all_on))) == {
        Topic.USE: ["sys-fs/zfs modules-sign"]
    }


def test_flags_of_the_module_before_24():
    """They are on sys-fs/zfs-kmod, which is built again by its own name."""
    flags = tuple(f for f in KMOD_PACKAGE.installed[0].use if f != "initramfs")
    installed = replace(KMOD_PACKAGE.installed[0], use=flags)
    ebuilds = tuple(replace(e, use=flags) for e in KMOD_PACKAGE.ebuilds)
    new = replace(KMOD_PACKAGE, installed=(installed,), ebuilds=ebuilds)
    facts = package(new)(base())
    assert "+initramfs" in KMOD_IUSE
    assert lines(facts) == {Topic.USE: ["sys-fs/zfs-kmod initramfs"]}
    # not the newer one that Portage would take: a rebuild changes no version
    assert emerge_words(facts, CONFIG) == ("sys-fs/zfs-kmod",)
    newer = replace(new, candidate="sys-fs/zfs-kmod-2.3.8")
    assert emerge_words(package(newer)(base()), CONFIG) == ("=sys-fs/zfs-kmod-2.3.4",)


def test_a_module_built_into_the_kernel():
    """Nothing is asked about modules where none is one."""
    kernel = replace(base().boot.kernels[0], zfs_module=None, zfs_version=None)
    facts = all_of(boot(kernels=(kernel,)), system(zfs_module="2.4.3-1"))(
        zfs_24("rootfs")
    )
    assert lines(facts) == {}


def test_grub_and_installkernel():
    """The platform of the firmware; dracut unless ugrd is chosen: both are refused."""
    assert lines(package(EFI_GRUB)(base())) == {
        Topic.USE: ["sys-boot/grub grub_platforms_pc"]
    }
    assert lines(package(BARE_KERNELS)(base())) == {
        Topic.USE: ["sys-kernel/installkernel dracut grub"]
    }
    assert lines(package(UGRD_KERNELS)(base())) == {
        Topic.USE: ["sys-kernel/installkernel grub"]
    }
    absent = package(replace(BARE_KERNELS, installed=()))(base())
    assert lines(absent) == {}


def test_grub_guesses():
    """Without any platform it is built for a BIOS, which is not enough for UEFI."""
    name = EFI_GRUB.name
    guessing = replace(EFI_GRUB, ebuilds=(replace(EFI_GRUB.ebuilds[0], use=()),))
    assert find_need(package(guessing)(base()), CONFIG, name) is None
    uefi = boot(firmware=Firmware.UEFI, grub_platforms=("x86_64-efi",))
    facts = all_of(uefi, package(guessing))(base())
    assert lines(facts) == {Topic.USE: ["sys-boot/grub grub_platforms_efi-64"]}


@pytest.mark.parametrize("name", ["sys-fs/zfs-2.4.3\n*/* ~amd64", "sys-fs/zfs-2\x1b"])
def test_a_line_is_one_line(name):
    """Facts from elsewhere bring no further lines with them."""
    change = offer("sys-fs/mdadm", ebuild(name, **TESTING))
    facts = all_of(without("mdadm"), change)(base())
    assert lines(facts) == {}
    for finding in run_checks(facts, CONFIG):
        assert all(line.isprintable() for line in finding.remedy)


# where nothing is known


def test_portage_could_not_be_asked():
    """What is missing is still named; nothing is written blindly."""
    facts = NOTHING(base())
    facts = portage(packages=(), reason="ImportError: no")(facts)
    assert lines(facts) == {}
    assert "sys-fs/zfs" in emerge_words(facts, CONFIG)
    keys = {f.key for f in run_checks(facts, CONFIG)}
    assert not {k for k in keys if k.startswith("package-")}


@pytest.mark.parametrize(
    "change",
    [
        portage(reason="the profile cannot be used"),
        package(Package(name="sys-fs/mdadm", reason="corrupt cache")),
        package(
            Package(name="sys-fs/mdadm", installed=(Installed(cpv="sys-fs/mdadm-4"),))
        ),
    ],
)
def test_no_versions_known_is_not_none_there(change):
    """`not in tree` is said only where Portage was asked and answered."""
    facts = all_of(offer("sys-fs/mdadm"), change, without("mdadm"))(base())
    keys = {f.key for f in run_checks(facts, CONFIG)}
    assert "package-not-in-tree" not in keys
    assert "emerge --ask sys-fs/mdadm" in install_remedy(
        facts, CONFIG, "sys-fs/mdadm"
    )[1]


def test_a_tree_elsewhere():
    """Its firmware is not known, and `check --fix` is of no use for it."""
    facts = replace(
        all_of(without("mdadm"), package(EFI_GRUB))(base()), elsewhere="/mnt/gentoo"
    )
    assert "sys-boot/grub" not in {n.package for n in needs(facts, CONFIG)}
    accept = offer("sys-fs/mdadm", ebuild("sys-fs/mdadm-4.4", **TESTING))(facts)
    assert not [c for c in install_remedy(accept, CONFIG, "sys-fs/mdadm") if FIX in c]
    here = replace(accept, elsewhere=None)
    assert [c for c in install_remedy(here, CONFIG, "sys-fs/mdadm") if FIX in c]


def test_remedies_show_the_lines_that_fix_writes():
    """The same lines, for the places as this machine has them."""
    change = all_of(
        without("mdadm"),
        offer("sys-fs/mdadm", ebuild("sys-fs/mdadm-4.4", **TESTING)),
    )
    remedy = install_remedy(change(base()), CONFIG, "sys-fs/mdadm")
    assert (
        "  echo '=sys-fs/mdadm-4.4 ~amd64' >> "
        "/etc/portage/package.accept_keywords/mdadm" in remedy
    )
    remedy = install_remedy(SINGLE(change(base())), CONFIG, "sys-fs/mdadm")
    assert (
        "  echo '=sys-fs/mdadm-4.4 ~amd64' >> /etc/portage/package.accept_keywords"
        in remedy
    )


def test_a_place_that_nobody_knows():
    """A directory is made of it: an error message, at worst, where it is a file."""
    facts = portage(places=())(package(BARE_KERNELS)(base()))
    remedy = [line for f in run_checks(facts, CONFIG) for line in f.remedy]
    assert remedy[-3:-1] == [
        "  mkdir -p /etc/portage/package.use",
        "  echo 'sys-kernel/installkernel dracut grub' >> "
        "/etc/portage/package.use/installkernel",
    ]


def test_an_update_of_installkernel_is_called_one():
    """The version that Portage would take now is not the one that is there."""
    flags = BARE_KERNELS.ebuilds[0]
    newer = replace(flags, cpv="sys-kernel/installkernel-69", use=("dracut", "grub"))
    there = replace(BARE_KERNELS, ebuilds=(newer,), candidate=newer.cpv)
    remedies = [f.remedy for f in run_checks(package(there)(base()), CONFIG)]
    line = "  emerge --ask --oneshot sys-kernel/installkernel"
    assert ("Update it:", line) in remedies


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_facts_crash_the_preview(data):
    """Whatever a recorded machine says: text and JSON, or an error that is told."""
    case = data.draw(st.sampled_from(CASES))
    facts = data.draw(mutated(case.change(base())))
    try:
        made = plan_fix(facts, CONFIG, spots_of(facts))
    except MigrateError:
        return
    assert intent_text(made)
    assert json.loads(json.dumps(fix_data(made, written=False, installed=None)))
    for change in made.changes:
        assert parse(change.text).intact
        assert all(line.isprintable() for line in change.added)

"""What could be installed, and what stands in the way: asked of real Portage."""

import os
from dataclasses import replace

from tests.portage import tree
from tests.portage.ask import WITHOUT_RIGHTS, ebuild, package
from tests.portage.gentoo import EBUILDS, Ebuild, find, zfs

KEYWORDS = "etc/portage/package.accept_keywords"


def cpvs(facts, name):
    """Return the versions of a package that are told."""
    return [one.cpv for one in package(facts, name).ebuilds]


def test_what_is_visible(portage, root):
    """The stable version is the candidate; its kernels and its flags are known."""
    facts = portage.ask(root)
    assert facts.reason is None
    found = package(facts, "sys-fs/zfs")
    assert found.candidate == "sys-fs/zfs-2.4.3"
    assert cpvs(facts, "sys-fs/zfs") == [
        f"sys-fs/zfs-{version}"
        for version in ("2.2.10", "2.3.6", "2.3.8", "2.4.3", "9999")
    ]
    best = ebuild(facts, "sys-fs/zfs-2.4.3")
    assert (best.obstacles, best.keyword, best.licences) == ((), None, ())
    assert (best.slot, best.repository, best.live) == ("0/7", "gentoo", False)
    assert (best.linux_max, best.kernel_below) == ("7.0", "7.1")
    assert best.linux_min == "4.18"
    assert {"modules", "initramfs", "rootfs", "nls"} <= set(best.use) < set(best.iuse)
    assert "selinux" in best.iuse
    assert not [flag for flag in best.iuse if flag.startswith("python_targets")]


def test_testing_keyword(portage, root):
    """What is in testing needs ~amd64, and comes with it."""
    cpv = "sys-fs/zfs-kmod-2.3.8"
    before = ebuild(portage.ask(root), cpv)
    assert (before.obstacles, before.keyword) == (("~amd64 keyword",), "~amd64")
    assert before.linux_max == "7.0"
    tree.write_files(root, {f"{KEYWORDS}/mine": f"={cpv} ~amd64\n"})
    facts = portage.ask(root)
    assert ebuild(facts, cpv).obstacles == ()
    assert package(facts, "sys-fs/zfs-kmod").candidate == cpv


def test_live_ebuild(portage, root):
    """What has no keywords needs **; its kernel limit is not the ebuild's."""
    before = ebuild(portage.ask(root), "sys-fs/zfs-9999")
    assert (before.obstacles, before.keyword) == (("missing keyword",), "**")
    assert before.live
    assert before.linux_max is None
    # which the eclass asks for whatever the version
    assert before.linux_min == "4.18"
    tree.write_files(root, {KEYWORDS: "sys-fs/zfs **\n"})
    facts = portage.ask(root)
    assert package(facts, "sys-fs/zfs").candidate == "sys-fs/zfs-9999"
    # the newest release is told beside a live candidate
    tree.write_files(root, {KEYWORDS: "dev-vcs/git **\n"})
    assert cpvs(portage.ask(root), "dev-vcs/git") == [
        *("dev-vcs/git-2.52.0", "dev-vcs/git-9999")
    ]


def test_licence(portage, root):
    """A refused licence is named; package.license accepts it."""
    tree.write_files(root, {"etc/portage/make.conf": 'ACCEPT_LICENSE="-* MIT"\n'})
    found = ebuild(portage.ask(root), "sys-fs/zfs-2.4.3")
    assert found.licences == ("BSD-2", "CDDL")
    assert [word.split()[-1] for word in found.obstacles] == ["license(s)"]
    places = {"etc/portage/package.license": "sys-fs/zfs CDDL BSD-2\n"}
    tree.write_files(root, places)
    assert ebuild(portage.ask(root), "sys-fs/zfs-2.4.3").obstacles == ()


def test_licence_that_depends_on_use(portage, root):
    """A flag that is off brings no licence."""
    cpv = "sys-fs/zfs-kmod-2.3.6"
    refuse = 'ACCEPT_LICENSE="* -GPL-2+"\n'
    tree.write_files(root, {"etc/portage/make.conf": refuse})
    assert ebuild(portage.ask(root), cpv).licences == ()
    tree.write_files(root, {"etc/portage/package.use": "sys-fs/zfs-kmod debug\n"})
    assert ebuild(portage.ask(root), cpv).licences == ("GPL-2+",)


def test_package_mask(portage, root):
    """What package.mask has is told apart from what lacks a keyword."""
    mask = {"etc/portage/package.mask/new": ">=sys-fs/zfs-2.4\n"}
    tree.write_files(root, mask)
    facts = portage.ask(root)
    found = ebuild(facts, "sys-fs/zfs-2.4.3")
    assert (found.obstacles, found.masked) == (("package.mask",), True)
    live = ebuild(facts, "sys-fs/zfs-9999")
    assert set(live.obstacles) == {"package.mask", "missing keyword"}
    assert package(facts, "sys-fs/zfs").candidate == "sys-fs/zfs-2.3.6"


def test_use_flags(portage, root):
    """make.conf, package.use and the profile's mask decide what would be on."""
    tree.write_files(
        root,
        {
            "etc/portage/make.conf": 'USE="-rootfs selinux"\nGRUB_PLATFORMS="pc"\n',
            "etc/portage/package.use/zfs": "sys-fs/zfs -initramfs dist-kernel\n",
        },
    )
    facts = portage.ask(root)
    found = ebuild(facts, "sys-fs/zfs-2.4.3")
    assert "dist-kernel" in found.use
    assert not {"rootfs", "initramfs", "selinux"} & set(found.use)
    assert "grub_platforms_pc" in ebuild(facts, "sys-boot/grub-2.12-r8").use


def test_not_in_the_tree(portage, root):
    """What no repository has is told with nothing."""
    found = package(portage.ask(root), "sys-kernel/ugrd")
    assert (found.installed, found.candidate, found.ebuilds) == ((), None, ())
    assert found.reason is None


def test_another_repository(portage, root):
    """An overlay that is more important is asked first; unless its ebuild is masked."""
    tree.write_files(
        root,
        {
            "etc/portage/repos.conf/zfs.conf": "[zfs]\nlocation = /var/db/repos/zfs\n"
            "priority = 50\n"
        },
    )
    own = Ebuild(cpv="sys-fs/zfs-2.4.3", keywords="amd64", slot="0/8")
    more = (own, *zfs("2.4.4"), *zfs("9999", ""))
    place = root / "var/db/repos/zfs"
    tree.write_repository(place, "zfs", more, masters="gentoo")
    facts = portage.ask(root)
    assert package(facts, "sys-fs/zfs").candidate == "sys-fs/zfs-2.4.4"
    assert ebuild(facts, "sys-fs/zfs-9999").repository == "zfs"
    taken = ebuild(facts, "sys-fs/zfs-2.4.3")
    assert (taken.repository, taken.slot) == ("zfs", "0/8")
    tree.write_files(root, {"etc/portage/package.mask": "sys-fs/zfs::zfs\n"})
    facts = portage.ask(root)
    assert ebuild(facts, "sys-fs/zfs-2.4.3").repository == "gentoo"
    assert package(facts, "sys-fs/zfs").candidate == "sys-fs/zfs-2.4.3"


def test_no_ebuild_is_sourced_that_has_a_cache(portage, root, tmp_path_factory):
    """Ebuilds are programs: they run only where nothing else tells what they are."""
    evidence = tmp_path_factory.mktemp("evidence") / "file"
    spy = replace(find("sys-fs/mdadm-4.4-r1"), body=f"echo >> {evidence}\n")
    repository = root / tree.REPOSITORY
    tree.write_repository(repository, ebuilds=(*EBUILDS, spy))
    assert package(portage.ask(root), "sys-fs/mdadm").candidate == spy.cpv
    assert not evidence.exists()
    (repository / "metadata/md5-cache" / spy.cpv).unlink()
    assert package(portage.ask(root), "sys-fs/mdadm").candidate == spy.cpv
    assert evidence.exists()


def test_one_package_that_cannot_be_read(portage, root):
    """Its own reason says it; the others are as they were."""
    (root / tree.REPOSITORY / "sys-fs/mdadm").chmod(0)
    facts = portage.ask(root, begin=WITHOUT_RIGHTS if os.geteuid() == 0 else ())
    found = package(facts, "sys-fs/mdadm")
    assert (found.candidate, found.ebuilds) == (None, ())
    assert found.reason
    assert "mdadm" in found.reason
    assert facts.reason is None
    assert package(facts, "sys-fs/zfs").candidate == "sys-fs/zfs-2.4.3"


def test_without_any_cache(portage, root):
    """Some overlays have none: the same is known, after a while."""
    with_cache = portage.ask(root)
    kept = ("sys-fs/zfs", "sys-fs/zfs-kmod")
    cache = root / tree.REPOSITORY / "metadata/md5-cache/sys-fs"
    for cpv in ("zfs-2.4.3", "zfs-kmod-2.3.8"):
        (cache / cpv).unlink()
    without = portage.ask(root)
    assert [package(without, n) for n in kept] == [package(with_cache, n) for n in kept]


def test_one_broken_ebuild(portage, root):
    """An ebuild that no shell understands is one that cannot be installed, no more."""
    repository = root / tree.REPOSITORY
    (repository / find("sys-fs/zfs-2.4.3").place).write_text("EAPI=8\nif (((\n")
    facts = portage.ask(root)
    assert facts.reason is None
    found = package(facts, "sys-fs/zfs")
    assert found.candidate == "sys-fs/zfs-2.3.6"
    broken = ebuild(facts, "sys-fs/zfs-2.4.3")
    assert broken.obstacles == ("corruption",)
    assert package(facts, "sys-fs/mdadm").candidate == "sys-fs/mdadm-4.4-r1"

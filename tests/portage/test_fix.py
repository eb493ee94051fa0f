"""What `check --fix` writes is what real Portage obeys."""

from dataclasses import replace

import pytest

from tests.portage import tree
from tests.portage.ask import ebuild, package
from tests.portage.gentoo import find
from tests.unit.checks.cases_packages import NO_ZFS
from tests.unit.checks.machines import CONFIG, all_of, base, boot, without
from zfs_root_migrate import portage_config
from zfs_root_migrate.fix import done_text, plan_fix
from zfs_root_migrate.wishes import Topic, wishes

OWN = "zfs-root-migrate"
MACHINE = all_of(
    NO_ZFS,
    without("zfs", "zpool", "zdb", "zgenhostid", "grub-install", "grub-mkconfig"),
    boot(running_kernel="7.0.3-gentoo"),
)


def facts_of(portage, root):
    """Return a machine without ZFS and GRUB, with what Portage says of this root."""
    return replace(MACHINE(base()), portage=portage.ask(root))


def plan(root, facts):
    """Return what there is to write."""
    return plan_fix(facts, CONFIG, portage_config.survey(str(root / "etc/portage")))


def fix(portage, root, before=None):
    """Write what is wanted; return what it was, and the facts afterwards."""
    made = plan(root, before or facts_of(portage, root))
    portage_config.write(str(root / "etc/portage"), made.changes)
    return made, facts_of(portage, root)


def whole_tree(place):
    """Return all that lies below a place."""
    return {
        path: (path.is_symlink(), path.is_file() and path.read_text())
        for path in place.rglob("*")
    }


def lines(made):
    """Return the lines that were written."""
    return [line for change in made.changes for line in change.added]


def use_of(facts, cpv):
    """Return the flags that a version would be built with."""
    return set(ebuild(facts.portage, cpv).use)


def write(root, **files):
    """Write files below /etc/portage, by their names without the dots."""
    names = {"conf": "make.conf", "mask": "package.mask", "use": "package.use"}
    texts = {f"etc/portage/{names[key]}": text for key, text in files.items()}
    tree.write_files(root, texts)


def test_nothing_to_write(portage, root):
    """A stable version that supports the kernel is taken as it is."""
    made, facts = fix(portage, root)
    assert wishes(facts, CONFIG) == made.changes == ()
    assert made.emerge == "emerge --ask sys-fs/zfs sys-boot/grub"
    assert package(facts.portage, "sys-fs/zfs").candidate == "sys-fs/zfs-2.4.3"


def test_keywords_of_a_pair(portage, root):
    """Before 2.4 both packages are accepted, in the same version and no other."""
    write(root, mask=">=sys-fs/zfs-2.4\n")
    made, facts = fix(portage, root)
    assert lines(made) == [
        *("=sys-fs/zfs-2.3.8 ~amd64", "=sys-fs/zfs-kmod-2.3.8 ~amd64")
    ]
    for name in ("zfs", "zfs-kmod"):
        found = package(facts.portage, f"sys-fs/{name}")
        assert found.candidate == f"sys-fs/{name}-2.3.8"
        refused = [e.cpv for e in found.ebuilds if e.obstacles]
        assert f"sys-fs/{name}-2.2.10" in refused
    assert wishes(facts, CONFIG) == ()


def test_licences(portage, root):
    """Those of the packages that are needed, and no more."""
    write(root, conf='ACCEPT_LICENSE="-* GPL-2"\n')
    made, facts = fix(portage, root)
    assert lines(made) == [
        *("=sys-fs/zfs-2.4.3 BSD-2 CDDL MIT", "=sys-boot/grub-2.12-r8 GPL-3+")
    ]
    assert package(facts.portage, "sys-fs/zfs").candidate == "sys-fs/zfs-2.4.3"
    assert package(facts.portage, "sys-boot/grub").candidate == "sys-boot/grub-2.12-r8"
    assert wishes(facts, CONFIG) == ()


def test_flags(portage, root):
    """They are on afterwards, against make.conf; other flags are as before."""
    write(
        root,
        conf='USE="-rootfs -initramfs -modules -nls"\nGRUB_PLATFORMS="efi-64"\n',
    )
    tree.install(root, find("sys-kernel/installkernel-68"))
    tree.install(root, find("sys-kernel/gentoo-kernel-bin-6.12.58"))
    before = facts_of(portage, root)
    made, facts = fix(portage, root, before)
    assert lines(made) == [
        "sys-fs/zfs rootfs initramfs modules dist-kernel",
        "sys-boot/grub grub_platforms_pc",
        "sys-kernel/installkernel dracut grub",
    ]
    for cpv, wanted in (
        ("sys-fs/zfs-2.4.3", {"rootfs", "initramfs", "modules", "dist-kernel"}),
        ("sys-boot/grub-2.12-r8", {"grub_platforms_pc"}),
        ("sys-kernel/installkernel-68", {"dracut", "grub"}),
    ):
        assert use_of(facts, cpv) == use_of(before, cpv) | wanted
        assert not wanted & use_of(before, cpv)
    # the platform that was asked for is not lost
    assert "grub_platforms_efi-64" in use_of(facts, "sys-boot/grub-2.12-r8")
    assert wishes(facts, CONFIG) == ()


@pytest.mark.parametrize("kind", ["file", "link"])
def test_there_and_back(portage, root, kind):
    """Beside lines of the user's own, wherever those are; undo leaves no trace."""
    users = {
        Topic.KEYWORDS: "dev-vcs/git **\n",
        Topic.LICENCE: "dev-vcs/git GPL-2\n",
        Topic.USE: "dev-vcs/git doc\n",
    }
    write(
        root,
        mask=">=sys-fs/zfs-2.4\n",
        conf='ACCEPT_LICENSE="-* GPL-2"\nUSE="-rootfs -initramfs"\n',
    )
    place = root / "etc/portage"
    for topic, text in users.items():
        if kind == "file":
            tree.write_files(place, {topic: text})
        else:
            tree.write_files(root, {f"home/{topic}": text})
            (place / topic).symlink_to(f"../../home/{topic}")
    start, files = facts_of(portage, root), whole_tree(place)
    made, facts = fix(portage, root, start)
    assert len(made.changes) == 3
    assert package(facts.portage, "sys-fs/zfs").candidate == "sys-fs/zfs-2.3.8"
    assert "initramfs" in use_of(facts, "sys-fs/zfs-kmod-2.3.8")
    assert wishes(facts, CONFIG) == ()
    # what the user wrote is in force as before
    for now in (start, facts):
        assert package(now.portage, "dev-vcs/git").candidate == "dev-vcs/git-9999"
        assert "doc" in use_of(now, "dev-vcs/git-9999")
    assert plan(root, facts).changes == ()
    portage_config.remove(str(place))
    assert whole_tree(place) == files
    assert facts_of(portage, root) == start


def test_a_line_that_overrides_ours(portage, root):
    """It is left alone; what was written does not help, and that is seen and said."""
    write(root, conf='USE="-initramfs"\n')
    stubborn = "=sys-fs/zfs-2.4.3 -initramfs\n"
    tree.write_files(root, {"etc/portage/package.use/zz": stubborn})
    made, facts = fix(portage, root)
    assert lines(made) == ["sys-fs/zfs initramfs"]
    assert "initramfs" not in use_of(facts, "sys-fs/zfs-2.4.3")
    again = plan(root, facts)
    assert again.changes == ()
    assert "overrides" in done_text(again)
    assert (root / "etc/portage/package.use/zz").read_text() == stubborn


def test_hidden_leftovers_are_not_read(portage, root):
    """What an attempt that was cut short leaves behind is nothing to Portage."""
    before = facts_of(portage, root)
    tree.write_files(
        root / "etc/portage",
        {
            f".package.use.{OWN}.0123/package.use": "sys-fs/zfs -rootfs\n",
            f".package.use.{OWN}.4567": "sys-fs/zfs -rootfs\n",
            f"package.use/.{OWN}.89ab": "sys-fs/zfs -rootfs\n",
        },
    )
    after = facts_of(portage, root)
    assert use_of(after, "sys-fs/zfs-2.4.3") == use_of(before, "sys-fs/zfs-2.4.3")

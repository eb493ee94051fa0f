"""The stage that turns the Debian tree into what looks and behaves like Gentoo.

OpenRC's services take the place of Debian's LSB scripts, Portage and its database
know the packages, the kernel lies where Gentoo has it; what only Debian has goes.
"""

import bz2
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.vm import portage_tree, vdb
from tests.vm.chroot import Chroot
from tests.vm.debian import SOURCES, pack, read_list, unpack
from tests.vm.process import Runner

HERE = Path(__file__).parent
RUNLEVELS = {
    "sysinit": "cgroups devfs dmesg sysfs udev udev-trigger",
    "boot": "bootmisc fsck hostname hwclock localmount loopback modules mtab procfs "
    "root seedrng swap sysctl systemd-tmpfiles-setup",
    "default": "local netmount",
    "nonetwork": "local",
    "shutdown": "killprocs mount-ro savecache",
}
# installed, as Gentoo's zfs package does, but in no runlevel: nothing uses ZFS yet
ZFS_SERVICES = ("zfs-import", "zfs-load-key", "zfs-mount", "zfs-share", "zfs-zed")
OPENRC_OWN = ("agetty", "cgroups", "savecache")
# what only the new root may need; this system's root is a plain ext4
DRACUT_OMIT = "zfs mdraid"
UNIQUE_FILES = ("etc/hostid", "etc/machine-id", "var/lib/dbus/machine-id")


def build_tree(
    work: Path, paths: Mapping[str, Path], target: Path, runner: Runner
) -> None:
    """Make the tree of the guest's root file system, /home and /boot within it."""
    chroot = Chroot(work / "tree", runner)
    root = chroot.root
    unpack(paths["packages"], root, runner)
    kernel = (root / SOURCES / "kernel").read_text().strip()
    installed = vdb.read_dpkg(chroot)
    _replace_services(root)
    _copy_own_files(root)
    with chroot.mounted():
        _add_users(chroot)
        _place_kernel(root, kernel)
        portage_files = portage_tree.install(chroot, root / SOURCES)
        omit = ["--no-hostonly", "--omit", DRACUT_OMIT]
        image = f"/boot/initramfs-{kernel}.img"
        chroot.run("dracut", "--force", *omit, image, kernel)
    _settle_configuration(root)
    prune(root)
    vdb.write(root, installed, portage_files, kernel)
    _write_user_data(root)
    shutil.rmtree(root / SOURCES)
    pack(root, target, runner)


def _replace_services(root: Path) -> None:
    """Keep OpenRC's own services, adapt those of ZFS, drop Debian's."""
    etc = root / "etc"
    services = etc / "init.d"
    zfs = {
        name: _openrc_form((services / name).read_text())
        for name in ZFS_SERVICES
        if (services / name).exists()
    }
    for file in services.iterdir():
        if file.name not in OPENRC_OWN:
            file.unlink()
    for name, text in zfs.items():
        (services / name).write_text(text)
        (services / name).chmod(0o755)
    (services / "functions.sh").symlink_to("/lib/rc/sh/functions.sh")
    shutil.rmtree(etc / "runlevels")
    for runlevel, names in RUNLEVELS.items():
        (etc / "runlevels" / runlevel).mkdir(parents=True)
        for name in names.split():
            link = etc / "runlevels" / runlevel / name
            link.symlink_to(f"/etc/init.d/{name}")


def _openrc_form(text: str) -> str:
    """Return a service of OpenZFS as its OpenRC build has it.

    One source serves both kinds of init; Debian's build has the switch between
    them set to LSB.
    """
    text = re.sub(r"\A#!.*", "#!/sbin/openrc-run", text)
    text = re.sub(r"(?ms)^### BEGIN INIT INFO.*?^### END INIT INFO\n", "", text)
    text = text.replace("/etc/default/zfs", "/etc/conf.d/zfs")
    return re.sub(r"(?m)^if true$", "if false", text)


def _copy_own_files(root: Path) -> None:
    """Copy the files of this directory that lie in the guest under the same path."""
    shutil.copytree(
        HERE / "rootfs", root, dirs_exist_ok=True, copy_function=shutil.copy
    )
    agent = root / "usr/sbin/vm-agent"
    shutil.copyfile(HERE / "agent.py", agent)
    agent.chmod(0o755)


def _add_users(chroot: Chroot) -> None:
    run = chroot.run
    run("groupadd", "--gid", "250", "portage")
    places = ["--home-dir", "/var/lib/portage/home", "--shell", "/bin/false"]
    run("useradd", "--uid", "250", "--gid", "250", *places, "portage")
    run("useradd", "--uid", "1000", "--create-home", "--shell", "/bin/bash", "larry")
    run("/bin/sh", "-c", "printf 'root:gentoo\\nlarry:larry\\n' | chpasswd")


def _place_kernel(root: Path, kernel: str) -> None:
    """Put kernel sources and configuration where Gentoo has them."""
    source = root / f"usr/src/linux-{kernel}"
    (source / "include/config").mkdir(parents=True)
    numbers = re.match(r"(\d+)\.(\d+)\.(\d+)(.*)", kernel)
    assert numbers
    names = ("VERSION", "PATCHLEVEL", "SUBLEVEL", "EXTRAVERSION")
    lines = [
        f"{name} = {value}" for name, value in zip(names, numbers.groups(), strict=True)
    ]
    (source / "Makefile").write_text("\n".join(lines) + "\n")
    (source / "include/config/kernel.release").write_text(kernel + "\n")
    shutil.copy(root / f"boot/config-{kernel}", source / ".config")
    (root / "usr/src/linux").symlink_to(source.name)


def _settle_configuration(root: Path) -> None:
    """Give the configuration files the names and the content Gentoo has."""
    etc = root / "etc"
    mdadm = etc / "mdadm/mdadm.conf"
    mdadm.unlink(missing_ok=True)
    mdadm.symlink_to("../mdadm.conf")
    (etc / "default/zfs").rename(etc / "conf.d/zfs")
    functions = etc / "zfs/zfs-functions"
    text = functions.read_text()
    functions.write_text(text.replace("/etc/default/zfs", "/etc/conf.d/zfs"))
    # grub-mkconfig needs nothing of these, and Gentoo has not got them
    for name in ("grub.d/05_debian_theme", "modules", "default/rcS", "default/mdadm"):
        (etc / name).unlink(missing_ok=True)
    # every machine makes its own; ZFS's package has made one here
    for name in UNIQUE_FILES:
        (root / name).unlink(missing_ok=True)
    # Debian's build of OpenRC complains where this is missing
    (etc / "insserv.conf.d").mkdir(exist_ok=True)
    (etc / "fstab").write_text("")
    (root / "etc/mtab").unlink(missing_ok=True)
    (root / "etc/mtab").symlink_to("/proc/self/mounts")


def prune(root: Path) -> None:
    """Remove what the list of pruned paths names."""
    for pattern in read_list(HERE / "lists/pruned.txt"):
        for path in sorted(root.glob(pattern)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _write_user_data(root: Path) -> None:
    """Put a little of what a user has where the tutorial makes datasets of it."""
    home = root / "home/larry"
    (home / "notes.txt").write_text("moo\n")
    local = root / "usr/local/bin/hello"
    local.parent.mkdir(parents=True, exist_ok=True)
    local.write_text("#!/bin/sh\necho hello\n")
    local.chmod(0o755)
    (root / "usr/local/share").mkdir(parents=True, exist_ok=True)
    (root / "usr/local/share/notes").write_text("kept by hand\n")
    for name in ("distfiles", "binpkgs"):
        directory = root / "var/cache" / name
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "hello-1.0.tar.bz2").write_bytes(bz2.compress(name.encode() * 99))
    for file in (home, home / "notes.txt"):
        shutil.chown(file, 1000, 1000)

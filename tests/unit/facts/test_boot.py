"""Kernels, their images and modules, and the hostid."""

import pytest

from tests.machines.compose.system import modinfo
from zfs_root_migrate.facts.boot import (
    find_resume_image,
    gather_boot,
    parse_hostid,
    parse_modinfo,
)
from zfs_root_migrate.model import BlockDevice, Kernel, Signature, Storage
from zfs_root_migrate.reader import Recording, ReplayReader

R = "6.12.58-gentoo-dist"


def kernels(boot=(), modules=(R,), text="", **more):
    """Return the kernels of a machine with these names in /boot."""
    directories = {"/lib/modules": modules, "/boot": tuple(boot)}
    recording = Recording(
        queries={
            f"modinfo -k {release} zfs raid1": (0, text, "") for release in modules
        },
        directories={**directories, **more.pop("directories", {})},
        files=more.pop("files", {}),
    )
    return gather_boot(ReplayReader(recording), storage(), ()).kernels


@pytest.mark.parametrize(
    ("image", "initramfs"),
    [
        (f"vmlinuz-{R}", f"initramfs-{R}.img"),
        (f"kernel-{R}", f"initramfs-{R}"),
        (f"bzImage-{R}", f"initrd-{R}.img"),
        (f"vmlinuz-{R}", f"initrd.img-{R}"),
        (f"kernel-genkernel-x86_64-{R}", f"initramfs-genkernel-x86_64-{R}"),
    ],
)
def test_names_of_all_makers(image, initramfs):
    """The files of a kernel are found under every name they are given."""
    names = (image, initramfs, f"System.map-{R}", f"config-{R}", f"{image}.old")
    (found,) = kernels(names)
    assert (found.image, found.initramfs) == (f"/boot/{image}", f"/boot/{initramfs}")


def test_releases_are_not_mixed_up():
    """A release that begins like another one keeps its own files."""
    names = ("vmlinuz-6.1", "vmlinuz-6.1.2", "initramfs-6.1.2.img", "vmlinuz")
    first, second = kernels(names, modules=("6.1", "6.1.2"))
    assert (first.image, first.initramfs) == ("/boot/vmlinuz-6.1", None)
    assert (second.image, second.initramfs) == (
        *("/boot/vmlinuz-6.1.2", "/boot/initramfs-6.1.2.img"),
    )


def test_a_kernel_without_modules():
    """An image alone is a kernel too, and so are modules without an image."""
    found = kernels(("vmlinuz-5.4.0", "vmlinuz-5.4.0.old"))
    assert [(k.release, k.image) for k in found] == [
        ("5.4.0", "/boot/vmlinuz-5.4.0"),
        (R, None),
    ]


def test_files_of_kernel_install():
    """The boot loader specification has one directory for each kernel."""
    token = "8c1d4f0e6a5b4c3d9e2f1a0b7c6d5e4f"
    (found,) = kernels(
        directories={
            f"/efi/{token}": (R,),
            f"/efi/{token}/{R}": ("initrd", "linux"),
        },
        files={"/etc/machine-id": f"{token}\n"},
    )
    assert found.image == f"/efi/{token}/{R}/linux"
    assert found.initramfs == f"/efi/{token}/{R}/initrd"


def test_unified_images():
    """An image with its initramfs inside has no other one."""
    (found,) = kernels(directories={"/efi/EFI/Linux": (f"gentoo-{R}.efi",)})
    assert (found.image, found.initramfs) == (f"/efi/EFI/Linux/gentoo-{R}.efi", None)


def test_a_hostile_machine_id_is_no_path():
    """What stands in a file does not lead out of the boot directory."""
    found = kernels(
        directories={"/efi/../etc": ("x",), "/efi/../etc/x": ("linux",)},
        files={"/etc/machine-id": "../etc\n"},
    )
    assert found[0].image is None


def test_modules():
    """Path and version of zfs.ko, and that RAID1 is there."""
    (found,) = kernels(text=modinfo(R, "2.3.6-r0-gentoo"))
    assert found == Kernel(
        release=R,
        image=None,
        initramfs=None,
        zfs_module=f"/lib/modules/{R}/extra/zfs.ko",
        zfs_version="2.3.6-r0-gentoo",
        zfs_signed=False,
        raid1=True,
    )


def test_a_signed_module():
    """modinfo prints the signature's parts; the module of another kernel has none."""
    text = modinfo(R, "2.3.6").replace(
        "srcversion:",
        "sig_id:         PKCS#7\nsigner:         Larry's key\n"
        "sig_key:        6A:0B\nsig_hashalgo:   sha512\nsrcversion:",
    )
    (found,) = kernels(text=text)
    assert found.zfs_signed is True
    (found,) = kernels(text=text.replace(f"{R} SMP", "6.1 SMP"))
    assert found.zfs_signed is None


def test_a_module_for_another_kernel_is_none():
    """A module that would not load does not count."""
    text = modinfo(R, "2.3.6-1").replace(f"{R} SMP", "6.12.47-gentoo-dist SMP")
    (found,) = kernels(text=text)
    assert found.zfs_module is None


def test_built_in_raid1():
    """It is named by modinfo, or by the list of what is built in."""
    assert parse_modinfo(modinfo(R, "2.3.6", "builtin")).keys() == {"zfs", "raid1"}
    listed = {f"/lib/modules/{R}/modules.builtin": "kernel/drivers/md/raid1.ko\n"}
    assert kernels(files=listed)[0].raid1
    assert not kernels()[0].raid1


def test_compressed_modules():
    """The name of a module is that of its file without the endings."""
    assert "zfs" in parse_modinfo("filename: /lib/modules/6/extra/zfs.ko.zst\n")


@pytest.mark.parametrize(
    ("data", "hostid"),
    [
        (b"\x78\x56\x34\x12", "12345678"),
        (b"\x9a\x3f\x27\x01", "01273f9a"),
        (b"\r\n\xff\x00", "00ff0a0d"),
        (b"\x00\x00\x00\x00", "00000000"),
        (b"\x0c\xb1\xba\x00\n", "00bab10c"),
        (b"\x01\x02\x03", None),
        (b"", None),
    ],
)
def test_hostid(data, hostid):
    """Four bytes in the machine's order, as zgenhostid writes them."""
    assert parse_hostid(data.decode("utf-8", "surrogateescape")) == hostid


def test_no_hostid():
    """Without the file there is no hostid, whatever hostid(1) would say."""
    assert parse_hostid(None) is None


def storage(fs_type="swap", signatures=(), unprobed=()):
    """Return a machine with one device."""
    device = BlockDevice(name="sda3", kind="part", size=1, fs_type=fs_type)
    return Storage(
        devices=(device,),
        mounts=(),
        fstab=(),
        swaps=(),
        pools=None,
        signatures=signatures,
        unprobed=unprobed,
    )


def test_hibernation_image():
    """One signature is enough; that there is none must be seen on every device."""
    image = Signature(device="sda3", kind="swsuspend", offset=4086)
    assert find_resume_image(storage(signatures=(image,))) is True
    assert find_resume_image(storage()) is False
    # udev still says what it saw before the machine resumed
    assert find_resume_image(storage("swsuspend")) is False
    assert find_resume_image(storage("swsuspend", signatures=None)) is None
    assert find_resume_image(storage(signatures=None)) is None
    assert find_resume_image(storage(unprobed=("sdb",))) is None

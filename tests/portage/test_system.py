"""What is installed, configured and left over: of a root with a real Portage."""

import bz2
import gzip
import json
import lzma
import os
import shutil
import subprocess

import pytest

from tests.portage import tree
from tests.portage.ask import WITHOUT_RIGHTS, Portage, package
from tests.portage.gentoo import EBUILDS, find, kernels, zfs
from tests.portage.pythons import VERSIONS, python_with_portage
from zfs_root_migrate.model import PlaceKind

META = "Meta: 1\nName: zfs\nLinux-Maximum: {}\nLinux-Minimum: {}\n"


def snapshot(root):
    """Return all that can be seen of the files below a directory."""
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        found[str(path)] = (status.st_mode, status.st_mtime_ns, status.st_size)
    return found


def installed(facts, name):
    """Return what is installed of a package, by its version."""
    return {one.cpv[len(name) + 1 :]: one for one in package(facts, name).installed}


def test_configuration(portage, root):
    """Places and the profile are told as the system itself would call them."""
    text = 'DISTDIR="/data/dist"\nPKGDIR="/data/pkg"\nACCEPT_KEYWORDS="~amd64"\n'
    build = 'PORTAGE_TMPDIR="/data/build"\n'
    tree.write_files(root, {"etc/portage/make.conf": text + build})
    facts = portage.ask(root)
    assert facts.reason is None
    assert (facts.distdir, facts.pkgdir) == ("/data/dist", "/data/pkg")
    assert facts.tmpdir == "/data/build"
    assert facts.repository == "/var/db/repos/gentoo"
    assert (facts.profile, facts.profile_deprecated) == (tree.PROFILE, False)
    assert (facts.arch, facts.accept_keywords) == ("amd64", ("amd64", "~amd64"))
    assert facts.version.startswith("3.0.")


def test_kinds_of_places(newest, root):
    """package.use may be a file, a directory, or not there."""
    tree.write_files(root, {"etc/portage/package.use": "", "etc/portage/keywords": ""})
    (root / "etc/portage/package.license").mkdir()
    link = root / "etc/portage/package.accept_keywords"
    link.symlink_to("nowhere")
    kinds = {place.path: place.kind for place in newest.ask(root).places}
    assert kinds == {
        "/etc/portage/package.accept_keywords": PlaceKind.ABSENT,
        "/etc/portage/package.license": PlaceKind.DIRECTORY,
        "/etc/portage/package.mask": PlaceKind.ABSENT,
        "/etc/portage/package.use": PlaceKind.FILE,
    }
    link.unlink()
    link.symlink_to("keywords")
    assert newest.ask(root).places[0].kind is PlaceKind.FILE


def test_deprecated_profile(portage, root):
    """A profile that says so is deprecated."""
    old = "default/linux/amd64/17.1"
    repository = root / tree.REPOSITORY
    tree.write_profile(repository, old)
    tree.write_files(repository / "profiles" / old, {"deprecated": "23.0\n"})
    tree.select_profile(root, old)
    facts = portage.ask(root)
    assert (facts.profile, facts.profile_deprecated) == (old, True)


def test_absolute_profile_link(portage, root):
    """A tree's absolute link is meant inside the tree."""
    link = root / "etc/portage/make.profile"
    link.unlink()
    link.symlink_to(f"/{tree.REPOSITORY}/profiles/{tree.PROFILE}")
    facts = portage.ask(root)
    assert (facts.reason, facts.profile) == (None, tree.PROFILE)


def test_installed_packages(portage, root):
    """Versions, slots and flags come from Portage's database."""
    for version in ("6.12.58", "7.1.2"):
        sources = kernels(version)[2]
        tree.install(root, sources, ["symlink"])
    tree.install(root, find("sys-fs/zfs-2.3.8"), ["rootfs", "nls"])
    tree.install(root, find("sys-fs/zfs-kmod-2.3.8"), ["initramfs", "rootfs"])
    facts = portage.ask(root)
    found = installed(facts, "sys-kernel/gentoo-sources")
    assert list(found) == ["6.12.58", "7.1.2"]
    assert [one.slot for one in found.values()] == ["6.12.58", "7.1.2"]
    (userland,) = installed(facts, "sys-fs/zfs").values()
    assert (userland.use, userland.linux_max) == (("nls", "rootfs"), None)
    assert userland.repository == "gentoo"
    (modules,) = installed(facts, "sys-fs/zfs-kmod").values()
    assert (modules.use, modules.linux_max) == (("initramfs", "rootfs"), "7.0")
    assert (userland.linux_min, modules.linux_min) == (None, "4.18")
    assert "dist-kernel" in modules.iuse


PACKERS = {"": bytes, ".bz2": bz2.compress, ".gz": gzip.compress, ".xz": lzma.compress}


@pytest.mark.parametrize("suffix", [*PACKERS, ".zst"])
def test_kernel_limit_from_meta(suffix, newest, root):
    """What the sources said counts more than what the ebuild did."""
    text = META.format("7.2", "5.4").encode()
    if suffix == ".zst":
        if shutil.which("zstd") is None:
            pytest.skip("zstd is not installed")
        packed = subprocess.run(["zstd"], input=text, capture_output=True, check=True)
        data = packed.stdout
    else:
        data = PACKERS[suffix](text)
    tree.install(root, find("sys-fs/zfs-2.4.3"))
    doc = root / "usr/share/doc/zfs-2.4.3"
    doc.mkdir(parents=True)
    (doc / f"META{suffix}").write_bytes(data)
    one = installed(newest.ask(root), "sys-fs/zfs")["2.4.3"]
    assert (one.linux_min, one.linux_max) == ("5.4", "7.2")
    (doc / f"META{suffix}").write_bytes(data[:5] if suffix else b"")
    one = installed(newest.ask(root), "sys-fs/zfs")["2.4.3"]
    assert (one.linux_min, one.linux_max) == ("4.18", "7.0")


def test_kernel_limit_of_a_live_version(newest, root):
    """The ebuild's number is not what was built: without META it is not known."""
    tree.install(root, find("sys-fs/zfs-9999"))
    one = installed(newest.ask(root), "sys-fs/zfs")["9999"]
    assert (one.linux_min, one.linux_max) == ("4.18", None)
    meta = {"usr/share/doc/zfs-9999/META": META.format("7.2", "4.19")}
    tree.write_files(root, meta)
    one = installed(newest.ask(root), "sys-fs/zfs")["9999"]
    assert (one.linux_min, one.linux_max) == ("4.19", "7.2")


def test_kernel_limit_of_zfs_kmod(newest, root):
    """Before 2.4 META is among the documents of the modules' package."""
    for ebuild in zfs("2.3.6"):
        tree.install(root, ebuild)
    meta = {"usr/share/doc/zfs-kmod-2.3.6/META": META.format("6.18", "4.18")}
    tree.write_files(root, meta)
    facts = newest.ask(root)
    assert installed(facts, "sys-fs/zfs-kmod")["2.3.6"].linux_max == "6.18"
    assert installed(facts, "sys-fs/zfs")["2.3.6"].linux_max is None


def test_names_that_begin_alike(newest, root):
    """zfs-kmod is no version of zfs, nor is what a merge has left."""
    tree.install(root, find("sys-fs/zfs-kmod-2.3.8"))
    (root / "var/db/pkg/sys-fs/-MERGING-zfs-2.3.8").mkdir()
    facts = newest.ask(root)
    assert not installed(facts, "sys-fs/zfs")
    assert facts.merging == ("sys-fs/zfs-2.3.8",)


@pytest.mark.parametrize("key", ["resume", "resume_backup"])
def test_interrupted_emerge(key, newest, root):
    """What `emerge --resume` would go on with."""
    row = ["ebuild", "/", "sys-fs/zfs-2.4.3", "merge"]
    data = {"starttime": 0, key: {"mergelist": [row], "favorites": [], "myopts": {}}}
    tree.write_files(root, {"var/cache/edb/mtimedb": json.dumps(data)})
    assert newest.ask(root).resumes == ("sys-fs/zfs-2.4.3",)


@pytest.mark.parametrize(
    ("text", "found"),
    [('{"resume": {"mergelist": []}}', ()), ("{}", ()), ("(dp1\nS'x'", None)],
)
def test_no_interrupted_emerge(text, found, newest, root):
    """An empty list is none; what cannot be read is not known."""
    tree.write_files(root, {"var/cache/edb/mtimedb": text})
    assert newest.ask(root).resumes == found


def test_preserved_libraries(newest, root):
    """Libraries that are kept, as far as they are still there."""
    kept = ["/usr/lib64/libnew.so.1", "/usr/lib64/libold.so.1"]
    data = {"dev-libs/lib:0": ["dev-libs/lib-2", "7", kept]}
    registry = "var/lib/portage/preserved_libs_registry"
    tree.write_files(root, {registry: json.dumps(data), "usr/lib64/libold.so.1": ""})
    assert newest.ask(root).preserved == ("/usr/lib64/libold.so.1",)


def test_configuration_files_that_wait(portage, root):
    """Below all directories that CONFIG_PROTECT names, files among them."""
    tree.write_files(
        root,
        {
            "etc/portage/make.conf": 'CONFIG_PROTECT="/usr/share/own /opt/one.conf"\n',
            "etc/conf.d/._cfg0000_hostname": "",
            "etc/._cfg0001_a name": "",
            "etc/._cfg0000_old~": "",
            "etc/._cfg1_no": "",
            "usr/share/own/deep/er/._cfg0000_x": "",
            "usr/share/other/._cfg0000_x": "",
            "opt/one.conf": "",
            "opt/._cfg0000_one.conf": "",
            "opt/._cfg0000_two.conf": "",
        },
    )
    assert portage.ask(root).updates == (
        *("/etc/._cfg0001_a name", "/etc/conf.d/._cfg0000_hostname"),
        *("/opt/._cfg0000_one.conf", "/usr/share/own/deep/er/._cfg0000_x"),
    )


def test_nothing_is_left_over(portage, root):
    """A clean system has none of it, and that is known."""
    facts = portage.ask(root)
    assert facts.resumes == facts.merging == facts.updates == facts.preserved == ()
    # the processes that run are not the tree's
    assert facts.at_work is None


BROKEN = {
    "profile link": (
        {"etc/portage/make.profile": None},
        "no profile is selected: no /etc/portage/make.profile",
    ),
    "profile": (
        {f"{tree.REPOSITORY}/profiles/{tree.PROFILE}": None},
        "the profile cannot be used: /etc/portage/make.profile leads to ",
    ),
    "parent": (
        {f"{tree.REPOSITORY}/profiles/{tree.PROFILE}/parent": "../gone\n"},
        "the profile cannot be used: /etc/portage/make.profile leads to ",
    ),
    "make.conf": (
        {"etc/portage/make.conf": 'USE="acl\n'},
        "Portage cannot read /etc/portage/make.conf: ",
    ),
    "repository": (
        {tree.REPOSITORY: None},
        "there is no ebuild repository in /var/db/repos/gentoo",
    ),
    "repos.conf": (
        {"etc/portage/repos.conf/a.conf": "no section\n"},
        "repos.conf cannot be read: ",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_configuration(what, portage, root):
    """One line says what is broken; what is installed is known all the same."""
    tree.install(root, find("sys-fs/zfs-2.4.3"), ["rootfs"])
    (root / "var/db/pkg/sys-fs/-MERGING-mdadm-4.4").mkdir()
    files, said = BROKEN[what]
    for name, text in files.items():
        if text is None:
            tree.remove(root / name)
        else:
            tree.write_files(root, {name: text})
    facts = portage.ask(root)
    assert facts.reason
    assert facts.reason.startswith(said)
    assert "\n" not in facts.reason
    (zfs_there,) = installed(facts, "sys-fs/zfs").values()
    assert (zfs_there.use, zfs_there.linux_max) == (("rootfs",), "7.0")
    assert facts.version
    assert facts.merging == ("sys-fs/mdadm-4.4",)
    assert len(facts.places) == 4
    assert all(found.candidate is None for found in facts.packages)


def test_python_without_portage(root):
    """Installed packages are known even then."""
    tree.install(root, find("sys-fs/zfs-2.4.3"))
    work = root / "plain"
    subprocess.run(
        [python_with_portage(VERSIONS[0]), "-m", "venv", "--without-pip", work],
        check=True,
    )
    facts = Portage(work / "bin/python").ask(root)
    assert facts.reason
    assert facts.reason.endswith("has no Portage")
    assert "2.4.3" in installed(facts, "sys-fs/zfs")
    assert facts.version is None


def test_loaded_or_started_anew(started, loaded, root):
    """Most tests here ask a Portage that is loaded already: it says the same."""
    tree.install(root, find("sys-fs/zfs-2.3.8"), ["rootfs"])
    warm = next(one for v in VERSIONS if (one := loaded(v)).python == started.python)
    assert warm.run(root) == warm.run(root) == started.run(root)


def test_nothing_is_written(started, root):
    """Asking changes no file, and makes none; not even Portage's own caches."""
    shutil.rmtree(root / "var/cache/edb/dep")
    for cpv in ("sys-fs/zfs-2.4.3", "sys-fs/mdadm-4.4-r1"):
        (root / tree.REPOSITORY / "metadata/md5-cache" / cpv).unlink()
    before = snapshot(root)
    facts = started.ask(root)
    assert package(facts, "sys-fs/zfs").candidate
    assert package(facts, "sys-fs/mdadm").candidate
    assert snapshot(root) == before


def test_an_ordinary_user(portage, root):
    """What may not be read is not known; nothing else is lost."""
    tree.install(root, find("sys-fs/zfs-2.4.3"))
    (root / "etc/secret").mkdir(mode=0)
    (root / "var/cache/edb/mtimedb").touch(mode=0)
    facts = portage.ask(root, begin=WITHOUT_RIGHTS if os.geteuid() == 0 else ())
    assert facts.updates is facts.resumes is None
    assert facts.reason is None
    assert "2.4.3" in installed(facts, "sys-fs/zfs")
    assert package(facts, "sys-fs/zfs").candidate == "sys-fs/zfs-2.4.3"


def test_both_versions_say_the_same(root):
    """The facts do not depend on the version of Portage, but for its number."""
    tree.install(root, find("sys-fs/zfs-2.3.8"), ["rootfs"])
    places = {"etc/portage/package.mask": ">=sys-fs/zfs-2.4\n"}
    tree.write_files(root, places)
    answers = [Portage(python_with_portage(v)).run(root) for v in VERSIONS]
    read = [json.loads(text.strip().rpartition("\n")[2]) for text in answers]
    versions = [one.pop("version") for one in read]
    assert read[0] == read[1]
    assert [v.startswith(w) for v, w in zip(versions, VERSIONS, strict=True)]
    assert len(EBUILDS) > sum(len(p["ebuilds"]) for p in read[0]["packages"]) > 15

"""A master repository for the tests: the names of ::gentoo that our ebuilds use.

It is written by us and much smaller than ::gentoo. What passes the lint against it has
correct syntax, known eclass functions, flags, licences and dependencies. Its eclasses
do the least that a merge needs: clone, build a wheel, install it; no more is claimed.
"""

import hashlib
import re
from pathlib import Path

from tests.portage.tree import write_files

ECLASSES = Path(__file__).with_name("eclass")
HEAD = """\
# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

EAPI=8

DESCRIPTION="Stand-in for the package of this name in Gentoo"
HOMEPAGE="https://www.gentoo.org/"

LICENSE="GPL-2"
"""
# as many as PYTHON_COMPAT has: with a newer one, pkgcheck proposes it
PYTHONS = ("3.12", "3.13", "3.14")
# what is depended upon, with the flags and slots that are asked for
PACKAGES = {
    "app-alternatives/awk-1": "",
    "app-alternatives/cpio-1": "",
    "app-misc/pax-utils-1": "",
    "app-portage/gentoolkit-1": "",
    "app-portage/portage-utils-1": "",
    "app-text/asciidoc-1": "",
    "dev-build/autoconf-1": "",
    "dev-build/automake-1": "",
    "dev-build/libtool-1": "",
    "dev-lang/perl-5": "",
    "dev-libs/openssl-3": 'SLOT="0/3"',
    "dev-python/gpep517-1": "",
    "dev-python/hypothesis-1": "",
    "dev-python/pytest-1": "",
    "dev-python/setuptools-1": "",
    "dev-util/pahole-1": "",
    "dev-vcs/git-2": "",
    "net-libs/libtirpc-1": 'SLOT="0/3"',
    "net-misc/rsync-3": "",
    "sec-policy/selinux-zfs-1": "",
    "sys-apps/kmod-1": 'IUSE="+tools"',
    "sys-apps/portage-3": "",
    "sys-apps/sandbox-2": "",
    "sys-apps/util-linux-2": "",
    "sys-boot/grub-2": 'SLOT="2"',
    "sys-devel/gettext-1": "",
    "sys-fs/e2fsprogs-1": "",
    "sys-fs/mdadm-4": "",
    "sys-fs/udev-init-scripts-1": "",
    "sys-fs/zfs-2.3.8": 'SLOT="0/6"',
    "sys-fs/zfs-2.4.3": 'SLOT="0/7"\nIUSE="+modules"',
    "sys-fs/zfs-kmod-2.3.8": 'SLOT="0/6"',
    "sys-kernel/dracut-110": "",
    "sys-kernel/genkernel-4": "",
    "sys-kernel/installkernel-1": "",
    "sys-kernel/ugrd-2": "",
    "sys-libs/libunwind-1": 'SLOT="0/8"',
    "sys-libs/pam-1": "",
    "virtual/dist-kernel-7.0.1": 'SLOT="0/7.0.1"',
    "virtual/libudev-1": 'SLOT="0/1"',
    "virtual/linux-sources-3": "",
    "virtual/pkgconfig-1": "",
    "virtual/udev-1": "",
    "virtual/zlib-1": 'SLOT="0/1"',
}
FLAGS = (
    *("custom-cflags", "debug", "dist-kernel", "initramfs", "modules"),
    *("modules-compress", "modules-sign", "nls", "pam", "selinux", "split-usr"),
    *("strip", "test", "tools", "unwind"),
)
LICENCES = ("BSD-2", "CDDL", "GPL-2", "GPL-2+", "MIT", "metapackage")
PROFILE = "default/linux/amd64/23.0"


def packages(pythons: tuple[str, ...]) -> dict[str, str]:
    """Return the packages, each with what is special in it."""
    targets = " ".join(f"python_targets_python{v.replace('.', '_')}" for v in pythons)
    return (
        PACKAGES
        | {f"dev-lang/python-{v}": f'SLOT="{v}"' for v in pythons}
        | {one: f'IUSE="{targets}"' for one in PACKAGES if "dev-python/" in one}
    )


def write_master(place: Path, pythons: tuple[str, ...] = PYTHONS) -> None:
    """Write the repository."""
    all_packages = packages(pythons)
    categories = sorted({cpv.partition("/")[0] for cpv in all_packages})
    expanded = {
        kind: "".join(f"python3_{v[2:]} - build for Python {v}\n" for v in pythons)
        for kind in ("python_targets", "python_single_target")
    }
    files = {
        "metadata/layout.conf": "masters =\nthin-manifests = true\n"
        "cache-formats = md5-dict\nprofile-formats = portage-2\n",
        "profiles/repo_name": "gentoo\n",
        "profiles/eapi": "8\n",
        "profiles/arch.list": "amd64\n",
        "profiles/arches.desc": "amd64 stable\n",
        "profiles/categories": "".join(
            f"{name}\n" for name in (*categories, "app-admin")
        ),
        "profiles/profiles.desc": f"amd64 {PROFILE} stable\n",
        "profiles/use.desc": "".join(f"{flag} - see its name\n" for flag in FLAGS),
        **{f"profiles/desc/{kind}.desc": text for kind, text in expanded.items()},
        f"profiles/{PROFILE}/eapi": "8\n",
        f"profiles/{PROFILE}/make.defaults": 'ARCH="amd64"\nACCEPT_KEYWORDS="amd64"\n'
        'USE_EXPAND="ELIBC PYTHON_TARGETS PYTHON_SINGLE_TARGET"\nELIBC="glibc"\n'
        'USE_EXPAND_IMPLICIT="ARCH ELIBC"\nUSE_EXPAND_UNPREFIXED="ARCH"\n'
        'USE_EXPAND_VALUES_ARCH="amd64"\nUSE_EXPAND_VALUES_ELIBC="glibc musl"\n'
        'IUSE_IMPLICIT="prefix"\nPYTHON_TARGETS="python3_14"\n'
        'CONFIG_PROTECT="/etc"\nCHOST="x86_64-pc-linux-gnu"\n'
        'PYTHON_SINGLE_TARGET="python3_14"\n',
        **{f"licenses/{name}": "words\n" for name in LICENCES},
        **{f"eclass/{one.name}": one.read_text() for one in ECLASSES.iterdir()},
    }
    for cpv, more in all_packages.items():
        category, name = cpv.split("/")
        package = name.rpartition("-")[0]
        text = ebuild_text(more)
        files[f"{category}/{package}/{name}.ebuild"] = text
        files[f"metadata/md5-cache/{cpv}"] = cache_entry(text)
    write_files(place, files)


def ebuild_text(more: str) -> str:
    """Return an ebuild without content; `more` is what is special in it."""
    slot = "" if "SLOT=" in more else 'SLOT="0"\n'
    lines = [*slot.splitlines(), *more.splitlines()]
    # as pkgcheck wants them: SLOT, KEYWORDS, IUSE
    lines.insert(1, 'KEYWORDS="amd64"')
    return HEAD + "\n".join(lines) + "\n"


def cache_entry(text: str) -> str:
    """Return what Portage's metadata cache says of an ebuild without code.

    >>> cache_entry('EAPI=8\\nSLOT="0"\\n').splitlines()[:2]
    ['EAPI=8', 'SLOT=0']
    """
    rows = re.findall(r'(?m)^([A-Z]+)="?([^"\n]*)"?$', text)
    md5 = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    rows += [("DEFINED_PHASES", "-"), ("_md5_", md5)]
    return "".join(f"{name}={value}\n" for name, value in rows)

"""How the kernels of the described machines are configured, and their sources."""

import re

from zfs_root_migrate.reader import part_key

# what zgrep finds is what is asked for; a line that is not asked for tells them apart
DIST_CONFIG = """\
CONFIG_LOCALVERSION="-gentoo-dist"
CONFIG_BLK_DEV_INITRD=y
CONFIG_MODULES=y
CONFIG_MODULE_SIG=y
# CONFIG_MODULE_SIG_FORCE is not set
CONFIG_MODULE_SIG_ALL=y
CONFIG_MODULE_SIG_KEY="certs/signing_key.pem"
CONFIG_BINFMT_SCRIPT=y
CONFIG_RD_GZIP=y
CONFIG_RD_XZ=y
CONFIG_RD_ZSTD=y
# CONFIG_TRIM_UNUSED_KSYMS is not set
CONFIG_BLOCK=y
CONFIG_EFI_PARTITION=y
CONFIG_DEVTMPFS=y
CONFIG_BLK_DEV_MD=y
CONFIG_MD_RAID1=m
CONFIG_EXT2_FS=m
CONFIG_EXT4_FS=y
CONFIG_TMPFS=y
CONFIG_SECURITY_LOCKDOWN_LSM=y
CONFIG_ZLIB_INFLATE=y
CONFIG_ZLIB_DEFLATE=y
# CONFIG_DEBUG_LOCK_ALLOC is not set
"""
OWN_CONFIG = """\
CONFIG_LOCALVERSION=""
CONFIG_BLK_DEV_INITRD=y
CONFIG_MODULES=y
# CONFIG_MODULE_SIG is not set
CONFIG_BINFMT_SCRIPT=y
CONFIG_RD_GZIP=y
CONFIG_RD_XZ=y
CONFIG_RD_ZSTD=y
CONFIG_BLOCK=y
CONFIG_EFI_PARTITION=y
CONFIG_DEVTMPFS=y
CONFIG_BLK_DEV_MD=y
CONFIG_MD_RAID1=m
# CONFIG_EXT2_FS is not set
CONFIG_EXT4_FS=y
CONFIG_EXT4_USE_FOR_EXT2=y
CONFIG_TMPFS=y
CONFIG_ZLIB_INFLATE=y
CONFIG_ZLIB_DEFLATE=m
# CONFIG_DEBUG_LOCK_ALLOC is not set
"""


def zgrep(texts: dict[str, str], argv: tuple[str, ...]) -> str | None:
    """Answer like zgrep -aEH -e PATTERN -- FILE..."""
    pattern = re.compile(argv[3])
    return "".join(
        f"{path}:{line}\n"
        for path in argv[5:]
        for line in texts.get(path, "").splitlines()
        if pattern.search(line)
    )


def makefile(release: str) -> str:
    """Return the head of a kernel's Makefile."""
    numbers, _, extra = release.partition("-")
    version, patchlevel, sublevel = numbers.split(".")
    return (
        "# SPDX-License-Identifier: GPL-2.0\n"
        f"VERSION = {version}\nPATCHLEVEL = {patchlevel}\nSUBLEVEL = {sublevel}\n"
        f"EXTRAVERSION = -{extra}\nNAME = Curry Ramen\n"
    )


def sources(release: str, *, built: bool = True) -> dict[str, str]:
    """Return the links that /usr/src/linux is made of."""
    place = f"/usr/src/linux-{release}"
    built_file = {"/usr/src/linux/Module.symvers": f"{place}/Module.symvers"}
    return {"/usr/src/linux": place, **(built_file if built else {})}


def made(release: str) -> dict[str, str]:
    """Return the file that a build leaves in the sources."""
    return {"/usr/src/linux/include/config/kernel.release": f"{release}\n"}


def image(release: str, path: str, built: str) -> dict[str, str]:
    """Return what the image of the running kernel and the kernel itself say."""
    header = "HdrS" + "\0" * 8 + "\x10\x3d"
    text = f"{release} (root@build) {built}\0"
    return {
        part_key(path, 0x202, 14): header,
        part_key(path, 0x3D10 + 0x200, 256): text,
        "/proc/version": f"Linux version {release} (root@build) "
        f"(gcc (Gentoo 14.3.0 p8) 14.3.0) {built}\n",
    }


def unlocked() -> dict[str, str]:
    """Return what a kernel that is not locked down says."""
    return {
        "/sys/kernel/security/lockdown": "[none] integrity confidentiality\n",
        "/sys/module/module/parameters/sig_enforce": "N\n",
    }

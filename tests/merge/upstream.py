"""Small git repositories that look like OpenZFS's and genkernel's, and a kernel's tree.

They have what the ebuilds rely on and no more: META, the options of configure, which
refuses a kernel that META does not name, the places that `make install` goes by.
"""

import shutil
from pathlib import Path

from tests.merge.published import commit_all
from tests.portage.tree import write_files

META = "Meta:         1\nName:         zfs\nLinux-Maximum: 7.2\nLinux-Minimum: 4.18\n"
# as upstream's: without the option for it, a newer kernel is no kernel
CONFIGURE = r"""#!/bin/sh
set -e
experimental= linux=
for word; do
	name=$(echo "${word%%=*}" | tr -d - | tr '[:lower:]' '[:upper:]')
	case ${word} in
		--enable-linux-experimental) experimental=yes ;;
		--with-linux=*) linux=${word#*=} ;;
	esac
	case ${word} in
		--*=*) echo "${name} = ${word#*=}" ;;
	esac
done > config.mk
echo "$@" > arguments
if [ -n "${linux}" ] && [ -z "${experimental}" ]; then
	max=$(sed -n 's/^Linux-Maximum: //p' META)
	minor=$(sed -n 's/^PATCHLEVEL = //p' "${linux}/Makefile")
	[ "${minor}" -le "${max#*.}" ] || { echo "*** Cannot build against it"; exit 1; }
fi
"""
MAKEFILE = r"""include config.mk
to = $(DESTDIR)
conf = $(to)$(SYSCONFDIR)
# /lib/modules, below the prefix
modules = $(to)$(dir $(BINDIR))lib/modules
all:
	echo module > zfs.ko
install:
	mkdir -p $(to)$(BINDIR) $(to)$(SBINDIR) $(conf)/init.d $(conf)/conf.d
	mkdir -p $(to)$(WITHDRACUTDIR)/modules.d/90zfs $(to)$(WITHSYSTEMDUNITDIR)
	mkdir -p $(to)$(WITHUDEVDIR)/rules.d $(modules) $(to)$(PREFIX)/lib64
	echo '#!/usr/bin/env python3' > $(to)$(BINDIR)/zilstat
	touch $(to)$(SBINDIR)/zpool $(to)$(WITHUDEVDIR)/rules.d/60-zvol.rules
	touch $(to)$(WITHDRACUTDIR)/modules.d/90zfs/module-setup.sh
	touch $(to)$(PREFIX)/lib64/libzfs.la
	cp etc/default/zfs.in $(conf)/conf.d/zfs
	chmod 755 $(conf)/conf.d/zfs
	cp etc/init.d/zfs-import.in $(conf)/init.d/zfs-import
	cp etc/systemd/system/zfs-import.service.in \
		$(to)$(WITHSYSTEMDUNITDIR)/zfs-import.service
	[ ! -e zfs.ko ] || cp zfs.ko $(modules)/
"""
SOVERSION = "lib/libzfs/Makefile.am"
ZFS = {
    "META": META,
    **{name: f"{name}\n" for name in ("AUTHORS", "COPYRIGHT", "README.md")},
    # for Gentoo's eautoreconf; what is run is beside it
    "configure.ac": "AC_INIT\n",
    "configure": CONFIGURE,
    "Makefile": MAKEFILE,
    SOVERSION: "libzfs_la_LDFLAGS = -version-info 7:0:0\n",
    "contrib/bash_completion.d/zfs": "complete zfs\n",
    "etc/default/zfs.in": "ZFS_MOUNT='yes'\nZFS_UNMOUNT='yes'\n",
    "etc/init.d/zfs-import.in": "#!/sbin/openrc-run\n",
    "etc/systemd/system/zfs-import.service.in": "[Service]\n"
    "EnvironmentFile=-@initconfdir@/zfs\nExecStart=/bin/true\n",
}
GENKERNEL = {
    "genkernel": """\
#!/bin/bash
GK_V='4.3.17'
source "${GK_SHARE}"/gen_funcs.sh || small_die "Could not read"
source "${GK_SHARE}"/gen_bootloader.sh || small_die "Could not read"
check_distfiles
""",
    "gen_funcs.sh": "check_distfiles() {\n:\n}\n",
    "gen_initramfs.sh": "create_initramfs() {\n:\n}\n",
    "gen_bootloader.sh": ":\n",
    "path_expander.py": "#!/usr/bin/env python\n",
    "README": "read\n",
    "genkernel.8": "manual\n",
    # where it is going to be is said when it is built, and remembered; the directory
    # of the manual page is taken for granted
    "Makefile": """\
all:
	mkdir -p build
	echo $(PREFIX) > build/prefix
	echo $(BINDIR) > build/bindir
	echo $(MANDIR) > build/mandir
install: PREFIX := $(file <build/prefix)
install: BINDIR := $(file <build/bindir)
install: MANDIR := $(file <build/mandir)
install:
	mkdir -p $(DESTDIR)$(BINDIR) $(DESTDIR)$(PREFIX)/share/genkernel
	mkdir -p $(DESTDIR)$(MANDIR)
	cp genkernel $(DESTDIR)$(BINDIR)
	cp gen_funcs.sh gen_initramfs.sh gen_bootloader.sh path_expander.py VERSION \\
		$(DESTDIR)$(PREFIX)/share/genkernel
	cp genkernel.8 $(DESTDIR)$(MANDIR)/man8
""",
}
OPTIONS = (
    "MODULES",
    "EFI_PARTITION",
    "ZLIB_DEFLATE",
    "ZLIB_INFLATE",
    "BLK_DEV_INITRD",
    "DEVTMPFS",
)


def write_upstream(place: Path, files: dict[str, str]) -> None:
    """Write a repository, or what has changed in it."""
    write_files(place, files)
    if (place / "configure").exists():
        (place / "configure").chmod(0o755)
    commit_all(place)


def write_autotools(root: Path) -> dict[str, str]:
    """Write programs that Gentoo's eautoreconf runs; they leave the sources alone.

    Returns the variables that keep it from looking for packages.
    """
    programs = ["aclocal", "autoconf", "autoheader", "automake", "eltpatch"]
    # which looks for macros in configure.ac: there are none
    programs += ["gawk"] * (shutil.which("gawk") is None)
    for name in programs:
        write_files(root, {f"usr/bin/{name}": "#!/bin/sh\n"})
        (root / "usr/bin" / name).chmod(0o755)
    for name in ("config.guess", "config.sub"):
        text = "#!/bin/sh\ntimestamp='2026-01-01'\n"
        write_files(root, {f"usr/share/gnuconfig/{name}": text})
    return {"WANT_AUTOCONF": "2.72", "WANT_AUTOMAKE": "1.17"}


def write_a2x(root: Path) -> None:
    """Write what makes genkernel's manual page: asciidoc is not needed for its test."""
    text = """\
#!/bin/sh
while [ $# -gt 1 ]; do
	[ "$1" != -D ] || to=$2
	shift
done
cp "$1" "$to/genkernel.8"
"""
    write_files(root, {"usr/bin/a2x": text})
    (root / "usr/bin/a2x").chmod(0o755)


def write_kernel(place: Path, version: str, *, without: str = "") -> None:
    """Write as much of a kernel's tree as is looked at."""
    number, _, extra = version.partition("-")
    names = ("VERSION", "PATCHLEVEL", "SUBLEVEL")
    lines = [f"{n} = {v}" for n, v in zip(names, number.split("."), strict=True)]
    lines.append(f"EXTRAVERSION = -{extra}" if extra else "EXTRAVERSION =")
    options = (option for option in OPTIONS if option != without)
    write_files(
        place,
        {
            "Makefile": "\n".join(lines) + "\n",
            ".config": "".join(f"CONFIG_{option}=y\n" for option in options),
            # a kernel that has been built
            "Module.symvers": "0x0\tx\tvmlinux\tEXPORT_SYMBOL\n",
            "scripts/mod/modpost": "#!/bin/sh\n",
        },
    )
    (place / "scripts/mod/modpost").chmod(0o755)

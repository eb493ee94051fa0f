"""GRUB's menu of boot environments.

A script of our own in /etc/grub.d asks the tool which environments there are each time
that grub-mkconfig runs. So the menu is right also after a kernel was installed,
whichever environment runs; a custom.cfg would name the kernels of the day on which it
was written.
"""

import re

from zfs_root_migrate.step import Action, Probe, Require, Run
from zfs_root_migrate.steps.grub import CONFIG

# before 10_linux: the default environment has to be the first entry
SCRIPT = "/etc/grub.d/09_zfs-root-migrate"
MADE = f"{CONFIG}.zfs-root-migrate"
_ENVIRONMENT = "/boot/grub/grubenv"

SCRIPT_TEXT = r"""#!/bin/sh
# Written by zfs-root-migrate: the boot environments in GRUB's menu.
#
# The first entry is the default environment, the pool's bootfs, with the newest kernel
# that it has the modules of. A submenu has every environment with each such kernel.
# Where the tool is gone, or the default would not boot, there is nothing here, and the
# entries of 10_linux come first.
set -ef

command -v zfs-root-migrate >/dev/null || exit 0
list=$(zfs-root-migrate environments --porcelain) || exit 0
. "${pkgdatadir:-/usr/share/grub}/grub-mkconfig_lib"

tab=$(printf '\t')
title=${GRUB_DISTRIBUTOR:-Linux}
words=
for word in $GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT; do
	case $word in
	root=*) ;;
	*) words="$words $word" ;;
	esac
done

# below PATH: as GRUB sees it, whose root is the file system
below() {
	make_system_path_relative_to_its_root "$1"
}

early=
for name in $GRUB_EARLY_INITRD_LINUX_STOCK $GRUB_EARLY_INITRD_LINUX_CUSTOM; do
	[ ! -e "/boot/$name" ] || early="$early $(below "/boot/$name")"
done
# shellcheck disable=SC2086 # may be several devices
access=$(prepare_grub_to_access_device $GRUB_DEVICE_BOOT)

# entry TITLE ID DATASET IMAGE INITRAMFS
entry() {
	cat <<END
menuentry '$(printf '%s\n' "$1" | grub_quote)' --class gentoo --class os --id '$2' {
	load_video
	insmod gzio
$(printf '%s\n' "$access" | sed "s/^/$tab/")
	linux	$(below "$4") root=ZFS=$3 ro$words
	initrd	${early# }${early:+ }$(below "$5")
}
END
}

# lines KIND: the lines of that kind, which the first word tells
lines() {
	printf '%s\n' "$list" | sed -n "s/^$1$tab//p"
}

default=$(lines environment | awk -F '\t' '$4 == "default" { print $2; exit }')
first=$(lines kernel | awk -F '\t' -v root="$default" '$2 == root { print; exit }')
# a submenu must never be the first entry: it would wait for a key
[ -n "$first" ] || exit 0
IFS=$tab read -r name dataset release image initramfs <<END
$first
END
entry "$title, $name" zfs-root-migrate-default "$dataset" "$image" "$initramfs"
echo "submenu 'Boot environments' --id zfs-root-migrate {"
lines kernel | while IFS=$tab read -r name dataset release image initramfs; do
	entry "$name, with Linux $release" "zfs-root-migrate-$name-$release" \
		"$dataset" "$image" "$initramfs"
done
echo "}"
"""

# a power cut must find the old menu or the new one; grub-mkconfig itself writes into it
_REPLACE = 'chmod 600 "$0"; sync "$0"; mv -f "$0" "$1"; sync "$1"'


def renew(check: Probe | None = None) -> tuple[Action, ...]:
    """Return what writes the menu anew; where `check` fails, the old one stays."""
    made = Run(argv=("grub-mkconfig", "-o", MADE))
    placed = Run(argv=("sh", "-ec", _REPLACE, MADE, CONFIG))
    if check is None:
        return made, placed
    seen = Require(
        probe=check,
        brief="the new boot menu would not start the default; the old one stays",
        resolution="look at its first entry in the file that is named above",
    )
    return made, seen, placed


def forget_choices() -> tuple[Run, ...]:
    """Return what makes GRUB forget the entry that it was told to start.

    `saved_entry` and `next_entry` come before the first one, and on an array GRUB
    cannot take `next_entry` back itself.
    """
    return tuple(
        Run(
            argv=("grub-editenv", _ENVIRONMENT, "unset", name),
            when=Probe(
                argv=("grub-editenv", _ENVIRONMENT, "list"), matches=(f"^{name}=.",)
            ),
        )
        for name in ("saved_entry", "next_entry")
    )


def starts(dataset: str, images: tuple[str, ...], *, file: str = MADE) -> Probe:
    """The first entry of the menu starts this root with one of these kernels.

    >>> from zfs_root_migrate.world import fits
    >>> from zfs_root_migrate.runner import Answer
    >>> menu = "menuentry {\\n\\tlinux\\t/vmlinuz-6 root=ZFS=rpool/ROOT/a ro\\n}\\n"
    >>> probe = starts("rpool/ROOT/a", ("/boot/vmlinuz-6",))
    >>> fits(probe, Answer(probe.argv, 0, menu, ""))
    True
    >>> fits(starts("rpool/ROOT", ("/boot/vmlinuz-6",)), Answer((), 0, menu, ""))
    False
    """
    names = "|".join(re.escape(image.removeprefix("/boot")) for image in images)
    return Probe(
        argv=("cat", file),
        matches=(
            r"\A(?:(?!^\s*linux\s)[^\n]*\n)*"
            rf"\s*linux\s+(?:{names})\s(?:.*\s)?root=ZFS={re.escape(dataset)}"
            r"(?!\S)(?!.*\sroot=)",
        ),
    )

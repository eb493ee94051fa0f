"""OpenRC: the services that a root on ZFS and a degraded /boot need."""

from zfs_root_migrate.layout import Layout
from zfs_root_migrate.model import Facts
from zfs_root_migrate.paths import BOOTED

MD_SERVICE = "zfs-root-migrate-boot"
# OpenRC's saved order of services: zfs-mount has another place in it on a ZFS root
CACHES = ("/usr/lib/rc/cache", "/lib/rc/cache", "/var/cache/rc")
# openzfs etc/init.d/README.md: what OpenRC has to start on a ZFS root
ZFS_SERVICES = (
    ("boot", "zfs-import"),
    ("boot", "zfs-load-key"),
    ("boot", "zfs-mount"),
    ("default", "zfs-zed"),
)


def links(facts: Facts) -> tuple[tuple[str, str], ...]:
    """Return path and target of the runlevel entries that the new root needs."""
    has = {level.name: level.services for level in facts.system.runlevels}
    wanted = [
        (level, name)
        for level, name in ZFS_SERVICES
        if name in facts.system.services and name not in has.get(level, ())
    ]
    wanted.append(("boot", MD_SERVICE))
    return tuple(
        (f"/etc/runlevels/{level}/{name}", f"/etc/init.d/{name}")
        for level, name in wanted
    )


def md_service(layout: Layout) -> str:
    """Return the service that starts the /boot array when one disk is gone.

    With one of two known members missing, udev leaves the array inactive and nothing
    in OpenRC starts it: fsck of /boot would fail and the boot would stop in a shell.
    Only this array is touched, never another one that happens to be incomplete.
    """
    return f"""#!/sbin/openrc-run
# Written by zfs-root-migrate: lets the system start with one disk missing.

description="Start the array under /boot with one disk missing"
uuid="{layout.array.uuid}"

depend() {{
	after udev udev-trigger udev-settle dev-settle mdraid modules
	before fsck localmount checkfs
	keyword -jail -lxc -docker -openvz -vserver
}}

is_ours() {{
	mdadm --detail --export "$1" 2>/dev/null | grep -qx "MD_UUID=$uuid"
}}

start() {{
	local dir state
	# tells the old system that there is something here now that it has not; where
	# another boot environment runs and this root was destroyed, nobody asks any more
	zfs set {BOOTED}=yes {layout.root} 2>/dev/null
	ebegin "Starting the array under /boot"
	udevadm settle --timeout=30
	for dir in /sys/block/md*/md; do
		[ -r "$dir/array_state" ] || continue
		read -r state < "$dir/array_state"
		dir=${{dir%/md}}
		is_ours "/dev/${{dir##*/}}" || continue
		case $state in
		inactive|clear)
			ewarn "A disk is missing: /boot runs without its mirror"
			mdadm --run "/dev/${{dir##*/}}" >/dev/null
			;;
		esac
		udevadm settle --timeout=30
		eend 0
		return
	done
	mdadm --assemble --run --uuid="$uuid" /dev/md/boot >/dev/null
	udevadm settle --timeout=30
	[ -e "/dev/disk/by-id/md-uuid-$uuid" ]
	eend $? "The array under /boot did not start"
}}
"""

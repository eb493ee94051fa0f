# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

EAPI=8

DESCRIPTION="Transitional package: the spl module is part of OpenZFS since 0.8"
HOMEPAGE="https://github.com/openzfs/zfs"

LICENSE="metapackage"
SLOT="0"
PROPERTIES="live"

# before 2.4 the modules are built by a package of their own
RDEPEND="
	|| (
		>=sys-fs/zfs-2.4[modules]
		sys-fs/zfs-kmod
	)
"

pkg_postinst() {
	elog "The Solaris Porting Layer is no package of its own any more: spl.ko is built"
	elog "together with zfs.ko, by sys-fs/zfs since 2.4 and by sys-fs/zfs-kmod before."
	elog "This package is empty and only pulls one of them in. To be rid of it:"
	elog "  emerge --noreplace sys-fs/zfs && emerge --depclean sys-devel/spl"
}

# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

EAPI=8

DISTUTILS_USE_PEP517=setuptools
PYTHON_COMPAT=( python3_{12..14} )

inherit distutils-r1 optfeature shell-completion systemd

DESCRIPTION="Turn a running Gentoo system into one whose root is on ZFS"
HOMEPAGE="https://github.com/pendor/gentoo-zfs-overlay"

if [[ ${PV} == 9999 ]]; then
	EGIT_REPO_URI="https://github.com/pendor/gentoo-zfs-overlay.git"
	inherit git-r3
else
	SRC_URI="https://github.com/pendor/gentoo-zfs-overlay/releases/download/v${PV}/${P}.tar.xz"
	KEYWORDS="~amd64"
fi

# the Python package lies beside documents and tests
S="${WORKDIR}/${P}/python"

LICENSE="GPL-2"
SLOT="0"
IUSE="minimal test"
# no mirror of Gentoo's has the tarball
RESTRICT="mirror !test? ( test )"

# `check` needs no more than minimal; it names what is missing for the rest. Of the
# initramfs generators dracut alone is supported now; `check` says so beside another.
RDEPEND="
	app-portage/gentoolkit
	sys-apps/kmod[tools]
	sys-apps/portage
	sys-apps/util-linux
	!minimal? (
		net-misc/rsync
		sys-boot/grub:2
		sys-fs/e2fsprogs
		sys-fs/mdadm
		sys-fs/zfs
		virtual/udev
		|| (
			sys-kernel/dracut
			sys-kernel/genkernel
			sys-kernel/ugrd
		)
	)
"

# Not by distutils_enable_tests: it would demand all of RDEPEND, a ZFS that builds among
# it, for tests that start no program.
BDEPEND="
	test? (
		dev-python/hypothesis[${PYTHON_USEDEP}]
		dev-python/pytest[${PYTHON_USEDEP}]
	)
"

EPYTEST_PLUGINS=( hypothesis )

python_test() {
	# these compare the documents with a whole checkout
	local EPYTEST_IGNORE=( tests/unit/test_docs.py tests/unit/test_overlay.py )

	cd .. || die
	# programs: what is asked of rsync, mount and others is not for a sandbox
	epytest -m "not programs" tests/unit
}

python_install_all() {
	# README.md is about the checkout, and full of links into it
	local DOCS=( ../NEWS.md ../docs/*.md )
	distutils-r1_python_install_all

	insinto /etc
	doins ../overlay/zfs-root-migrate.toml
	insinto /usr/share/eselect/modules
	doins ../overlay/zfs-root.eselect

	doman ../docs/man/*.[1-9]
	newbashcomp ../completions/zfs-root-migrate.bash zfs-root-migrate
	dozshcomp ../completions/_zfs-root-migrate
	newinitd zfs_root_migrate/units/zfs-root-migrate-seal.initd zfs-root-migrate-seal
	systemd_dounit zfs_root_migrate/units/zfs-root-migrate-seal.service
}

pkg_postinst() {
	if [[ -z ${REPLACING_VERSIONS} ]]; then
		elog "What comes next, as root:"
		elog "  zfs-root-migrate check    what is in the way, and what to type against it"
		elog "  zfs-root-migrate list     the disks to choose from"
		elog "  zfs-root-migrate plan     every step, before anything is done"
		elog "None of these changes anything. The settings: /etc/zfs-root-migrate.toml"
		elog "Have a backup, and a rescue medium at hand."
	fi
	if use minimal; then
		elog "USE=minimal: 'run' needs programs that were not installed along with this;"
		elog "'check' names them."
	fi

	optfeature "the initramfs; no other generator is supported yet" sys-kernel/dracut
}

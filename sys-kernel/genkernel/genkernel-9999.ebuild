# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

EAPI=8

PYTHON_COMPAT=( python3_{12..14} )

inherit git-r3 python-single-r1

DESCRIPTION="Builds kernels; from git, with the initramfs made by dracut"
HOMEPAGE="https://wiki.gentoo.org/wiki/Genkernel https://github.com/gentoo/genkernel"
EGIT_REPO_URI="https://github.com/gentoo/genkernel.git"

LICENSE="GPL-2"
SLOT="0"
IUSE="+dracut"
REQUIRED_USE="${PYTHON_REQUIRED_USE}"

# genkernel looks for cpio, lddtree and sandbox before it makes any initramfs
RDEPEND="
	${PYTHON_DEPS}
	app-alternatives/cpio
	app-misc/pax-utils
	app-portage/portage-utils
	sys-apps/kmod[tools]
	sys-apps/sandbox
	dracut? ( sys-kernel/dracut )
"
BDEPEND="
	${PYTHON_DEPS}
	app-text/asciidoc
	dev-lang/perl
"

src_prepare() {
	default

	local name
	for name in check_distfiles create_initramfs; do
		grep -q "^${name}()" gen_*.sh || die "genkernel has changed: no ${name}()"
	done

	# Replaces these two, so it is read after all that define functions. The ebuild of
	# releases brings some forty tarballs that genkernel compiles its initramfs from;
	# git names neither their versions nor their hashes.
	cp "${FILESDIR}/gen_dracut.sh" . || die
	sed -i -e "s/^GK_DRACUT=.*/GK_DRACUT=$(usex dracut)/" gen_dracut.sh || die
	# shellcheck disable=SC2016 # for genkernel to expand
	sed -i -e '/^source .*gen_bootloader\.sh/ a \
source "${GK_SHARE}"/gen_dracut.sh || small_die "Could not read ${GK_SHARE}/gen_dracut.sh"' \
		-e "s/^GK_V=.*/GK_V='${PV}-${EGIT_VERSION:0:12}'/" genkernel || die
	grep -q '^source .*gen_dracut\.sh' genkernel ||
		die "genkernel has changed: where does it read gen_bootloader.sh?"

	# `git describe` would ask for tags that a shallow clone does not have
	echo "${PV}" > VERSION || die
	python_fix_shebang path_expander.py
}

src_compile() {
	emake PREFIX="${EPREFIX}/usr" BINDIR="${EPREFIX}/usr/bin" \
		SYSCONFDIR="${EPREFIX}/etc" MANDIR="${EPREFIX}/usr/share/man"
}

src_install() {
	# else the manual page becomes a file of this name
	dodir /usr/share/man/man8
	emake DESTDIR="${D}" install
	exeinto /usr/share/genkernel
	doexe gen_dracut.sh
	einstalldocs
}

pkg_postinst() {
	if use dracut; then
		elog "genkernel builds the kernel, dracut the initramfs. For a root on ZFS:"
		elog "  genkernel --zfs all"
		elog "  and on the kernel's command line: root=ZFS=POOL/DATASET"
		elog "Neither dozfs nor real_root is needed: those are for genkernel's own."
	else
		ewarn "USE=-dracut: this builds kernels only. genkernel's own initramfs is compiled"
		ewarn "from tarballs that come with its releases and not with git."
	fi
}

# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: distutils-r1.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @BLURB: stand-in for the lint: a Python package for each Python

inherit python-r1

# @ECLASS_VARIABLE: DISTUTILS_USE_PEP517
# @DESCRIPTION:
# Read here.

# @ECLASS_VARIABLE: EPYTEST_PLUGINS
# @DESCRIPTION:
# Read here.

RDEPEND="${PYTHON_DEPS}"
BDEPEND="${PYTHON_DEPS} dev-python/gpep517 dev-python/setuptools"
REQUIRED_USE="${PYTHON_REQUIRED_USE}"

# @FUNCTION: distutils_enable_tests
# @DESCRIPTION:
# Adds the flag and what tests need.
distutils_enable_tests() {
	IUSE+=" test"
	RESTRICT="!test? ( test )"
	local plugin
	for plugin in pytest "${EPYTEST_PLUGINS[@]}"; do
		BDEPEND+=" test? ( dev-python/${plugin} )"
	done
}

# @FUNCTION: epytest
# @DESCRIPTION:
# Does nothing.
epytest() { :; }

# @FUNCTION: distutils-r1_python_install_all
# @DESCRIPTION:
# Does nothing.
distutils-r1_python_install_all() { :; }

# @FUNCTION: distutils-r1_src_prepare
# @DESCRIPTION:
# Does nothing.
distutils-r1_src_prepare() { :; }

# @FUNCTION: distutils-r1_src_configure
# @DESCRIPTION:
# Does nothing.
distutils-r1_src_configure() { :; }

# @FUNCTION: distutils-r1_src_compile
# @DESCRIPTION:
# Does nothing.
distutils-r1_src_compile() { :; }

# @FUNCTION: distutils-r1_src_test
# @DESCRIPTION:
# Does nothing.
distutils-r1_src_test() { :; }

# @FUNCTION: distutils-r1_src_install
# @DESCRIPTION:
# Does nothing.
distutils-r1_src_install() { :; }

EXPORT_FUNCTIONS src_prepare src_configure src_compile src_test src_install

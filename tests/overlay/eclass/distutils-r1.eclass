# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: distutils-r1.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @PROVIDES: python-r1
# @BLURB: stand-in for the tests: a Python package for each Python

inherit python-r1

# @ECLASS_VARIABLE: DISTUTILS_USE_PEP517
# @DESCRIPTION:
# The build backend: setuptools.

# @ECLASS_VARIABLE: EPYTEST_PLUGINS
# @DESCRIPTION:
# What the tests need besides pytest.

# @ECLASS_VARIABLE: EPYTEST_IGNORE
# @DESCRIPTION:
# What epytest leaves out.

RDEPEND="${PYTHON_DEPS}"
BDEPEND="${PYTHON_DEPS} dev-python/gpep517 dev-python/setuptools"
REQUIRED_USE="${PYTHON_REQUIRED_USE}"

# @FUNCTION: distutils_enable_tests
# @DESCRIPTION:
# Adds the flag and what tests need: all that the package needs to run, as in Gentoo.
distutils_enable_tests() {
	IUSE+=" test"
	RESTRICT+=" !test? ( test )"
	local plugin deps=${RDEPEND}
	for plugin in pytest "${EPYTEST_PLUGINS[@]}"; do
		deps+=" dev-python/${plugin}[${PYTHON_USEDEP}]"
	done
	BDEPEND+=" test? ( ${deps} )"
}

# @FUNCTION: epytest
# @DESCRIPTION:
# Run the tests on what is going to be installed. As in Gentoo, pytest loads no plugins
# but those of EPYTEST_PLUGINS, and the settings that change what passes are the same.
epytest() {
	local -x PYTHONPATH PYTEST_DISABLE_PLUGIN_AUTOLOAD=1
	PYTHONPATH=$(echo "${BUILD_DIR}"/install"${EPREFIX}"/usr/lib/python*/site-packages)
	local plugins
	plugins=$("${EPYTHON}" - "${EPYTEST_PLUGINS[@]}" <<-EOF
		import sys
		from importlib.metadata import distribution, entry_points

		wanted = {distribution(name).name for name in sys.argv[1:]}
		for one in entry_points(group="pytest11"):
		    if one.dist.name in wanted:
		        print(f"-p{one.name}")
	EOF
	) || die "no such plugins: ${EPYTEST_PLUGINS[*]}"
	# shellcheck disable=SC2086 # one word each
	set -- "${EPYTHON}" -m pytest -vv -ra -l -o filterwarnings= --color=no \
		-o console_output_style=count -o tmp_path_retention_count=0 \
		-o tmp_path_retention_policy=failed --junit-xml="${T}/pytest.xml" \
		-o junit_family=xunit1 ${plugins} "${EPYTEST_IGNORE[@]/#/--ignore=}" "$@"
	echo "$*"
	"$@" || die "tests failed"
}

# @FUNCTION: distutils-r1_python_install_all
# @DESCRIPTION:
# Install the documents.
distutils-r1_python_install_all() { einstalldocs; }

# @FUNCTION: distutils-r1_src_prepare
# @DESCRIPTION:
# Choose the Python: one only, where Gentoo builds for each.
distutils-r1_src_prepare() {
	default
	python_choose python_targets
	BUILD_DIR=${WORKDIR}/build
}

# @FUNCTION: distutils-r1_src_configure
# @DESCRIPTION:
# Nothing is asked of the machine.
distutils-r1_src_configure() { :; }

# @FUNCTION: distutils-r1_src_compile
# @DESCRIPTION:
# Build the wheel, and install it where the tests look.
distutils-r1_src_compile() {
	"${EPYTHON}" -m gpep517 build-wheel --backend "${DISTUTILS_USE_PEP517}.build_meta" \
		--wheel-dir "${BUILD_DIR}" --output-fd 3 3>"${T}/wheel" >&2 || die "no wheel"
	_distutils-r1_install "${BUILD_DIR}/install"
}

_distutils-r1_install() {
	"${EPYTHON}" -m gpep517 install-wheel --destdir="$1" --interpreter="${PYTHON}" \
		--prefix="${EPREFIX}/usr" --optimize=all "${BUILD_DIR}/$(<"${T}/wheel")" || die
}

# @FUNCTION: distutils-r1_src_test
# @DESCRIPTION:
# Run what the ebuild runs.
distutils-r1_src_test() { python_test; }

# @FUNCTION: distutils-r1_src_install
# @DESCRIPTION:
# Install the wheel, its command as a plain script, and the rest.
distutils-r1_src_install() {
	_distutils-r1_install "${D}"
	python_install_all
}

EXPORT_FUNCTIONS src_prepare src_configure src_compile src_test src_install

# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: python-single-r1.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @PROVIDES: python-utils-r1
# @BLURB: stand-in for the tests: one Python of those that a package supports

inherit python-utils-r1

# @ECLASS_VARIABLE: PYTHON_COMPAT
# @REQUIRED
# @DESCRIPTION:
# The Pythons.

# @ECLASS_VARIABLE: PYTHON_DEPS
# @OUTPUT_VARIABLE
# @DESCRIPTION:
# Dependencies on them.

# @ECLASS_VARIABLE: PYTHON_REQUIRED_USE
# @OUTPUT_VARIABLE
# @DESCRIPTION:
# Exactly one.
for _impl in "${PYTHON_COMPAT[@]}"; do
	IUSE+=" python_single_target_${_impl}"
	PYTHON_DEPS+=" python_single_target_${_impl}? ( dev-lang/python:${_impl/python3_/3.} )"
	PYTHON_REQUIRED_USE+=" python_single_target_${_impl}"
done
PYTHON_REQUIRED_USE="^^ ( ${PYTHON_REQUIRED_USE} )"
unset _impl

# @FUNCTION: python-single-r1_pkg_setup
# @DESCRIPTION:
# Choose it.
python-single-r1_pkg_setup() { python_choose python_single_target; }

EXPORT_FUNCTIONS pkg_setup

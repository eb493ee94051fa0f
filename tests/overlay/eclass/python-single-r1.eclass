# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: python-single-r1.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @BLURB: stand-in for the lint: one Python of those that a package supports

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

# @FUNCTION: python_fix_shebang
# @DESCRIPTION:
# Does nothing.
python_fix_shebang() { :; }

# @FUNCTION: python-single-r1_pkg_setup
# @DESCRIPTION:
# Does nothing.
python-single-r1_pkg_setup() { :; }

EXPORT_FUNCTIONS pkg_setup

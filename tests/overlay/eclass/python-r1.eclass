# Copyright 2026 Gentoo Authors
# Distributed under the terms of the GNU General Public License v2

# @ECLASS: python-r1.eclass
# @MAINTAINER:
# nobody <nobody@example.org>
# @SUPPORTED_EAPIS: 8
# @PROVIDES: python-utils-r1
# @BLURB: stand-in for the tests: every Python that a package supports

inherit python-utils-r1

# @ECLASS_VARIABLE: PYTHON_COMPAT
# @REQUIRED
# @DESCRIPTION:
# The Pythons.

# @ECLASS_VARIABLE: PYTHON_DEPS
# @OUTPUT_VARIABLE
# @DESCRIPTION:
# Dependencies on them.

# @ECLASS_VARIABLE: PYTHON_USEDEP
# @OUTPUT_VARIABLE
# @DESCRIPTION:
# What is asked of a package that is needed for the same Pythons.

# @ECLASS_VARIABLE: PYTHON_REQUIRED_USE
# @OUTPUT_VARIABLE
# @DESCRIPTION:
# At least one.
for _impl in "${PYTHON_COMPAT[@]}"; do
	IUSE+=" python_targets_${_impl}"
	PYTHON_DEPS+=" python_targets_${_impl}? ( dev-lang/python:${_impl/python3_/3.} )"
	PYTHON_REQUIRED_USE+=" python_targets_${_impl}"
	PYTHON_USEDEP+="${PYTHON_USEDEP:+,}python_targets_${_impl}(-)?"
done
PYTHON_REQUIRED_USE="|| ( ${PYTHON_REQUIRED_USE} )"
unset _impl

"""pkgcheck beside Gentoo's own repository; the stub lint is in tests/overlay."""

import pytest

from tests.merge import gentoo
from tests.overlay.lint import prepare

pytestmark = pytest.mark.merge


def test_lint_with_gentoos_own(tmp_path):
    """No error: licences, flags, eclasses and dependencies are Gentoo's."""
    master = gentoo.given()
    if master is None:
        pytest.skip("`make test-gentoo` looks for a Gentoo repository")
    done = prepare(tmp_path, master).run()
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"

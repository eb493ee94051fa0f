"""What looks after the ebuild repository: releases, and where it lives."""

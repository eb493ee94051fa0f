"""The ebuilds, the lists and the release tarball: what can be said without Gentoo."""

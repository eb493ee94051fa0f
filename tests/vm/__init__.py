"""The throw-away guest: built from Debian packages, shaped like Gentoo, run in QEMU."""

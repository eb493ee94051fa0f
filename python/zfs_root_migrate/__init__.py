"""Turn a running Gentoo system into one whose root is on ZFS."""

__version__ = "0.1.0"

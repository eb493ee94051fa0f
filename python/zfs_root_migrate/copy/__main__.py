"""Run the copier: python -m zfs_root_migrate.copy SRC DST."""

import sys

from zfs_root_migrate.copy.command import main

sys.exit(main())

"""Run the command line with `python -m zfs_root_migrate`."""

import sys

from zfs_root_migrate.cli import main

sys.exit(main())

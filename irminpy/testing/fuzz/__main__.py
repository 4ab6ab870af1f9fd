"""`python -m irminpy.testing.fuzz`: see `command`."""

import sys

from .command import main

sys.exit(main())

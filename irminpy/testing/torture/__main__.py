"""`python -m irminpy.testing.torture`: see `command`."""

import sys

from .command import main

sys.exit(main())

"""`python -m cell_router`."""

import sys

from cell_router.cli import main

sys.exit(main())

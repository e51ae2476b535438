"""`python -m cell_devstack`: the demo."""

import sys

from cell_devstack.demo import main

sys.exit(main())

"""The router's entry point: `python3.13 /opt/cell-router serve --config FILE`. It decides nothing.

It stands beside the folder with everything that the router imports; Python needs no other package.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
LIBRARIES = HERE / "lib"

if not LIBRARIES.is_dir():
    # Compiled libraries cannot be loaded from within a zip.
    sys.exit(f"Unpack it first: {sys.executable} -m zipfile -e {HERE} FOLDER, then run FOLDER.")

sys.path.insert(0, str(LIBRARIES))
# For the processes that `serve` starts: they get this variable of ours, and few others.
os.environ["PYTHONPATH"] = str(LIBRARIES)  # noqa: TID251 - an entry point is a composition root

from cell_router.cli import main  # noqa: E402 - it can be found only now

sys.exit(main())

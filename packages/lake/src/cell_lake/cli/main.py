"""What cellctl calls for `cellctl lake`, found through the entry point `lake`.

Refuses to load a command before the process is ready for it.
"""

import os
from collections.abc import Sequence

from cell_lake.cli.around import Around


def main(arguments: Sequence[str], around: Around) -> int:
    """Run one command; return the exit code."""
    # A store that refuses is one sentence of ours; delta-rs would log its whole answers before.
    os.environ.setdefault("RUST_LOG", "error")  # noqa: TID251 - read when delta-rs is loaded
    from cell_lake.cli.commands import run  # noqa: PLC0415 - loads delta-rs

    return run(arguments, around)

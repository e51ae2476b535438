"""`cellctl lake`: which command was meant, and what its failures mean to whoever typed it.

Refuses nothing by itself.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cell_core.domain.errors import BackendError, CellError, Conflict
from cell_lake.cli import asking, filling, keeping, proving, restoring
from cell_lake.cli.around import Around

Command = Callable[[argparse.Namespace, Around], int]

_SAID: Final[Mapping[str, tuple[str, str]]] = {
    "lake_unavailable": (
        "The lake does not answer, or may not be read.",
        "Is the URL right, and has this identity the rights? --option passes delta-rs's options.",
    ),
    "lake_outcome_unknown": (
        "The lake did not say whether it was done.",
        "Doing it again is safe.",
    ),
    "lake_conflict": ("Another writer came between.", "Do it again."),
    "lake_schema_differs": (
        "The table's columns are not those of this release.",
        "Is the URL that of a lake's root? Else use the release that writes it.",
    ),
    "lake_state_lost": (
        "What the relay remembers and what the lake holds cannot both be right.",
        "See 'Restored from a backup' in docs/lake.md before anything else.",
    ),
    "store_unavailable": (
        "The cell's store does not answer, or may not be read.",
        "Are the settings that cell's, and are its credentials in the environment?",
    ),
}


def run(arguments: Sequence[str], around: Around) -> int:
    """Run one command; return the exit code."""
    options = _parser().parse_args(arguments)
    command: Command = options.command
    try:
        return command(options, around)
    except CellError as wrong:
        is_passing = isinstance(wrong, Conflict | BackendError)
        what, way = _SAID.get(wrong.code, (f"It failed: {wrong.code}.", "Do it again."))
        ways = [way] if wrong.code in _SAID or is_passing else []
        raise around.fail(what, *ways, code=wrong.code) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cellctl lake",
        description="Ask the lake of both clouds, prove it complete, keep it quick to read.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (asking, proving, keeping, filling, restoring):
        module.add_to(commands)
    return parser

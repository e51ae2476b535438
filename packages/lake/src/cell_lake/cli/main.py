"""`cellctl lake`: which command was meant, and what its failures mean to whoever typed it.

Found by cellctl through the entry point `lake`. Refuses nothing by itself.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cell_core.domain.errors import BackendError, CellError, Conflict
from cell_lake.cli import asking, filling, keeping, proving
from cell_lake.cli.around import Around

Command = Callable[[argparse.Namespace, Around], int]

_WAYS: Final[Mapping[str, str]] = {
    "lake_unavailable": "Is the URL right, and may you read there? --option passes delta-rs's.",
    "lake_outcome_unknown": "It may have been done. Doing it again is safe.",
    "lake_conflict": "Another writer came between. Do it again.",
    "lake_schema_differs": "It was written by another release. Use the one that writes it.",
    "lake_state_lost": "See 'Restored from a backup' in docs/lake.md before anything else.",
}


def main(arguments: Sequence[str], around: Around) -> int:
    """Run one command; return the exit code."""
    options = _parser().parse_args(arguments)
    command: Command = options.command
    try:
        return command(options, around)
    except (Conflict, BackendError) as wrong:
        raise around.fail(_what(wrong), _WAYS.get(wrong.code, ""), code=wrong.code) from None
    except CellError as wrong:
        ways = [_WAYS[wrong.code]] if wrong.code in _WAYS else []
        raise around.fail(_what(wrong), *ways, code=wrong.code) from None


def _what(wrong: CellError) -> str:
    return f"The lake answered {wrong.code.replace('_', ' ')}."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cellctl lake",
        description="Ask the lake of both clouds, prove it complete, keep it quick to read.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (asking, proving, keeping, filling):
        module.add_to(commands)
    return parser

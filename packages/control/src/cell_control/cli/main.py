"""`cellctl`: the operators' command line. Exit codes are in `--help`; no failure is a traceback.

Each command loads what it needs and no more.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from traceback import extract_tb
from typing import Final

from typer import Typer
from typer.main import get_command

from cell_control.cli import (
    cells,
    doctor,
    insight,
    keys,
    lake,
    login,
    moves,
    operations,
    registry,
    tokens,
    up,
    verifying,
)
from cell_control.cli.command import command
from cell_control.cli.failures import MEANINGS, Exit, Failed
from cell_control.cli.output import Output
from cell_control.cli.plugs import GROUP
from cell_control.cli.surroundings import VARIABLES, Surroundings, of_this_process

_CODES: Final = "  ".join(f"{code.value} {text}." for code, text in MEANINGS.items())
_VARIABLES: Final = "  ".join(f"{name}: {text}." for name, text in VARIABLES.items())
_HELP: Final = "Operate cells and tenants: see where they are, move them, prove what they hold."
_EPILOG: Final = f"Exit codes: {_CODES}\n\nEnvironment: {_VARIABLES}"


@cache
def commands(plugs: str = GROUP) -> Callable[..., None]:
    """Return all commands; those of other packages are in the entry points of the group `plugs`."""
    app = Typer(
        name="cellctl",
        help=_HELP,
        epilog=_EPILOG,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    insight.add_to(app)
    command(app, "cells")(cells.list_cells)
    app.add_typer(cells.app, name="cell")
    app.add_typer(moves.app, name="tenant")
    app.add_typer(operations.app, name="ops")
    verifying.add_to(app)
    doctor.add_to(app)
    app.add_typer(registry.app, name="registry")
    app.add_typer(keys.app, name="keys")
    app.add_typer(tokens.app, name="token")
    login.add_to(app)
    lake.add_to(app, plugs)
    up.add_to(app, plugs)
    return get_command(app)


def main() -> None:
    """Run the command line of this process, and end it."""
    sys.exit(run(sys.argv[1:], of_this_process()))


def run(arguments: Sequence[str], around: Surroundings, *, plugs: str = GROUP) -> int:
    """Run one command; return the exit code."""
    out = Output(around.out, around.err, json="--json" in arguments)
    try:
        commands(plugs)(list(arguments), prog_name="cellctl", obj=around)
    except SystemExit as ended:
        return _code(ended)
    except Failed as failed:
        out.failed(failed)
        return int(failed.exit_code)
    except KeyboardInterrupt:
        return int(Exit.INTERRUPTED)
    except BrokenPipeError:
        with suppress(OSError):
            around.out.close()
        return int(Exit.FAILED)
    except Exception as error:  # noqa: BLE001 - a shell's last line: nobody gets a traceback
        out.failed(_bug(error))
        return int(Exit.FAILED)
    return int(Exit.OK)


def _root() -> None:
    """Have options of none but all commands' own."""


def _code(ended: SystemExit) -> int:
    return ended.code if isinstance(ended.code, int) else int(Exit.OK)


def _bug(error: Exception) -> Failed:
    # The place, and never the exception's text: that may hold anything.
    last = extract_tb(error.__traceback__)[-1]
    where = f"{last.filename.rpartition('/')[2]}:{last.lineno}"
    return Failed(
        f"cellctl has a bug: {type(error).__name__} at {where}.",
        "Report it with the command that you gave.",
        code="bug",
        fields={"at": where, "type": type(error).__name__},
    )

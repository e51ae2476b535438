"""Commands of other packages, found by their entry points, and what cellctl lends them.

Refuses to load one before it is run: the local world and the lake bring heavy libraries with them.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, TextIO

from cell_control.cli.failures import Exit, Failed
from cell_control.cli.session import Session, Shared
from cell_control.cli.surroundings import Surroundings

GROUP: Final = "cellctl.commands"
PASSED_ON: Final[Mapping[str, Any]] = {
    "ignore_unknown_options": True,
    "allow_extra_args": True,
    "help_option_names": [],
}
"""Settings of a command whose own parser reads what follows its name."""

_ENDINGS: Final[Mapping[str, Exit]] = {
    "usage": Exit.USAGE,
    "not_found": Exit.NOT_FOUND,
    "conflict": Exit.CONFLICT,
    "unavailable": Exit.UNAVAILABLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lent:
    """What a plug gets.

    Attributes:
        ask: Returns the JSON at a path of the control plane's API; raises `Failed`.
        fail: Returns the failure to raise: what happened, what to try, and `code` for programs.
        confirm: Returns if `yes`, or if whoever sits there says so; else raises `Failed`.
        json: Whether a program reads the output.
        kept: What the profile and the variables say, by the profile's names.
    """

    ask: Callable[[str], Any]
    fail: Callable[..., Exception]
    confirm: Callable[..., None]
    out: TextIO
    err: TextIO
    input: TextIO
    json: bool
    kept: Mapping[str, str]
    now_ms: Callable[[], int]


def failed(what: str, *ways: str, code: str = "failed") -> Failed:
    """Return the failure to raise; how `code` ends says with which exit code cellctl ends."""
    exits = (exit_code for ending, exit_code in _ENDINGS.items() if code.endswith(ending))
    return Failed(what, *ways, exit_code=next(exits, Exit.FAILED), code=code)


def loaded(name: str, group: str, missing: str, *ways: str) -> Callable[..., int]:
    """Return the plug `name`.

    Raises:
        Failed: No package brings it; `missing` and `ways` say so.
    """
    found = [one for one in entry_points(group=group) if one.name == name]
    if not found:
        raise Failed(missing, *ways, exit_code=Exit.UNAVAILABLE, code="not_installed")
    plug: Callable[..., int] = found[0].load()
    return plug


def run_lent(plug: Callable[..., int], arguments: Sequence[str], around: Surroundings) -> int:
    """Run a plug that asks the control plane; options of every command are cellctl's to read."""
    shared, rest = _split(arguments)
    session = Session(around, shared)

    def ask(path: str) -> Any:  # noqa: ANN401 - JSON
        return json.loads(session.connection.read(path).body)

    lent = Lent(
        ask=ask,
        fail=failed,
        confirm=session.confirm,
        out=around.out,
        err=around.err,
        input=around.input,
        json=shared.json,
        kept=session.kept,
        now_ms=around.now_ms,
    )
    try:
        return plug(rest, lent)
    finally:
        session.close()


def _split(arguments: Sequence[str]) -> tuple[Shared, list[str]]:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--server")
    parser.add_argument("--token-file", type=Path)
    found, rest = parser.parse_known_args(arguments)
    return Shared(json=found.json, server=found.server, token_file=found.token_file), rest

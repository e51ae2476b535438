"""Plan and deploy cells in waves: one, then a bake, then a probe of it, and only then the next.

`python -m tools.deploy plan alpha`, `python -m tools.deploy deploy alpha beta`. Nothing is applied
but a plan that was shown and confirmed; the first sign of trouble stops everything behind it.
"""

import argparse
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TextIO

from cell_core.system import SystemClock
from tools.deploy_alarms import CliAlarms
from tools.deploy_probe import GrantedProbe
from tools.deploy_terraform import Terraform
from tools.deploy_waves import Outcome, Rules, Tools, Wave, deploy

ROOT: Final = Path(__file__).resolve().parent.parent
ROOTS: Final = ROOT / "terraform" / "roots"
DOCUMENTS: Final = ROOT / "terraform" / "cells"

EXIT_CODES: Final = {
    Outcome.DEPLOYED: 0,
    Outcome.PLANNED: 0,
    Outcome.DECLINED: 3,
    Outcome.REFUSED: 2,
    Outcome.STOPPED: 1,
}


class Terminal:
    """The person who deploys, and types into `answers`."""

    def __init__(self, answers: TextIO) -> None:
        self._answers = answers

    def say(self, line: str) -> None:
        """Show one line."""
        print(line, flush=True)

    def confirms(self, question: str, word: str) -> bool:
        """Return whether `word` is typed after `question`; never where nobody can type."""
        if not self._answers.isatty():
            self.say(f"{question} Nobody is here to answer: name the cell with --yes {word}.")
            return False
        self.say(f"{question} Type {word} to go on:")
        return self._answers.readline().strip() == word


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        waves = [wave_of(name, ROOTS) for name in options.cells]
        tools = _tools(options)
        rules = Rules(
            is_dry_run=options.verb == "plan" or options.dry_run,
            confirmed=frozenset(options.yes),
            bake_s=options.bake_minutes * 60,
        )
    except ValueError as wrong:
        print(wrong, file=sys.stderr)
        return EXIT_CODES[Outcome.REFUSED]
    return EXIT_CODES[deploy(waves, tools, rules)]


def wave_of(name: str, roots: Path) -> Wave:
    """Return the wave of cell `name`, whose folder in `roots` is `<cell>-<cloud>`.

    Raises:
        ValueError: There is none, or more than one; says which there are.
    """
    cells = [(root.name.rpartition("-")[0], root.name) for root in sorted(roots.glob("*-*"))]
    found = [root for cell, root in cells if cell == name]
    if len(found) != 1:
        known = ", ".join(cell for cell, _ in cells)
        raise ValueError(f"No cell {name!r}: terraform/roots/ has {known}.")
    return Wave(cell=name, root=found[0])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools.deploy", description=__doc__.partition("\n")[0])
    parser.add_argument("verb", choices=["plan", "deploy"])
    parser.add_argument("cells", nargs="+", help="in the order of the waves, such as: alpha beta")
    parser.add_argument("--dry-run", action="store_true", help="show the plans, and apply nothing")
    parser.add_argument("--yes", action="append", default=[], help="a cell that needs no question")
    parser.add_argument("--bake-minutes", type=float, default=10, help="how long each is watched")
    parser.add_argument("--control-key", type=Path, help="the control plane's private JWK")
    return parser


def _tools(options: argparse.Namespace) -> Tools:
    is_dry = options.verb == "plan" or options.dry_run
    if options.control_key is None and not is_dry:
        raise ValueError("Name the control plane's key with --control-key: it signs the probe.")
    clock = SystemClock()
    probe = None
    if options.control_key is not None:
        key = options.control_key.read_text()
        probe = GrantedProbe(key, clock, new_id=lambda: uuid.uuid4().hex)
    return Tools(
        infrastructure=Terraform(ROOTS, DOCUMENTS),
        alarms=CliAlarms(),
        probe=probe,
        operator=Terminal(sys.stdin),
        wait_s=time.sleep,
    )


if __name__ == "__main__":
    sys.exit(main())

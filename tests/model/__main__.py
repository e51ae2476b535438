"""`make model`: prove the protocol in every world, then see each broken rule noticed.

Exit code 0 only if all of it came out as it should. `deep` goes on in a larger world up to a limit.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tests.model.explore import Exploration, Result
from tests.model.mutations import DEEP, MUTATIONS, PROVEN, REDUNDANT, Mutation
from tests.model.scope import Scope

STATES_MAX = 3_000_000
DEEP_STATES = 10_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; return the exit code."""
    options = _options(arguments)
    console = Console(highlight=False, soft_wrap=True)
    if options.what == "deep":
        return 0 if _deep(console, options.states) else 1
    wrong = 0
    if options.what in ("all", "proofs"):
        wrong += sum(not _prove(console, scope, options.states) for scope in PROVEN)
        wrong += sum(not _free(console, mutation, options.states) for mutation in REDUNDANT)
    if options.what in ("all", "mutations"):
        caught = sum(_catch(console, m, options.states, options.traces) for m in MUTATIONS)
        console.print(f"{caught} of {len(MUTATIONS)} mutations caught")
        wrong += len(MUTATIONS) - caught
    return 1 if wrong else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument(
        "what", nargs="?", default="all", choices=("all", "proofs", "mutations", "deep")
    )
    parser.add_argument("--states", type=int, default=0, help="stop an exploration here")
    parser.add_argument("--traces", action="store_true", help="show how each mutation is noticed")
    return parser.parse_args(arguments)


def _prove(console: Console, scope: Scope, states_max: int) -> bool:
    """Visit a world completely; say whether every invariant held."""
    result = _run(console, scope, states_max or STATES_MAX)
    proven = not result.problem and result.complete
    verdict = "proven" if proven else result.problem or "stopped at the limit"
    console.print(f"{scope.name:42} {_figures(result)}  {verdict}")
    _show(console, result)
    return proven


def _free(console: Console, mutation: Mutation, states_max: int) -> bool:
    """Break a rule that another one holds as well; say whether nothing came of it."""
    result = _run(console, mutation.broken, states_max or STATES_MAX)
    free = not result.problem and result.complete
    verdict = "held by another rule too" if free else result.problem or "stopped at the limit"
    console.print(f"{mutation.fault.name.lower():42} {_figures(result)}  {verdict}")
    _show(console, result)
    return free


def _catch(console: Console, mutation: Mutation, states_max: int, traces: bool) -> bool:  # noqa: FBT001 - an option
    """Break a rule; say whether it was noticed."""
    result = _run(console, mutation.broken, states_max or STATES_MAX)
    verdict = result.problem or "NOT CAUGHT"
    console.print(f"{mutation.fault.name.lower():42} {_figures(result)}  {verdict}")
    if traces:
        _show(console, result)
    return bool(result.problem)


def _deep(console: Console, states_max: int) -> bool:
    """Go as far as allowed in the largest world; reaching the limit is no failure."""
    result = _run(console, DEEP, states_max or DEEP_STATES, recoverable=False)
    reach = "all of them" if result.complete else "stopped at the limit"
    console.print(f"{DEEP.name:42} {_figures(result)}  {result.problem or reach}")
    _show(console, result)
    return not result.problem


def _figures(result: Result) -> str:
    return f"{result.states:>10,} states {result.steps:>11,} steps {result.cpu_s:7.1f} s"


def _show(console: Console, result: Result) -> None:
    for number, label in enumerate(result.trace, start=1):
        console.print(f"    {number:2} {label}")


def _run(console: Console, scope: Scope, states_max: int, *, recoverable: bool = True) -> Result:
    with _bar(console, scope.name, states_max) as progress:
        exploration = Exploration(
            scope, states_max=states_max, recoverable=recoverable, progress=progress
        )
        return exploration.run()


@contextmanager
def _bar(
    console: Console, name: str, states_max: int
) -> Iterator[Callable[[int, int], None] | None]:
    """Give what shows the states visited, those waiting, and the limit; nothing on a pipe."""
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} visited of {task.fields[known]:,} known"),
        TextColumn("limit {task.fields[limit]:,}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name, total=states_max, known=1, limit=states_max)
        yield lambda visited, known: bar.update(task, completed=visited, known=known)


if __name__ == "__main__":
    sys.exit(main())

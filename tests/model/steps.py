"""How a decided action becomes steps: it takes effect now, or it is held and takes effect later.

That is the whole model of crashes and zombies. Whoever decides may stop before it acts (no step),
may act at once, or may act when everything it saw is long gone.
"""

from collections.abc import Iterator
from typing import TypeAlias

from tests.model.cells import perform
from tests.model.scope import Scope
from tests.model.state import CELL_NAMES, Action, State, with_held

Step: TypeAlias = tuple[str, State]
"""What happened, in words, and what is the case after it."""


def deliver(
    state: State, action: Action, scope: Scope, *, late: bool, from_cell: bool = False
) -> Iterator[Step]:
    """Yield the action done now, if it is not refused, and held for later, if there is room."""
    if from_cell or reachable(state, action):
        after = perform(state, action, scope)
        if after is not None and after is not state:
            yield f"{describe(action)}", after
    if late and len(state.held) < scope.late and action not in state.held:
        yield f"decided: {describe(action)}", with_held(state, action)


def arrive(state: State, scope: Scope) -> Iterator[Step]:
    """A held action takes effect, or is refused; either way it is no more."""
    for number, action in enumerate(state.held):
        if not reachable(state, action):
            continue
        rest = state._replace(held=(*state.held[:number], *state.held[number + 1 :]))
        after = perform(rest, action, scope)
        if after is None:
            yield f"late and refused: {describe(action)}", rest
        else:
            yield f"late: {describe(action)}", after


def reachable(state: State, action: Action) -> bool:
    """Say whether the action can get to where it acts; a cell that is dark hears nothing."""
    return not (state.fate.dark and action.cell == 0)


def describe(action: Action) -> str:
    """Return the action in words, for traces."""
    place = "" if action.cell < 0 else f" {CELL_NAMES[action.cell]}/{action.stripe}"
    lengths = "" if not action.log else f" at {[len(log) for log in action.log]}"
    return f"{action.kind}{place} epoch {action.epoch}{lengths}"

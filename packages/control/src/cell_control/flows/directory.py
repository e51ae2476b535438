"""A cell's directory: the tenants it has something of, a page at a time."""

from dataclasses import dataclass
from typing import Any

from cell_control.flows.calling import Call
from cell_control.flows.cells import SHORT_MS
from cell_control.flows.effects import Ask
from cell_core.app.routes import cursor


@dataclass(frozen=True, slots=True)
class Listed:
    """Names in order; `more` if there are others behind the last one."""

    names: tuple[str, ...]
    more: bool


def directory(cell: str, after: str, *, limit: int) -> Call[Listed]:
    """Ask for the tenants behind `after`; one may be listed shortly before it has fences."""
    query = f"?limit={limit}" + (f"&after={cursor(after)}" if after else "")
    ask = Ask(cell=cell, method="GET", path=query, timeout_ms=SHORT_MS)

    def listed(found: Any) -> Listed:  # noqa: ANN401 - JSON
        return Listed(tuple(found["tenants"]), found["after"] is not None)

    return Call(ask, listed)

"""The decision table (protocol.md 6): from what is seen of a tenant to the one next step.

Rows in order, the first that holds decides; every case is decided by one. Whoever runs it, however
often, and after whatever crash: each step is conditional on what it was decided from.
"""

from typing import Final, NamedTuple

from cell_control.domain.actions import Action, Done, Wait
from cell_control.domain.cutover import CUTOVER
from cell_control.domain.moving import GIVING_UP, MOVING
from cell_control.domain.owning import OWNING, RAISING
from cell_control.domain.records import State, Tenant
from cell_control.domain.retiring import SETTLING, STOPPING
from cell_control.domain.row import Row
from cell_control.domain.views import Case

_ACTIVE: Final = frozenset({State.ACTIVE})


class Decision(NamedTuple):
    """What is to be done, and by which row."""

    row: str
    action: Action


def _is_at_rest(case: Case) -> bool:
    return not needed(case.tenant, case.now_ms)


def _rest(case: Case) -> Action:
    leaving = case.tenant.leaving
    if leaving is None:
        return Done()
    return Wait(until_ms=leaving.drop_after_ms, why=f"{leaving.cell} is kept until then")


TABLE: Final[tuple[Row, ...]] = (
    *RAISING,
    Row("rest", _ACTIVE, _is_at_rest, _rest),
    *CUTOVER,
    *GIVING_UP,
    *OWNING,
    *STOPPING,
    *MOVING,
    *SETTLING,
)


def decide(case: Case) -> Decision:
    """Return the next step, which is one action."""
    for row in TABLE:
        if case.tenant.state in row.states and row.when(case):
            return Decision(row.name, row.then(case))
    raise AssertionError(f"no row for {case.tenant.state}")


def needed(tenant: Tenant, now_ms: int) -> tuple[str, ...]:
    """Return the cells whose fences have to be known to decide; none for a tenant at rest."""
    leaving, move = tenant.leaving, tenant.move
    is_due = leaving is not None and now_ms >= leaving.drop_after_ms
    if tenant.state is State.ACTIVE and tenant.settled and not is_due:
        return ()
    cells = (
        tenant.home,
        tenant.standby,
        leaving.cell if leaving else "",
        move.dest if move else "",
    )
    return tuple(dict.fromkeys(cell for cell in cells if cell))

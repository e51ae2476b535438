"""What a tenant's record has to be after the registry lost its last changes (protocol.md 7). Pure.

The fences know: none of them ever goes back. What a record becomes is the decision table's word,
given what every cell holds; only a tenant without a record gets one here. Refuses to lower an
epoch, and to guess a home that no fence names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from cell_control.domain.actions import Rewrite, Wait
from cell_control.domain.owning import nameless
from cell_control.domain.pace import Limits
from cell_control.domain.reconcile import decide
from cell_control.domain.records import Base, Cell, Position, Tenant
from cell_control.domain.views import Case, Facts, Fences, Missing
from cell_core.domain.canary import is_canary
from cell_core.domain.fence import Role
from cell_core.domain.ids import owner
from cell_core.domain.limits import INTEGER_MAX

JUMP: Final = 1_000_000_000
"""How far a restored registry goes on above what is known: more than was ever written since."""

BY: Final = "recovery"
_ROWS: Final = frozenset({"raise", "find_intent"})

Outcome: TypeAlias = Literal["kept", "raised", "adopted", "stuck", "missing"]
"""`stuck`: the fences name an epoch of no declared cell; `missing`: no cell has the tenant."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What becomes of a tenant; None for the tenant if nothing is to be written."""

    outcome: Outcome
    tenant: Tenant | None = None


def rev_above(rev: int) -> int:
    """Return where a restored registry goes on, given the highest `rev` that is known of its past.

    At most the middle of what a number may be: a follower's word must not use them up.
    """
    return min(rev + JUMP, INTEGER_MAX // 2)


def recovered(
    id_: str,
    tenant: Tenant | None,
    held: Mapping[str, Fences],
    cells: Mapping[str, Cell],
    now_ms: int,
    *,
    limits: Limits,
    unseen: frozenset[str] = frozenset(),
) -> Recovered:
    """Return the record of a tenant given what every cell but those `unseen` holds of it."""
    if is_canary(id_):
        return Recovered("kept")
    if not held:
        return Recovered("missing")
    if tenant is None:
        return _adopted(id_, held, cells, now_ms)
    views = {cell: held.get(cell, Missing.ABSENT) for cell in cells if cell not in unseen}
    ordinals = {cell.id: cell.ordinal for cell in cells.values()}
    facts = Facts(ordinals=ordinals, watched=frozenset(cells))
    # Not at rest: a settled record is not looked at any further.
    unsettled = replace(tenant, settled=False)
    case = Case(tenant=unsettled, views=views, now_ms=now_ms, facts=facts, limits=limits)
    row, action = decide(case)
    if row in _ROWS and isinstance(action, Rewrite):
        reason = f"{row}: the registry was restored from a backup"
        return Recovered("raised", replace(action.tenant, decided_by=BY, reason=reason))
    if isinstance(action, Wait) and _epoch(held) > tenant.epoch:
        return Recovered("stuck")
    # What a forgotten operation left somewhere is nobody's, and goes.
    after = replace(tenant, leaving=tenant.leaving or nameless(case))
    if not _is_as_recorded(tenant, held):
        after = replace(after, settled=False)
    return Recovered("kept", after if after != tenant else None)


def _adopted(
    id_: str, held: Mapping[str, Fences], cells: Mapping[str, Cell], now_ms: int
) -> Recovered:
    epoch = _epoch(held)
    home = next((cell for cell in cells.values() if cell.ordinal == owner(epoch)), None)
    if home is None:
        return Recovered("stuck")
    standby = _standby(home, held, cells)
    here = held.get(home.id, ())
    tenant = Tenant(
        id=id_,
        epoch=epoch,
        home=home.id,
        stripes=len(next(iter(held.values()))),
        standby=standby,
        standby_ordinal=cells[standby].ordinal if standby else -1,
        base=Base(
            mode="recovered",
            positions=tuple(Position(seq=fence.seq, chain=fence.chain) for fence in here),
        ),
        since_ms=now_ms,
        decided_by=BY,
        reason="adopted: its fences were found, and no record of it",
    )
    return Recovered("adopted", tenant)


def _epoch(held: Mapping[str, Fences]) -> int:
    return max(fence.epoch for fences in held.values() for fence in fences)


def _is_as_recorded(tenant: Tenant, held: Mapping[str, Fences]) -> bool:
    named = {tenant.home, tenant.standby, tenant.leaving.cell if tenant.leaving else ""} - {""}
    return named == held.keys() and all(
        fence.role is (Role.ACTIVE if cell == tenant.home else Role.STANDBY)
        for cell, fences in held.items()
        for fence in fences
    )


def _standby(home: Cell, held: Mapping[str, Fences], cells: Mapping[str, Cell]) -> str:
    """Return another cell that holds the tenant, in another cloud if there is one."""
    others = [cell for cell in held if cell != home.id and cell in cells]
    return min(others, key=lambda cell: (cells[cell].cloud == home.cloud, cell), default="")

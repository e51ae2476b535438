"""What a tenant's record has to be after the registry lost its last changes (protocol.md 7). Pure.

The fences know: none of them ever goes back. Refuses to lower an epoch, and to guess a home that no
fence names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from cell_control.domain.records import Base, Cell, Leaving, Position, State, Tenant
from cell_core.domain.fence import Fence, Role
from cell_core.domain.ids import next_epoch, owner
from cell_core.domain.transitions import is_prepared

BY: Final = "recovery"

Fences: TypeAlias = tuple[Fence, ...]
Outcome: TypeAlias = Literal["kept", "raised", "adopted", "homeless", "missing"]
"""`homeless`: no declared cell owns the epoch that the fences name; `missing`: no cell has it."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What becomes of a tenant; None for the tenant if nothing is to be written."""

    outcome: Outcome
    tenant: Tenant | None = None


def recovered(
    id_: str,
    tenant: Tenant | None,
    held: Mapping[str, Fences],
    cells: Mapping[str, Cell],
    now_ms: int,
) -> Recovered:
    """Return the record of a tenant given what every cell holds of it.

    A home that is frozen while its destination was prepared may have been given away: the record
    goes forward to the prepared epoch, which is right whether it was or not.
    """
    if not held:
        return Recovered("missing")
    epoch = max(fence.epoch for fences in held.values() for fence in fences)
    epoch = max(epoch, _given_away(held, cells, epoch))
    if tenant is not None and epoch <= tenant.epoch:
        wake = tenant.settled and not _is_as_recorded(tenant, held)
        return Recovered("kept", replace(tenant, settled=False) if wake else None)
    home = next((c.id for c in cells.values() if c.ordinal == owner(epoch)), "")
    if not home:
        return Recovered("homeless")
    standby = _standby(home, held, cells)
    changed = replace(
        tenant or Tenant(id=id_, epoch=0, home=home),
        epoch=epoch,
        home=home,
        stripes=next(iter(held.values()))[0].stripes,
        standby=standby,
        standby_ordinal=cells[standby].ordinal if standby else -1,
        leaving=_leaving(tenant, home, standby),
        state=State.ACTIVE,
        settled=False,
        move=None,
        base=Base(
            mode="recovered",
            source=tenant.home if tenant else "",
            source_epoch=tenant.epoch if tenant else 0,
            positions=_positions(held.get(home, ())),
        ),
        since_ms=now_ms,
        decided_by=BY,
        reason="raised to its fences" if tenant else "adopted from its fences",
    )
    return Recovered("raised" if tenant else "adopted", changed)


def _given_away(held: Mapping[str, Fences], cells: Mapping[str, Cell], epoch: int) -> int:
    """Return the epoch for which a standby is prepared at a frozen home's last position, or 0."""
    frozen = [f for f in held.values() if all(_is_frozen(fence, epoch) for fence in f)]
    if not frozen:
        return 0
    last = [(fence.seq, fence.chain) for fence in frozen[0]]
    for cell, fences in held.items():
        if cell in cells and [(fence.seq, fence.chain) for fence in fences] == last:
            ordinal = cells[cell].ordinal
            new = next_epoch(epoch, ordinal)
            if all(is_prepared(fence, epoch=new, ordinal=ordinal) for fence in fences):
                return new
    return 0


def _is_frozen(fence: Fence, epoch: int) -> bool:
    return fence.role is Role.FROZEN and fence.epoch == epoch


def _is_as_recorded(tenant: Tenant, held: Mapping[str, Fences]) -> bool:
    named = {tenant.home, tenant.standby, tenant.leaving.cell if tenant.leaving else ""} - {""}
    return named == held.keys() and all(
        fence.role is (Role.ACTIVE if cell == tenant.home else Role.STANDBY)
        for cell, fences in held.items()
        for fence in fences
    )


def _standby(home: str, held: Mapping[str, Fences], cells: Mapping[str, Cell]) -> str:
    """Return another cell that holds the tenant, in another cloud if there is one."""
    others = [cell for cell in sorted(held) if cell != home and cell in cells]
    cloud = cells[home].cloud
    return min(others, key=lambda cell: (cells[cell].cloud == cloud, cell), default="")


def _leaving(tenant: Tenant | None, home: str, standby: str) -> Leaving | None:
    found = tenant.leaving if tenant else None
    return None if found is None or found.cell in (home, standby) else found


def _positions(fences: Fences) -> tuple[Position, ...]:
    return tuple(Position(seq=fence.seq, chain=fence.chain) for fence in fences)

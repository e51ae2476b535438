"""Where a tenant's journals stand at each of its cells, as those say now.

Reads only. Refuses to guess: of a cell that does not answer nothing is said but that.
"""

from dataclasses import dataclass

from cell_control.domain.records import Tenant
from cell_control.flows.calling import NotDone, together
from cell_control.flows.cells import fences
from cell_control.flows.effects import Flow
from cell_control.flows.follow import followers_of


@dataclass(frozen=True, slots=True, kw_only=True)
class StripePosition:
    """The fence of one stripe at one cell; `seq` and `chain` are of the last entry there."""

    cell: str
    stripe: int
    role: str
    epoch: int
    seq: int
    chain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionsNow:
    """What the cells say.

    Attributes:
        home: Whose journals are the tenant's.
        unknown: Cells that did not answer, or hold nothing of it.
    """

    tenant: str
    home: str
    epoch: int
    positions: tuple[StripePosition, ...] = ()
    unknown: tuple[str, ...] = ()


def positions_now(tenant: Tenant) -> Flow[PositionsNow]:
    """Ask the home and every follower of `tenant`."""
    cells = (tenant.home, *followers_of(tenant))
    views = yield from together([fences(cell, tenant.id) for cell in cells])
    found = dict(zip(cells, views, strict=True))
    return PositionsNow(
        tenant=tenant.id,
        home=tenant.home,
        epoch=tenant.epoch,
        positions=tuple(
            StripePosition(
                cell=cell,
                stripe=stripe,
                role=fence.role.value,
                epoch=fence.epoch,
                seq=fence.seq,
                chain=fence.chain,
            )
            for cell, view in found.items()
            if not isinstance(view, NotDone)
            for stripe, fence in enumerate(view)
        ),
        unknown=tuple(cell for cell, view in found.items() if isinstance(view, NotDone)),
    )

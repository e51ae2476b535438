"""How far the followers of a tenant are behind, as its cells say now.

Reads only. Refuses to guess: of a cell that does not answer nothing is said but that.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from cell_control.domain.records import Tenant
from cell_control.flows.calling import NotDone, together
from cell_control.flows.cells import Fences, fences
from cell_control.flows.effects import Flow
from cell_control.flows.follow import Lag, followers_of


@dataclass(frozen=True, slots=True, kw_only=True)
class LagNow:
    """What the cells say.

    Attributes:
        lags: One for each stripe of each follower that answered, if the home did.
        unknown: Cells that did not, or hold nothing of it.
    """

    tenant: str
    lags: tuple[Lag, ...] = ()
    unknown: tuple[str, ...] = ()


def lag_now(tenant: Tenant) -> Flow[LagNow]:
    """Ask the home and every follower of `tenant`."""
    followers = followers_of(tenant)
    cells = (tenant.home, *followers)
    views = yield from together([fences(cell, tenant.id) for cell in cells])
    known = {c: v for c, v in zip(cells, views, strict=True) if not isinstance(v, NotDone)}
    unknown = tuple(cell for cell in cells if cell not in known)
    home = known.pop(tenant.home, None)
    lags = () if home is None else tuple(_lags(home, known))
    return LagNow(tenant=tenant.id, lags=lags, unknown=unknown)


def _lags(home: Fences, followers: dict[str, Fences]) -> Iterator[Lag]:
    for cell, view in followers.items():
        for stripe, (there, here) in enumerate(zip(home, view, strict=False)):
            yield Lag(cell=cell, stripe=stripe, entries=max(0, there.seq - here.seq))

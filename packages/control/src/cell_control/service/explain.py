"""Why a tenant is where it is, and what happens next: facts, and sentences made of them.

Refuses to ask a cell: what only cells know is passed in, and missing if it is not known.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cell_control.codec import read
from cell_control.domain.records import Cell, Lineage, Tenant
from cell_control.ports import Registry
from cell_control.service.desk import Desk
from cell_control.service.sites import read_sites

LINEAGE_MAX: Final = 100

Lag = Callable[[str], int | None]
"""How many entries a tenant's standby is behind; None if it is not known."""

Next = Callable[[str], str]
"""What the reconciler waits for with a tenant: a row's name and why; empty if it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Everything about where a tenant is.

    Attributes:
        home, standby: The cells; the standby's is None if there is none.
        lag: Entries that the standby is behind; None if it is not known.
        next: What the reconciler waits for, as far as the process that was asked knows.
        lineage: Its epochs, the oldest first; at most 100, the newest of them.
        sentences: The same for people.
    """

    tenant: Tenant
    home: Cell
    standby: Cell | None
    lag: int | None
    next: str
    lineage: tuple[Lineage, ...]
    sentences: tuple[str, ...]


class Explainer:
    """Explains tenants."""

    def __init__(self, desk: Desk, *, lag: Lag, next_action: Next) -> None:
        self._desk = desk
        self._lag = lag
        self._next = next_action

    def explain(self, tenant: str) -> Explanation:
        """Return what there is to say about a tenant.

        Raises:
            NotFound: `tenant_not_found`.
        """
        found = self._desk.tenant(tenant).value
        sites = read_sites(self._desk.registry)
        home = sites.of(found.home).cell
        standby = sites.of(found.standby).cell if found.standby else None
        lag, action = self._lag(tenant), self._next(tenant)
        return Explanation(
            tenant=found,
            home=home,
            standby=standby,
            lag=lag,
            next=action,
            lineage=_lineage(self._desk.registry, tenant),
            sentences=tuple(_sentences(found, home, standby, lag, action)),
        )


def _lineage(registry: Registry, tenant: str) -> tuple[Lineage, ...]:
    prefix, after, newest = f"{tenant}/", "", list[Lineage]()
    while records := registry.list("lineage", prefix=prefix, after=after, limit=1000):
        newest = [*newest, *(read(Lineage, record) for record in records)][-LINEAGE_MAX:]
        after = records[-1].key
    return tuple(newest)


def _sentences(
    tenant: Tenant, home: Cell, standby: Cell | None, lag: int | None, action: str
) -> list[str]:
    where = f"{tenant.id} is at home in {home.id} ({home.cloud}, {home.region})"
    return [
        f"{where} since {_date(tenant.since_ms)}, at epoch {tenant.epoch}.",
        _decided(tenant),
        _standby(standby, lag),
        *_moving(tenant),
        *_held_back(tenant),
        _next(tenant, action),
    ]


def _next(tenant: Tenant, action: str) -> str:
    if action:
        return f"The reconciler is at: {action}."
    if tenant.settled and tenant.move is None and tenant.leaving is None:
        return "Nothing is left to do."
    return "Something is left to do, and the process that you asked has not come to it."


def _decided(tenant: Tenant) -> str:
    by = tenant.decided_by or "nobody known"
    why = f" because: {tenant.reason}" if tenant.reason else ", no reason given"
    return f"This epoch is {tenant.base.mode}, decided by {by}{why}."


def _standby(standby: Cell | None, lag: int | None) -> str:
    if standby is None:
        return "It has no standby: losing its home loses it until that returns."
    behind = "how far behind is not known" if lag is None else f"{lag} entries behind"
    return f"Its standby is {standby.id} ({standby.cloud}, {standby.region}), {behind}."


def _moving(tenant: Tenant) -> list[str]:
    found = []
    move = tenant.move
    if move is not None:
        what = "moving to" if move.kind == "move" else "getting a standby in"
        found.append(
            f"It is {what} {move.dest} for {move.operation} since {_date(move.began_ms)}: "
            f"{tenant.state.value}, attempt {move.attempt}."
        )
    if tenant.leaving is not None:
        when = _date(tenant.leaving.drop_after_ms)
        found.append(f"Its data in {tenant.leaving.cell} is dropped after {when}.")
    return found


def _held_back(tenant: Tenant) -> list[str]:
    found = []
    if tenant.pin:
        found.append(f"It is pinned to {tenant.pin}: nothing moves it until it is unpinned.")
    if tenant.blocked:
        found.append("It is in quarantine: the edge refuses its requests until it is released.")
    if tenant.alarm:
        found.append(f"Its alarm {tenant.alarm} stops all copying: verify it, then release it.")
    return found


def _date(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

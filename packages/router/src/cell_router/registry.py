"""Finds a tenant's home in memory: the store's rows, and what a 421 has taught since.

An answer only ever moves forward in epoch. Refuses to wait: a tenant that is not here is reported
as such, and whoever may wait asks the source.
"""

from dataclasses import dataclass
from typing import Final

from cell_core.domain.ids import owner, stripe_of
from cell_core.wire.registry import (
    Ack,
    CellRecord,
    TenantRecord,
    read_cell,
    read_group,
    read_tenant,
)
from cell_router.limits import UNKNOWN_TENANT_S, UNKNOWN_TENANTS_MAX
from cell_router.ports import RegistryView

ROUTES_MAX: Final = 100_000
LEARNED_MAX: Final = 100_000
REFRESH_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Standby:
    """Who has to have a write, beside the home, before it is answered.

    Attributes:
        cell: None if there is nobody to ask: the registry does not describe it, or it is the home.
        policy: `refuse` or `degrade`: what is done without it.
    """

    cell: CellRecord | None
    policy: Ack


@dataclass(frozen=True, slots=True)
class Route:
    """Where a tenant lives.

    Attributes:
        cell: None if the registry does not describe the cell that owns the epoch.
        reason: `tenant`, `group` or `learned`: which record decided.
        standby: None where the home alone acknowledges.
    """

    tenant: str
    epoch: int
    stripes: int
    status: str
    cell: CellRecord | None
    reason: str
    standby: Standby | None = None

    def stripe_of(self, domain: str, stream: str) -> int:
        """Return the stripe in which `stream` of `domain` lives."""
        return 0 if self.stripes == 1 else stripe_of(domain, stream, self.stripes)


class Registry:
    """Routes by tenant, over a store; one for each worker process."""

    def __init__(self, store: RegistryView) -> None:
        self._store = store
        self._version = -1
        self._refreshed = float("-inf")
        self._routes: dict[str, Route] = {}
        self._cells: dict[int, CellRecord] = {}
        self._learned: dict[str, int] = {}
        self._unknown: dict[str, float] = {}
        self.rev = 0
        self.created_ms = 0

    @property
    def ready(self) -> bool:
        """Whether there is any registry to answer from."""
        return self.rev > 0

    @property
    def cells(self) -> dict[int, CellRecord]:
        """The cells by ordinal, as of the last refresh."""
        return self._cells

    def refresh(self, now: float, *, at_once: bool = False) -> bool:
        """Look at the store if `REFRESH_S` have passed; return whether anything has changed."""
        if now - self._refreshed < REFRESH_S and not at_once:
            return False
        self._refreshed = now
        version = self._store.version()
        if version == self._version:
            return False
        self._version = version
        meta = self._store.meta()
        self.rev, self.created_ms = meta.rev, meta.created_ms
        self._cells = self._read_cells()
        self._routes.clear()
        self._unknown.clear()
        return True

    def find(self, tenant: str) -> Route | None:
        """Return where `tenant` lives, or None if neither the store nor a cell has named it."""
        route = self._routes.get(tenant)
        if route is None:
            route = self._resolve(tenant)
            if route is not None:
                if len(self._routes) >= ROUTES_MAX:
                    self._routes.clear()
                self._routes[tenant] = route
        return route

    def learn(self, tenant: str, epoch: int) -> Route | None:
        """Take from a cell's 421 that `tenant` lives at `epoch`; return its route now."""
        if epoch > self._learned.get(tenant, -1):
            if len(self._learned) >= LEARNED_MAX:
                del self._learned[next(iter(self._learned))]
            self._learned[tenant] = epoch
            self._routes.pop(tenant, None)
        return self.find(tenant)

    def is_unknown(self, tenant: str, now: float) -> bool:
        """Say whether the source was asked for `tenant` a moment ago and knew nothing."""
        return self._unknown.get(tenant, 0.0) > now

    def note_unknown(self, tenant: str, now: float) -> None:
        """Remember for `UNKNOWN_TENANT_S` that the source does not know `tenant`."""
        if len(self._unknown) >= UNKNOWN_TENANTS_MAX:
            del self._unknown[next(iter(self._unknown))]
        self._unknown[tenant] = now + UNKNOWN_TENANT_S

    def _resolve(self, tenant: str) -> Route | None:
        text = self._store.get(b"t:" + tenant.encode())
        if text is None:
            return None
        row = read_tenant(tenant, text.decode())
        epoch, reason = self._epoch_of(row)
        learned = self._learned.get(tenant, -1)
        if learned > epoch:
            epoch, reason = learned, "learned"
        elif learned >= 0:
            del self._learned[tenant]
        cell = self._cells.get(owner(epoch))
        standby = self._standby_of(row, epoch)
        return Route(tenant, epoch, row.stripes, row.status, cell, reason, standby)

    def _standby_of(self, row: TenantRecord, epoch: int) -> Standby | None:
        if row.standby is None:
            return None
        # A cell that is the home now, whatever the row says, holds nothing twice.
        cell = None if row.standby == owner(epoch) else self._cells.get(row.standby)
        return Standby(cell, row.ack)

    def _epoch_of(self, row: TenantRecord) -> tuple[int, str]:
        if row.group:
            text = self._store.get(b"g:" + row.group.encode())
            if (
                text is not None
                and (epoch := read_group(row.group, text.decode()).epoch) > row.epoch
            ):
                return epoch, "group"
        return row.epoch, "tenant"

    def _read_cells(self) -> dict[int, CellRecord]:
        found = ((ordinal, self._store.get(b"c:%d" % ordinal)) for ordinal in range(16))
        return {ordinal: read_cell(text.decode()) for ordinal, text in found if text is not None}

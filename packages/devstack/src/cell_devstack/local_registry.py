"""The registry of the local world: where the cells are, and at which epoch each tenant is.

Publishes a whole signed snapshot at each change, as the registry tool does; the control plane will
publish changes instead. An epoch names its cell, so to assign a tenant is to name its epoch.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from cell_core.wire.registry import CellRecord, Status, TenantRecord
from cell_devstack.local_router import LocalRouter

_SERVED_TIMEOUT_S: Final = 10.0
_POLL_S: Final = 0.01


class LocalRegistry:
    """What the router is told; safe to share between threads."""

    def __init__(self, router: LocalRouter) -> None:
        self._router = router
        self._lock = threading.Lock()
        self._cells: dict[str, CellRecord] = {}
        self._tenants: dict[str, TenantRecord] = {}

    @property
    def tenants(self) -> Mapping[str, TenantRecord]:
        """The tenants by name."""
        return dict(self._tenants)

    def describe(self, *cells: CellRecord) -> None:
        """Tell where `cells` are."""
        with self._lock:
            self._cells |= {cell.id: cell for cell in cells}
            self._publish()

    def reach(self, cell: str, base_url: str) -> None:
        """Let the router reach `cell` at another address, a proxy's."""
        self.describe(replace(self._cells[cell], base_url=base_url))

    def assign(
        self, tenant: str, epoch: int, *, stripes: int = 1, status: Status = "active"
    ) -> None:
        """Tell that `tenant` is at `epoch`, and so at home with the epoch's owner."""
        record = TenantRecord(tenant=tenant, epoch=epoch, stripes=stripes, status=status)
        with self._lock:
            self._tenants[tenant] = record
            self._publish()

    def settle(self) -> None:
        """Return once the running router has all that was told so far.

        Raises:
            TimeoutError: It has not, after 10 s.
        """
        deadline = time.monotonic() + _SERVED_TIMEOUT_S
        while self._router.admin("/snapshot")["rev"] < self._router.rev:
            if time.monotonic() > deadline:
                raise TimeoutError("the router does not take the registry")
            time.sleep(_POLL_S)

    def _publish(self) -> None:
        tenants = sorted(self._tenants.values(), key=lambda record: record.tenant)
        self._router.publish(list(self._cells.values()), tenants)

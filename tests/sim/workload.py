"""What operators do: create tenants, move them there and back, give them standbys, change policies.

Through the services, as the API does; each is told no now and then, which is an answer.
"""

import itertools
from dataclasses import replace
from typing import Final

from cell_control.codec import read, write_of
from cell_control.domain.records import (
    Capacity,
    Cell,
    Lifecycle,
    Operation,
    OperationStatus,
    Policy,
    Probe,
    Tenant,
)
from cell_control.errors import ControlError
from cell_control.ports import Key
from cell_control.service.desk import Desk, Patience
from cell_control.service.operations import NewOperation, Operations
from cell_control.service.tenants import NewTenant, Tenants
from tests.sim.cells import NAMES, url_of
from tests.sim.kernel import START_MS, Kernel
from tests.sim.process import CONTRACT
from tests.sim.registry import SimRegistry

BY: Final = "operator"
PROBE_AGE_MS: Final = 60_000


class Workload:
    """Operators, at one desk.

    Attributes:
        begun: Operations so far.
    """

    def __init__(self, kernel: Kernel, far: SimRegistry) -> None:
        self._kernel, self._far = kernel, far
        self._ids = itertools.count(1)
        self.begun: list[str] = []
        self.refused: dict[str, int] = {}

    def now_ms(self) -> int:
        """See `Clock.now_ms`."""
        return int(START_MS + self._kernel.now)

    # ── What is asked for ────────────────────────────────────────────────────

    def declare_cells(self, count: int) -> None:
        """Declare the first cells, probed and active."""
        for ordinal, name in enumerate(NAMES[:count], 1):
            cell = Cell(
                id=name,
                ordinal=ordinal,
                cloud=name.partition("-")[0],
                region="local",
                base_url=url_of(name),
                lifecycle=Lifecycle.ACTIVE,
                capacity=Capacity(tenants=100),
                probe=Probe(at_ms=self.now_ms(), contract=CONTRACT),
            )
            self._far.registry.commit([write_of(cell, 0)])

    def create(self, tenant: str, *, stripes: int, policy: Policy, standby: bool) -> None:
        """Create a tenant where it fits."""
        asked = NewTenant(id=tenant, stripes=stripes, policy=policy, standby=standby)
        Tenants(self._desk()).create(asked, by=BY)

    def move(self, tenant: str, dest: str = "") -> None:
        """Begin the move of one tenant, to any cell but its home unless `dest` says."""
        found = self._tenant(tenant)
        if not dest:
            dest = self._kernel.random.choice([c for c in self._cells() if c != found.home])
        self._begin("move", tenant, dest)

    def make_standby(self, tenant: str) -> None:
        """Give a tenant a standby where it has none."""
        self._begin("standby", tenant, "")

    def abort(self) -> None:
        """Abort the newest operation."""
        if self.begun:
            self._ask(lambda desk: Operations(desk).abort(self.begun[-1], by=BY))

    def change_policy(self, tenant: str) -> None:
        """Change something of a tenant's policy that does not matter to who acknowledges."""
        policy = replace(
            self._tenant(tenant).policy,
            priority=self._kernel.random.randrange(10),
            freeze_budget_ms=self._kernel.random.choice((50, 500, 2000)),
        )
        self._ask(lambda desk: Tenants(desk).set_policy(tenant, policy, by=BY))

    def any(self, tenants: list[str]) -> None:
        """Do something with one of `tenants`."""
        tenant = self._kernel.random.choice(tenants)
        match self._kernel.random.randrange(12):
            case 0:
                self.change_policy(tenant)
            case 1:
                self.abort()
            case 2 | 3:
                self.make_standby(tenant)
            case _:
                self.move(tenant)

    # ── What is known ────────────────────────────────────────────────────────

    def under_way(self) -> list[str]:
        """Return the operations that are not over."""
        records = self._far.registry.list("operation", limit=1000)
        operations = [read(Operation, record) for record in records]
        return [
            o.id
            for o in operations
            if o.status in (OperationStatus.RUNNING, OperationStatus.PLANNING)
        ]

    def _tenant(self, tenant: str) -> Tenant:
        [record] = self._far.registry.get([Key(kind="tenant", key=tenant)])
        assert record is not None
        return read(Tenant, record)

    def _cells(self) -> list[str]:
        return [record.key for record in self._far.registry.list("cell", limit=16)]

    def _begin(self, kind: str, tenant: str, dest: str) -> None:
        id_ = f"op-{next(self._ids)}"
        asked = NewOperation(id=id_, kind=kind, tenants=(tenant,), dest=dest)  # type: ignore[arg-type]
        self._kernel.say("operator:", kind, tenant, "to", dest or "anywhere", "as", id_)
        self._probe()
        if self._ask(lambda desk: Operations(desk).begin(asked, by=BY)):
            self.begun.append(id_)

    def _ask(self, do: object) -> bool:
        if self._far.is_down or self._far.is_recovering:
            return False
        try:
            do(self._desk())  # type: ignore[operator]
        except ControlError as no:
            self._kernel.say("operator is refused:", no)
            self.refused[str(no)] = self.refused.get(str(no), 0) + 1
            return False
        return True

    def _probe(self) -> None:
        """Let every cell be seen to be as it should, if that was not done lately."""
        for record in self._far.registry.list("cell", limit=16):
            cell = read(Cell, record)
            if cell.probe is None or self.now_ms() - cell.probe.at_ms > PROBE_AGE_MS:
                probed = replace(cell, probe=Probe(at_ms=self.now_ms(), contract=CONTRACT))
                self._far.registry.commit([write_of(probed, record.rev)])

    def _desk(self) -> Desk:
        patience = Patience(self._kernel.random, lambda _seconds: None)
        return Desk(self._far.registry, self, patience, contract=CONTRACT)

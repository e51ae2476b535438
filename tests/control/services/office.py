"""The services over a registry in memory, with cells that take tenants."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from cell_control.adapters.registry_memory import MemoryRegistry
from cell_control.codec import read, write_of
from cell_control.domain.evacuation import reasons_against_begin
from cell_control.domain.placement import recount
from cell_control.domain.records import (
    Audit,
    Base,
    Capacity,
    Lifecycle,
    Move,
    Probe,
    State,
    Tenant,
    Usage,
)
from cell_control.errors import Refused
from cell_control.ports import Registry
from cell_control.service.cells import Cells, CellSpec
from cell_control.service.desk import Decided, Desk, Patience
from cell_control.service.headroom import HeadroomReport
from cell_control.service.operations import NewOperation, Operations
from cell_control.service.sites import read_sites
from cell_control.service.tenants import NewTenant, Tenants
from tests.control.placement.world import CLOUDS, CONTRACT, NOW_MS

BY = "alice"


class Clock:
    """Stands still until it is told to move."""

    def __init__(self) -> None:
        self.time_ms = NOW_MS

    def now_ms(self) -> int:
        return self.time_ms


def desk_over(
    registry: Registry, clock: Clock | None = None, *, seed: int = 1, attempts_max: int = 64
) -> Desk:
    """Return a desk that never really waits."""
    patience = Patience(random.Random(seed), lambda _seconds: None, attempts_max)
    return Desk(registry, clock or Clock(), patience, contract=CONTRACT)


class Office:
    """Everything at one desk; `capacities` are those of the cells, by their ordinals."""

    def __init__(
        self,
        capacities: Sequence[int] = (100, 100, 100),
        *,
        registry: Registry | None = None,
        desk: Callable[[Registry, Clock], Desk] = desk_over,
    ) -> None:
        self.clock = Clock()
        self.registry = registry or MemoryRegistry()
        self.desk = desk(self.registry, self.clock)
        self.tenants, self.cells = Tenants(self.desk), Cells(self.desk)
        self.operations, self.report = Operations(self.desk), HeadroomReport(self.desk)
        for ordinal, tenants in enumerate(capacities):
            self.declare(ordinal, tenants)

    def declare(self, ordinal: int, tenants: int = 100, **fields: Any) -> str:
        """Declare a cell that takes tenants; return its id."""
        spec = spec_of(ordinal, tenants, **fields)
        self.cells.declare(spec, by=BY)
        self.probe(spec.id)
        self.cells.become(spec.id, Lifecycle.ACTIVE, by=BY)
        return spec.id

    def probe(self, cell: str, *problems: str) -> None:
        self.clock.time_ms += 1
        probe = Probe(at_ms=self.clock.time_ms, contract=CONTRACT, problems=problems)
        self.cells.probed(cell, probe, by=BY)

    def create(self, tenant: str, **fields: Any) -> Tenant:
        return self.tenants.create(NewTenant(id=tenant, **fields), by=BY).tenant

    def drain(self, cell: str, id_: str = "op-1", **fields: Any) -> Any:
        asked = NewOperation(id=id_, kind="drain", source=cell, **fields)
        return self.operations.begin(asked, by=BY)

    def begin_move(self, tenant: str, dest: str, kind: Any = "move") -> Tenant:
        """Begin a move as a campaign does: with the rules, and the place in the same commit."""

        def decide() -> Decided[Tenant]:
            sites = read_sites(self.registry)
            found = self.desk.tenant(tenant)
            site, facts = sites.of(dest), self.desk.facts()
            reasons = reasons_against_begin(found.value, site, facts, kind=kind)
            if reasons:
                raise Refused("member_refused", reasons)
            move = Move(operation="op", kind=kind, dest=dest, began_ms=self.clock.now_ms())
            after = replace(found.value, move=move, state=State.COPYING)
            counted = sites.usage_writes(found.value, after)
            return Decided(after, [write_of(after, found.rev), *counted])

        return self.desk.commit(decide)

    def end_move(self, tenant: str, *, arrived: bool) -> Tenant:
        """End a move as a mover does: its old home becomes its standby, or nothing happened."""

        def decide() -> Decided[Tenant]:
            sites, found = read_sites(self.registry), self.desk.tenant(tenant)
            before = found.value
            after = replace(before, move=None, state=State.ACTIVE)
            if arrived and before.move is not None:
                after = _arrived(after, before.move)
            counted = sites.usage_writes(before, after)
            return Decided(after, [write_of(after, found.rev), *counted])

        return self.desk.commit(decide)

    def everyone(self) -> list[Tenant]:
        return [read(Tenant, record) for record in self.registry.list("tenant", limit=10_000)]

    def usages(self) -> dict[str, Usage]:
        return {r.key: read(Usage, r) for r in self.registry.list("usage", limit=100)}

    def audits(self) -> list[Audit]:
        return [read(Audit, record) for record in self.registry.list("audit", limit=10_000)]


def _arrived(tenant: Tenant, move: Move) -> Tenant:
    if move.kind == "standby":
        return replace(tenant, standby=move.dest)
    base = Base(mode="planned", source=tenant.home, source_epoch=tenant.epoch)
    epoch = tenant.epoch + 16
    return replace(tenant, home=move.dest, standby=tenant.home, epoch=epoch, base=base)


def spec_of(ordinal: int, tenants: int = 100, **fields: Any) -> CellSpec:
    """Return what declares a cell; the three clouds take turns."""
    cloud = CLOUDS[ordinal % 3]
    given = {
        "id": f"{cloud}-{ordinal}",
        "ordinal": ordinal,
        "cloud": cloud,
        "region": "local",
        "base_url": f"https://{cloud}-{ordinal}.example",
        "capacity": Capacity(tenants=tenants),
    }
    return CellSpec(**{**given, **fields})


def check_counts(office: Office) -> None:
    """Assert that usages are what tenants come to, and that no cell holds too many."""
    counted, usages = recount(office.everyone()), office.usages()
    assert {c: u for c, u in usages.items() if u.homes or u.standbys} == counted
    for site in office.cells.all():
        assert site.places <= site.cell.capacity.tenants

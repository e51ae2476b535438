"""The machine's world: one tenant in three cells, its routers, its workers, and what clients know.

What must hold whatever was done is `Watch.look`; what must hold at rest is `World.settle`, which
also is the proof that a path leads back to health (I7).
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, Final

from cell_control.codec import read
from cell_control.domain.eligibility import Facts
from cell_control.domain.placement import usage_writes
from cell_control.domain.records import (
    Base,
    Cell,
    Member,
    Operation,
    OperationStatus,
    Probe,
    Usage,
)
from cell_control.flows.campaign import campaign_step
from cell_control.flows.effects import Ask, Commit, Flow
from cell_control.flows.follow import follow
from cell_control.flows.mover import Mover
from cell_control.flows.recover import begin_recovery, recover_step
from cell_control.flows.tidy import tidy_step
from cell_control.ports import Key, RegistryConflict
from cell_core.domain.fence import Role
from cell_core.domain.ids import next_epoch
from tests.control.bench import CELLS, START_MS
from tests.control.machine.clients import Clients
from tests.control.machine.routers import Router, Sent
from tests.control.machine.watch import Watch
from tests.control.machine.workers import Worker
from tests.control.moves import LIMITS, Scene

RUNS_MAX: Final = 120


class World:
    """Everything of one example.

    Attributes:
        late: What is on its way and has not arrived: at any time, or never.
    """

    def __init__(
        self, stripes: int, *, standby: bool, movers: Callable[..., Any] = Mover, edge: Any = None
    ) -> None:
        self.bench = _begun(stripes, standby=standby).bench.copied()
        self.late: list[Ask | Commit | Sent] = []
        self.backups = [self.bench.registry.copied()]
        self._movers = movers
        self._operations: list[str] = []
        self._parts = iter(range(10**9))
        self.routers = [Router(self.bench, edge) for _ in range(2)]
        self.clients = Clients(self.routers)
        self.watch = Watch(self.bench, self.clients, stripes)
        # Two have one name: a claim keeps neither away from what the other does.
        names = ("m-1", "m-1", "m-2")
        self.movers = [Worker(name, self.bench, lambda n=name: self._mover(n)) for name in names]
        self.campaign = Worker("campaign", self.bench, lambda: self._campaign)
        self.follower = Worker("follower", self.bench, lambda: lambda: follow("T-1"))
        self.recovery = Worker("recovery", self.bench, lambda: self._recovery)
        self.tidying = Worker("tidying", self.bench, lambda: self._tidying)
        self.workers = [
            *self.movers, self.campaign, self.follower, self.recovery, self.tidying,
        ]  # fmt: skip

    # ── Operators ────────────────────────────────────────────────────────────

    def ask_for(self, kind: Any, dest: str) -> None:
        """Ask for a move, or a standby, as the operations' service writes it.

        Orphans stay where they were kept, and go when that cell is left: after a forced failover
        the tenant moves between its two cells only.
        """
        if self.clients.is_forced:
            kind, dest = "move", self.bench.tenant().standby
        id_ = f"op-{len(self._operations)}"
        self._operations.append(id_)
        self.bench.put(Operation(id=id_, kind=kind, tenants=1, dest=dest))
        self.bench.put(Member(operation=id_, tenant="T-1", dest=dest))

    def abort(self) -> None:
        """Abort the operation that was asked for last, if it is under way."""
        for operation in self._open():
            self.bench.put(replace(operation, status=OperationStatus.ABORTED))

    def fail_over(self) -> bool:
        """Force the standby to be the home, whatever it lacks; say whether that may be done now."""
        tenant = self.bench.tenant()
        fences = self.bench.cells[tenant.standby].fences("T-1") if tenant.standby else ()
        follows = fences and all(f.role is Role.STANDBY for f in fences)
        if not follows or tenant.move or not tenant.settled or self._open():
            return False
        forced = replace(
            tenant,
            epoch=next_epoch(tenant.epoch, tenant.standby_ordinal),
            home=tenant.standby,
            standby=tenant.home,
            standby_ordinal=self.bench.cells[tenant.home].ordinal,
            base=Base(mode="forced", source=tenant.home, source_epoch=tenant.epoch),
            settled=False,
        )
        used = (read(Usage, record) for record in self.bench.registry.list("usage", limit=16))
        for value in (forced, *usage_writes(tenant, forced, {usage.cell: usage for usage in used})):
            self.bench.put(value)
        self.clients.is_forced = True
        self.backups = [self.bench.registry.copied()]
        return True

    def restore(self, backup: int) -> None:
        """Put a backup in the registry's place, and say so, as an operator does."""
        self.bench.registry.restore(self.backups[backup % len(self.backups)])
        self.backups = [self.bench.registry.copied()]
        self.watch.restored()
        begin = begin_recovery(self.bench.clock.now_ms(), by="ada", reason="restored")
        Worker("operator", self.bench, lambda: lambda: begin).run()

    def arrive(self, number: int) -> None:
        """Have something arrive that was sent at some time, perhaps after it was sent again."""
        one = self.late.pop(number % len(self.late))
        match one:
            case Ask():
                self.bench.cells[one.cell].ask(one)
            case Commit(writes):
                try:
                    self.bench.registry.commit(writes)
                except RegistryConflict:
                    return
            case Sent():
                one.arrive(self.bench)

    # ── Workers ──────────────────────────────────────────────────────────────

    def _mover(self, name: str) -> Callable[[], Flow[Any]]:
        mover = self._movers(
            self.bench.clock,
            name=name,
            part=lambda: f"{name}-{next(self._parts)}",
            limits=LIMITS,
            on_step=lambda _: None,
        )
        return lambda: mover.run("T-1")

    def _campaign(self) -> Flow[Any]:
        open_ = self._open()
        id_ = open_[0].id if open_ else "op-none"
        facts = Facts(now_ms=self.bench.clock.now_ms(), contract="1", probe_age_ms_max=10**12)
        return campaign_step(id_, facts)

    def _recovery(self) -> Flow[Any]:
        return recover_step(self.bench.clock.now_ms(), limits=LIMITS)

    def _tidying(self) -> Flow[Any]:
        cell = CELLS[next(self._parts) % len(CELLS)]
        return tidy_step(cell, "", self.bench.clock.now_ms())

    def _open(self) -> list[Operation]:
        """Return operations whose members are not all over."""
        members = self.bench.registry.list("member", limit=1000)
        ids = {
            one.operation
            for one in (read(Member, record) for record in members)
            if one.status in ("waiting", "moving")
        }
        found = self.bench.registry.get([Key(kind="operation", key=id_) for id_ in sorted(ids)])
        return [read(Operation, record) for record in found if record is not None]

    # ── The end ──────────────────────────────────────────────────────────────

    def settle(self) -> None:
        """Let all come to rest with nothing broken any more, twice, and check all of it (I7)."""
        for cell in self.bench.cells.values():
            cell.is_dark = False
        self._rest()
        for worker in self.workers:
            self.late += worker.late
            worker.late.clear()
        while self.late:
            self.arrive(0)
            self.watch.look()
        for router in self.routers:
            router.refresh()
        self._rest()
        self._tidy()
        self._check()

    def _rest(self) -> None:
        """Let every worker work until none has anything to do."""
        stop: Any = None
        for _ in range(RUNS_MAX):
            while not self.recovery.run().over:
                self.watch.look()
            for worker in (self.campaign, self.follower, *self.movers[:2]):
                stop = worker.run()
                self.watch.look()
            if stop.at_ms is None and not self._open():
                return
            later = stop.at_ms or self.bench.clock.time_ms
            self.bench.clock.time_ms = max(self.bench.clock.time_ms, later)
        raise AssertionError(f"I7: not settled: {stop}, {self.bench.tenant()}, {self._open()}")

    def _tidy(self) -> None:
        for _ in CELLS:
            self.tidying.run()
        self._rest()

    def _check(self) -> None:
        scene = Scene(self.bench, self.clients, self._movers)  # type: ignore[arg-type]
        orphaned = self.clients.acked if self.clients.is_forced else ()
        scene.check_end(orphans=orphaned)


@cache
def _begun(stripes: int, *, standby: bool) -> Scene:
    scene = Scene.made(stripes=stripes, writes=0, **({} if standby else {"standby": ""}))
    for id_ in CELLS:
        [record] = scene.bench.registry.get([Key(kind="cell", key=id_)])
        assert record is not None
        scene.bench.put(replace(read(Cell, record), probe=Probe(at_ms=START_MS, contract="1")))
    return scene

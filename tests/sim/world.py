"""One simulated run: everything of the system that is real code, in a world that a seed draws.

A run has three parts: it works and breaks for a while, then nothing breaks any more and all has to
come to rest in bounded time, then whatever is kept only for a while goes, and all is checked.
"""

import traceback
from collections import Counter
from typing import TYPE_CHECKING, Final

from cell_control.codec import read
from cell_control.domain.pace import Limits
from cell_control.domain.records import Member
from cell_control.flows.recover import begin_recovery
from cell_core.domain.fence import Fence, Role
from cell_core.domain.ids import split_partition
from tests.sim.cells import NAMES, SimCell, url_of
from tests.sim.chaos import Chaos
from tests.sim.clients import Books, Client
from tests.sim.kernel import Kernel
from tests.sim.network import Network, Weather
from tests.sim.oracles import Oracles
from tests.sim.process import ControlProcess
from tests.sim.registry import SimRegistry
from tests.sim.router import SimRouter
from tests.sim.scenario import DAY_MS, Result, Scenario, drawn
from tests.sim.shell import Steps
from tests.sim.workload import Workload

if TYPE_CHECKING:
    from cell_control.ports import Record

SETTLE_MS: Final = 300_000
CHECK_EVERY_MS: Final = 250
QUIET_MS: Final = 6_000
"""In which all that was ever sent arrives; the slowest link takes 2.5 s."""


class World:
    """Everything, wired."""

    def __init__(
        self,
        seed: int,
        scenario: Scenario,
        *,
        keeps_trace: bool = False,
        steps: Steps | None = None,
    ) -> None:
        self.seed, self.scenario = seed, scenario
        self.kernel = Kernel(seed, keeps_trace=keeps_trace)
        self.books = Books()
        self.network = Network(self.kernel, Weather())
        self.far = SimRegistry(self.kernel)
        self.cells: dict[str, SimCell] = {}
        self.steps = steps or Steps()
        for name in NAMES[: scenario.cells]:
            self.cells[name] = SimCell(
                name, self.kernel, self.network, self._at_url, self._fence_changed
            )
        self.oracles = Oracles(self.kernel, self.cells, self.far, self.books)
        self.workload = Workload(self.kernel, self.far)
        self.workload.declare_cells(scenario.cells)
        for cell in self.cells.values():
            cell.on_answer = self._answered
        limits = Limits(keep_ms=scenario.keep_ms)
        self.processes = [
            ControlProcess(
                f"control-{n}",
                self.kernel,
                self.network,
                self.far,
                self.cells,
                limits=limits,
                steps=self.steps,
            )
            for n in range(1, scenario.processes + 1)
        ]
        self.routers = [
            SimRouter(
                f"edge-{n}",
                self.kernel,
                self.network,
                self.far,
                self.cells,
                self.oracles.sent,
            )
            for n in range(1, scenario.routers + 1)
        ]
        self.far.on_ahead = lambda rev: [p.ahead(rev) for p in self.processes] and None
        self.chaos = Chaos(
            self.kernel,
            self.network,
            scenario.climate,
            cells=list(self.cells.values()),
            processes=self.processes,
            routers=self.routers,
            registry=self.far,
            forget=self.oracles.forget,
            restore=self._restore,
        )
        self.clients: list[Client] = []
        self._backups: list[list[Record]] = []
        self._has_refuse = {t for t, _, policy, _ in scenario.tenants if policy.ack == "refuse"}

    # ── One run ──────────────────────────────────────────────────────────────

    def run(self) -> Result:
        """Run to the end; whatever is raised on the way is a finding."""
        stuck: list[str] = []
        settled_ms = 0.0
        try:
            self._begin()
            self._work()
            began = self.kernel.now
            stuck = self._settle()
            settled_ms = self.kernel.now - began
            if not stuck:
                stuck = self._retire()
            if not stuck:
                self.oracles.at_rest()
        except Exception as bug:  # noqa: BLE001 - a run reports what broke it, with its seed
            frame = traceback.extract_tb(bug.__traceback__)[-1]
            self.oracles.find(f"{type(bug).__name__} {bug} in {frame.name}:{frame.lineno}")
        return self._result(stuck, settled_ms)

    def _begin(self) -> None:
        """Create the tenants and let them come to rest, in fair weather."""
        for process in self.processes:
            process.start()
        for tenant, stripes, policy, has_standby in self.scenario.tenants:
            self.workload.create(tenant, stripes=stripes, policy=policy, standby=has_standby)
        self._rest(60_000)
        for tenant, *_ in self.scenario.tenants:
            for number in range(self.scenario.streams):
                client = Client(
                    self.kernel,
                    self.routers,
                    self.books,
                    tenant,
                    f"s{number}",
                    pace_ms=self.scenario.pace_ms,
                    wants_standby=lambda tenant=tenant: tenant in self._has_refuse,
                )
                self.clients.append(client)
                client.start()
        self.kernel.run(1500)

    def _work(self) -> None:
        self._backups.append(self.far.backup())
        self.chaos.begin()
        self._keep_backups()
        for at_ms, tenant, dest in self.scenario.moves:
            self.kernel.later(at_ms, lambda t=tenant, d=dest: self.workload.move(t, d))
        if self.scenario.operate_ms:
            self._operate()
        self.kernel.run(self.scenario.works_ms)

    def _settle(self) -> list[str]:
        """Let everything that was begun end, then all be still."""
        self.chaos.end()
        self.scenario_over = True
        for client in self.clients:
            client.is_stopped = True
        stuck = self._rest(SETTLE_MS)
        if stuck:
            return stuck
        # What is still on its way arrives, and changes nothing for good.
        self.network.flush(QUIET_MS / 2)
        self.kernel.run(QUIET_MS)
        for client in self.clients:
            client.once()
        self.kernel.run(3000)
        return self._rest(SETTLE_MS)

    def _retire(self) -> list[str]:
        """Let a day pass: what was kept for a while goes."""
        if not any(tenant.leaving for tenant in self.far.tenants()):
            return []
        self.kernel.skip(DAY_MS)
        self.kernel.run(20_000)
        stuck = self._rest(SETTLE_MS)
        kept = [t.id for t in self.far.tenants() if t.leaving]
        for client in self.clients:
            client.once()
        self.kernel.run(3000)
        return stuck or self._rest(SETTLE_MS) or [f"{t} is not dropped" for t in kept]

    def _rest(self, ms: float) -> list[str]:
        """Let time pass until all is at rest, at most so long; return what is not."""
        passed = 0.0
        while True:
            stuck = self._unrest()
            if not stuck or passed >= ms:
                return stuck
            self.kernel.run(CHECK_EVERY_MS)
            passed += CHECK_EVERY_MS

    def _unrest(self) -> list[str]:
        stuck = [f"operation {one} is under way" for one in self.workload.under_way()]
        stuck += [
            f"client {c.tenant}/{c.stream} still waits"
            for c in self.clients
            if c.is_stopped and not c.is_idle
        ]
        return stuck or self.oracles.settled()

    # ── What goes on meanwhile ───────────────────────────────────────────────

    scenario_over = False

    def _operate(self) -> None:
        def now() -> None:
            if not self.scenario_over:
                self.workload.any([tenant for tenant, *_ in self.scenario.tenants])
                self._operate()

        self.kernel.later(self.kernel.random.expovariate(1 / self.scenario.operate_ms), now)

    def _keep_backups(self) -> None:
        if not self.scenario_over and "restore" in self.scenario.climate.troubles:
            self._backups = [*self._backups, self.far.backup()][-4:]
            self.kernel.later(3000, self._keep_backups)

    def _restore(self) -> None:
        """Do what an operator does: stop the registry, restore, say so, let it go on."""
        self.far.is_down = True

        def back() -> None:
            if self.scenario_over:
                return
            self.far.restore(self.kernel.random.choice(self._backups))
            flow = begin_recovery(self.workload.now_ms(), by="operator", reason="restored")
            answer = None
            try:
                while True:
                    answer = self.far.at_once(flow.send(answer))
            except StopIteration:
                pass
            self.far.is_down = False
            self._backups = [self.far.backup()]

        self.kernel.later(self.kernel.random.uniform(300, 2000), back)

    def _ring(self, tenant: str) -> None:
        """Ring for a tenant whose journal has grown; a third of the rings are lost."""
        for process in self.processes:
            if self.kernel.chance(0.6):
                self.kernel.later(
                    self.kernel.random.uniform(20, 150), lambda p=process: p.ring((tenant,))
                )

    def _at_url(self, url: str) -> SimCell | None:
        return next((cell for name, cell in self.cells.items() if url_of(name) == url), None)

    def _fence_changed(self, cell: str, partition: str, fence: Fence | None) -> None:
        if self.oracles.fence(cell, partition, fence):
            for name in self.cells:
                self.network.stir(name)
        if fence is not None and fence.role is Role.ACTIVE:
            self._ring(split_partition(partition)[0])

    def _answered(self, *answered: object) -> None:
        self.oracles.answered(*answered)  # type: ignore[arg-type]

    def _result(self, stuck: list[str], settled_ms: float) -> Result:
        wrong = [*self.oracles.wrong, *self.books.wrong]
        members = [read(Member, r) for r in self.far.registry.list("member", limit=10_000)]
        if self.scenario.name == "calm":
            wrong += [f"no fault, and yet: {text}" for text in self.books.failed]
            wrong += [
                f"no fault, and yet: {member.operation} failed: {member.note}"
                for member in members
                if member.status == "failed"
            ]
        rows: Counter[str] = Counter()
        for process in self.processes:
            rows.update(process.rows)
        ends = Counter(member.status for member in members)
        return Result(
            seed=self.seed,
            name=self.scenario.name,
            wrong=wrong[:40],
            stuck=stuck[:10],
            failed=self.books.failed,
            acks=len(self.books.acks),
            requests=self.books.requests,
            reads=self.books.reads,
            events=self.kernel.events,
            slowest_ms=self.books.slowest_ms,
            settled_ms=settled_ms,
            steps=self.steps.names,
            rows=rows,
            ends=Counter(map(str, ends.elements())),
            trace=self.kernel.trace,
        )


def run_seed(seed: int, *, keeps_trace: bool = False) -> Result:
    """Run the world of a seed."""
    return World(seed, drawn(seed), keeps_trace=keeps_trace).run()

"""One soak, from an empty world to its verdict."""

import asyncio
import time
from dataclasses import dataclass, field

import uvloop

from cell_devstack.cell_client import Answered
from cell_devstack.local_router import RouterSettings
from tests.router.soak.audit import audit
from tests.router.soak.books import Books
from tests.router.soak.conductor import Conductor
from tests.router.soak.memory_use import anonymous_bytes, workers_of
from tests.router.soak.schedule import schedule
from tests.router.soak.traffic import Operations, Traffic
from tests.router.soak.world import CELLS, SoakWorld

WARM_UP_SHARE = 0.2
SAMPLES = 100
WATCH_S = 0.25
BUGS = ('"bug"', "supervisor_bug", "Traceback", "report_refused", "worker_overdue")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one run is: the same plan, the same schedule."""

    requests: int
    seed: int
    tenants: int = 200
    clients: int = 48
    cells: int = 3
    workers: int = 2
    segment: int = 5000
    tenants_moved: int = 4


@dataclass(slots=True)
class Verdict:
    """What a run came to; no problems is proof.

    Attributes:
        memory: What all workers have allocated, in bytes, by the number of requests so far.
    """

    books: Books
    took_s: float = 0.0
    happened: dict[str, int] = field(default_factory=dict)
    moves: int = 0
    memory: list[tuple[int, int]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def growth(self):
        """Growth of the memory since the warm-up, as a share: median of the ends."""
        held = [size for _, size in self.memory]
        part = max(1, len(held) // 5)
        first, last = sorted(held[:part]), sorted(held[-part:])
        return last[len(last) // 2] / first[len(first) // 2] - 1 if held else 0.0


def soak(plan, folder, watch=lambda _books, _happened: None):
    """Run `plan` in `folder`; `watch` is called now and then."""
    settings = RouterSettings(workers=plan.workers, limits={"total_ms": 2000})
    with SoakWorld(folder, cells=plan.cells, settings=settings, seed=plan.seed) as world:
        tenants = [f"T-{number:04d}" for number in range(plan.tenants)]
        names = [name for name, _ in CELLS[: plan.cells]]
        for number, tenant in enumerate(tenants):
            world.settle(tenant, names[number % len(names)], stripes=1 + number % 2)
        world.start_router()
        return uvloop.run(_Run(plan, world, tenants).run(watch))


class _Run:
    def __init__(self, plan, world, tenants):
        self._plan = plan
        self._world = world
        self._tenants = tenants
        self._books = Books()
        self._verdict = Verdict(self._books)
        faults, moves = schedule(
            plan.seed,
            requests=plan.requests,
            cells=list(world.cells),
            segment=plan.segment,
            tenants_moved=plan.tenants_moved,
        )
        self._conductor = Conductor(world, self._books, faults, moves, seed=plan.seed)

    async def run(self, watch):
        plan, verdict = self._plan, self._verdict
        key = self._world.router.api_key
        operations = Operations(self._tenants, key, plan.seed)
        traffic = Traffic(
            operations,
            self._books,
            self._world.router.port,
            clients=plan.clients,
            seed=plan.seed,
        )
        await traffic.prepare(self._tenants)
        watching = asyncio.create_task(self._watch(watch))
        began = time.monotonic()
        self._conductor.start()
        finishing = asyncio.create_task(self._finish_in_time())
        await traffic.run(plan.requests)
        await finishing
        verdict.took_s = time.monotonic() - began
        watching.cancel()
        verdict.happened = dict(self._conductor.happened)
        verdict.moves = self._world.moves
        verdict.problems += self._conductor.problems + self._books.wrong
        verdict.problems += bugs_in(self._world.router.log_path)
        await asyncio.to_thread(self._audit)
        return verdict

    async def _finish_in_time(self):
        """End the faults when enough was asked, so that what is open can be settled."""
        while self._books.requests < self._plan.requests:
            await asyncio.sleep(WATCH_S)
        await asyncio.to_thread(self._conductor.finish)

    async def _watch(self, watch):
        sampled = 0
        every = max(1, self._plan.requests // SAMPLES)
        while True:
            done = self._books.requests
            watch(self._books, self._conductor.happened)
            warm = done >= WARM_UP_SHARE * self._plan.requests
            if warm and done >= sampled + every and done <= self._plan.requests:
                sampled = done
                pids = workers_of(self._world.router.process.pid)
                self._verdict.memory.append((done, sum(map(anonymous_bytes, pids))))
            await asyncio.sleep(WATCH_S)

    def _audit(self):
        for tenant in self._tenants:
            client = self._world.clients[self._world.home(tenant)]
            acknowledged = self._books.entries.get(tenant, {})
            epoch = self._world.homes[tenant]
            try:
                self._verdict.problems += audit(client, tenant, epoch, acknowledged)
            except Answered as no:
                self._verdict.problems.append(f"{tenant} cannot be audited: {no}")
        self._world.hang_up()


def bugs_in(log):
    """Yield what the router's log says of its own bugs; each is a defect, whoever met it."""
    for line in log.read_text().splitlines():
        if any(word in line for word in BUGS):
            yield f"the router's log: {line}"

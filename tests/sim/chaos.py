"""What goes wrong, when: drawn from a seed, each trouble with its end, and none for ever.

Refuses to break what no operator could: stores are kept, and everything that dies comes back.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.sim.cells import SimCell
from tests.sim.kernel import Kernel
from tests.sim.network import Network
from tests.sim.process import ControlProcess
from tests.sim.registry import NAME as REGISTRY
from tests.sim.registry import SimRegistry
from tests.sim.router import SimRouter


@dataclass(frozen=True, slots=True, kw_only=True)
class Climate:
    """How rough a run is.

    Attributes:
        troubles: Names of what may happen, each as often as it stands there.
        every_ms: How long on average between two troubles.
        lost, answer_lost, twice, late: Of each exchange on each link.
        store: How likely each store call is to fail, in each way.
        latency_ms: Of each way of each link.
    """

    troubles: tuple[str, ...] = ()
    every_ms: float = 1500.0
    lost: float = 0.0
    answer_lost: float = 0.0
    twice: float = 0.0
    late: float = 0.0
    store: float = 0.0
    between: float = 0.0
    latency_ms: tuple[float, float] = (0.5, 4.0)


EVERY: Final = (
    "cut", "cut", "slow", "slow", "slow", "cell", "cell", "process", "process", "router",
    "throttled", "full", "registry",
)  # fmt: skip

CLIMATES: Final[Mapping[str, Climate]] = {
    "calm": Climate(latency_ms=(2, 30), between=0.2),
    "rough": Climate(
        troubles=EVERY, lost=0.01, answer_lost=0.02, twice=0.03, late=0.01, store=0.003, between=0.1
    ),
    "slow": Climate(troubles=("slow",), every_ms=700, latency_ms=(1, 60), late=0.01, between=0.1),
    "crashes": Climate(
        troubles=("cell", "process", "process", "router"), every_ms=700, late=0.01, store=0.003,
        between=0.1,
    ),
    "registry": Climate(
        troubles=("registry", "restore", "process", "cut"), every_ms=2000, answer_lost=0.01,
        late=0.01,
    ),
    "stores": Climate(
        troubles=("throttled", "full", "slow"), store=0.01, between=0.3, answer_lost=0.01
    ),
}  # fmt: skip


class Chaos:
    """Makes trouble until it is told to stop.

    Attributes:
        on_restore: Called with a way back, to carry out as an operator does.
    """

    def __init__(
        self,
        kernel: Kernel,
        network: Network,
        climate: Climate,
        *,
        cells: Sequence[SimCell],
        processes: Sequence[ControlProcess],
        routers: Sequence[SimRouter],
        registry: SimRegistry,
        forget: Callable[[str], None],
        restore: Callable[[], None],
    ) -> None:
        self._kernel, self._network, self._climate = kernel, network, climate
        self._cells, self._processes, self._routers = cells, processes, routers
        self._far = registry
        self._forget, self._bring_back = forget, restore
        self._is_over = False

    def begin(self) -> None:
        """Let the weather turn."""
        climate, weather, random = self._climate, self._network.weather, self._kernel.random
        weather.latency_ms = climate.latency_ms
        weather.lost, weather.answer_lost = climate.lost, climate.answer_lost
        weather.twice, weather.late = climate.twice, climate.late
        for cell in self._cells:
            health = cell.health
            health.between = climate.between
            health.refused = health.throttled = health.lost = climate.store
            health.answer_lost, health.crash = climate.store, climate.store / 10
        if climate.troubles:
            for one in (*self._cells, *self._processes):
                one.skew_ms = random.uniform(-1500, 1500)
            self._next()

    def end(self) -> None:
        """End all troubles; what is under way arrives all the same."""
        self._is_over = True
        self._network.weather.clear()
        self._network.weather.latency_ms = (0.5, 4.0)
        self._far.is_down = False
        for cell in self._cells:
            cell.health.clear()
            if not cell.is_up:
                cell.start()
        for router in self._routers:
            if not router.is_up:
                router.start()
        for process in self._processes:
            process.start()

    def _next(self) -> None:
        def now() -> None:
            if not self._is_over:
                self._make(self._kernel.random.choice(self._climate.troubles))
                self._next()

        self._kernel.later(self._kernel.random.expovariate(1 / self._climate.every_ms), now)

    def _make(self, trouble: str) -> None:
        random = self._kernel.random
        lasts_ms = random.choice((200, 1000, 3000, 8000)) * random.uniform(0.5, 1.5)
        self._kernel.say("trouble:", trouble, f"{lasts_ms:.0f} ms")
        getattr(self, f"_{trouble}")(lasts_ms)

    def _until(self, ms: float, undo: Callable[[], None]) -> None:
        self._kernel.later(ms, lambda: None if self._is_over else undo())

    def _link(self) -> frozenset[str]:
        random = self._kernel.random
        ends = [one.id for one in self._cells] + [REGISTRY]
        others = [one.name for one in (*self._processes, *self._routers)]
        others += [one.id for one in self._cells]
        pair = frozenset((random.choice(ends), random.choice(others)))
        return pair if len(pair) == 2 else self._link()

    def _cut(self, ms: float) -> None:
        link = self._link()
        self._kernel.say("cut", *sorted(link))
        self._network.weather.cut.add(link)
        self._until(ms, lambda: self._network.weather.cut.discard(link))

    def _slow(self, ms: float) -> None:
        link = self._link()
        self._network.weather.slow[link] = self._kernel.random.choice((50, 300, 900, 2500))
        self._until(ms, lambda: self._network.weather.slow.pop(link, None) and None)

    def _cell(self, ms: float) -> None:
        cell = self._kernel.random.choice(self._cells)
        if cell.is_up:
            cell.crash()
            self._until(ms, cell.start)

    def _process(self, ms: float) -> None:
        process = self._kernel.random.choice(self._processes)
        process.crash()
        self._until(ms, process.start)

    def _router(self, ms: float) -> None:
        router = self._kernel.random.choice(self._routers)
        if router.is_up:
            router.crash(keeps_disk=self._kernel.chance(0.7))
            # What it learned from cells is lost with the process, whatever its disk keeps.
            self._forget(router.name)
            self._until(min(ms, 1000), router.start)

    def _throttled(self, ms: float) -> None:
        health = self._kernel.random.choice(self._cells).health
        health.throttled = 0.5
        self._until(ms, lambda: setattr(health, "throttled", self._climate.store))

    def _full(self, ms: float) -> None:
        health = self._kernel.random.choice(self._cells).health
        health.full = True
        self._until(ms, lambda: setattr(health, "full", False))

    def _registry(self, ms: float) -> None:
        self._far.is_down = True
        self._until(ms, lambda: setattr(self._far, "is_down", False))

    def _restore(self, _ms: float) -> None:
        self._bring_back()

"""Links between named ends: latency, loss both ways, duplicates, late arrivals, partitions.

Whatever was sent may arrive long after its sender has gone: a link knows no connection. What is
late likes to arrive just when something has changed at the far end: then it can do harm.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from tests.sim.kernel import Kernel

Serve: TypeAlias = Callable[[], tuple[Any, float] | None]
"""What the far end does on arrival: its answer and how long it took, or None for no answer."""

LATE_MIN_MS: Final = 2_000
LATE_MAX_MS: Final = 90_000
NEARBY_MS: Final = 50
STIRS: Final = 0.5
RETURNS: Final = 0.2


@dataclass(slots=True, kw_only=True)
class Weather:
    """How likely what is, and which links are how bad now.

    Attributes:
        slow: By link: how many milliseconds more each way.
        cut: Links that carry nothing.
    """

    latency_ms: tuple[float, float] = (0.5, 4.0)
    lost: float = 0.0
    answer_lost: float = 0.0
    twice: float = 0.0
    late: float = 0.0
    slow: dict[frozenset[str], float] = field(default_factory=dict)
    cut: set[frozenset[str]] = field(default_factory=set)

    def clear(self) -> None:
        """Let the sun come out."""
        self.lost = self.answer_lost = self.twice = self.late = 0.0
        self.slow.clear()
        self.cut.clear()


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one exchange; None for what never arrives."""

    there_ms: float | None
    back_ms: float | None
    again_ms: float | None


class Network:
    """Carries requests and answers."""

    def __init__(self, kernel: Kernel, weather: Weather) -> None:
        self._kernel = kernel
        self.weather = weather
        self.nearby: dict[str, list[Callable[[], None]]] = {}
        """By end: what is about to arrive there, and may arrive at any moment from now on."""
        self._held: dict[str, list[Callable[[], None]]] = {}

    def fate(self, source: str, dest: str) -> Fate:
        """Draw what becomes of an exchange that begins now."""
        kernel, weather = self._kernel, self.weather
        link = frozenset((source, dest))
        there, back = self._way_ms(link), self._way_ms(link)
        again = None
        if kernel.chance(weather.twice):
            again = there + kernel.random.choice((10, 3000, LATE_MAX_MS)) * kernel.random.random()
        if kernel.chance(weather.late):
            # It arrives when nobody waits for it any more.
            return Fate(None, None, kernel.random.uniform(LATE_MIN_MS, LATE_MAX_MS))
        is_cut = link in weather.cut
        lost = is_cut or kernel.chance(weather.lost)
        answer_lost = is_cut or kernel.chance(weather.answer_lost)
        return Fate(None if lost else there, None if answer_lost else back, again)

    def send(
        self,
        source: str,
        dest: str,
        serve: Serve,
        then: Callable[[Any], None],
        *,
        returns: bool = False,
    ) -> None:
        """Have `dest` serve, and `then` called with its answer; perhaps never, perhaps twice.

        What `returns` is what can do harm when it arrives again: it does so more often.
        """
        fate = self.fate(source, dest)
        if returns and self.weather.late and self._kernel.chance(RETURNS):
            late_ms = self._kernel.random.uniform(LATE_MIN_MS, LATE_MAX_MS)
            self.hold(dest, late_ms, lambda: self._arrive(serve, then, None))
        if fate.there_ms is not None:
            self._deliver(dest, fate.there_ms, lambda: self._arrive(serve, then, fate.back_ms))
        if fate.again_ms is not None:
            self.hold(dest, fate.again_ms, lambda: self._arrive(serve, then, None))

    def hold(self, dest: str, ms: float, arrive: Callable[[], None]) -> None:
        """Have something arrive in so long, or before that when `dest` is stirred."""
        held = self._held.setdefault(dest, [])
        held.append(arrive)

        def unless_stirred() -> None:
            if arrive in held:
                held.remove(arrive)
                arrive()

        self._kernel.later(ms, unless_stirred)

    def flush(self, ms: float) -> None:
        """Have all that is held arrive within so long."""
        for held in self._held.values():
            for arrive in held:
                self._kernel.later(self._kernel.random.uniform(0, ms), arrive)
            held.clear()

    def stir(self, dest: str) -> None:
        """Something has changed at `dest`: what is late may well arrive now."""
        held = self._held.get(dest)
        if held and self._kernel.chance(STIRS):
            arrive = held.pop(self._kernel.random.randrange(len(held)))
            self._kernel.say("late at", dest)
            self._kernel.later(self._kernel.random.uniform(0, 6), arrive)

    def _deliver(self, dest: str, ms: float, arrive: Callable[[], None]) -> None:
        nearby = self.nearby.get(dest)
        if nearby is None or ms > NEARBY_MS:
            self._kernel.later(ms, arrive)
            return
        nearby.append(arrive)

        def unless_early() -> None:
            if arrive in nearby:
                nearby.remove(arrive)
                arrive()

        self._kernel.later(ms, unless_early)

    def _arrive(self, serve: Serve, then: Callable[[Any], None], back_ms: float | None) -> None:
        served = serve()
        if served is None or back_ms is None:
            return
        answer, took_ms = served
        self._kernel.later(took_ms + back_ms, lambda: then(answer))

    def _way_ms(self, link: frozenset[str]) -> float:
        low, high = self.weather.latency_ms
        more = self.weather.slow.get(link, 0.0)
        return self._kernel.random.uniform(low, high) + (
            self._kernel.random.uniform(more / 2, more) if more else 0.0
        )

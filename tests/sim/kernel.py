"""Virtual time: what happens next, in an order that one seed decides.

Refuses real clocks and real chance: two runs of one seed do the same things in the same order.
"""

import heapq
import itertools
import random
from collections.abc import Callable
from typing import Final

START_MS: Final = 1_700_000_000_000
EVENTS_MAX: Final = 150_000
TRACE_MAX: Final = 200_000


class Endless(Exception):
    """So many events that the run does not end."""


class Kernel:
    """Time in milliseconds from 0, what is due when, and chance.

    Attributes:
        trace: What was said, if it is kept.
    """

    def __init__(
        self, seed: int, *, keeps_trace: bool = False, events_max: int = EVENTS_MAX
    ) -> None:
        self.now = 0.0
        self.random = random.Random(seed)
        self.trace: list[str] = []
        self.events = 0
        self._keeps_trace = keeps_trace
        self._events_max = events_max
        self._order = itertools.count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []

    def later(self, ms: float, do: Callable[[], None]) -> None:
        """Do something in so many milliseconds."""
        heapq.heappush(self._due, (self.now + max(0.0, ms), next(self._order), do))

    def run(self, ms: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass, at most so long; return whether `until` came true before.

        Raises:
            Endless: More happens than may.
        """
        end = self.now + ms
        while self._due and self._due[0][0] <= end:
            at, _, do = heapq.heappop(self._due)
            self.now = max(self.now, at)
            self.events += 1
            if self.events > self._events_max:
                raise Endless(f"{self._events_max} events")
            do()
            if until():
                return True
        self.now = end
        return until()

    def skip(self, ms: float) -> None:
        """Let so long pass as if all had slept: what was due meanwhile comes late."""
        self.now += ms

    def say(self, *words: object) -> None:
        """Note what happens, for whoever reads the trace of a failing seed."""
        if self._keeps_trace and len(self.trace) < TRACE_MAX:
            self.trace.append(f"{self.now:11.1f} " + " ".join(map(str, words)))

    def chance(self, likely: float) -> bool:
        """Say whether something happens that happens with probability `likely`."""
        return likely > 0 and self.random.random() < likely

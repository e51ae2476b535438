"""The highest acknowledged write of each stripe that this edge has seen (protocol.md 9.5).

With them the control plane can say within a second what a dark cell may have lost. Bounded: the
stripes that were quiet for longest are forgotten, and that is said.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Final

from cell_router.server.report import Position

POSITIONS_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class Page:
    """Positions in the order in which they last grew.

    Attributes:
        after: Ask for what comes behind this mark next time.
        more: Whether anything does already.
    """

    positions: list[Position]
    after: int
    more: bool


class Positions:
    """Keeps the highest (epoch, seq) of each stripe; for one thread."""

    def __init__(self, positions_max: int = POSITIONS_MAX) -> None:
        self._positions_max = positions_max
        # By (tenant, stripe): mark, epoch, seq. In the order of the marks.
        self._held: OrderedDict[tuple[str, int], tuple[int, int, int]] = OrderedDict()
        self._mark = 0
        self.forgotten = 0

    def __len__(self) -> int:
        """Return how many stripes are known."""
        return len(self._held)

    def note(self, positions: Iterable[Position]) -> None:
        """Take what workers report; a position never goes back."""
        for tenant, stripe, epoch, seq in positions:
            key = (tenant, stripe)
            held = self._held.get(key)
            if held is not None and held[1:] >= (epoch, seq):
                continue
            self._mark += 1
            self._held[key] = (self._mark, epoch, seq)
            self._held.move_to_end(key)
            if len(self._held) > self._positions_max:
                self._held.popitem(last=False)
                self.forgotten += 1

    def of_tenant(self, tenant: str, stripes_max: int) -> list[Position]:
        """Return what is known of `tenant`."""
        keys = ((tenant, stripe) for stripe in range(stripes_max))
        return [(*key, *self._held[key][1:]) for key in keys if key in self._held]

    def page(self, after: int, limit: int) -> Page:
        """Return up to `limit` positions that grew behind the mark `after`, oldest first."""
        newest_first = takewhile(lambda item: item[1][0] > after, reversed(self._held.items()))
        behind = list(newest_first)
        oldest_first: Iterator[tuple[tuple[str, int], tuple[int, int, int]]] = reversed(behind)
        chosen = list(islice(oldest_first, limit))
        return Page(
            [(*key, epoch, seq) for key, (_, epoch, seq) in chosen],
            after=chosen[-1][1][0] if chosen else after,
            more=len(behind) > len(chosen),
        )

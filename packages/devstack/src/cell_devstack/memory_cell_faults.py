"""What a memory cell does wrong, and how often: a seeded roll of the dice for each request.

Pure: the generator is passed in. Refuses to touch the control interface, which moves need.
"""

import random  # noqa: TID251, TC003 - the type of the generator that the shell passes in
from dataclasses import asdict, dataclass, fields
from enum import Enum
from typing import Any, Final, Self

DELAY_MAX_S: Final = 10.0


class Fate(Enum):
    """What becomes of a request."""

    WELL = "well"
    DROPPED = "dropped"
    """The connection ends before anything is done."""
    UNANSWERED = "unanswered"
    """It is done, and the connection ends without an answer."""
    UNCODED = "uncoded"
    """It is done, and answered 500 by something that is not the cell."""
    GARBAGE = "garbage"
    """It is done, and what is answered is not HTTP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFaults:
    """Shares from 0 to 1 of the requests, and delays.

    Attributes:
        slow_ms, spread: Each request waits `slow_ms` times a log-normal factor of that spread.
        places, service_ms: A cell of bounded capacity: each request takes one of the places for
            that long, others wait for one; no places are no bound.
    """

    dropped: float = 0.0
    unanswered: float = 0.0
    uncoded: float = 0.0
    garbage: float = 0.0
    slow_ms: float = 0.0
    spread: float = 0.5
    places: int = 0
    service_ms: float = 0.0

    def fate(self, generator: "random.Random") -> Fate:
        """Roll the dice for one request."""
        roll = generator.random()
        for fate in (Fate.DROPPED, Fate.UNANSWERED, Fate.UNCODED, Fate.GARBAGE):
            roll -= getattr(self, fate.value)
            if roll < 0:
                return fate
        return Fate.WELL

    def delay_s(self, generator: "random.Random") -> float:
        """Return how long one request waits before it is looked at."""
        if not self.slow_ms:
            return 0.0
        return min(DELAY_MAX_S, self.slow_ms / 1000 * generator.lognormvariate(0.0, self.spread))

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Self:
        """Return the faults that `to_json` wrote; a name that is none is a `TypeError`."""
        known = {field.name for field in fields(cls)}
        if not found.keys() <= known:
            raise TypeError("no such fault")
        return cls(**found)

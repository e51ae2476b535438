"""What a run is made of, drawn from its seed, and what it came to."""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from cell_control.domain.records import Policy
from tests.sim.chaos import CLIMATES, Climate

DAY_MS: Final = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What a world is made of.

    Attributes:
        works_ms: For how long there is trouble.
        operate_ms: How long on average between two things that operators do; 0 for never.
        moves: Planned moves instead: when, which tenant, where to.
    """

    climate: Climate
    name: str = ""
    cells: int = 3
    routers: int = 2
    processes: int = 2
    tenants: tuple[tuple[str, int, Policy, bool], ...] = ()
    streams: int = 2
    works_ms: float = 15_000
    pace_ms: float = 300
    operate_ms: float = 2500
    keep_ms: int = DAY_MS
    moves: tuple[tuple[float, str, str], ...] = ()


@dataclass(slots=True, kw_only=True)
class Result:
    """What a run came to.

    Attributes:
        wrong: What may never be; empty if all is well.
        stuck: What had not come to rest.
        rows: What movers did, by row and outcome.
    """

    seed: int
    name: str
    wrong: list[str]
    stuck: list[str]
    failed: list[str]
    acks: int = 0
    requests: int = 0
    reads: int = 0
    events: int = 0
    slowest_ms: float = 0.0
    settled_ms: float = 0.0
    steps: list[str] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    trace: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing was wrong."""
        return not self.wrong and not self.stuck


def drawn(seed: int) -> Scenario:
    """Return the scenario of a seed."""
    chance = random.Random(f"scenario {seed}")
    name = list(CLIMATES)[seed % len(CLIMATES)]
    count = chance.choice((2, 3, 3))
    tenants = []
    for number in range(1, chance.choice((2, 3, 4)) + 1):
        ack = "refuse" if number == 2 else "local"
        stripes = chance.choice((1, 1, 2, 3))
        has_standby = ack == "refuse" or chance.random() < 0.6
        tenants.append((f"T-{number}", stripes, Policy(ack=ack), has_standby))
    return Scenario(
        name=name,
        climate=CLIMATES[name],
        cells=count,
        routers=chance.choice((1, 2)),
        tenants=tuple(tenants),
        works_ms=chance.choice((8_000, 15_000, 25_000)),
        keep_ms=chance.choice((2_000, 10_000, DAY_MS)),
    )

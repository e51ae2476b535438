"""One planned fault at each I/O of a move, with clients at work; or two, drawn from all pairs.

The step is counted over all control processes; the world around it is the same each time until the
fault, so a plan names it exactly.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeAlias

from cell_control.domain.records import Policy
from tests.sim.chaos import Climate
from tests.sim.scenario import Result, Scenario
from tests.sim.shell import Steps
from tests.sim.world import World

Run: TypeAlias = Callable[[], Result]

FATES: Final = ("crash", "lost", "failed", "late", "zombie")
"""Dies before it; done, its answer lost; not done, nobody knows; done much later; and its sender
dead."""

FIRST_MOVE_MS: Final = 500
SECOND_MOVE_MS: Final = 3_000


@dataclass(frozen=True, slots=True)
class Planned:
    """A run with faults at some steps."""

    seed: int
    steps: tuple[int, ...]
    fates: tuple[str, ...]

    @property
    def command(self) -> str:
        """Return what replays it."""
        at = ",".join(f"{s}:{fate}" for s, fate in zip(self.steps, self.fates, strict=True))
        return f"python -m tests.sim --seeds {self.seed} --at {at}"

    def run(self, *, keeps_trace: bool = False) -> Result:
        """Run it."""
        steps = Steps(dict(zip(self.steps, self.fates, strict=True)))
        return World(self.seed, scenario_of(self.seed), keeps_trace=keeps_trace, steps=steps).run()


def scenario_of(seed: int) -> Scenario:
    """Return the world of a move there and one back; by the seed, with a standby or without."""
    has_standby = seed % 2 == 0
    return Scenario(
        name="step",
        climate=Climate(between=0.1),
        cells=2,
        routers=1,
        tenants=(("T-1", 2, Policy(ack="refuse" if seed % 4 == 2 else "local"), has_standby),),
        works_ms=SECOND_MOVE_MS + 1_500,
        pace_ms=200,
        operate_ms=0,
        keep_ms=1_500,
        moves=((FIRST_MOVE_MS, "T-1", ""), (SECOND_MOVE_MS, "T-1", "")),
    )


@cache
def steps_of(seed: int) -> tuple[str, ...]:
    """Return the names of the steps of the run without a fault."""
    return tuple(World(seed, scenario_of(seed)).run().steps)


def planned(seed: int, at: str) -> Planned:
    """Return the run that `Planned.command` names with `--at`, as `7:zombie,19:crash`."""
    pairs = [one.split(":") for one in at.split(",")]
    return Planned(seed, tuple(int(step) for step, _ in pairs), tuple(fate for _, fate in pairs))


def single(seed: int) -> Iterator[Planned]:
    """Yield a run for each step and each fate."""
    for step in range(len(steps_of(seed))):
        for fate in FATES:
            yield Planned(seed, (step,), (fate,))


def drawn_pairs(seed: int, count: int) -> Iterator[Planned]:
    """Yield so many runs with two faults, drawn from all pairs of steps and of fates."""
    chance = random.Random(f"pairs {seed}")
    steps = range(len(steps_of(seed)))
    for _ in range(count):
        first, second = sorted(chance.sample(steps, 2))
        yield Planned(seed, (first, second), (chance.choice(FATES), chance.choice(FATES)))

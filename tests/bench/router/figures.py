"""From samples to figures: medians of rounds, and ratios within a round."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from tests.bench.router.measure import DIRECT, Measured, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One peer in one job; a ratio is the median of each round's ratio to the unit.

    Attributes:
        cpu_us_low, cpu_us_high: The least and the most of all rounds.
        added_us: At one connection, above the bare cell in the same round.
        failed: Answers that were refused, and connections that broke.
    """

    peer: str
    note: str
    cpu_us: float
    cpu_us_low: float
    cpu_us_high: float
    ratio: float | None
    per_second: float
    p50_us: float
    p99_us: float
    added_us: float
    memory_mb: float
    connections_per_1000: float
    failed: int


def figures_of(measured: list[Measured], unit: str) -> list[Figures]:
    """Return the figures of all that were measured, the unit's ratio being 1."""
    by_name = {one.peer: one.samples for one in measured}
    direct, units = by_name[DIRECT], by_name.get(unit, [])
    return [_figures(one, direct, units) for one in measured if one.samples and one.peer != DIRECT]


def _figures(one: Measured, direct: list[Sample], units: list[Sample]) -> Figures:
    samples = one.samples
    ratios = [mine.cpu_us / its.cpu_us for mine, its in zip(samples, units, strict=False)]
    added = [
        mine.alone_p50_us - bare.alone_p50_us for mine, bare in zip(samples, direct, strict=True)
    ]
    cpu = [sample.cpu_us for sample in samples]
    return Figures(
        peer=one.peer,
        note=one.note,
        cpu_us=statistics.median(cpu),
        cpu_us_low=min(cpu),
        cpu_us_high=max(cpu),
        ratio=statistics.median(ratios) if ratios else None,
        per_second=_median(samples, lambda s: s.answered.served * 1e6 / s.answered.wall_us),
        p50_us=_median(samples, lambda s: s.answered.p50_us),
        p99_us=_median(samples, lambda s: s.answered.p99_us),
        added_us=statistics.median(added),
        memory_mb=one.memory_bytes / 1e6,
        connections_per_1000=_median(
            samples, lambda s: s.connections * 1000 / max(s.answered.requests, 1)
        ),
        failed=sum(s.answered.refused + s.answered.broken for s in samples),
    )


def _median(samples: list[Sample], of: Callable[[Sample], float]) -> float:
    return statistics.median(map(of, samples))

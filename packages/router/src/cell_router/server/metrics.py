"""Sums what the workers report and shows it to Prometheus. No label ever holds a tenant.

Counters outlive the worker that counted: reports carry growth, and the sums are kept here.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from cell_router.server.report import Report
from cell_router.server.tally import BUCKETS_S, COUNTERS, GAUGES, LABELS_MAX, OTHER

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
REQUEST_ROWS_MAX: Final = 4096
"""16 cells, 5 classes and some 50 codes; most pairs never occur."""

_HELP: Final[Mapping[str, str]] = {
    "attempts": "Requests sent to cells, sent again included.",
    "attempts_failed": "Attempts that no cell answered.",
    "retries": "Attempts beyond the first one of a request.",
    "retries_refused": "Retries that the budget did not allow.",
    "hops": "Followed answers that a tenant has moved.",
    "holds": "Requests held because their tenant was moving.",
    "coalesced": "Commands that shared another one's commit.",
    "bundles": "Bundles sent.",
    "acks": "Writes of tenants that ask for a standby, by who has them: standby, local, unsaid.",
    "auth_refused": "Requests refused for their credential.",
    "connections_accepted": "Connections of clients.",
    "connections_refused": "Connections of clients that were closed at once.",
    "upstream_connects": "New connections to cells.",
    "log_lines_dropped": "Lines of the access log that nobody took in time.",
    "positions_dropped": "Acknowledged positions for which a worker had no room.",
    "in_flight": "Requests sent and not yet answered.",
    "held": "Requests that wait for a frozen tenant.",
    "queued": "Requests that wait for a place.",
    "connections": "Open connections of clients.",
    "upstream_connections": "Open connections to cells.",
    "breaker_state": "The worst of all workers: 0 closed, 1 half open, 2 open.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What the supervisor knows itself, at the time of a look."""

    workers_ready: int
    workers_wanted: int
    worker_restarts: int
    reloads: int
    reloads_failed: int
    registry_rev: int
    registry_tenants: int
    registry_age_s: float
    registry_fresh_age_s: float
    positions: int
    positions_forgotten: int


class OwnSource(Protocol):
    """Looks at the supervisor's own state."""

    def __call__(self) -> Own:
        """Return it as it is now."""


class Totals:
    """The sums over all workers, living and ended; for one thread."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str, str], int] = {}
        self._buckets: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}
        self._counts: dict[str, dict[str, int]] = defaultdict(dict)
        self._gauges: dict[int, dict[tuple[str, str], float]] = {}

    def add(self, worker: int, report: Report) -> None:
        """Take what `worker` reports; what is not on the lists is left out."""
        for row in report.requests:
            key = (row.cell, f"{row.status_class}xx", row.code)
            if key not in self._requests and len(self._requests) >= REQUEST_ROWS_MAX:
                key = (OTHER, key[1], OTHER)
            self._requests[key] = self._requests.get(key, 0) + row.count
        for times in report.seconds:
            self._add_seconds(times.cell, times.buckets, times.sum_s)
        for name, label, by in report.counts:
            if name in COUNTERS and by > 0:
                row_of = self._counts[name]
                bounded = _bounded(label, row_of)
                row_of[bounded] = row_of.get(bounded, 0) + by
        if report.gauges:
            known = {(n, label): value for n, label, value in report.gauges if n in GAUGES}
            self._gauges[worker] = dict(list(known.items())[: LABELS_MAX * len(GAUGES)])

    def forget(self, worker: int) -> None:
        """Drop the gauges of a worker that has ended; what it counted stays."""
        self._gauges.pop(worker, None)

    def families(self) -> Iterator[Metric]:
        """Yield what the workers reported."""
        yield self._request_family()
        yield self._seconds_family()
        for name, label in COUNTERS.items():
            family = CounterMetricFamily(f"cell_router_{name}", _HELP[name], labels=_labels(label))
            for value, count in _rows(label, self._counts.get(name, {})):
                family.add_metric(value, count)
            yield family
        for name, label in GAUGES.items():
            gauge = GaugeMetricFamily(f"cell_router_{name}", _HELP[name], labels=_labels(label))
            for value, now in _rows(label, self._gauge(name)):
                gauge.add_metric(value, now)
            yield gauge

    def _add_seconds(self, cell: str, buckets: list[int], sum_s: float) -> None:
        cell = _bounded(cell, self._buckets)
        held = self._buckets.setdefault(cell, [0] * (len(BUCKETS_S) + 1))
        if len(buckets) != len(held):
            return  # A worker of another version.
        self._buckets[cell] = [a + b for a, b in zip(held, buckets, strict=True)]
        self._seconds[cell] = self._seconds.get(cell, 0.0) + sum_s

    def _gauge(self, name: str) -> dict[str, float]:
        merged: dict[str, float] = {}
        for gauges in self._gauges.values():
            for (found, label), value in gauges.items():
                if found == name:
                    before = merged.get(label, 0.0)
                    worst = name == "breaker_state"
                    merged[label] = max(before, value) if worst else before + value
        return merged

    def _request_family(self) -> Metric:
        family = CounterMetricFamily(
            "cell_router_requests",
            "Requests answered.",
            labels=["cell", "status_class", "code"],
        )
        for (cell, status_class, code), count in sorted(self._requests.items()):
            family.add_metric([cell, status_class, code], count)
        return family

    def _seconds_family(self) -> Metric:
        family = HistogramMetricFamily(
            "cell_router_request_seconds",
            "From a request's head to the end of its answer.",
            labels=["cell"],
        )
        ends = [*(str(end) for end in BUCKETS_S), "+Inf"]
        for cell, counts in sorted(self._buckets.items()):
            summed = zip(ends, accumulate(counts), strict=True)
            rows = [(end, float(count)) for end, count in summed]
            family.add_metric([cell], rows, self._seconds[cell])
        return family


class RouterCollector(Collector):
    """Shows the workers' sums and the supervisor's own numbers at each scrape."""

    def __init__(self, totals: Totals, own: OwnSource) -> None:
        self._totals = totals
        self._own = own

    def collect(self) -> Iterable[Metric]:
        """Yield everything there is."""
        yield from self._totals.families()
        own = self._own()
        for name, text, value in _own_gauges(own):
            yield GaugeMetricFamily(f"cell_router_{name}", text, value=value)
        restarts = "Workers that ended unasked and were started again."
        yield CounterMetricFamily("cell_router_worker_restarts", restarts, own.worker_restarts)
        reloads = CounterMetricFamily("cell_router_reloads", "Reloads.", labels=["result"])
        reloads.add_metric(["ok"], own.reloads)
        reloads.add_metric(["failed"], own.reloads_failed)
        yield reloads
        forgotten = "Positions for which there was no room."
        yield CounterMetricFamily(
            "cell_router_positions_forgotten", forgotten, own.positions_forgotten
        )


def exposition(collector: RouterCollector) -> bytes:
    """Return everything in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry)


def _own_gauges(own: Own) -> list[tuple[str, str, float]]:
    return [
        ("workers_ready", "Workers that accept connections.", own.workers_ready),
        ("workers_wanted", "Workers that there should be.", own.workers_wanted),
        ("registry_rev", "Revision of the registry that is served.", own.registry_rev),
        ("registry_tenants", "Tenants in its last snapshot.", own.registry_tenants),
        ("registry_age_seconds", "Since what is served was made.", own.registry_age_s),
        (
            "registry_fresh_age_seconds",
            "Since the registry last vouched for it.",
            own.registry_fresh_age_s,
        ),
        ("positions", "Stripes whose acknowledged position is known.", own.positions),
    ]


def _bounded(label: str, held: Mapping[str, object]) -> str:
    return label if label in held or len(held) < LABELS_MAX else OTHER


def _labels(label: str) -> list[str]:
    return [label] if label else []


def _rows(label: str, values: Mapping[str, float]) -> list[tuple[list[str], float]]:
    if not label:
        return [([], sum(values.values()))]
    return [([value], count) for value, count in sorted(values.items())]

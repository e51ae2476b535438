"""What Prometheus is shown. No label ever holds a tenant.

Counters are counted where things happen; what stands somewhere is looked at when it is asked for.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cell_control.flows.follow import Visit
from cell_control.flows.run import Performed

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_FREEZE_S: Final = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.0, 5.0)
_CALL_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)
_LAG_ENTRIES: Final = (0, 1, 10, 60, 300, 1000, 10_000, 100_000)

GAUGES: Final[Mapping[str, str]] = {
    "registry_rev": "Where the registry is.",
    "registry_reachable": "1 if the last question to the registry was answered.",
    "open_tenants": "Tenants that a mover looks after.",
    "movers_running": "Movers at work.",
    "followers_running": "Replications at work.",
    "open_operations": "Operations under way.",
    "feed_clients": "Routers that wait for changes.",
    "snapshot_build_seconds": "What the last snapshot took to build.",
    "follower_errors": "Visits that broke since the start; a bug each.",
    "lag_tenants": "Tenants whose followers lack entries, of those followed here.",
    "lag_entries": "Journal entries that they lack together.",
    "lag_entries_max": "The same of the tenant that is furthest behind.",
    "lag_longest_ms": "How long one of them has not been level.",
    "lag_forgotten": "Tenants behind for which there was no room; with 0 the figures are exact.",
    "recovering": "1 while the registry is being compared with the cells.",
}


class Figures:
    """Everything that is counted in one process."""

    def __init__(self, look: Callable[[], Mapping[str, float]]) -> None:
        """Count nothing yet; `look` returns the gauges, by their names in `GAUGES`."""
        self._registry = CollectorRegistry()
        self._registry.register(_Gauges(look))
        own = self._registry
        self.requests = Counter(
            "cell_control_requests", "Requests answered.", ["route", "status"], registry=own
        )
        self.request_s = Histogram(
            "cell_control_request_seconds",
            "Requests, but for long polls.",
            ["route"],
            buckets=_CALL_S,
            registry=own,
        )
        self.registry_s = Histogram(
            "cell_control_registry_seconds",
            "Calls of the registry, without the wait for a thread.",
            buckets=_CALL_S,
            registry=own,
        )
        self.cell_calls = Counter(
            "cell_control_cell_calls", "Calls of cells.", ["cell", "result"], registry=own
        )
        self.cell_s = Histogram(
            "cell_control_cell_seconds", "Calls of cells.", ["cell"], buckets=_CALL_S, registry=own
        )
        self.steps = Counter(
            "cell_control_mover_steps",
            "Rows of the decision table taken.",
            ["row", "outcome"],
            registry=own,
        )
        self.members = Counter(
            "cell_control_members", "Members of operations that ended.", ["result"], registry=own
        )
        self.freeze_s = Histogram(
            "cell_control_freeze_seconds",
            "From the request to freeze until the new home was active.",
            buckets=_FREEZE_S,
            registry=own,
        )
        self.lag = Histogram(
            "cell_control_visit_lag_entries",
            "How far followers were behind after a visit.",
            buckets=_LAG_ENTRIES,
            registry=own,
        )
        self.audits = Counter(
            "cell_control_audits", "Writes, each audited.", ["action"], registry=own
        )
        self.published = Counter(
            "cell_control_published", "Publications.", ["target", "result"], registry=own
        )
        self.loop_errors = Counter(
            "cell_control_loop_errors", "Errors that a loop survived.", ["loop"], registry=own
        )

    def request(self, route: str, status: int, took_s: float) -> None:
        """Count a request."""
        self.requests.labels(route, str(status)).inc()
        if route != "registry_changes":
            self.request_s.labels(route).observe(took_s)

    def cell_call(self, cell: str, result: str, took_s: float) -> None:
        """Count a call of a cell."""
        self.cell_calls.labels(cell, result).inc()
        self.cell_s.labels(cell).observe(took_s)

    def step(self, step: Performed) -> None:
        """Count a step of a mover."""
        self.steps.labels(step.row, step.outcome).inc()

    def loop_error(self, loop: str) -> None:
        """Count an error that a loop survived."""
        self.loop_errors.labels(loop).inc()

    def publication(self, target: str, result: str) -> None:
        """Count a publication."""
        self.published.labels(target, result).inc()

    def visit(self, visit: Visit) -> None:
        """Note how far a visited tenant's followers are behind now."""
        self.lag.observe(visit.lag)

    def exposition(self) -> bytes:
        """Return all of it in Prometheus's text format."""
        return generate_latest(self._registry)


class _Gauges(Collector):
    def __init__(self, look: Callable[[], Mapping[str, float]]) -> None:
        self._look = look

    def describe(self) -> Iterator[Metric]:
        """Name what `collect` will show, without looking."""
        for name, text in GAUGES.items():
            yield GaugeMetricFamily(f"cell_control_{name}", text)

    def collect(self) -> Iterator[Metric]:
        """Look."""
        found = self._look()
        for name, text in GAUGES.items():
            yield GaugeMetricFamily(f"cell_control_{name}", text, value=found.get(name, 0.0))

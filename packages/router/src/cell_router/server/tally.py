"""What a worker counts: plain integers in plain dicts, taken away by each report.

Counting one request costs less than a microsecond. Nothing here can hold a tenant's name: what is
not on the list of counters is not counted, and each has room for a bounded number of labels.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Final

from cell_router.server.report import (
    CellHealth,
    Gauge,
    Position,
    Report,
    Requests,
    Seconds,
)

BUCKETS_S: Final = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
"""Upper ends; one more bucket takes what is longer."""

LABELS_MAX: Final = 64
OTHER: Final = "other"
POSITIONS_MAX: Final = 5000
"""In one report; at 64 + 20 letters each they fit in a line. More wait for the next."""

COUNTERS: Final[Mapping[str, str]] = {
    "attempts": "cell",
    "attempts_failed": "reason",
    "retries": "reason",
    "retries_refused": "",
    "hops": "cell",
    "holds": "cell",
    "coalesced": "cell",
    "bundles": "cell",
    "acks": "kind",
    "auth_refused": "code",
    "connections_accepted": "",
    "connections_refused": "",
    "upstream_connects": "cell",
    "log_lines_dropped": "",
    "positions_dropped": "",
}
"""Names of the counters, and what their one label is; "" for none."""

GAUGES: Final[Mapping[str, str]] = {
    "in_flight": "cell",
    "held": "",
    "queued": "",
    "connections": "",
    "upstream_connections": "cell",
    "breaker_state": "cell",
}
"""Names of the gauges. Breakers: 0 closed, 1 half open, 2 open."""


class Tally:
    """The counters of one worker since its last report."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, int, str], int] = {}
        self._seconds: dict[str, _Times] = {}
        self._counts: dict[tuple[str, str], int] = {}
        self._labels: dict[str, set[str]] = {name: set() for name in COUNTERS}
        self._health: dict[str, _Seen] = {}
        self._positions: dict[tuple[str, int], tuple[int, int]] = {}

    def request(self, cell: str, status: int, code: str, seconds: float) -> None:
        """Count a request that was answered.

        Args:
            cell: The cell that answered, "" if the edge did.
            status: Of the answer.
            code: The problem's code, "" for a success.
            seconds: From the whole head to the end of the answer.
        """
        key = (cell, status // 100, code)
        try:
            self._requests[key] += 1
        except KeyError:
            self._requests[key] = 1
        times = self._seconds.get(cell)
        if times is None:
            times = self._seconds[cell] = _Times()
        times.buckets[bisect_left(BUCKETS_S, seconds)] += 1
        times.sum_s += seconds

    def rode(self, cell: str, status: int, code: str, seconds: float) -> None:
        """Count a request that `cell` answered at the first attempt."""
        self.request(cell, status, code, seconds)
        self.answered(cell, seconds)
        key = ("attempts", cell)
        try:
            self._counts[key] += 1
        except KeyError:
            self._count_first("attempts", cell, 1)

    def count(self, name: str, label: str = "", by: int = 1) -> None:
        """Let the counter `name` of `COUNTERS` grow.

        Raises:
            KeyError: There is no such counter: a bug of ours.
        """
        key = (name, label)
        if key in self._counts:
            self._counts[key] += by
        else:
            self._count_first(name, label, by)

    def answered(self, cell: str, seconds: float) -> None:
        """Note that `cell` answered an attempt: passive health."""
        seen = self._health.get(cell) or self._health.setdefault(cell, _Seen())
        seen.successes += 1
        seen.seconds += seconds

    def failed(self, cell: str, reason: str) -> None:
        """Note that `cell` did not answer an attempt; `reason` is a code."""
        seen = self._health.get(cell) or self._health.setdefault(cell, _Seen())
        seen.failures += 1
        seen.last_failure = reason

    def acknowledged(self, tenant: str, stripe: int, epoch: int, seq: int) -> None:
        """Note the position in an answer; the highest of each stripe is kept."""
        key = (tenant, stripe)
        held = self._positions.get(key)
        if held is not None:
            if (epoch, seq) > held:
                self._positions[key] = (epoch, seq)
        elif len(self._positions) < 4 * POSITIONS_MAX:
            self._positions[key] = (epoch, seq)
        else:
            self.count("positions_dropped")

    def take_changes(
        self, gauges: Iterable[Gauge] = (), breakers: Mapping[str, str] | None = None
    ) -> Report:
        """Return all that was counted since the last call, and count from nothing again.

        Args:
            gauges: What `GAUGES` are now.
            breakers: The state of each cell's breaker, `closed`, `half_open` or `open`.
        """
        report = Report(
            requests=[Requests(*key, count) for key, count in self._requests.items()],
            seconds=[
                Seconds(cell, times.buckets, times.sum_s) for cell, times in self._seconds.items()
            ],
            counts=[(name, label, by) for (name, label), by in self._counts.items()],
            gauges=list(gauges),
            health=_health(self._health, breakers or {}),
            positions=self._take_positions(),
        )
        self._requests, self._seconds, self._counts, self._health = {}, {}, {}, {}
        return report

    def put_back(self, report: Report) -> None:
        """Count `report` again: the supervisor did not take it."""
        for row in report.requests:
            key = (row.cell, row.status_class, row.code)
            self._requests[key] = self._requests.get(key, 0) + row.count
        for times in report.seconds:
            held = self._seconds.setdefault(times.cell, _Times())
            held.buckets = [a + b for a, b in zip(held.buckets, times.buckets, strict=True)]
            held.sum_s += times.sum_s
        for name, label, by in report.counts:
            self.count(name, label, by)
        for health in report.health:
            self._health.setdefault(health.cell, _Seen()).add(health)
        for tenant, stripe, epoch, seq in report.positions:
            self.acknowledged(tenant, stripe, epoch, seq)

    def _count_first(self, name: str, label: str, by: int) -> None:
        labels = self._labels[name]
        if label not in labels:
            if len(labels) >= LABELS_MAX:
                label = OTHER
            labels.add(label)
        key = (name, label)
        self._counts[key] = self._counts.get(key, 0) + by

    def _take_positions(self) -> list[Position]:
        keys = list(self._positions)[:POSITIONS_MAX]
        return [(*key, *self._positions.pop(key)) for key in keys]


class _Times:
    """How long requests of one cell took: counts by bucket, and the sum."""

    __slots__ = ("buckets", "sum_s")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BUCKETS_S) + 1)
        self.sum_s = 0.0


class _Seen:
    """What was seen of one cell since the last report."""

    __slots__ = ("failures", "last_failure", "seconds", "successes")

    def __init__(self) -> None:
        self.successes = self.failures = 0
        self.seconds = 0.0
        self.last_failure = ""

    def add(self, health: CellHealth) -> None:
        """Add what a report had taken."""
        self.successes += health.successes
        self.failures += health.failures
        self.seconds += health.seconds
        self.last_failure = self.last_failure or health.last_failure


def _health(seen: Mapping[str, _Seen], breakers: Mapping[str, str]) -> list[CellHealth]:
    nothing = _Seen()
    return [
        CellHealth(
            cell=cell,
            successes=found.successes,
            failures=found.failures,
            seconds=found.seconds,
            breaker=breakers.get(cell, "closed"),
            last_failure=found.last_failure,
        )
        for cell in sorted(seen.keys() | breakers.keys())
        for found in (seen.get(cell, nothing),)
    ]

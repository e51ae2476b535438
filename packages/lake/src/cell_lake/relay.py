"""A relay: publishes what its cell wrote, woken by a change feed, by a sweep, or by both.

Refuses to believe a trigger: it only tells which stripe to look at. Runs in one thread; any number
of relays may serve one cell, and any of them may die at any moment.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from cell_core.domain.canary import is_canary
from cell_core.domain.errors import BackendError, CellError, Conflict, Throttled, Unavailable
from cell_core.domain.ids import owner, stripe_of
from cell_core.domain.journal import Entry
from cell_core.ports import CellStore, Clock
from cell_lake.domain.dirty import DirtySet
from cell_lake.domain.limits import Limits
from cell_lake.domain.shards import Origin, Stripe
from cell_lake.flows.intents import Flush
from cell_lake.flows.publish import Published, publish
from cell_lake.flows.run import run
from cell_lake.flows.sweep import Swept, sweep
from cell_lake.ports import LakeTable

TENANTS_KNOWN_MAX: Final = 50_000
"""Whose number of stripes is remembered."""

CONFLICTS_MAX: Final = 5
"""Flushes of one shard in a row that another relay was faster at; it is at work there."""

ALARM_PAUSE_MS: Final = 60_000
"""How long a shard is let alone that an operator must look at."""


@dataclass(slots=True)
class Report:
    """What one run did, for logs and metrics.

    Attributes:
        failed: Shards whose flush failed, and the error's code.
        stuck: Stripes that cannot go on, and why.
    """

    appends: int = 0
    rows: int = 0
    entries: int = 0
    dead: int = 0
    resumed: int = 0
    conflicts: int = 0
    failed: dict[int, str] = field(default_factory=dict)
    stuck: dict[Stripe, str] = field(default_factory=dict)

    def add(self, published: Published) -> None:
        """Count a flush."""
        self.appends += published.n > 0
        self.rows += published.rows
        self.entries += published.entries
        self.dead += published.dead
        self.resumed += published.resumed
        self.stuck |= dict(published.stuck)


class Relay:
    """Publishes one cell's journals to one table."""

    def __init__(
        self,
        store: CellStore,
        table: LakeTable,
        origin: Origin,
        clock: Clock,
        limits: Limits | None = None,
    ) -> None:
        self._store = store
        self._table = table
        self._origin = origin
        self._clock = clock
        self._limits = limits or Limits()
        self.dirty = DirtySet(wait_ms=self._limits.wait_ms, entries_max=self._limits.rows_max)
        self._stripes: dict[str, int] = {}
        self._swept_to: str | None = None

    def wake(self, entries: Iterable[Entry]) -> None:
        """Note where there may be something new.

        Raises:
            BackendError: The store failed; the same entries may be given again, or dropped.
        """
        for entry in entries:
            # A standby's journal grows too, by entries that only their writer publishes.
            if owner(entry.epoch) == self._origin.ordinal and not is_canary(entry.tenant):
                stripes = self._stripes_of(entry.tenant)
                number = stripe_of(entry.domain, entry.stream, stripes)
                self.dirty.mark(Stripe(entry.tenant, number), self._clock.now_ms())

    def sweep(self, tenants_max: int = 500) -> Swept:
        """Look for what no trigger told of in the next part of the directory.

        Raises:
            BackendError: The store failed; the next sweep looks at the same part.
        """
        found = run(sweep(self._swept_to, tenants_max), self._store, self._table)
        self._swept_to = found.after
        for stripe in found.behind:
            self.dirty.mark(stripe, self._clock.now_ms())
        return found

    def flush_due(self, deadline_ms: int) -> Report:
        """Publish the shards that have waited or gathered enough, until the deadline."""
        return self._flush(self.dirty.due, deadline_ms)

    def flush_all(self, deadline_ms: int) -> Report:
        """Publish all that is known to be new, until the deadline."""
        return self._flush(self.dirty.marked, deadline_ms)

    def _flush(self, ready: Callable[[int], list[int]], deadline_ms: int) -> Report:
        """Flush shard after shard; one that fails waits, and holds up no other one."""
        report = Report()
        lost: dict[int, int] = {}
        while (now_ms := self._clock.now_ms()) < deadline_ms:
            shards = ready(now_ms)
            if not shards:
                break
            for shard in shards:
                if self._clock.now_ms() >= deadline_ms:
                    break
                self._flush_one(shard, report, lost)
        return report

    def _flush_one(self, shard: int, report: Report, lost: dict[int, int]) -> None:
        now_ms = self._clock.now_ms()
        flush = Flush(origin=self._origin, shard=shard, now_ms=now_ms, limits=self._limits)
        try:
            published = run(publish(flush, self.dirty.stripes(shard)), self._store, self._table)
        except Conflict as conflict:
            report.conflicts += 1
            lost[shard] = lost.get(shard, 0) + 1
            if lost[shard] >= CONFLICTS_MAX:
                self._fail(shard, conflict, report, 0)
        except (Throttled, Unavailable) as failure:
            self._fail(shard, failure, report, failure.retry_after_ms)
        except BackendError as failure:
            self._fail(shard, failure, report, 0)
        except CellError as alarm:
            self._fail(shard, alarm, report, ALARM_PAUSE_MS)
        else:
            lost.pop(shard, None)
            report.add(published)
            self.dirty.settle(shard, published.more, now_ms)

    def _fail(self, shard: int, error: CellError, report: Report, at_least_ms: int) -> None:
        report.failed[shard] = error.code
        self.dirty.fail(shard, self._clock.now_ms(), at_least_ms)

    def _stripes_of(self, tenant: str) -> int:
        known = self._stripes.get(tenant)
        if known is not None:
            return known
        fence = self._store.read(Stripe(tenant, 0).partition, ()).fence
        if fence is None:
            return 1  # Being dropped, or not yet whole: nothing is lost by looking at one stripe.
        if len(self._stripes) >= TENANTS_KNOWN_MAX:
            self._stripes.clear()
        self._stripes[tenant] = fence.stripes
        return fence.stripes

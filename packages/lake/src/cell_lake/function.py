"""What a cloud's function does with a relay: publish what a trigger tells of, or sweep.

The same on both clouds. Refuses to trust a trigger with anything but where to look, and to fail
for what one journal holds: a sweep finds again whatever could not be published.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cell_core.domain.canary import is_canary
from cell_core.domain.errors import BackendError
from cell_core.domain.ids import owner, split_partition
from cell_core.domain.journal import Entry
from cell_core.ports import Clock
from cell_lake.domain.shards import Origin, Stripe
from cell_lake.relay import Relay, Report

PARTS_MAX: Final = 1000
"""Parts of the directory that one sweep looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """A record of a feed: which journal has grown, and by what, if that could be read."""

    partition: str
    entry: Entry | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """What came of rings.

    Attributes:
        facts: For the log; no tenant's names.
        waiting: The positions of rings whose journals are not published yet.
    """

    facts: Mapping[str, Any]
    waiting: tuple[int, ...] = ()


class RelayFunction:
    """One relay behind any number of threads, one at a time."""

    def __init__(self, relay: Relay, origin: Origin, clock: Clock, *, run_ms: int) -> None:
        """Let an invocation publish for `run_ms` at most."""
        self._relay = relay
        self._origin = origin
        self._clock = clock
        self._run_ms = run_ms
        self._lock = threading.Lock()

    def ring(self, rings: Sequence[Ring], remaining_ms: int | None = None) -> Rung:
        """Publish the journals that `rings` tell of, for `remaining_ms` at most."""
        with self._lock:
            stripes = [self._marked(ring) for ring in rings]
            report = self._relay.flush_all(self._deadline_ms(remaining_ms))
            marked = {s for stripe in stripes if stripe for s in self._marked_with(stripe)}
            waiting = tuple(place for place, s in enumerate(stripes) if s in marked)
        return Rung(facts={"rings": len(rings), **_facts(report)}, waiting=waiting)

    def sweep(self, remaining_ms: int | None = None) -> Mapping[str, Any]:
        """Look through the cell's journals for what no trigger told of, and publish it."""
        facts: dict[str, Any] = {"looked_at": 0, "behind": 0, "behind_entries": 0, "done": False}
        total = Report()
        with self._lock:
            deadline_ms = self._deadline_ms(remaining_ms)
            for _ in range(PARTS_MAX):
                try:
                    swept = self._relay.sweep()
                except BackendError as failure:
                    facts["error"] = failure.code
                    break
                facts["looked_at"] += swept.looked_at
                facts["behind"] += len(swept.behind)
                facts["behind_entries"] += swept.entries
                _add(total, self._relay.flush_all(deadline_ms))
                facts["done"] = swept.after is None
                if facts["done"] or self._clock.now_ms() >= deadline_ms:
                    break
        return {**facts, **_facts(total)}

    def _marked(self, ring: Ring) -> Stripe | None:
        """Mark the journal of `ring`, if it may be this cell's to publish; return it."""
        if ring.entry is not None and owner(ring.entry.epoch) != self._origin.ordinal:
            return None  # A standby's journal grows by what only its writer publishes.
        try:
            stripe = Stripe(*split_partition(ring.partition))
        except ValueError:
            return None
        if is_canary(stripe.tenant):
            return None
        self._relay.dirty.mark(stripe, self._clock.now_ms())
        return stripe

    def _marked_with(self, stripe: Stripe) -> list[Stripe]:
        return self._relay.dirty.stripes(stripe.shard)

    def _deadline_ms(self, remaining_ms: int | None) -> int:
        may_ms = self._run_ms if remaining_ms is None else min(self._run_ms, remaining_ms)
        return self._clock.now_ms() + max(may_ms, 0)


def _add(total: Report, part: Report) -> None:
    for name in ("appends", "rows", "entries", "dead", "resumed", "conflicts"):
        setattr(total, name, getattr(total, name) + getattr(part, name))
    total.failed |= part.failed
    total.stuck |= part.stuck


def _facts(report: Report) -> dict[str, Any]:
    return {
        "appends": report.appends,
        "rows": report.rows,
        "entries": report.entries,
        "dead": report.dead,
        "resumed": report.resumed,
        "conflicts": report.conflicts,
        "failed": len(report.failed),
        "codes": sorted(set(report.failed.values())),
        "stuck": len(report.stuck),
    }

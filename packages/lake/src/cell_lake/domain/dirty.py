"""Which stripes may have something new: a bounded set by shard, oldest mark first.

Only hints: what is not in it is found by the sweeper, what is in it may have nothing new.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from cell_lake.domain.shards import Stripe

STRIPES_MAX: Final = 20_000

BACKOFF_MIN_MS: Final = 200
BACKOFF_MAX_MS: Final = 30_000


@dataclass(slots=True)
class _Shard:
    stripes: dict[Stripe, None] = field(default_factory=dict)
    since_ms: int = 0
    entries: int = 0
    failures: int = 0
    not_before_ms: int = 0


class DirtySet:
    """Stripes to look at, and when their shard may and should be flushed."""

    def __init__(self, *, wait_ms: int, entries_max: int) -> None:
        """Hold a shard back for `wait_ms` after its first mark, or up to `entries_max` marks."""
        self._wait_ms = wait_ms
        self._entries_max = entries_max
        self._shards: dict[int, _Shard] = {}
        self._size = 0
        self.dropped = 0

    def __len__(self) -> int:
        """Return how many stripes are marked."""
        return self._size

    def mark(self, stripe: Stripe, now_ms: int) -> None:
        """Note that `stripe` may have one more entry; forgotten if the set is full."""
        if self._size >= STRIPES_MAX:
            self.dropped += 1
            return
        shard = self._shards.setdefault(stripe.shard, _Shard())
        if not shard.stripes:
            shard.since_ms, shard.entries = now_ms, 0
        shard.entries += 1
        self._size += stripe not in shard.stripes
        shard.stripes[stripe] = None

    def due(self, now_ms: int) -> list[int]:
        """Return the shards that waited or gathered enough, the one marked first in front."""
        return self._ready(
            now_ms,
            lambda s: now_ms - s.since_ms >= self._wait_ms or s.entries >= self._entries_max,
        )

    def marked(self, now_ms: int) -> list[int]:
        """Return every shard with a mark that may be flushed now."""
        return self._ready(now_ms, lambda _: True)

    def stripes(self, shard: int) -> list[Stripe]:
        """Return the stripes of `shard`, the one marked first in front."""
        return list(self._shards[shard].stripes) if shard in self._shards else []

    def settle(self, shard: int, more: Iterable[Stripe], now_ms: int) -> None:
        """Note that `shard` was flushed, and what of it has more to come at once."""
        held = self._shards.pop(shard, _Shard())
        again = _Shard(dict.fromkeys(more), now_ms - self._wait_ms)
        self._size += len(again.stripes) - len(held.stripes)
        if again.stripes:
            self._shards[shard] = again

    def fail(self, shard: int, now_ms: int, at_least_ms: int = 0) -> None:
        """Note that a flush failed: let the shard alone for a while, twice as long each time."""
        held = self._shards.setdefault(shard, _Shard())
        pause_ms = min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** min(held.failures, 10))
        held.failures += 1
        held.not_before_ms = now_ms + max(pause_ms, at_least_ms)

    def _ready(self, now_ms: int, wanted: Callable[[_Shard], bool]) -> list[int]:
        found = [
            (held.since_ms, shard)
            for shard, held in self._shards.items()
            if held.stripes and held.not_before_ms <= now_ms and wanted(held)
        ]
        return [shard for _, shard in sorted(found)]

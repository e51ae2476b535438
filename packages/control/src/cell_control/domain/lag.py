"""How far followers are behind their homes, over all tenants, in bounded memory.

Refuses to remember a tenant that is not behind. When more are behind than fit, those least behind
are forgotten: the worst, and how many there are at least, stay true.
"""

from dataclasses import dataclass, field
from heapq import nlargest
from typing import Final

BEHIND_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Behind:
    """A tenant whose followers lack entries."""

    tenant: str
    entries: int
    since_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Over all tenants that are behind.

    Attributes:
        longest_ms: How long one of them has not been level.
        forgotten: How many times a tenant did not fit; with 0 the figures are exact.
    """

    tenants: int
    entries: int
    entries_max: int
    longest_ms: int
    forgotten: int


@dataclass(slots=True)
class Lags:
    """The lag of each tenant as of its last visit."""

    _behind: dict[str, Behind] = field(default_factory=dict)
    _forgotten: int = 0

    def note(self, tenant: str, entries: int, now_ms: int) -> None:
        """Note that the followers of `tenant` lack `entries` in all."""
        if entries <= 0:
            self._behind.pop(tenant, None)
            return
        known = self._behind.get(tenant)
        self._behind[tenant] = Behind(tenant, entries, known.since_ms if known else now_ms)
        if len(self._behind) > BEHIND_MAX:
            self._forget()

    def worst(self, count: int) -> list[Behind]:
        """Return the tenants that are furthest behind, at most `count`."""
        return nlargest(count, self._behind.values(), key=lambda one: (one.entries, one.tenant))

    def totals(self, now_ms: int) -> Totals:
        """Return the figures of all."""
        known = self._behind.values()
        return Totals(
            tenants=len(known),
            entries=sum(one.entries for one in known),
            entries_max=max((one.entries for one in known), default=0),
            longest_ms=max((now_ms - one.since_ms for one in known), default=0),
            forgotten=self._forgotten,
        )

    def _forget(self) -> None:
        # A tenth at a time, so that a full memory is not searched at each note.
        kept = nlargest(BEHIND_MAX * 9 // 10, self._behind.values(), key=lambda one: one.entries)
        self._forgotten += len(self._behind) - len(kept)
        self._behind = {one.tenant: one for one in kept}

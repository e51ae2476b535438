"""Which tenant a replicator visits next: those that rang first, then all the others in turn.

Bookkeeping without I/O, time is passed in. A doorbell is a hint: one that is lost, or does not fit,
costs lag until the sweep comes by, never data. Refuses to grow: every queue here has its limit.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

DOORBELLS_MAX: Final = 10_000
SWEPT_MAX: Final = 1000
"""Tenants of one page of the sweep."""

DARK_FIRST_MS: Final = 500
DARK_MAX_MS: Final = 30_000


@dataclass(frozen=True, slots=True)
class Visit:
    """Visit this tenant now."""

    tenant: str
    rang: bool


@dataclass(frozen=True, slots=True)
class Refill:
    """Give the next page of tenants that have followers, behind the key `after`."""

    after: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is to do for so long, unless somebody rings."""

    ms: int


Next: TypeAlias = Visit | Refill | Wait


@dataclass(slots=True)
class _Darkness:
    until_ms: int = 0
    pause_ms: int = 0


@dataclass(slots=True, kw_only=True)
class Following:
    """What one replicator knows of its work.

    Attributes:
        sweep_every_ms: A round of the sweep begins no earlier than this after the one before.
        visit_every_ms: The sweep visits no more than one tenant in this time, so that looking
            after tenants at rest takes a small share of a core; doorbells do not wait for it.
        share, shares: It visits tenants whose hash falls to its share; others have the others.
        dropped: Doorbells that did not fit so far.
    """

    sweep_every_ms: int = 5000
    visit_every_ms: int = 25
    share: int = 0
    shares: int = 1
    dropped: int = 0
    _rang: dict[str, None] = field(default_factory=dict)
    _swept: dict[str, None] = field(default_factory=dict)
    _after: str = ""
    _is_filled: bool = False
    _round_ms: int = 0
    _visit_ms: int = 0
    _dark: dict[str, _Darkness] = field(default_factory=dict)

    def ring(self, tenants: Iterable[str]) -> None:
        """Note that `tenants` were written to; one that is noted already is noted once."""
        for tenant in tenants:
            if not self._is_ours(tenant) or tenant in self._rang:
                continue
            if len(self._rang) >= DOORBELLS_MAX:
                self.dropped += 1
            else:
                self._rang[tenant] = None

    def refill(self, tenants: Iterable[str], after: str) -> None:
        """Take a page of the sweep; `after` is the key to go on from, empty if this was the last.

        Raises:
            ValueError: The page is larger than a page may be.
        """
        page = [tenant for tenant in tenants if self._is_ours(tenant)]
        if len(page) > SWEPT_MAX:
            raise ValueError(f"a page holds at most {SWEPT_MAX} tenants")
        self._swept = dict.fromkeys(page)
        self._after, self._is_filled = after, not after

    def next(self, now_ms: int) -> Next:
        """Return what to do now."""
        if self._rang:
            tenant = next(iter(self._rang))
            self._forget(tenant)
            return Visit(tenant, rang=True)
        if self._swept:
            return self._sweep(now_ms)
        if not self._is_filled and (self._after or now_ms >= self._round_ms):
            if not self._after:
                self._round_ms = now_ms + self.sweep_every_ms
            return Refill(self._after)
        self._is_filled = False
        return Wait(max(1, self._round_ms - now_ms))

    def admits(self, cells: Iterable[str], now_ms: int) -> bool:
        """Say whether none of `cells` is dark, as far as is known; one probe each pause is let by.

        Whether a tenant is visited depends on its cells alone, so that a dark cell holds up nobody
        who is not in it.
        """
        dark = [found for cell in cells if (found := self._dark.get(cell)) is not None]
        if any(now_ms < found.until_ms for found in dark):
            return False
        for found in dark:
            found.until_ms = now_ms + found.pause_ms
        return True

    def answered(self, cell: str) -> None:
        """Note that `cell` answers."""
        self._dark.pop(cell, None)

    def dark(self, cell: str, now_ms: int) -> None:
        """Note that `cell` did not answer; each time the pause doubles, up to 30 s."""
        found = self._dark.setdefault(cell, _Darkness())
        found.pause_ms = min(DARK_MAX_MS, max(DARK_FIRST_MS, found.pause_ms * 2))
        found.until_ms = now_ms + found.pause_ms

    def _sweep(self, now_ms: int) -> Next:
        if now_ms < self._visit_ms:
            return Wait(self._visit_ms - now_ms)
        self._visit_ms = now_ms + self.visit_every_ms
        tenant = next(iter(self._swept))
        self._forget(tenant)
        return Visit(tenant, rang=False)

    def _forget(self, tenant: str) -> None:
        # A visit serves the sweep as well as the doorbell: what rings again meanwhile comes anew.
        self._rang.pop(tenant, None)
        self._swept.pop(tenant, None)

    def _is_ours(self, tenant: str) -> bool:
        return zlib.crc32(tenant.encode()) % self.shares == self.share

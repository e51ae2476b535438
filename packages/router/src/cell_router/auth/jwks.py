"""One issuer's keys over time: when to fetch, what to keep when that fails, when to give up.

Pure: time is an argument, fetching is another's. The data path reads (`find`), one thread writes
(`adopt`, `failed`); what it writes is replaced whole, so neither waits for the other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from cell_router.auth.key_set import KeySetRefused, VerifyingKey, read_key_set
from cell_router.auth.refused import INVALID, UNAVAILABLE, AuthRefused

FRESH_S: Final = 600
STALE_MAX_S: Final = 24 * 3600
"""So long the last good set is used if no newer one can be had."""

WISH_GAP_S: Final = 30
"""An unknown `kid` causes at most one fetch in this time, however many tokens name one."""

RETRY_MAX_S: Final = 30


@dataclass(frozen=True, slots=True)
class _Held:
    keys: Mapping[str, VerifyingKey] = field(default_factory=dict)
    fetched_s: int | None = None


class IssuerKeys:
    """The verifying keys of one issuer."""

    def __init__(self, algorithms: frozenset[str], *, jitter: Callable[[], float]) -> None:
        """Hold nothing yet, and be due.

        Args:
            algorithms: Keys that verify none of these are passed over.
            jitter: Returns numbers from 0 to below 1; spreads the fetches of many processes.
        """
        self._algorithms = algorithms
        self._jitter = jitter
        self._held = _Held()
        self._tried_s: int | None = None
        self._next_s: float | None = None
        self._failures = 0
        self._wished = False

    def find(self, kid: str, now_s: int) -> VerifyingKey:
        """Return the key named `kid`; never waits. An unknown one makes a fetch due.

        Raises:
            AuthRefused: `auth_unavailable` if no set was ever had (`keys_missing`) or the last is
                24 hours old (`keys_stale`); else `credential_invalid` (`unknown_kid`).
        """
        held = self._held
        if held.fetched_s is None:
            raise AuthRefused(UNAVAILABLE, "keys_missing")
        if now_s >= held.fetched_s + STALE_MAX_S:
            raise AuthRefused(UNAVAILABLE, "keys_stale")
        key = held.keys.get(kid)
        if key is None:
            self._wished = True
            raise AuthRefused(INVALID, "unknown_kid")
        return key

    def ready(self, now_s: int) -> bool:
        """Say whether tokens can be verified."""
        fetched_s = self._held.fetched_s
        return fetched_s is not None and now_s < fetched_s + STALE_MAX_S

    def due(self, now_s: int) -> bool:
        """Say whether the set should be fetched now."""
        if self._tried_s is None or self._next_s is None or now_s < self._tried_s:
            return True  # Never tried, or the clock was set back.
        if self._wished and now_s >= self._tried_s + WISH_GAP_S:
            return True
        return now_s >= self._next_s

    def adopt(self, raw: bytes, now_s: int) -> bool:
        """Take the fetched set `raw`; say whether a key known before is gone or another one.

        Raises:
            KeySetRefused: It is none; the one held stays, and the fetch counts as failed.
        """
        before = self._held.keys
        try:
            self.recall(raw, now_s)
        except KeySetRefused:
            self.failed(now_s)
            raise
        return any(not _same(old, self._held.keys.get(kid)) for kid, old in before.items())

    def recall(self, raw: bytes, fetched_s: int) -> None:
        """Take the set `raw` that was fetched at `fetched_s`, maybe by an earlier process.

        Raises:
            KeySetRefused: It is none; nothing has changed.
        """
        self._held = _Held(read_key_set(raw, self._algorithms), fetched_s)
        self._tried_s, self._failures, self._wished = fetched_s, 0, False
        # Up to a tenth earlier, so that processes started together do not fetch together.
        self._next_s = fetched_s + FRESH_S * (1 - self._jitter() / 10)

    def failed(self, now_s: int) -> None:
        """Note that the fetch failed.

        Without a set it is due again after 1, 2, 4 ... 30 seconds; with one, after 30.
        """
        self._tried_s = now_s
        wait_s = WISH_GAP_S
        if self._held.fetched_s is None:
            wait_s = min(RETRY_MAX_S, 2 ** min(self._failures, 10))
        self._next_s = now_s + wait_s * (1 + self._jitter() / 10)
        self._failures += 1


def _same(old: VerifyingKey, new: VerifyingKey | None) -> bool:
    return new is not None and old.algorithms == new.algorithms and bool(old.key == new.key)

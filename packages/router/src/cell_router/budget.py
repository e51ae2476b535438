"""What may be spent: retries towards one cell, requests of one tenant. Time is passed in."""

from typing import Final

REQUESTS_PER_RETRY: Final = 5
RETRIES_FLOOR_PER_S: Final = 3.0
EARNED_MAX: Final = 5000
TENANTS_MAX: Final = 100_000


class RetryBudget:
    """At most a fifth of the requests may be sent again, and always 3 a second.

    What a cell certifies as not executed and sends elsewhere (421, a freeze) is no retry.
    """

    __slots__ = ("_at", "_earned", "_floor")

    def __init__(self) -> None:
        self._earned = 0
        self._floor = RETRIES_FLOOR_PER_S
        self._at = 0.0

    def earn(self) -> None:
        """Note a request."""
        if self._earned < EARNED_MAX:
            self._earned += 1

    def spend(self, now: float) -> bool:
        """Take one retry out of the budget, if there is one."""
        if self._earned >= REQUESTS_PER_RETRY:
            self._earned -= REQUESTS_PER_RETRY
            return True
        refill = (now - self._at) * RETRIES_FLOOR_PER_S
        self._floor = min(RETRIES_FLOOR_PER_S, self._floor + refill)
        self._at = now
        if self._floor >= 1.0:
            self._floor -= 1.0
            return True
        return False


class RateLimits:
    """A token bucket per tenant: `rate` a second, `burst` at once; a rate of 0 is no limit."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(max(1, burst))
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, tenant: str, now: float) -> bool:
        """Take one request out of the tenant's bucket, if there is one."""
        if not self._rate:
            return True
        tokens, at = self._buckets.pop(tenant, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._rate)
        allowed = tokens >= 1.0
        # Popped and put back: the first key is the one that was not used for longest.
        self._buckets[tenant] = (tokens - 1.0 if allowed else tokens, now)
        if len(self._buckets) > TENANTS_MAX:
            del self._buckets[next(iter(self._buckets))]
        return allowed

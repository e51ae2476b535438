"""Places for requests in flight, and the lots where requests of frozen tenants are held.

Pure bookkeeping: who may go now, who waits, who is woken. Time and timers are the shell's.
"""

from collections import deque
from typing import Final, Protocol

from cell_router.limits import PARKED_MAX, PARKED_TENANT_MAX


class Waiter(Protocol):
    """A request that waits."""

    def wake(self, event: object) -> None: ...  # noqa: D102 - it goes on with `event`


GO: Final = "go"
"""The event that gives a waiting request the place it waited for."""


class Gate:
    """At most `places` requests at a time; a bounded number wait for a place, in order."""

    __slots__ = ("_places", "_waiting", "_waiting_max", "in_flight")

    def __init__(self, places: int, waiting_max: int) -> None:
        self._places = places
        self._waiting_max = waiting_max
        self._waiting: deque[Waiter] = deque()
        self.in_flight = 0

    @property
    def is_free(self) -> bool:
        """Whether `enter` would take a place."""
        return self.in_flight < self._places

    def enter(self) -> bool:
        """Take a place if one is free."""
        if self.in_flight >= self._places:
            return False
        self.in_flight += 1
        return True

    def queue(self, waiter: Waiter) -> bool:
        """Wait for a place, to be woken with `GO`; return False if too many do."""
        if len(self._waiting) >= self._waiting_max:
            return False
        self._waiting.append(waiter)
        return True

    def abandon(self, waiter: Waiter) -> None:
        """Wait no longer."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)

    def leave(self) -> None:
        """Give the place back, or to whoever waits first."""
        if self._waiting:
            self._waiting.popleft().wake(GO)
        else:
            self.in_flight -= 1


class _Lot:
    __slots__ = ("probe", "resting", "route", "waiting")

    def __init__(self, route: object) -> None:
        self.route = route
        self.probe: Waiter | None = None
        self.resting = False  # The probe waits; otherwise it is asking.
        self.waiting: deque[Waiter] = deque()


class Parking:
    """Requests of moving tenants; one of each tenant, its probe, asks the cell now and then."""

    def __init__(self) -> None:
        self._lots: dict[str, _Lot] = {}
        self.held = 0

    def park(self, tenant: str, route: object, waiter: Waiter) -> str:
        """Hold `waiter`; return `probe` if it is the one that asks, `wait`, or `full`."""
        lot = self._lots.get(tenant)
        if lot is None:
            lot = self._lots[tenant] = _Lot(route)
        if lot.probe in (None, waiter):
            lot.probe = waiter
            lot.resting = True
            return "probe"
        if len(lot.waiting) >= PARKED_TENANT_MAX or self.held >= PARKED_MAX:
            return "full"
        lot.waiting.append(waiter)
        self.held += 1
        return "wait"

    def resumed(self, tenant: str, waiter: Waiter) -> None:
        """Note that `waiter` goes on: as the probe it asks now, else its place is free."""
        lot = self._lots.get(tenant)
        if lot is None:
            return
        if lot.probe is waiter:
            lot.resting = False
        elif waiter in lot.waiting:
            lot.waiting.remove(waiter)
            self.held -= 1

    def leave(self, tenant: str, waiter: Waiter, *, served: bool) -> None:
        """If `waiter` was the probe, let all go on when it was `served`, else the next one ask."""
        lot = self._lots.get(tenant)
        if lot is None or lot.probe is not waiter:
            return
        lot.probe = None
        if served or not lot.waiting:
            self._release(tenant, lot)
        else:
            self.held -= 1
            lot.probe, lot.resting = lot.waiting.popleft(), False
            lot.probe.wake(GO)

    def moved(self, tenant: str, route: object) -> None:
        """Let all of `tenant` go on if it now has another route than when they were held."""
        lot = self._lots.get(tenant)
        if lot is not None and lot.route != route:
            self._release(tenant, lot)

    def tenants(self) -> list[str]:
        """Return the tenants that have requests held."""
        return list(self._lots)

    def _release(self, tenant: str, lot: _Lot) -> None:
        del self._lots[tenant]
        self.held -= len(lot.waiting)
        if lot.probe is not None and lot.resting:
            lot.probe.wake(GO)
        for waiter in lot.waiting:
            waiter.wake(GO)

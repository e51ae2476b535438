"""Sends a request to its cell once, alone or in a bundle, within the places of tenant and cell."""

import random  # noqa: TID251, TC003 - the type of the generator that the shell passes in
from collections.abc import Callable, Generator, Sequence
from typing import Any, Final, TypeAlias

from cell_core.wire.registry import CellRecord
from cell_router.breaker import Breaker
from cell_router.coalesce import BUNDLE_TARGET, Lanes, Lead, bundle_of, is_spoiled, split
from cell_router.decide import Failure, acknowledgers
from cell_router.exchange import SEND, CellState, Exchange, Step, Wait
from cell_router.grants import Grants
from cell_router.limits import Limits
from cell_router.messages import PASSED_TO_CELL, CellAnswer, EdgeRequest
from cell_router.places import GO, Gate
from cell_router.registry import Route
from cell_router.tenancy import Call

Outcome: TypeAlias = CellAnswer | Failure
Attempting: TypeAlias = Generator[Step, Any, Outcome]

BLAMED_AFTER_S: Final = 1.0
"""A cell is blamed for a timeout only if it had this long: a client may name any deadline."""

ATTEMPT_SHARE: Final = 0.6
"""Of the time that is left: a request that was swallowed is sent again before its deadline."""

ATTEMPT_MIN_S: Final = 1.0
TENANTS_MAX: Final = 20_000
_NEVER: Final = float("inf")
_TYPE: Final = b"content-type"
_ALONE: Final = "alone"


class Attempts:
    """The cells as this process sees them, and the places of their tenants.

    Attributes:
        now, now_s: Monotonic seconds, and wall clock seconds; set by the shell.
        before_send: Called before the header lines of an attempt are made.
    """

    def __init__(self, grants: Grants, limits: Limits, generator: "random.Random") -> None:
        self.now = 0.0
        self.now_s = 0
        self.cells: dict[str, CellState] = {}
        self.lanes = Lanes()
        self.tenants: dict[str, Gate] = {}
        self.before_send: Callable[[Exchange], None] | None = None
        self.grants = grants
        self._limits = limits
        self._random = generator

    def send(self, x: Exchange, call: Call, route: Route, *, held: bool) -> Attempting:
        """Send `x` and return what came of it; one that was `held` waits for its place."""
        lane = self.lane_of(call, route)
        if lane is None:
            return self._alone(x, route, held=held)
        return self._share(x, lane, route, held=held)

    def withheld(self, x: Exchange, call: Call, route: Route) -> Failure | None:
        """Return why `x` may not be sent, None if it may: a write needs somebody to acknowledge."""
        lacking = acknowledgers(route) if call.writes else None
        if lacking is not None:
            x.cell, x.sent_at = self.cell(route.cell), self.now  # Its reply looks there.
        return lacking

    @property
    def waiting(self) -> int:
        """How many commands wait for the next bundle of their stripe."""
        return self.lanes.waiting

    def cell(self, record: CellRecord | None) -> CellState:
        """Return what is known of the cell that `record` describes."""
        assert record is not None  # noqa: S101 - decide() forwards to described cells only
        state = self.cells.get(record.id)
        if state is None:
            state = CellState(record, Breaker(self._random), self._limits)
        elif state.record is record:
            return state
        elif state.record == record:
            state.record = record
        else:
            # It has a new address: its connections end, what is known of its health stays.
            changed = CellState(record, state.breaker, self._limits)
            changed.gate, changed.retries = state.gate, state.retries
            state = changed
        self.cells[record.id] = state
        return state

    def lane_of(self, call: Call, route: Route) -> tuple[str, int] | None:
        """Return the lane of a command that may share a commit, else None."""
        if not (call.shareable and self._limits.coalesce):
            return None
        return call.tenant, route.stripe_of(call.domain, call.stream)

    def free_places(
        self, route: Route, lane: tuple[str, int] | None
    ) -> tuple[CellState, Gate] | None:
        """Return the cell and the tenant's gate if a request may be sent at once; take nothing."""
        record = route.cell
        cell = self.cells.get(record.id) if record is not None else None
        if cell is None or cell.record is not record or cell.breaker.until:
            return None
        if lane is not None and self.lanes.is_taken(lane):
            return None
        gate = self.tenants.get(route.tenant) or self._new_gate(route.tenant)
        return (cell, gate) if gate.is_free and cell.gate.is_free else None

    def _share(self, x: Exchange, key: tuple[str, int], route: Route, *, held: bool) -> Attempting:
        """Send a command alone if its stripe is idle, else in the next bundle of the stripe."""
        riders: Sequence[Any] = ()
        if not self.lanes.enter(key):
            x.cell = self.cell(route.cell)  # Its reply looks there, also if it is never sent.
            if not self.lanes.queue(key, x, whatever=held):
                return Failure.OVERLOADED
            event = yield Wait(x.deadline)
            if not isinstance(event, Lead):
                return (yield from self._carried(x, key, event, held=held))
            riders = event.riders
        x.riders = riders
        try:
            outcome = yield from self._alone(x, route, held=held)
        finally:
            x.riders = ()
            self.lanes.leave(key)
        if not riders:
            return outcome
        if is_spoiled(outcome):
            # One envelope that the cell cannot read spoils all: each goes alone for its own no.
            for rider in riders:
                rider.wake(_ALONE)
            return (yield from self._alone(x, route, held=held))
        own, *others = split(outcome, len(riders) + 1)
        for rider, answer in zip(riders, others, strict=True):
            rider.wake(answer)
        return own

    def _carried(
        self, x: Exchange, key: tuple[str, int], event: object, *, held: bool
    ) -> Attempting:
        """Return what became of a command that another one carried, or should have."""
        if event is _ALONE:
            return (yield from self._alone(x, x.route, held=held))
        if isinstance(event, CellAnswer) or (
            isinstance(event, Failure) and event is not Failure.TIMEOUT
        ):
            return event
        # Still in the queue: it was never sent. Otherwise it is under way with its leader.
        return Failure.OVERLOADED if self.lanes.abandon(key, x) else Failure.TIMEOUT

    def _alone(self, x: Exchange, route: Route, *, held: bool) -> Attempting:
        """Send what `x` carries, within the places of its tenant and its cell."""
        cell = x.cell = self.cell(route.cell)
        breaker = cell.breaker
        if breaker.until and not breaker.admits(self.now):
            return Failure.CLOSED
        gate = self.tenants.get(route.tenant) or self._new_gate(route.tenant)
        until = x.deadline if held else self.now + self._limits.queue_s
        if not gate.enter() and not (yield from self._queue(x, gate, until)):
            return Failure.OVERLOADED
        try:
            if not cell.gate.enter() and not (yield from self._queue(x, cell.gate, until)):
                return Failure.OVERLOADED
            try:
                self._prepare(x, route)
                outcome: Outcome = yield SEND
            finally:
                cell.gate.leave()
        finally:
            gate.leave()
        x.until = _NEVER
        self.judge(x.sent_at, breaker, outcome)
        return outcome

    def _new_gate(self, tenant: str) -> Gate:
        if len(self.tenants) >= TENANTS_MAX:
            # Now and then, not with each request: most of them are used again.
            self.tenants = {name: gate for name, gate in self.tenants.items() if gate.in_flight}
        limits = self._limits
        gate = self.tenants[tenant] = Gate(limits.tenant_in_flight_max, limits.queue_max)
        return gate

    @staticmethod
    def _queue(x: Exchange, gate: Gate, until: float) -> Generator[Step, Any, bool]:
        if not gate.queue(x):
            return False
        if (yield Wait(until)) is GO:
            return True
        gate.abandon(x)
        return False

    def _prepare(self, x: Exchange, route: Route) -> None:
        riders = x.riders
        if riders:
            x.target = BUNDLE_TARGET
            x.sent_body = bundle_of([x.body, *[rider.body for rider in riders]])
            x.bundled = len(riders) + 1
            for rider in riders:
                rider.cell, rider.bundled, rider.sent_at = x.cell, x.bundled, self.now
                rider.attempts += 1
        else:
            x.target = x.call.target
            x.sent_body = x.body
        x.attempts += 1
        x.sent_at = self.now
        if self.before_send is not None:
            self.before_send(x)
        x.until = attempt_until(self.now, x.deadline)
        allowed_ms = max(0, int((x.until - self.now) * 1000))
        x.lines = self.head_lines(x.request, route, allowed_ms)

    def head_lines(self, request: EdgeRequest, route: Route, allowed_ms: int) -> bytes:
        """Return the header lines of an attempt, without its framing."""
        passed = [
            b"%s: %s\r\n" % (name, value)
            for name, value in request.headers.items()
            if name in PASSED_TO_CELL
        ]
        if route.standby is not None and request.method == b"POST":
            passed.append(self.grants.standby_lines(route, self.now_s))
        return b"%s%sx-deadline-ms: %d\r\nx-request-id: %s\r\n" % (
            self.grants.lines(route, self.now_s),
            b"".join(passed),
            allowed_ms,
            request.id.encode(),
        )

    def judge(self, sent_at: float, breaker: Breaker, outcome: Outcome) -> None:
        """Blame the cell for what is not an answer of its own."""
        if isinstance(outcome, CellAnswer):
            own = outcome.status < 500 or b"problem+json" in outcome.headers.get(_TYPE, b"")
            if own:
                breaker.succeeded(self.now)
            else:
                breaker.failed(self.now)
        elif outcome is not Failure.TIMEOUT or self.now - sent_at >= BLAMED_AFTER_S:
            breaker.failed(self.now)


def attempt_until(now: float, deadline: float) -> float:
    """Return when an attempt that begins now ends: time is left for one more, with the same id."""
    left_s = deadline - now
    return deadline if left_s <= ATTEMPT_MIN_S else now + max(ATTEMPT_MIN_S, left_s * ATTEMPT_SHARE)

"""One request's life, top-down, as a generator that every shell drives; it does no I/O itself.

It yields what it needs (`SEND`, a `Wait`, an `Ask`) and is sent what came of it; it returns the
reply. The server, the Worker and `route_request` differ only in how they do what it asks for.
"""

import random  # noqa: TID251 - the type of the generator that the shell passes in
from collections.abc import Callable, Generator
from typing import Any, Final, TypeAlias

from cell_core.domain.ids import is_id, stripe_of
from cell_core.wire.registry import CellRecord
from cell_router.auth.authenticator import Authenticator
from cell_router.auth.principal import Principal
from cell_router.auth.refused import AuthRefused
from cell_router.breaker import Breaker
from cell_router.budget import RateLimits, RetryBudget
from cell_router.coalesce import BUNDLE_TARGET, Lanes, Lead, bundle_of, split
from cell_router.decide import (
    Attempt,
    Failure,
    Next,
    Where,
    after,
    code_of,
    decide,
    leaves_doubt,
)
from cell_router.grants import GrantBook
from cell_router.limits import HOLD_MAX_S, POSITIONS_MAX, PROBE_S, Limits
from cell_router.messages import PASSED_TO_CELL, CellAnswer, EdgeRequest, Reply
from cell_router.places import GO, Gate, Parking
from cell_router.problems import EdgeRefused, problem, refused
from cell_router.registry import Registry, Route
from cell_router.tenancy import Call, read_call

PAUSE_MIN_S: Final = 0.010
PAUSE_MAX_S: Final = 0.050
PAUSE_LONGEST_S: Final = 0.4
BLAMED_AFTER_S: Final = 1.0
"""A cell is blamed for a timeout only if it had this long: a client may name any deadline."""

_EXPLAIN: Final = b"x-route-explain"
_ALONE: Final = "alone"


class Send:
    """Send `exchange.head` and `exchange.sent_body` to `exchange.cell`; resume with what came."""


class Ask:
    """Ask the registry's source for `exchange.call.tenant`; resume when the store is up to date."""


class Wait:
    """Resume with None at `until`, or with the event of whoever calls `wake` before."""

    __slots__ = ("until",)

    def __init__(self, until: float) -> None:
        self.until = until


SEND: Final = Send()
ASK: Final = Ask()
Step: TypeAlias = Send | Ask | Wait
Flow: TypeAlias = Generator[Step, Any, Reply]


class CellState:
    """What this process knows of a cell: its places, its breaker, the lines of its answers."""

    __slots__ = ("breaker", "gate", "pool", "record", "shown")

    def __init__(self, record: CellRecord, breaker: Breaker, limits: Limits) -> None:
        self.record = record
        self.breaker = breaker
        self.gate = Gate(limits.cell_in_flight_max, limits.queue_max)
        self.shown = [
            (b"x-processed-by-cloud", record.cloud.encode()),
            (b"x-cell", record.id.encode()),
        ]
        self.pool: Any = None  # The shell's own connections to it.


class Exchange:
    """One request on its way; a shell adds how it is woken.

    Attributes:
        deadline: Monotonic seconds; the shell resumes the flow with `Failure.TIMEOUT` then.
        target, sent_body, lines: What `SEND` sends: path and query, body, header lines.
        in_doubt: An attempt may have been executed whose answer never came.
    """

    __slots__ = (
        "attempt", "attempts", "body", "bundled", "call", "cell", "code", "deadline", "epoch",
        "flow", "held_s", "in_doubt", "lines", "parked", "principal", "request", "riders", "route", "sent_at",
        "sent_body", "shell", "started", "status", "target", "waker",
    )  # fmt: skip

    attempt: Attempt
    body: bytes
    call: Call
    lines: bytes
    sent_at: float
    sent_body: bytes
    target: bytes
    route: Route
    cell: CellState
    principal: Principal
    flow: Flow

    def __init__(self, request: EdgeRequest, started: float, deadline: float) -> None:
        self.request = request
        self.started = started
        self.deadline = deadline
        self.attempts = self.bundled = self.epoch = self.status = 0
        self.held_s = 0.0
        self.parked = self.in_doubt = False
        self.code = ""
        self.riders: Any = ()
        self.shell: Any = None
        self.waker: Callable[[Exchange, object], None] | None = None

    def wake(self, event: object) -> None:
        """Resume the flow with `event` if it waits; whoever is first wakes it."""
        if self.parked and self.waker is not None:
            self.parked = False
            self.waker(self, event)


class Edge:
    """The decision and its memory, for one process: see `begin`.

    `now` (monotonic seconds) and `now_s` (wall clock) are set by the shell before it resumes
    anything.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        authenticator: Authenticator,
        grants: GrantBook,
        limits: Limits,
        generator: "random.Random",
        new_id: Callable[[], str],
    ) -> None:
        self.registry = registry
        self.limits = limits
        self.now = 0.0
        self.now_s = 0
        self.cells: dict[str, CellState] = {}
        self.parking = Parking()
        self.lanes = Lanes()
        self.tenants: dict[str, Gate] = {}
        self.positions: dict[tuple[str, int], tuple[int, int]] = {}
        self.counts = dict.fromkeys(
            ("attempts", "retries", "hops", "holds", "bundles", "bundled", "shed", "bundle_alone"),
            0,
        )
        self._authenticator = authenticator
        self._grants = grants
        self._retries = RetryBudget()
        self._rates = RateLimits(limits.tenant_rate, limits.tenant_burst)
        self._random = generator
        self._new_id = new_id

    def begin(self, request: EdgeRequest) -> Exchange:
        """Return a new exchange; its flow has not begun."""
        limits = self.limits
        total_s = limits.total_s
        text = request.headers.get(b"x-deadline-ms")
        if text is not None and text.isdigit() and len(text) <= 9:
            total_s = min(int(text) / 1000, limits.deadline_max_s)
        exchange = Exchange(request, self.now, self.now + total_s)
        exchange.flow = self._run(exchange)
        return exchange

    def refresh(self) -> bool:
        """Look for a newer registry; let requests go on whose tenant has moved meanwhile."""
        if not self.registry.refresh(self.now):
            return False
        for tenant in self.parking.tenants():
            route = self.registry.find(tenant)
            if route is not None:
                self.parking.moved(tenant, route.epoch)
        return True

    def take_positions(self) -> dict[tuple[str, int], tuple[int, int]]:
        """Return (tenant, stripe) -> (epoch, seq) of what was acknowledged since the last call."""
        taken, self.positions = self.positions, {}
        return taken

    # ── One request ──────────────────────────────────────────────────────────

    def _run(self, x: Exchange) -> Flow:
        try:
            self._admit(x)
            x.route = yield from self._locate(x)
        except EdgeRefused as no:
            x.code = no.reply.code
            return self._named(x, no.reply)
        self._retries.earn()
        reply = yield from self._serve(x)
        return reply

    def _admit(self, x: Exchange) -> None:
        """Find out who asks what of which tenant."""
        headers = x.request.headers
        try:
            x.principal = self._authenticator.authenticate(
                headers.get(b"authorization"), headers.get(b"x-api-key"), self.now_s
            )
        except AuthRefused as no:
            raise refused(no.code, no.reason) from None
        text = headers.get(b"x-deadline-ms")
        if text is not None and not (text.isdigit() and len(text) <= 9):
            raise refused("invalid_header", at="x-deadline-ms")
        x.call = read_call(x.request, x.principal, self._new_id(), self.limits.request_bytes_max)
        x.body = x.call.body
        if self.limits.tenant_rate and not self._rates.take(x.call.tenant, self.now):
            raise refused("rate_limited")

    def _locate(self, x: Exchange) -> Generator[Step, Any, Route]:
        """Return the tenant's route, or answer why there is none to go."""
        tenant = x.call.tenant
        route = self.registry.find(tenant)
        asked = route is None and self.registry.is_unknown(tenant, self.now)
        where = decide(route, registry_ready=self.registry.ready, asked=asked)
        if where is Where.ASK:
            if (yield ASK) is Failure.TIMEOUT:
                raise refused("registry_unavailable")
            route = self.registry.find(tenant)
            where = decide(route, registry_ready=self.registry.ready, asked=True)
        if where is Where.FORWARD and route is not None:
            return route
        raise refused(_NOWHERE[where])

    def _serve(self, x: Exchange) -> Flow:
        x.attempt = Attempt(x.route.epoch)
        held_since = 0.0
        pause_s = PAUSE_MIN_S
        try:
            while True:
                if x.call.shareable and self.limits.coalesce:
                    outcome = yield from self._share(x, held=held_since > 0)
                else:
                    outcome = yield from self._attempt(x, held=held_since > 0)
                verdict, epoch = after(outcome, x.attempt)
                if verdict is Next.DELIVER and isinstance(outcome, CellAnswer):
                    return self._delivered(x, outcome)
                x.in_doubt = x.in_doubt or leaves_doubt(outcome)
                if verdict is Next.HOLD:
                    held_since = held_since or self.now
                    verdict = yield from self._hold(x, held_since)
                    if verdict is not Next.AGAIN:
                        return self._given_up(x, Next.HOLD)
                elif not self._may_go_on(x, verdict, outcome, epoch):
                    return self._given_up(x, verdict, outcome)
                elif verdict in (Next.AGAIN, Next.BEHIND):
                    if (yield from self._pause(x, pause_s)) is Failure.TIMEOUT:
                        return self._given_up(x, verdict, outcome)
                    pause_s = (
                        min(PAUSE_LONGEST_S, pause_s * 2) if verdict is Next.AGAIN else pause_s
                    )
                if (refusal := self._relocated(x)) is not None:
                    return refusal
        finally:
            if held_since:
                x.held_s = self.now - held_since
                self.parking.leave(x.call.tenant, x, served=x.code != "frozen")

    def _may_go_on(
        self, x: Exchange, verdict: Next, outcome: CellAnswer | Failure, epoch: int
    ) -> bool:
        """Note what `verdict` teaches; say whether the request may be sent once more."""
        if verdict is Next.REPAIR:
            self.registry.learn(x.call.tenant, epoch)
            x.attempt.hops += 1
            self.counts["hops"] += 1
            return True
        if verdict is Next.RENEW:
            self._grants.forget(x.route)
            x.attempt.renewed = True
            return True
        if verdict is Next.BEHIND:
            return True
        if verdict is not Next.AGAIN or outcome is Failure.TIMEOUT:
            return False
        if not self._retries.spend(self.now):
            self.counts["shed"] += 1
            return False
        self.counts["retries"] += 1
        return True

    def _relocated(self, x: Exchange) -> Reply | None:
        """Look where the tenant lives now; return the reply if it lives nowhere any more."""
        route = self.registry.find(x.call.tenant)
        where = decide(route, registry_ready=True, asked=True)
        if where is not Where.FORWARD or route is None:
            return self._named(x, problem(_NOWHERE[where]))
        x.route = route
        x.attempt.epoch = route.epoch
        return None

    # ── One attempt ──────────────────────────────────────────────────────────

    def _share(self, x: Exchange, *, held: bool) -> Generator[Step, Any, CellAnswer | Failure]:
        """Send a command alone if its stripe is idle, else in the next bundle of the stripe."""
        call = x.call
        key = (call.tenant, stripe_of(call.domain, call.stream, x.route.stripes))
        riders: Any = ()
        if not self.lanes.enter(key):
            if not self.lanes.queue(key, x, whatever=held):
                return Failure.OVERLOADED
            event = yield Wait(x.deadline)
            if not isinstance(event, Lead):
                return (yield from self._carried(x, key, event, held=held))
            riders = event.riders
        x.riders = riders
        try:
            outcome = yield from self._attempt(x, held=held)
        finally:
            x.riders = ()
            self.lanes.leave(key)
        if not riders:
            return outcome
        if _is_spoiled(outcome):
            # One envelope that the cell cannot read spoils all: each goes alone for its own no.
            self.counts["bundle_alone"] += 1
            for rider in riders:
                rider.wake(_ALONE)
            return (yield from self._attempt(x, held=held))
        own, *others = split(outcome, len(riders) + 1)
        for rider, answer in zip(riders, others, strict=True):
            rider.wake(answer)
        return own

    def _carried(
        self,
        x: Exchange,
        key: tuple[str, int],
        event: Any,  # noqa: ANN401 - whatever it was woken with
        *,
        held: bool,
    ) -> Generator[Step, Any, CellAnswer | Failure]:
        """Return what became of a command that another one carried, or should have."""
        if event is _ALONE:
            return (yield from self._attempt(x, held=held))
        if event is None or event is Failure.TIMEOUT:
            # Still in the queue: it was never sent. Otherwise it is under way with its leader.
            return Failure.OVERLOADED if self.lanes.abandon(key, x) else Failure.TIMEOUT
        outcome: CellAnswer | Failure = event
        return outcome

    def _attempt(self, x: Exchange, *, held: bool) -> Generator[Step, Any, CellAnswer | Failure]:
        """Send it once to its cell, within the places of tenant and cell."""
        route = x.route
        cell = self._cell(route.cell)
        if not cell.breaker.admits(self.now):
            return Failure.OVERLOADED if not x.attempts else Failure.NOT_SENT
        tenant = route.tenant
        gate = self.tenants.get(tenant)
        if gate is None:
            limits = self.limits
            gate = self.tenants[tenant] = Gate(limits.tenant_in_flight_max, limits.queue_max)
        until = x.deadline if held else self.now + self.limits.queue_s
        if not gate.enter() and not (yield from self._queue(x, gate, until)):
            return Failure.OVERLOADED
        try:
            if not cell.gate.enter() and not (yield from self._queue(x, cell.gate, until)):
                return Failure.OVERLOADED
            try:
                return (yield from self._send(x, route, cell))
            finally:
                cell.gate.leave()
        finally:
            gate.leave()
            if gate.idle:
                self.tenants.pop(tenant, None)

    def _send(
        self, x: Exchange, route: Route, cell: CellState
    ) -> Generator[Step, Any, CellAnswer | Failure]:
        call = x.call
        x.cell = cell
        x.epoch = route.epoch
        x.attempts += 1
        if x.riders:
            x.target = BUNDLE_TARGET
            x.sent_body = bundle_of([call.body, *(rider.body for rider in x.riders)])
            x.bundled = len(x.riders) + 1
            self.counts["bundles"] += 1
            self.counts["bundled"] += x.bundled
        else:
            x.target = call.target
            x.sent_body = call.body
        x.lines = self._lines(x, route)
        x.sent_at = self.now
        self.counts["attempts"] += 1
        outcome: CellAnswer | Failure = yield SEND
        breaker = cell.breaker
        if isinstance(outcome, CellAnswer):
            coded = outcome.status < 500 or b"problem+json" in outcome.headers.get(
                b"content-type", b""
            )
            breaker.succeeded(self.now) if coded else breaker.failed(self.now)
        elif outcome is not Failure.TIMEOUT or self.now - x.sent_at >= BLAMED_AFTER_S:
            breaker.failed(self.now)
        return outcome

    def _lines(self, x: Exchange, route: Route) -> bytes:
        left_ms = int((x.deadline - self.now) * 1000)
        headers = x.request.headers
        passed = b"".join(
            [b"%s: %s\r\n" % (name, headers[name]) for name in PASSED_TO_CELL if name in headers]
        )
        return b"%s%sx-deadline-ms: %d\r\nx-request-id: %s\r\n" % (
            self._grants.lines(route, self.now_s),
            passed,
            left_ms if left_ms > 0 else 0,
            x.request.id.encode(),
        )

    # ── Waiting ──────────────────────────────────────────────────────────────

    def _queue(self, x: Exchange, gate: Gate, until: float) -> Generator[Step, Any, bool]:
        if not gate.queue(x):
            return False
        if (yield Wait(until)) is GO:
            return True
        gate.abandon(x)
        return False

    def _pause(self, x: Exchange, pause_s: float) -> Generator[Step, Any, Any]:
        ceiling_s = max(pause_s, PAUSE_MAX_S)
        until = self.now + self._random.uniform(PAUSE_MIN_S, ceiling_s)
        if until >= x.deadline:
            return Failure.TIMEOUT
        return (yield Wait(until))

    def _hold(self, x: Exchange, held_since: float) -> Generator[Step, Any, Next]:
        """Hold a request whose tenant is frozen; return AGAIN when it may be tried once more."""
        end = min(x.deadline, held_since + HOLD_MAX_S)
        tenant, epoch = x.call.tenant, x.route.epoch
        if held_since == self.now:
            self.counts["holds"] += 1
        if self.now >= end:
            return Next.HOLD
        now_at = self.registry.find(tenant)
        if now_at is not None and now_at.epoch != epoch:
            return Next.AGAIN  # It has moved while this request was on its way.
        place = self.parking.park(tenant, epoch, x)
        if place == "full":
            return Next.HOLD
        event = yield Wait(min(end, self.now + PROBE_S) if place == "probe" else end)
        self.parking.resumed(tenant, x)
        return Next.HOLD if event is not GO and self.now >= end else Next.AGAIN

    # ── Replies ──────────────────────────────────────────────────────────────

    def _delivered(self, x: Exchange, answer: CellAnswer) -> Reply:
        call, headers = x.call, answer.headers
        if answer.status == 200 and call.domain:
            self._note_position(x, headers)
        named = [*headers.items(), *x.cell.shown]
        if call.minted:
            named.append((b"x-command-id", call.minted.encode()))
        reply = Reply(answer.status, named, answer.body, "", answer.stream)
        if answer.status >= 400:
            reply.code = x.code = code_of(answer) or "uncoded"
        return self._named(x, reply)

    def _note_position(self, x: Exchange, headers: dict[bytes, bytes]) -> None:
        epoch, seq = headers.get(b"x-tenant-epoch", b""), headers.get(b"x-tenant-seq", b"")
        if not (epoch.isdigit() and seq.isdigit()):
            return
        key = (x.call.tenant, stripe_of(x.call.domain, x.call.stream, x.route.stripes))
        position = (int(epoch), int(seq))
        if position > self.positions.get(key, (-1, -1)):
            if len(self.positions) >= POSITIONS_MAX:
                del self.positions[next(iter(self.positions))]
            self.positions[key] = position

    def _given_up(
        self, x: Exchange, verdict: Next, outcome: CellAnswer | Failure | None = None
    ) -> Reply:
        """Return the reply for a request that is not tried again."""
        if verdict is Next.AGAIN and isinstance(outcome, CellAnswer) and code_of(outcome):
            return self._delivered(x, outcome)  # The cell's own word for it.
        code = _GIVEN_UP[verdict]
        if code == "overloaded" and self._breaker(x).until:
            code = "cell_unavailable"
        if x.in_doubt or code == "outcome_unknown":
            code = "outcome_unknown" if x.request.method == b"POST" else "cell_timeout"
        x.code = code
        return self._named(x, problem(code, retry_after_s=self._retry_after_s(x)))

    def _named(self, x: Exchange, reply: Reply) -> Reply:
        x.status = reply.status
        headers = reply.headers
        headers.append((b"x-request-id", x.request.id.encode()))
        if (
            _EXPLAIN in x.request.headers
            and hasattr(x, "route")
            and "explain" in x.principal.scopes
        ):
            headers.append((_EXPLAIN, self._explanation(x)))
        return reply

    def _explanation(self, x: Exchange) -> bytes:
        route = x.route
        age_ms = max(0, self.now_s * 1000 - self.registry.created_ms)
        return (
            f"tenant={route.tenant}; epoch={route.epoch}; reason={route.reason};"
            f" rev={self.registry.rev}; age_ms={age_ms}; attempts={x.attempts};"
            f" hops={x.attempt.hops}; bundled={x.bundled}"
        ).encode()

    def _breaker(self, x: Exchange) -> Breaker:
        return self._cell(x.route.cell).breaker

    def _retry_after_s(self, x: Exchange) -> int:
        return max(1, int(self._breaker(x).until - self.now) + 1)

    def _cell(self, record: CellRecord | None) -> CellState:
        assert record is not None  # noqa: S101 - decide() forwards to described cells only
        state = self.cells.get(record.id)
        if state is None:
            state = CellState(record, Breaker(self._random), self.limits)
            self.cells[record.id] = state
        elif state.record is not record:
            state = self._changed(state, record)
        return state

    def _changed(self, state: CellState, record: CellRecord) -> CellState:
        """Keep what is known of a cell whose record was read anew; drop its address if it moved."""
        if state.record != record:
            changed = CellState(record, state.breaker, self.limits)
            changed.gate = state.gate
            self.cells[record.id] = changed
            return changed
        state.record = record
        return state


_NOWHERE: Final = {
    Where.UNKNOWN: "tenant_not_found",
    Where.ASK: "tenant_not_found",
    Where.BLOCKED: "tenant_blocked",
    Where.NO_REGISTRY: "registry_unavailable",
    Where.NO_CELL: "registry_unavailable",
    Where.FORWARD: "registry_unavailable",
}
_GIVEN_UP: Final = {
    Next.AGAIN: "cell_unavailable",
    Next.TIMEOUT: "outcome_unknown",
    Next.HOLD: "frozen",
    Next.BEHIND: "epoch_behind",
    Next.MOVING: "tenant_moving",
    Next.REFUSED: "cell_refused",
    Next.UNAVAILABLE: "overloaded",
    Next.INVALID: "upstream_invalid",
}


def _is_spoiled(outcome: CellAnswer | Failure) -> bool:
    """Say whether the cell refused a bundle as a whole, for something that stands in it."""
    return isinstance(outcome, CellAnswer) and outcome.status in _SPOILED


_SPOILED: Final = {400, 413, 415, 422}


def request_id_of(value: bytes | None, new_id: Callable[[], str]) -> str:
    """Return the client's own request id if it is an identifier, else a new one."""
    text = "" if value is None else value.decode("latin-1")
    return text if text and is_id(text) else new_id()

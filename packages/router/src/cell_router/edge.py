"""One request's life, top-down: admit, locate, send, and go on as the answer says.

It does no I/O and reads no clock; see `cell_router.exchange` for how a shell drives it.
"""

import random  # noqa: TID251, TC003 - the type of the generator that the shell passes in
from collections.abc import Callable, Generator
from typing import Any, Final

from cell_router.attempts import Attempts
from cell_router.auth.principal import Principal
from cell_router.auth.refused import AuthRefused
from cell_router.budget import RateLimits
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
from cell_router.exchange import ASK, CellState, Exchange, Flow, Step, Wait
from cell_router.grants import Grants
from cell_router.limits import HOLD_MAX_S, PROBE_S, Limits
from cell_router.messages import CellAnswer, EdgeRequest, Reply
from cell_router.places import GO, Parking
from cell_router.ports import Credentials
from cell_router.problems import EdgeRefused, problem, refused
from cell_router.registry import Registry, Route
from cell_router.replies import EXPLAIN, NOT_SERVED, NOWHERE, delivered, explained, given_up
from cell_router.tenancy import Call, read_call

PAUSE_MIN_S: Final = 0.010
PAUSE_MAX_S: Final = 0.050
PAUSE_LONGEST_S: Final = 0.4
SPARE_MIN_S: Final = 0.05


class Edge:
    """The decision and its memory, for one process."""

    def __init__(
        self,
        *,
        registry: Registry,
        credentials: Credentials,
        grants: Grants,
        limits: Limits,
        generator: "random.Random",
        new_command_id: Callable[[], str],
    ) -> None:
        self.registry = registry
        self.limits = limits
        self.parking = Parking()
        self.attempts = Attempts(grants, limits, generator)
        self._credentials = credentials
        self._rates = RateLimits(limits.tenant_rate, limits.tenant_burst)
        self._random = generator
        self._new_command_id = new_command_id
        self._timed = limits.tenant_rate > 0

    @property
    def now(self) -> float:
        """Monotonic seconds; the shell sets it before it resumes anything."""
        return self.attempts.now

    @now.setter
    def now(self, now: float) -> None:
        self.attempts.now = now

    @property
    def now_s(self) -> int:
        """Wall clock seconds; the shell sets it before it resumes anything."""
        return self.attempts.now_s

    @now_s.setter
    def now_s(self, now_s: int) -> None:
        self.attempts.now_s = now_s

    def begin(self, request: EdgeRequest) -> Exchange:
        """Return a new exchange; its flow has not begun."""
        limits = self.limits
        total_s = limits.total_s
        text = request.headers.get(b"x-deadline-ms")
        if text is not None and text.isdigit() and len(text) <= 9:
            total_s = min(int(text) / 1000, limits.deadline_max_s)
        now = self.attempts.now
        x = Exchange(request, now, now + total_s)
        x.flow = self._run(x)
        return x

    def refresh(self, *, at_once: bool = False) -> bool:
        """Look for a newer registry; let requests go on whose tenant has moved meanwhile."""
        if not self.registry.refresh(self.attempts.now, at_once=at_once):
            return False
        for tenant in self.parking.tenants():
            route = self.registry.find(tenant)
            if route is not None:
                self.parking.moved(tenant, route)
        return True

    # ── One request ──────────────────────────────────────────────────────────

    def _run(self, x: Exchange) -> Flow:
        try:
            x.principal = self.caller_of(x.request)
            call = x.call = self.call_of(x.request, x.principal)
            x.body = call.body
            if self._timed and not self._rates.take(call.tenant, self.attempts.now):
                raise refused("rate_limited")
            route = self.registry.find(call.tenant)
            if route is None or not self.may_forward(route):
                route = yield from self._locate(call.tenant)
        except EdgeRefused as no:
            reply = no.reply
            x.code, x.reason = reply.code, no.reason
        else:
            self.attempts.cell(route.cell).retries.earn()
            reply = yield from self._serve(x, call, route, None)
        return self._signed(x, reply)

    def _resumed(self, x: Exchange, outcome: CellAnswer | Failure) -> Flow:
        reply = yield from self._serve(x, x.call, x.route, outcome)
        return self._signed(x, reply)

    def _signed(self, x: Exchange, reply: Reply) -> Reply:
        """Put under the reply what every reply has, and what the caller may know of its way."""
        reply.headers.append((b"x-request-id", x.request.id.encode()))
        if EXPLAIN in x.request.headers and x.principal and x.principal.may("explain"):
            age_ms = max(0, self.attempts.now_s * 1000 - self.registry.created_ms)
            reply.headers.append((EXPLAIN, explained(x, rev=self.registry.rev, age_ms=age_ms)))
        return reply

    def caller_of(self, request: EdgeRequest) -> Principal:
        """Return who asks.

        Raises:
            EdgeRefused: The answer to give.
        """
        headers = request.headers
        try:
            return self._credentials.authenticate(
                headers.get(b"authorization"), headers.get(b"x-api-key"), self.attempts.now_s
            )
        except AuthRefused as no:
            raise refused(no.code, no.reason) from None

    def call_of(self, request: EdgeRequest, principal: Principal) -> Call:
        """Return what `principal` asks of which tenant.

        Raises:
            EdgeRefused: The answer to give.
        """
        text = request.headers.get(b"x-deadline-ms")
        if text is not None and not (text.isdigit() and len(text) <= 9):
            raise refused("invalid_header", at="x-deadline-ms")
        bytes_max = self.limits.request_bytes_max
        return read_call(request, principal, self._new_command_id, bytes_max)

    def may_forward(self, route: Route) -> bool:
        """Say whether requests of the tenant of `route` are sent there."""
        return decide(route, registry_ready=True, asked=True) is Where.FORWARD

    def resume(self, x: Exchange, outcome: CellAnswer | Failure) -> Flow:
        """Return the flow of a request whose first attempt came to `outcome`, for a shell's own."""
        x.flow = self._resumed(x, outcome)
        return x.flow

    def _locate(self, tenant: str) -> Generator[Step, Any, Route]:
        """Return the tenant's route.

        Raises:
            EdgeRefused: It has none to go.
        """
        registry = self.registry
        route = registry.find(tenant)
        asked = registry.is_unknown(tenant, self.attempts.now)
        where = decide(route, registry_ready=registry.ready, asked=asked)
        if where is Where.ASK:
            if (yield ASK) is Failure.TIMEOUT:
                raise refused("registry_unavailable")
            route = registry.find(tenant)
            where = decide(route, registry_ready=registry.ready, asked=True)
        if where is not Where.FORWARD or route is None:
            raise refused(NOWHERE[where])
        return route

    def _serve(
        self, x: Exchange, call: Call, route: Route, outcome: CellAnswer | Failure | None
    ) -> Flow:
        """Send it until there is something to tell the client; `outcome` is of a first attempt."""
        attempt = x.attempt = Attempt(route.epoch)
        held_since: float | None = None
        try:
            while True:
                x.route = route
                attempt.epoch = route.epoch
                held = held_since is not None
                if outcome is None:
                    outcome = self.attempts.withheld(x, call, route) or (
                        yield from self.attempts.send(x, call, route, held=held)
                    )
                verdict, epoch = after(outcome, attempt)
                if verdict is Next.DELIVER and isinstance(outcome, CellAnswer):
                    return delivered(x, outcome)
                x.in_doubt = x.in_doubt or leaves_doubt(outcome)
                if verdict is Next.HOLD and held_since is None:
                    held_since = self.attempts.now
                if not (yield from self._goes_on(x, verdict, epoch, held_since, outcome)):
                    return given_up(x, verdict, outcome, self.attempts.now)
                found = self.registry.find(call.tenant)
                where = decide(found, registry_ready=True, asked=True)
                if where is not Where.FORWARD or found is None:
                    x.code = NOWHERE[where]
                    return problem(x.code)
                route, outcome = found, None
        finally:
            if held_since is not None:
                x.held_s = self.attempts.now - held_since
                self.parking.leave(call.tenant, x, served=x.code not in NOT_SERVED)

    def _goes_on(
        self,
        x: Exchange,
        verdict: Next,
        epoch: int,
        held_since: float | None,
        outcome: CellAnswer | Failure,
    ) -> Generator[Step, Any, bool]:
        """Do what `verdict` asks for; return whether the request is to be sent once more."""
        attempt, route = x.attempt, x.route
        match verdict:
            case Next.REPAIR:
                self.registry.learn(route.tenant, epoch)
                attempt.hops += 1
                return True
            case Next.RENEW:
                self.attempts.grants.forget(route)
                attempt.renewed = True
                return True
            case Next.HOLD if held_since is not None:
                return (yield from self._hold(x, route, held_since))
            case Next.BEHIND:
                return (yield from self._pause(x, PAUSE_MAX_S, self._spare_s(x)))
            case Next.AGAIN:
                if not self._payer(x, outcome).retries.spend(self.attempts.now):
                    x.shed = True
                    return False
                x.retries += 1
                longest_s = PAUSE_MAX_S * 2.0 ** (x.retries - 1)
                return (yield from self._pause(x, min(PAUSE_LONGEST_S, longest_s)))
            case _:
                return False

    def _payer(self, x: Exchange, outcome: CellAnswer | Failure) -> CellState:
        """Return the cell that the next try is a retry towards.

        A home that cannot say whether a write counts most often waited for its standby: a standby
        that is away must not cost the home's other tenants their retries.
        """
        standby = x.route.standby
        if standby is None or standby.cell is None or not x.call.writes:
            return x.cell
        is_said = isinstance(outcome, CellAnswer) and code_of(outcome) == "outcome_unknown"
        return self.attempts.cell(standby.cell) if is_said else x.cell

    def _spare_s(self, x: Exchange) -> float:
        """Return how long one more attempt may take, as the last one did and that again, or more.

        One that is cut off by the deadline would turn a certain no into an unknown outcome.
        """
        return max(SPARE_MIN_S, 2 * (self.attempts.now - x.sent_at))

    def _pause(
        self, x: Exchange, longest_s: float, spare_s: float = 0.0
    ) -> Generator[Step, Any, bool]:
        """Wait a moment, with jitter; return False if no time is left for that and `spare_s`."""
        until = self.attempts.now + self._random.uniform(PAUSE_MIN_S, longest_s)
        if until + spare_s >= x.deadline:
            return False
        return (yield Wait(until)) is not Failure.TIMEOUT

    def _hold(self, x: Exchange, route: Route, since: float) -> Generator[Step, Any, bool]:
        """Hold a request whose tenant is moving; return whether it may be tried once more."""
        end = min(x.deadline - self._spare_s(x), since + HOLD_MAX_S)
        if self.attempts.now >= end:
            return False
        found = self.registry.find(route.tenant)
        if found is not None and found != route:
            return True  # It has moved while this request was on its way.
        place = self.parking.park(route.tenant, route, x)
        if place == "full":
            return False
        event = yield Wait(min(end, self.attempts.now + PROBE_S) if place == "probe" else end)
        self.parking.resumed(route.tenant, x)
        return event is GO or self.attempts.now < end

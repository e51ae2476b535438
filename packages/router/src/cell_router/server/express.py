"""The express lane: the first attempt of a request for which nothing is unusual.

Most requests are admitted, find their route, a free place and a kept connection, and are answered
at the first attempt. For those this does what the flow of `cell_router.edge` would do, with the
same parts, and without an exchange, a generator and a queue. At the first thing that is not as
usual it hands over: before anything was sent to the flow's beginning, afterwards with the outcome
of the first attempt. It decides nothing of its own.
"""

from typing import TYPE_CHECKING, Final

from cell_router.attempts import attempt_until
from cell_router.auth.principal import Principal
from cell_router.decide import Failure
from cell_router.exchange import CellState, Exchange
from cell_router.messages import CellAnswer, EdgeRequest, Reply
from cell_router.places import Gate
from cell_router.problems import EdgeRefused
from cell_router.registry import Route
from cell_router.replies import EXPLAIN
from cell_router.server.shapes import PLAIN
from cell_router.tenancy import Call

if TYPE_CHECKING:
    from cell_router.server.client import ClientConnection
    from cell_router.server.serving import Serving
    from cell_router.server.upstream import UpstreamConnection

_DEADLINE: Final = b"x-deadline-ms"


class Ride:
    """One request in the express lane, sent and not answered yet."""

    __slots__ = (
        "call", "carrier", "cell", "client", "data", "deadline", "gate", "lane", "principal",
        "request", "resent", "route", "started", "until",
    )  # fmt: skip

    call: Call
    carrier: "UpstreamConnection | None"
    cell: CellState
    client: "ClientConnection"
    data: bytes
    deadline: float
    gate: Gate
    lane: tuple[str, int] | None
    principal: Principal
    request: EdgeRequest
    resent: bool
    route: Route
    started: float
    until: float


class Express:
    """See the module."""

    def __init__(self, serving: "Serving") -> None:
        edge = serving.edge
        self._serving = serving
        self._edge = edge
        self._attempts = edge.attempts
        self._observer = serving.observer
        self._total_s = edge.limits.total_s
        self._attempt_s = attempt_until(0.0, self._total_s)
        self._attempt_ms = int(self._attempt_s * 1000)
        # Where every request is looked at or counted on its way, there is no express lane.
        self.is_open = edge.attempts.before_send is None and not edge.limits.tenant_rate

    def begin(self, request: EdgeRequest, client: "ClientConnection") -> bool:
        """Send `request` if nothing is unusual about it; return False if the flow must serve it."""
        edge, attempts = self._edge, self._attempts
        now = attempts.now = self._serving.loop.time()
        if _DEADLINE in request.headers or EXPLAIN in request.headers:
            return False  # A client with wishes of its own.
        try:
            principal = edge.caller_of(request)
            call = edge.call_of(request, principal)
        except EdgeRefused:
            return False
        route = edge.registry.find(call.tenant)
        if call.minted or route is None or not edge.may_forward(route):
            return False
        if route.standby is not None and route.standby.cell is None:
            return False
        lane = attempts.lane_of(call, route)
        places = attempts.free_places(route, lane)
        if places is None:
            return False
        cell, gate = places
        pool = cell.pool
        connection = None if pool is None else pool.take()
        if connection is None:
            return False
        gate.in_flight += 1
        cell.gate.in_flight += 1
        if lane is not None:
            attempts.lanes.enter(lane)
        cell.retries.earn()
        ride = Ride()
        ride.request, ride.client, ride.principal = request, client, principal
        ride.call, ride.route, ride.cell, ride.gate, ride.lane = call, route, cell, gate, lane
        ride.started = now
        ride.deadline = now + self._total_s
        ride.until = now + self._attempt_s
        ride.resent = False
        ride.carrier = connection
        lines = attempts.head_lines(request, route, self._attempt_ms)
        ride.data = pool.bytes_of(request.method, call.target, lines, call.body)
        self._serving.active.add(ride)
        connection.send(ride, ride.data)
        return True

    def finish(self, ride: Ride, outcome: CellAnswer | Failure) -> None:
        """Answer the client, or hand the request over to the flow with what came of it."""
        attempts, cell = self._attempts, ride.cell
        now = attempts.now = self._serving.loop.time()
        self._serving.active.discard(ride)
        cell.gate.leave()
        ride.gate.leave()
        if ride.lane is not None:
            attempts.lanes.leave(ride.lane)
        attempts.judge(ride.started, cell.breaker, outcome)
        if isinstance(outcome, CellAnswer) and outcome.status in PLAIN and outcome.stream is None:
            code = self._observer.rode(ride, outcome, now)
            ride.client.deliver(outcome, cell.lines, ride.request.id, code)
        else:
            self._hand_over(ride, outcome, now)

    def _hand_over(self, ride: Ride, outcome: CellAnswer | Failure, now: float) -> None:
        x = Exchange(ride.request, ride.started, ride.deadline)
        x.principal, x.call, x.route, x.cell = ride.principal, ride.call, ride.route, ride.cell
        x.body, x.attempts, x.sent_at = ride.call.body, 1, ride.started
        x.resent, x.shell = ride.resent, ride.client
        self._observer.attempted(x, outcome, now)
        self._serving.take_over(x, self._edge.resume(x, outcome))


def replied(answer: CellAnswer, cell_lines: bytes, request_id: str, code: str) -> Reply:
    """Return what the client gets of a plain answer."""
    named = [] if answer.lines else [*answer.headers.items()]
    named.append((b"x-request-id", request_id.encode()))
    return Reply(answer.status, named, answer.body, code, lines=answer.lines + cell_lines)

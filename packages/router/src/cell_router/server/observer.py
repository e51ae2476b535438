"""Counts, logs and traces what a worker does; on the path of every request, so it is cheap."""

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from cell_router.decide import Failure
from cell_router.edge import Edge
from cell_router.exchange import Exchange
from cell_router.messages import CellAnswer, Reply
from cell_router.problems import PROBLEMS
from cell_router.replies import ack_of, position_of, shown_code
from cell_router.server.access_line import Line
from cell_router.server.access_log import AccessLog
from cell_router.server.express import Ride
from cell_router.server.report import Gauge
from cell_router.server.tally import Tally

if TYPE_CHECKING:
    from cell_router.server.tracing import Attempt, Tracer

_TRACEPARENT: Final = b"traceparent"
_STATES: Final = {"closed": 0.0, "half_open": 1.0, "open": 2.0}
_AUTH: Final = frozenset({
    "credential_missing", "credential_invalid", "credential_expired", "auth_unavailable",
})  # fmt: skip


class Observer:
    """What one worker has to say about its requests."""

    def __init__(
        self,
        tally: Tally,
        log: AccessLog,
        tracer: "Tracer | None",
        bug: Callable[[str], None],
        *,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._tally = tally
        self._log = log
        self._tracer = tracer
        self._now_ns = now_ns
        self._attempts: dict[Exchange, Attempt] = {}
        self.bug = bug

    def attach(self, edge: Edge) -> None:
        """Let spans begin where attempts do; nothing is attached while tracing is off."""
        if self._tracer is not None:
            edge.attempts.before_send = self._before_send

    def _before_send(self, x: Exchange) -> None:
        assert self._tracer is not None  # noqa: S101 - see `attach`
        headers, now_ns = x.request.headers, self._now_ns()
        if x.trace is None:
            method = x.request.method.decode()
            x.trace = self._tracer.begin(method, headers.get(_TRACEPARENT), x.request.id, now_ns)
        span: Attempt = x.trace.attempt(x.route.cell.id if x.route.cell else "", now_ns)
        headers[_TRACEPARENT] = span.traceparent
        self._attempts[x] = span

    def attempted(self, x: Exchange, outcome: CellAnswer | Failure, now: float) -> None:
        """See `serving.Observer`."""
        cell = x.cell.record.id
        self._tally.count("attempts", cell)
        if x.riders:
            self._tally.count("bundles", cell)
        if isinstance(outcome, CellAnswer):
            self._tally.answered(cell, now - x.sent_at)
            status, reason = outcome.status, ""
        else:
            status, reason = 0, outcome.name.lower()
            self._tally.failed(cell, reason)
            self._tally.count("attempts_failed", reason)
        if self._tracer is not None and (span := self._attempts.pop(x, None)) is not None:
            span.end(status, reason, self._now_ns())

    def rode(self, ride: Ride, answer: CellAnswer, now: float) -> str:
        """See `serving.Observer`."""
        tally, status, call = self._tally, answer.status, ride.call
        cell, seconds = ride.cell.record.id, now - ride.started
        code = shown_code(answer)
        tally.rode(cell, status, code, seconds)
        if status == 200 and call.domain:
            position = position_of(call, ride.route, answer)
            if position is not None:
                stripe, epoch, seq = position
                tally.acknowledged(call.tenant, stripe, epoch, seq)
        if ride.route.standby is not None and (ack := ack_of(call, ride.route, answer)):
            tally.count("acks", ack)
        if self._log.wants(ride.request.id, status):
            self._log.record(self._ridden(ride, answer, code, seconds))
        return code

    def finished(self, x: Exchange, reply: Reply, now: float) -> None:
        """See `serving.Observer`."""
        tally, code = self._tally, x.code
        cell = x.cell.record.id if x.attempts else ""
        tally.request(cell, reply.status, code, now - x.started)
        if x.position is not None:
            tally.acknowledged(x.call.tenant, *x.position)
        if x.attempts != 1 or x.held_s or x.bundled or x.ack:
            self._count_rare(x, cell)
        if code in _AUTH:
            tally.count("auth_refused", code)
        if self._log.wants(x.request.id, reply.status):
            self._log.record(self._line(x, reply, cell, now))
        if x.trace is not None:
            epoch = x.route.epoch
            x.trace.end(reply.status, code, self._now_ns(), cell=cell, epoch=epoch)

    def connected(self, *, is_admitted: bool) -> None:
        """See `serving.Observer`."""
        self._tally.count("connections_accepted" if is_admitted else "connections_refused")

    def refused(self, code: str) -> None:
        """See `serving.Observer`."""
        self._tally.request("", PROBLEMS[code][0], code, 0.0)

    def _count_rare(self, x: Exchange, cell: str) -> None:
        tally = self._tally
        if x.retries:
            tally.count("retries", "", x.retries)
        if x.shed:
            tally.count("retries_refused")
        if x.attempts and x.attempt.hops:
            tally.count("hops", cell, x.attempt.hops)
        if x.held_s:
            tally.count("holds", cell)
        if x.bundled:
            tally.count("coalesced", cell)
        if x.ack:
            tally.count("acks", x.ack)

    def _ridden(self, ride: Ride, answer: CellAnswer, code: str, seconds: float) -> Line:
        return Line(
            t=self._now_ns() // 1_000_000,
            request=ride.request.id,
            status=answer.status,
            method=ride.request.method.decode("ascii", "replace"),
            code=code,
            tenant=ride.route.tenant,
            cell=ride.cell.record.id,
            epoch=ride.route.epoch,
            principal=ride.principal.id,
            ack=ack_of(ride.call, ride.route, answer),
            ms=round(seconds * 1000, 3),
            attempts=1,
            bytes_in=len(ride.request.body),
            bytes_out=len(answer.body),
        )

    def _line(self, x: Exchange, reply: Reply, cell: str, now: float) -> Line:
        sent = x.attempts > 0
        return Line(
            t=self._now_ns() // 1_000_000,
            request=x.request.id,
            status=reply.status,
            method=x.request.method.decode("ascii", "replace"),
            code=x.code,
            reason=x.reason,
            tenant=x.route.tenant if sent else "",
            cell=cell,
            epoch=x.route.epoch if sent else 0,
            principal=x.principal.id if x.principal else "",
            ack=x.ack,
            ms=round((now - x.started) * 1000, 3),
            attempts=x.attempts,
            hold_ms=round(x.held_s * 1000),
            bytes_in=len(x.request.body),
            bytes_out=len(reply.body),
            trace=x.trace.trace_id if x.trace is not None else "",
        )


def gauges(edge: Edge, connections: int, upstream: Iterable[tuple[str, int]]) -> list[Gauge]:
    """Return what is under way right now."""
    found: list[Gauge] = [
        ("connections", "", float(connections)),
        ("held", "", float(edge.parking.held)),
        ("queued", "", float(edge.attempts.waiting)),
    ]
    for cell, state in edge.attempts.cells.items():
        found.append(("in_flight", cell, float(state.gate.in_flight)))
        found.append(("breaker_state", cell, _STATES[state.breaker.state_at(edge.now)]))
    found.extend(("upstream_connections", cell, float(count)) for cell, count in upstream)
    return found

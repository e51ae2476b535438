"""Drives the flows of one worker process: sends, waits, asks and answers as they want.

One coarse clock looks after every deadline; no request has a task, a future or a timer of its own
unless it has to wait. Refuses to decide anything: that is `cell_router.exchange`.
"""

import asyncio
import traceback
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, Final, Protocol

from cell_router.decide import Failure
from cell_router.edge import Edge
from cell_router.exchange import SEND, CellState, Exchange, Flow, Wait
from cell_router.limits import ASKS_MAX
from cell_router.messages import CellAnswer, EdgeRequest, Reply
from cell_router.problems import problem
from cell_router.server.client import ClientConnection
from cell_router.server.express import Express, Ride
from cell_router.server.outbox import Outbox
from cell_router.server.pool import Pool, Resume
from cell_router.server.shapes import RequestShapes
from cell_router.server.upstream import Stream

TICK_S: Final = 0.02
LATE_S: Final = 0.05
FLOOD: Final = 256
"""When so many requests came in one turn of the clock, and made it late by so much, the next turn
refuses what comes: what it costs to refuse a request is a fraction of serving it."""

_PRUNE_TICKS: Final = 50
_EXPIRE_TICKS: Final = 25


class Observer(Protocol):
    """Who counts and logs what happens; cheap, and never raises."""

    def finished(self, x: Exchange, reply: Reply, now: float) -> None:
        """Note the end of a request."""

    def attempted(self, x: Exchange, outcome: CellAnswer | Failure, now: float) -> None:
        """Note what came of sending a request to its cell."""

    def connected(self, *, is_admitted: bool) -> None:
        """Note a client's connection, and whether it may stay."""

    def refused(self, code: str) -> None:
        """Note a request that could not be read."""

    def rode(self, ride: Ride, answer: CellAnswer, now: float) -> str:
        """Note a request that was answered at once; return the code of the problem, or ""."""

    def bug(self, place: str) -> None:
        """Note that a flow raised what no flow may raise."""


class Serving:
    """The clients, the flows and the cells' pools of one process.

    Args:
        pool_of: Makes the pool of a cell, given how flows are resumed.
        ask: Asks the registry's source for a tenant; it calls back with whether there is one, or
            None if the source could not be asked.
        now_s: Wall clock seconds.
    """

    def __init__(
        self,
        edge: Edge,
        *,
        observer: Observer,
        pool_of: Callable[[Any, Resume], Pool],
        ask: Callable[[str, Callable[[bool | None], None]], None],
        now_s: Callable[[], int],
        new_id: Callable[[], str],
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.edge = edge
        self._attempts = edge.attempts
        self.limits = edge.limits
        self.new_id = new_id
        self.outbox = Outbox(self.loop)
        self.requests = RequestShapes(edge.limits.request_bytes_max)
        self.date_line = b""
        self.clients: set[ClientConnection] = set()
        self.active: set[Exchange | Ride] = set()
        self._streams: dict[Stream, float] = {}
        self.observer = observer
        self._pool_of = pool_of
        self._ask = ask
        self._asked: dict[str, list[Exchange]] = {}
        self._now_s = now_s
        self._pools: dict[str, tuple[object, Pool]] = {}
        self._express = Express(self)
        self._ready: deque[tuple[Exchange, object]] = deque()
        self._is_stepping = self._is_closed = False
        self._is_flooded = False
        self._begun = 0
        self._ticked = self.loop.time()
        self._ticks = 0
        self._tick()

    # ── Clients ──────────────────────────────────────────────────────────────

    def admit(self, client: ClientConnection) -> bool:
        """Take a new connection, unless there are too many."""
        is_admitted = len(self.clients) < self.limits.connections_max
        self.observer.connected(is_admitted=is_admitted)
        if is_admitted:
            self.clients.add(client)
        return is_admitted

    def gone(self, client: ClientConnection) -> None:
        """Forget a connection."""
        self.clients.discard(client)

    def begin(self, request: EdgeRequest, client: ClientConnection) -> None:
        """Serve a request, unless this process is flooded: then say so at once."""
        self._begun += 1
        if self._is_flooded:
            self.observer.refused("overloaded")
            client.shed(request)
            return
        if self._express.is_open and self._express.begin(request, client):
            return
        self._attempts.now = self.loop.time()
        x = self.edge.begin(request)
        x.shell = client
        x.waker = self._wake
        self.active.add(x)
        self._step(x, None)

    def refused(self, code: str) -> None:
        """Note a request that could not be read."""
        self.observer.refused(code)

    def drain(self) -> None:
        """Let every connection end with its next answer."""
        for client in self.clients:
            client.drain()

    def close(self) -> None:
        """Look at nothing any more: the registry's store may be closed."""
        self._is_closed = True

    def close_idle(self) -> None:
        """End the connections on which nothing is under way."""
        for client in [client for client in self.clients if client.is_idle]:
            client.close()

    def take_opened(self) -> list[tuple[str, int]]:
        """Return how many connections to each cell were opened since the last call."""
        return [(cell, pool.take_opened()) for cell, (_, pool) in self._pools.items()]

    def upstream_connections(self) -> list[tuple[str, int]]:
        """Return how many connections each cell has."""
        return [(cell, pool.size) for cell, (_, pool) in self._pools.items()]

    # ── Flows ────────────────────────────────────────────────────────────────

    def take_over(self, x: Exchange, flow: Flow) -> None:
        """Go on with a request that was in the express lane."""
        x.flow = flow
        x.waker = self._wake
        self.active.add(x)
        self._step(x, None)

    def resume(self, x: Exchange | Ride, outcome: CellAnswer | Failure) -> None:
        """Go on with what came of sending `x`."""
        if type(x) is Ride:
            self._express.finish(x, outcome)
            return
        assert isinstance(x, Exchange)  # noqa: S101 - there is no third
        now = self._attempts.now = self.loop.time()
        self.observer.attempted(x, outcome, now)
        self._step(x, outcome)

    def _wake(self, x: Exchange, event: object) -> None:
        self._ready.append((x, event))
        if not self._is_stepping:
            self.loop.call_soon(self._run_ready)

    def _run_ready(self) -> None:
        self._attempts.now = self.loop.time()
        if self._ready and not self._is_stepping:
            self._step(*self._ready.popleft())

    def _step(self, x: Exchange, event: object) -> None:
        """Resume one flow, and those that it wakes."""
        if self._is_stepping:
            self._ready.append((x, event))
            return
        self._is_stepping = True
        try:
            self._advance(x, event)
            while self._ready:
                self._advance(*self._ready.popleft())
        finally:
            self._is_stepping = False

    def _advance(self, x: Exchange, event: object) -> None:
        try:
            step = x.flow.send(event)
        except StopIteration as end:
            self._finish(x, end.value)
            return
        except Exception as bug:  # noqa: BLE001 - the last line: a client never sees a traceback
            self.observer.bug(_place(bug))
            self._finish(x, problem("internal"))
            return
        if step is SEND:
            pool = x.cell.pool
            if pool is None:
                pool = self._pool(x)
            pool.send(x)
        elif isinstance(step, Wait):
            x.parked = True
            x.ticket += 1
            if step.until < x.deadline:
                self.loop.call_at(step.until, self._due, x, x.ticket)
        else:
            self._ask_for(x)

    def _due(self, x: Exchange, ticket: int) -> None:
        if x.parked and x.ticket == ticket:
            x.parked = False
            self.edge.now = self.loop.time()
            self._step(x, None)

    def _finish(self, x: Exchange, reply: Reply) -> None:
        self.active.discard(x)
        x.waker = None
        now = self._attempts.now
        self.observer.finished(x, reply, now)
        if isinstance(reply.stream, Stream):
            self._streams[reply.stream] = now + self.limits.deadline_max_s
        client: ClientConnection = x.shell
        client.reply(reply)

    def _ask_for(self, x: Exchange) -> None:
        tenant = x.call.tenant
        waiting = self._asked.get(tenant)
        if waiting is not None:
            waiting.append(x)
        elif len(self._asked) >= ASKS_MAX:
            self._step(x, Failure.TIMEOUT)
        else:
            self._asked[tenant] = [x]
            self._ask(tenant, lambda present: self._found(tenant, present))

    def _found(self, tenant: str, present: bool | None) -> None:  # noqa: FBT001 - the answer itself
        edge = self.edge
        edge.now = self.loop.time()
        edge.refresh(at_once=True)
        if present is False:
            edge.registry.note_unknown(tenant, edge.now)
        for x in self._asked.pop(tenant, ()):
            if x in self.active:
                self._step(x, Failure.TIMEOUT if present is None else None)

    def _pool(self, x: Exchange) -> Pool:
        state = x.cell
        pool: Pool | None = state.pool
        if pool is None:
            record = state.record
            _, old = self._pools.get(record.id, (None, None))
            if old is not None:
                old.close()  # The cell has a new address.
            pool = state.pool = self._pool_of(record, self.resume)
            self._pools[record.id] = (record, pool)
        return pool

    # ── The coarse clock ─────────────────────────────────────────────────────

    def _tick(self) -> None:
        if self._is_closed:
            return
        now = self.loop.time()
        # The clock comes late when a turn of the loop has more to do than there is time for.
        self._is_flooded = self._begun > FLOOD and now - self._ticked > TICK_S + LATE_S
        self._ticked, self._begun = now, 0
        edge = self.edge
        edge.now = now
        edge.now_s = self._now_s()
        self._ticks += 1
        edge.refresh()
        if self._ticks % _PRUNE_TICKS == 1:
            self.date_line = f"date: {formatdate(edge.now_s, usegmt=True)}\r\n".encode()
            for _, pool in self._pools.values():
                pool.prune(now)
        for x in [x for x in self.active if x.until <= now or x.deadline <= now]:
            self._time_out(x, now)
        if self._ticks % _EXPIRE_TICKS == 0:
            self._expire(now)
        self.loop.call_later(TICK_S, self._tick)

    def _time_out(self, x: Exchange | Ride, now: float) -> None:
        """End the attempt of `x` whose time is over, or `x` itself at its deadline."""
        if x not in self.active:
            return
        if type(x) is Ride:
            self._express.finish(x, self._cut(x, x.cell, now))
            return
        assert isinstance(x, Exchange)  # noqa: S101 - there is no third
        outcome = Failure.TIMEOUT
        if x.parked:
            x.parked = False
        elif any(x is other for other, _ in self._ready):
            return  # It goes on in a moment, and looks at the time itself.
        elif x.until <= now:
            outcome = self._cut(x, x.cell, now)
            self.observer.attempted(x, outcome, now)
        else:
            waiting = self._asked.get(x.call.tenant, [])
            if x in waiting:
                waiting.remove(x)
        self._step(x, outcome)

    @staticmethod
    def _cut(x: Exchange | Ride, cell: CellState, now: float) -> Failure:
        outcome = Failure.UNKNOWN if cell.pool is None else cell.pool.forget(x)
        return Failure.TIMEOUT if outcome is Failure.UNKNOWN and x.deadline <= now else outcome

    def _expire(self, now: float) -> None:
        for client in [c for c in self.clients if c.due <= now]:
            client.expire(now)
        for stream, due in [*self._streams.items()]:
            if stream.is_over:
                del self._streams[stream]
            elif due <= now:
                del self._streams[stream]
                stream.cut()


def _place(bug: Exception) -> str:
    """Return what happened and where; a message could hold a value, so it is left out."""
    last = traceback.extract_tb(bug.__traceback__)[-1:]
    where = f"{last[0].name}:{last[0].lineno}" if last else ""
    return f"{type(bug).__name__} in {where}"

"""A shell in virtual time: drives flows against cells that are functions, without a socket.

The same promises as the server's: whoever is first wakes a waiting flow, a flow is resumed with
`Failure.TIMEOUT` at its deadline, and what comes for it later is for nobody.
"""

import base64
import heapq
import itertools
import json
import random
from collections.abc import Callable, Iterable
from typing import Any

from cell_router.auth.principal import Principal
from tests.router.fresh import Modules
from tests.router.vectors.world import NOW_S

EVERYBODY = Principal(
    id="test",
    tenants=None,
    scopes=frozenset({"read", "write", "explain"}),
    expires_s=float("inf"),
)
Cell = Callable[[Any, float], tuple[float, Any]]
"""Takes an exchange and the time; returns how long it takes and what comes of it."""


class Everybody:
    def authenticate(self, authorization: object, api_key: object, now_s: int) -> Principal:
        return EVERYBODY


class Lines:
    """A grant book that signs nothing: the lines name tenant and epoch."""

    def __init__(self) -> None:
        self.forgotten = 0

    def lines(self, route: Any, now_s: int) -> bytes:
        return b"x-tenant-id: %s\r\nx-tenant-epoch: %d\r\n" % (route.tenant.encode(), route.epoch)

    def standby_lines(self, route: Any, now_s: int) -> bytes:
        if route.standby.cell is None:
            return b""
        claims = {
            "aud": route.standby.cell.id,
            "epoch": route.epoch,
            "scope": "replicate",
            "tenant": route.tenant,
        }
        payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        fields = {
            "x-cell-standby": route.standby.cell.base_url,
            "x-cell-standby-grant": f"head.{payload}.signature",
            "x-cell-standby-grant-header": route.standby.cell.grant_header,
            "x-cell-standby-else": route.standby.policy,
        }
        return "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode()

    def forget(self, route: Any) -> None:
        self.forgotten += 1


class Sim:
    """One edge, its clients and its cells.

    Attributes:
        sent: Every attempt: its time, the cell, the epoch, the target and the body.
        most: The most requests that were under way at a time, by cell.
    """

    def __init__(
        self,
        modules: Modules,
        store: Any,
        cell: Cell,
        *,
        credentials: Any = None,
        grants: Any = None,
        **limits: Any,
    ) -> None:
        self.m = modules
        self.now = 1000.0
        self.cell = cell
        self.sent: list[tuple[float, str, int, bytes, bytes]] = []
        self.replies: dict[Any, tuple[float, Any]] = {}
        self.most: dict[str, int] = {}
        self._under_way: dict[str, int] = {}
        self._ids = itertools.count(1)
        self._order = itertools.count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._ready: list[tuple[Any, object]] = []
        self.edge = modules.edge.Edge(
            registry=modules.registry.Registry(store),
            credentials=Everybody() if credentials is None else credentials,
            grants=Lines() if grants is None else grants,
            limits=modules.limits.Limits(**limits),
            generator=random.Random(1),
            new_command_id=lambda: f"minted-{next(self._ids)}",
        )
        self._tick()
        self.edge.refresh(at_once=True)

    # ── What a test does ─────────────────────────────────────────────────────

    def ask(self, body: bytes, at: float = 0.0, **headers: str) -> Any:
        """Let a client send a command `at` seconds from now; return a handle on it."""
        fields = {b"content-type": b"application/json"}
        fields |= {n.replace("_", "-").encode(): v.encode() for n, v in headers.items()}
        return self.begin(b"POST", b"/process", fields, body, at)

    def begin(
        self, method: bytes, target: bytes, fields: dict[bytes, bytes], body: bytes, at: float = 0.0
    ) -> Any:
        """Let a client send any request; return a handle on it."""
        path, _, query = target.partition(b"?")
        new_id = f"r-{next(self._ids)}"
        request_id = self.m.exchange.request_id_of(fields.get(b"x-request-id"), lambda: new_id)
        request = self.m.messages.EdgeRequest(method, path, query, fields, body, request_id)
        self.later(at, lambda: self._begin(request))
        return request

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """Do something in so many seconds."""
        heapq.heappush(self._events, (self.now + seconds, next(self._order), do))

    def run(self, seconds: float = 60.0) -> None:
        """Let time pass until nothing happens any more, or for so long."""
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            self.now, _, do = heapq.heappop(self._events)
            self._tick()
            do()
            self._run_ready()
        self.now = end
        self._tick()

    def reply(self, request: Any) -> Any:
        """Return what the client of `request` got."""
        return self.replies[request.id][1]

    def took(self, request: Any) -> float:
        """Return when it got it."""
        return self.replies[request.id][0]

    def refresh(self) -> None:
        """Let the registry be looked at."""
        self.edge.refresh(at_once=True)
        self._run_ready()

    # ── The shell ────────────────────────────────────────────────────────────

    def _tick(self) -> None:
        self.edge.now = self.now
        self.edge.now_s = NOW_S

    def _begin(self, request: Any) -> None:
        x = self.edge.begin(request)
        x.waker = lambda x, event: self._ready.append((x, event))
        x.shell = "new"
        self.later(x.deadline - self.now, lambda: self._time_out(x))
        self._advance(x, None)

    def _run_ready(self) -> None:
        while self._ready:
            self._advance(*self._ready.pop(0))

    def _advance(self, x: Any, event: object) -> None:
        x.ticket += 1
        ticket = x.ticket
        try:
            step = x.flow.send(event)
        except StopIteration as end:
            x.shell = "over"
            self.replies[x.request.id] = (self.now, end.value)
            return
        if isinstance(step, self.m.exchange.Wait):
            x.parked = True
            self.later(max(0.0, step.until - self.now), lambda: self._due(x, ticket))
        elif step is self.m.exchange.SEND:
            self._send(x, ticket)
        else:
            self.later(0.001, lambda: self._asked(x, ticket))

    def _send(self, x: Any, ticket: int) -> None:
        cell = x.cell.record.id
        self.sent.append((self.now, cell, x.route.epoch, x.target, x.sent_body))
        self._under_way[cell] = self._under_way.get(cell, 0) + 1
        self.most[cell] = max(self.most.get(cell, 0), self._under_way[cell])
        seconds, outcome = self.cell(x, self.now)
        if x.until < x.deadline and self.now + seconds > x.until:
            seconds, outcome = x.until - self.now, self.m.decide.Failure.UNKNOWN

        def come() -> None:
            self._under_way[cell] -= 1
            if x.ticket == ticket and x.shell != "over":
                self._advance(x, outcome)

        self.later(seconds, come)

    def _asked(self, x: Any, ticket: int) -> None:
        if x.ticket == ticket:
            self.edge.registry.note_unknown(x.call.tenant, self.now)
            self._advance(x, None)

    def _due(self, x: Any, ticket: int) -> None:
        if x.parked and x.ticket == ticket:
            x.parked = False
            self._advance(x, None)

    def _time_out(self, x: Any) -> None:
        if x.shell == "over" or any(x is other for other, _ in self._ready):
            return
        x.parked = False
        self._advance(x, self.m.decide.Failure.TIMEOUT)


def losing(always: str, once: str, lost: Any, answered: Callable[[Any], Any]) -> Cell:
    """Return a cell that loses all answers to one tenant, and the first to requests of another."""

    def cell(x: Any, now: float) -> tuple[float, Any]:
        is_lost = x.route.tenant == always or (x.route.tenant == once and x.attempts == 1)
        return 0.001, (lost if is_lost else answered(x))

    return cell


def statuses(sim: Sim, requests: Iterable[Any]) -> list[int]:
    """Return the status of each reply."""
    return [sim.reply(request).status for request in requests]

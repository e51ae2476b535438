"""`App`: one request in, one response out; verify, parse, call, and answer every error by table."""

import re
import threading
from collections.abc import Callable, Sequence

from cell_core.app.acknowledging import Acknowledging
from cell_core.app.commands import Commands
from cell_core.app.control import Control
from cell_core.app.problems import encode, problem_of
from cell_core.app.reads import Reads
from cell_core.app.routes import Call, Reply, Route, Router, read_query
from cell_core.domain.decider import Decider
from cell_core.domain.errors import (
    BackendError,
    CellError,
    Fenced,
    InvalidInput,
    InvariantBroken,
    Refused,
    Rejected,
    Unavailable,
)
from cell_core.domain.fence import Fence
from cell_core.domain.ids import is_id
from cell_core.ports import CellStore, Clock, Patience, StandbyLink
from cell_core.service.acknowledge import Acknowledger
from cell_core.service.control import Cell, Controller
from cell_core.service.positions import Positions
from cell_core.service.process import Processor
from cell_core.service.reads import Reader
from cell_core.service.remove import Remover
from cell_core.service.replicate import Replicator
from cell_core.service.sweep import Sweeper
from cell_core.wire.grants import EVERY_TENANT, Grant, GrantVerifier
from cell_core.wire.message import (
    AUTHORIZATION,
    CELL,
    CHAIN,
    CONTENT_TYPE,
    DEADLINE,
    EPOCH,
    GRANT,
    JSON,
    REQUEST_ID,
    SEQ,
    TENANT,
    Request,
    Response,
)

DEADLINE_DEFAULT_MS = 2000
"""A cell answers within 2 s even when its store is gone; an edge that waits longer says so."""

DEADLINE_MAX_MS = 10_000
STORE_CALL_MS = 800
"""How long one call to the store may take; none is begun again later than this before the end."""

_MILLISECONDS = re.compile(r"[0-9]{1,9}")
SWEEP_MS = 20_000
IN_FLIGHT_MAX = 64


class App:
    """The HTTP application of one cell. Safe to share between threads; never raises."""

    def __init__(  # noqa: PLR0913 - each is a part that a composition root makes
        self,
        cell: Cell,
        store: CellStore,
        domains: Sequence[Decider],
        verifier: GrantVerifier,
        *,
        clock: Clock,
        patience: Patience,
        new_id: Callable[[], str],
        link: StandbyLink | None = None,
    ) -> None:
        """Wire a cell's services together.

        Args:
            cell: Its name and the epochs that it owns.
            store: Holds its tenants.
            domains: What it computes.
            verifier: Knows whose grants it takes.
            clock: Tells the time.
            patience: Says how long to wait before trying again.
            new_id: Makes a request's id where the caller sent none.
            link: Leads to the standbys of tenants that want two cells to hold each write.
        """
        self._cell = cell
        self._store = store
        self._verifier = verifier
        self._clock = clock
        self._new_id = new_id
        self._gate = threading.BoundedSemaphore(IN_FLIGHT_MAX)
        positions = Positions(store)
        processor = Processor(store, clock, patience, positions, cell)
        controller = Controller(store, patience, positions, cell)
        acknowledger = None
        if link is not None:
            acknowledger = Acknowledger(store, clock, patience, controller, cell, link)
        self._sweeper = Sweeper(store, clock, controller, processor, domains)
        routes = [
            *Commands(processor, domains, Acknowledging(acknowledger)).routes(),
            *Reads(Reader(store, positions, cell), domains).routes(),
            *Control(
                controller,
                Replicator(store, patience, positions, cell),
                Remover(store, positions, controller),
            ).routes(),
            *self._own_routes(),
        ]
        self._router = Router(routes)
        self._routes, self._domains = routes, domains

    def handle(self, request: Request) -> Response:
        """Return the answer to `request`, whatever it is."""
        request_id = request.headers.get(REQUEST_ID, "")
        if not is_id(request_id):
            request_id = self._new_id()
        if not self._gate.acquire(blocking=False):
            return self._failed(BackendError("overloaded"), request_id)
        try:
            return self._respond(*self._serve(request), request_id)
        except CellError as error:
            return self._failed(error, request_id)
        except Exception as bug:  # noqa: BLE001 - the last line: a client never sees a traceback
            return self._failed(InvariantBroken(), request_id, bug=_place(bug))
        finally:
            self._gate.release()

    def sweep(self) -> dict[str, int]:
        """Issue what is due, on a timer; bounded in work and time."""
        return self._sweeper.sweep(self._clock.now_ms() + SWEEP_MS)

    def _serve(self, request: Request) -> tuple[Reply, Grant | None]:
        route, names = self._router.find(request.method, request.path)
        if len(request.body) > route.body_bytes_max:
            raise Rejected("payload_too_large", limit_bytes=route.body_bytes_max)
        grant = self._admit(route, request, names.get("tenant"))
        if route.body is not None:
            _check_media_type(request)
        call = Call(
            request=request,
            names=names,
            query=read_query(request.query, route.query),
            grant=grant,
            deadline_ms=self._clock.now_ms() + _budget_ms(request),
        )
        return route.handle(call), grant

    def _admit(self, route: Route, request: Request, tenant: str | None) -> Grant | None:
        """Verify the grant and that it is for this route, tenant and epoch."""
        if route.scope == "open":
            return None
        token = request.headers.get(GRANT) or _bearer(request.headers.get(AUTHORIZATION, ""))
        grant = self._verifier.verify(token, self._clock.now_ms() // 1000)
        if grant.scope not in (route.scope, route.scope_too):
            raise Refused("grant_scope")
        named = {request.headers.get(TENANT), tenant} - {None}
        anyone = grant.scope == "control" and grant.tenant == EVERY_TENANT
        if not anyone and (named - {grant.tenant} or (route.scope == "control" and not tenant)):
            raise Refused("grant_tenant")
        if request.headers.get(EPOCH, str(grant.epoch)) != str(grant.epoch):
            raise Refused("grant_tenant", at="epoch")
        return grant

    def _respond(self, reply: Reply, grant: Grant | None, request_id: str) -> Response:
        headers = {
            CONTENT_TYPE: JSON,
            **self._headers(request_id, reply.fence),
            **reply.headers,
        }
        facts = {"code": "ok", **reply.facts, **_who(grant, reply.fence)}
        body = reply.body if isinstance(reply.body, bytes) else encode(reply.body)
        return self._response(reply.status, headers, body, facts)

    def _failed(self, error: CellError, request_id: str, **facts: str) -> Response:
        status, body, headers = problem_of(error)
        if status == 405:
            headers["allow"] = ", ".join(error.fields["allow"])
        if isinstance(error, Fenced) and "epoch" in error.fields:
            headers[EPOCH] = str(error.fields["epoch"])
        headers = {**self._headers(request_id, None), **headers}
        if error.reason:
            facts["reason"] = error.reason
        return self._response(status, headers, encode(body), {"code": error.code, **facts})

    def _headers(self, request_id: str, fence: Fence | None) -> dict[str, str]:
        headers = {"cache-control": "no-store", CELL: self._cell.id, REQUEST_ID: request_id}
        if fence is not None:
            headers |= {EPOCH: str(fence.epoch), SEQ: str(fence.seq), CHAIN: fence.chain}
        return headers

    def _response(
        self, status: int, headers: dict[str, str], body: bytes, facts: dict[str, str | int]
    ) -> Response:
        facts = {"request_id": headers[REQUEST_ID], "cell": self._cell.id, **facts}
        return Response(status=status, headers=headers, body=body, facts=facts)

    def _own_routes(self) -> list[Route]:
        return [
            Route(
                method="GET",
                template="/healthz",
                id="healthz",
                summary="The process answers",
                handle=lambda _: Reply({"status": "ok"}),
                scope="open",
                answer="Health",
            ),
            Route(
                method="GET",
                template="/readyz",
                id="readyz",
                summary="The store answers",
                handle=self._ready,
                scope="open",
                answer="Health",
            ),
            Route(
                method="GET",
                template="/openapi.json",
                id="openapi",
                summary="This description",
                handle=self._describe,
                scope="open",
            ),
        ]

    def _describe(self, _call: Call) -> Reply:
        # 50 ms of models that no other request needs.
        from cell_core.app.openapi import openapi  # noqa: PLC0415 - see above

        return Reply(openapi(self._routes, self._domains))

    def _ready(self, _call: Call) -> Reply:
        try:
            self._store.ping()
        except Unavailable:
            raise
        except BackendError:
            raise Unavailable("ping") from None
        return Reply({"status": "ok"})


def _place(bug: Exception) -> str:
    """Return what happened and where; a message could hold a value, so it is left out."""
    trace = bug.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace else ""
    return f"{type(bug).__name__} in {where}"


def _bearer(value: str) -> str:
    scheme, _, token = value.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _check_media_type(request: Request) -> None:
    kind, _, parameters = request.headers.get(CONTENT_TYPE, "").lower().partition(";")
    if kind.strip() != JSON or parameters.strip() not in ("", "charset=utf-8"):
        raise Rejected("unsupported_media_type")


def _budget_ms(request: Request) -> int:
    text = request.headers.get(DEADLINE)
    if text is None:
        return DEADLINE_DEFAULT_MS - STORE_CALL_MS
    if not _MILLISECONDS.fullmatch(text):
        raise InvalidInput(problem="X-Deadline-Ms is a number of milliseconds left")
    return max(0, min(int(text), DEADLINE_MAX_MS) - STORE_CALL_MS)


def _who(grant: Grant | None, fence: Fence | None) -> dict[str, str | int]:
    who: dict[str, str | int] = {}
    if grant is not None:
        who["tenant"] = grant.tenant
    if fence is not None:
        who["epoch"] = fence.epoch
    return who

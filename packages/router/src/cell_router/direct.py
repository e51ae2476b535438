"""`route_request` without a server: the same flow, driven by the calling thread.

For a program that embeds the edge, and for the tutorial's `global_router`. The caller is trusted:
it names the tenant in the body, and may name any. Refuses to be fast: use the server for that.
"""

import queue
import threading
from collections.abc import Callable
from typing import Any, Final, Protocol

from cell_router.auth.principal import SCOPES, Principal
from cell_router.decide import Failure
from cell_router.edge import Edge
from cell_router.exchange import SEND, Exchange, Wait
from cell_router.messages import CellAnswer, EdgeRequest, Reply

_JSON: Final = {b"content-type": b"application/json"}
_EVERYBODY: Final = Principal(
    id="embedded", tenants=None, scopes=frozenset(SCOPES), expires_s=float("inf")
)


class Embedding:
    """Whoever calls `route_request`: the program itself."""

    def authenticate(
        self,
        authorization: bytes | None,  # noqa: ARG002 - the port's signature
        api_key: bytes | None,  # noqa: ARG002 - the port's signature
        now_s: int,  # noqa: ARG002 - the port's signature
    ) -> Principal:
        """Return one that may do everything for every tenant."""
        return _EVERYBODY


class Transport(Protocol):
    """Sends a request to a cell and waits for its answer."""

    def send(self, x: Exchange, timeout_s: float) -> CellAnswer | Failure:
        """Return what came of it within `timeout_s`; raises nothing."""


class Direct:
    """Routes requests of any number of threads."""

    def __init__(
        self,
        edge: Edge,
        transport: Transport,
        *,
        ask: Callable[[str], bool | None],
        now: Callable[[], float],
        now_s: Callable[[], int],
        new_id: Callable[[], str],
    ) -> None:
        """Take the parts; `ask` asks the registry's source for a tenant, None if it cannot be."""
        self._edge = edge
        self._transport = transport
        self._ask = ask
        self._now = now
        self._now_s = now_s
        self._new_id = new_id
        # The edge is for one thread at a time; nobody holds this while waiting for anything.
        self._lock = threading.Lock()

    def route_request(self, request_body: str) -> dict[str, Any]:
        """Send a command to the cell of its tenant and return the answer.

        Args:
            request_body: A JSON envelope (cell.md 2) with `tenant_id`.

        Returns:
            `status`, `headers` and `body`, all text but the status. The cell's answer has
            `X-Processed-By-Cloud`; for the edge's own answers `code` says what happened, and the
            body is a sentence.
        """
        # What no UTF-8 can hold becomes bytes that no JSON may hold.
        body = request_body.encode(errors="surrogatepass")
        request = EdgeRequest(b"POST", b"/process", b"", dict(_JSON), body, self._new_id())
        with self._lock:
            self._tick()
            self._edge.refresh()
            x = self._edge.begin(request)
        x.waker = _leave_note
        x.shell = queue.SimpleQueue()
        return _shown(self._drive(x))

    def _drive(self, x: Exchange) -> Reply:
        event: Any = None
        while True:
            with self._lock:
                self._tick()
                try:
                    step = x.flow.send(event)
                except StopIteration as end:
                    reply: Reply = end.value
                    return reply
                x.parked = isinstance(step, Wait)
            left_s = x.deadline - self._now()
            if step is SEND:
                event = self._sent(x)
            elif isinstance(step, Wait):
                event = self._wait(x, min(step.until - self._now(), left_s))
            else:
                event = self._asked(x.call.tenant)

    def _sent(self, x: Exchange) -> CellAnswer | Failure:
        """Return what comes of an attempt until its time is over."""
        left_s = x.until - self._now()
        outcome = self._transport.send(x, left_s) if left_s > 0 else Failure.UNKNOWN
        late = outcome is Failure.UNKNOWN and self._now() >= x.deadline
        return Failure.TIMEOUT if late else outcome

    def _wait(self, x: Exchange, timeout_s: float) -> object:
        notes: queue.SimpleQueue[object] = x.shell
        try:
            return notes.get(timeout=max(0.0, timeout_s))
        except queue.Empty:
            with self._lock:
                woken, x.parked = not x.parked, False
            if woken:
                return notes.get()
            return Failure.TIMEOUT if self._now() >= x.deadline else None

    def _asked(self, tenant: str) -> object:
        present = self._ask(tenant)
        with self._lock:
            self._tick()
            self._edge.refresh(at_once=True)
            if present is False:
                self._edge.registry.note_unknown(tenant, self._edge.now)
        return Failure.TIMEOUT if present is None else None

    def _tick(self) -> None:
        self._edge.now = self._now()
        self._edge.now_s = self._now_s()


def _leave_note(x: Exchange, event: object) -> None:
    x.shell.put(event)


def _shown(reply: Reply) -> dict[str, Any]:
    headers = {name.decode().title(): value.decode("latin-1") for name, value in reply.headers}
    shown: dict[str, Any] = {"status": reply.status, "headers": headers}
    if reply.title:
        return {**shown, "code": reply.code, "body": reply.title}
    return {**shown, "body": reply.body.decode("utf-8", "replace")}

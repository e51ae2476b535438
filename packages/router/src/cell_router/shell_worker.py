"""The Cloudflare Worker: turns the runtime's requests into exchanges, and replies into responses.

The one place with module state: a runtime makes a new `Default` for each request, and all that
requests of one isolate share lives here. Reads the settings when the first request comes.
"""

import asyncio
import traceback
from typing import Any, Final

import js
import msgspec
from pyodide.ffi import JsException
from workers import Request, Response, WorkerEntrypoint

from cell_core.domain.canonical import canonical
from cell_core.domain.limits import BUNDLE_BYTES_MAX
from cell_core.wire.message import PROBLEM
from cell_router.exchange import Exchange, request_id_of
from cell_router.limits import TARGET_BYTES_MAX
from cell_router.messages import READ_FROM_CLIENT, EdgeRequest, Reply
from cell_router.problems import EdgeRefused, problem, refused
from cell_router.server.access_line import Line
from cell_router.shell_worker_isolate import Isolate, open_isolate
from cell_router.shell_worker_platform import KvReader, TooLarge, WebCrypto, read_body, subrequest
from cell_router.shell_worker_ports import Runtime
from cell_router.shell_worker_settings import SettingsRefused, read_settings

_BUNDLE: Final = b"/v1/bundle"
_BODILESS: Final = frozenset({204, 205, 304})
_MISCONFIGURED: Final = "edge_misconfigured"

_isolates: list[Isolate] = []
"""Empty until the first request, then one."""


class Default(WorkerEntrypoint):  # type: ignore[misc]  # the runtime's class has no types
    """The Worker."""

    async def fetch(self, request: Request) -> Response:
        """Answer one request."""
        clock = Clock()
        started = clock.now()
        headers = _headers(request.js_object)
        request_id = request_id_of(headers.get(b"x-request-id"), _new_id)
        exchange = None
        try:
            isolate = await _isolate(self.env, clock)
            edge_request = await _edge_request(request.js_object, headers, request_id, isolate)
            reply, exchange = await isolate.answer(edge_request)
            if isolate.has_chores(exchange):
                self.ctx.waitUntil(isolate.chores(exchange))
            for refusal in isolate.take_refusals():
                _log({"event": "registry_refused", "reason": refusal})
        except EdgeRefused as no:
            reply = _with_id(no.reply, request_id)
        except SettingsRefused as no:
            _log({"event": _MISCONFIGURED, "setting": no.setting, "problem": no.problem})
            reply = _with_id(_misconfigured(), request_id)
        except Exception as bug:  # noqa: BLE001 - the shell's last line: the client gets an answer
            _log({"event": "internal", "request": request_id, "place": _place(bug)})
            reply = _with_id(problem("internal"), request_id)
        if reply.status >= 400:
            _log(msgspec.to_builtins(_line(request, request_id, reply, exchange, started)))
        return _response(reply)


class Clock:
    """The runtime's clocks: they stand still while nothing is awaited."""

    def now(self) -> float:
        """Return monotonic seconds."""
        return float(js.performance.now()) / 1000

    def now_s(self) -> int:
        """Return seconds since 1970-01-01 UTC."""
        return int(js.Date.now()) // 1000

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


async def _isolate(env: Any, clock: Clock) -> Isolate:  # noqa: ANN401 - the runtime's bindings
    if not _isolates:
        settings = read_settings(
            getattr(env, "SETTINGS", None),
            getattr(env, "GRANT_KEY", None),
            getattr(env, "API_KEYS", None),
            clock.now_s(),
        )
        runtime = Runtime(
            kv=KvReader(_namespace(env)),
            crypto=WebCrypto(),
            subrequest=subrequest,
            clock=clock,
            new_id=_new_id,
            seed=_new_id().encode(),
        )
        opened = await open_isolate(settings, runtime)
        # Two first requests may both have come here; the first one's stays.
        if not _isolates:
            _isolates.append(opened)
    return _isolates[0]


def _namespace(env: Any) -> Any:  # noqa: ANN401 - the runtime's bindings
    found = getattr(env, "REGISTRY", None)
    if found is None:
        raise SettingsRefused("REGISTRY", "is not bound to a KV namespace")
    return found


async def _edge_request(
    request: Any,  # noqa: ANN401 - a JavaScript Request
    headers: dict[bytes, bytes],
    request_id: str,
    isolate: Isolate,
) -> EdgeRequest:
    # What follows the host; the runtime has parsed the URL, and normalised dots and backslashes.
    target = "/" + str(request.url).split("/", 3)[3].partition("#")[0]
    if len(target) > TARGET_BYTES_MAX:
        raise refused("target_too_long", limit_bytes=TARGET_BYTES_MAX)
    path, _, query = target.encode().partition(b"?")
    limit = BUNDLE_BYTES_MAX if path == _BUNDLE else isolate.limits.request_bytes_max
    try:
        body = await read_body(request, limit)
    except TooLarge:
        raise refused("payload_too_large", limit_bytes=limit) from None
    except JsException:
        raise refused("bad_request", "body_broke_off") from None
    return EdgeRequest(
        method=str(request.method).encode(),
        path=path,
        query=query,
        headers=headers,
        body=body,
        id=request_id,
    )


def _headers(request: Any) -> dict[bytes, bytes]:  # noqa: ANN401 - a JavaScript Request
    # The runtime joins several values of one name by a comma, which none of ours may hold.
    pairs = ((str(k).encode("latin-1", "replace"), str(v)) for k, v in request.headers)
    return {
        name: value.encode("latin-1", "replace")
        for name, value in pairs
        if name in READ_FROM_CLIENT
    }


def _response(reply: Reply) -> Response:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in reply.headers]
    body = None if reply.status in _BODILESS else reply.body
    return Response(body, status=reply.status, headers=headers)


def _with_id(reply: Reply, request_id: str) -> Reply:
    reply.headers.append((b"x-request-id", request_id.encode()))
    return reply


def _misconfigured() -> Reply:
    """Return what only a Worker has to say: a server does not start with such settings."""
    body = canonical(
        {
            "type": f"urn:cells:problem:{_MISCONFIGURED}",
            "title": "Edge misconfigured",
            "status": 503,
            "code": _MISCONFIGURED,
            "detail": "An operator has to correct the edge's settings; nothing was done.",
            "retryable": True,
        }
    )
    headers = [
        (b"content-type", PROBLEM.encode()),
        (b"cache-control", b"no-store"),
        (b"retry-after", b"30"),
    ]
    return Reply(503, headers, body.encode(), _MISCONFIGURED)


def _line(
    request: Request, request_id: str, reply: Reply, exchange: Exchange | None, started: float
) -> Line:
    clock = Clock()
    line = Line(
        t=clock.now_s() * 1000,
        request=request_id,
        status=reply.status,
        method=str(request.js_object.method),
        code=reply.code,
        ms=round((clock.now() - started) * 1000, 1),
        bytes_out=len(reply.body),
    )
    return line if exchange is None else msgspec.structs.replace(line, **_found(exchange))


def _found(x: Exchange) -> dict[str, Any]:
    """Return what the flow has found out by the time that it ended."""
    route = getattr(x, "route", None)
    call = getattr(x, "call", None)
    return {
        "tenant": call.tenant if call else "",
        "cell": route.cell.id if route and route.cell else "",
        "epoch": route.epoch if route else 0,
        "principal": x.principal.id if x.principal else "",
        "ack": x.ack,
        "reason": x.reason,
        "attempts": x.attempts,
        "hold_ms": int(x.held_s * 1000),
        "bytes_in": len(x.request.body),
    }


def _place(bug: Exception) -> str:
    """Return what happened and where; a message could hold a value, so it is left out."""
    last = traceback.extract_tb(bug.__traceback__)[-1:]
    return " in ".join([type(bug).__name__, *(f"{frame.name}:{frame.lineno}" for frame in last)])


def _log(members: dict[str, Any]) -> None:
    js.console.log(canonical(members))


def _new_id() -> str:
    return str(js.crypto.randomUUID())

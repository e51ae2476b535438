"""The way from a request to a handler and back: token, role, path, query, body; then the answer.

Everything that is refused or breaks becomes a problem here, and every request one line in the log.
Refuses to read a body beyond its bound, and to let a bug's text out.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from cell_control.errors import ControlError
from cell_control.server.event_log import EventLog
from cell_control.server.problems import HttpRefused, problem, refusal_of
from cell_control.server.roles import Principal
from cell_control.server.routing import (
    BODY_BYTES_MAX,
    Body,
    Call,
    Query,
    Reply,
    Route,
    read_body,
    read_names,
    read_query,
)
from cell_control.server.tokens import TokenBook, require
from cell_core.domain.ids import is_id
from cell_core.wire.message import AUTHORIZATION, CONTENT_TYPE, JSON, REQUEST_ID

Endpoint = Callable[[Request], Awaitable[Response]]

_CHARSET: Final = re.compile(r"application/json\s*(;\s*charset=utf-8\s*)?", re.IGNORECASE)
_NO_STORE: Final = {"cache-control": "no-store"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What every request passes.

    Attributes:
        now_s: Monotonic.
        new_id: Names requests that came without a name.
        observe: Told route, status and seconds of each request.
        admits: Raises `ControlError` while nothing may be asked or written, given the route.
    """

    tokens: TokenBook
    log: EventLog
    now_s: Callable[[], float]
    new_id: Callable[[], str]
    observe: Callable[[str, int, float], None]
    admits: Callable[[Route], None]

    def endpoint(self, path: str, routes: Mapping[str, Route]) -> Endpoint:
        """Return what answers at `path`, where `routes` are by method."""

        async def answer(request: Request) -> Response:
            method = "GET" if request.method == "HEAD" else request.method
            route = routes.get(method)
            if route is None:
                allow = sorted(routes)
                refused = HttpRefused("method_not_allowed", allow=allow)
                return await self._logged(request, path, _refusing(refused))
            return await self._logged(request, route.id, lambda seen: self._pass(route, seen))

        return answer

    async def missing(self, request: Request, _error: Exception) -> Response:
        """Answer that there is nothing at this path."""
        return await self._logged(request, "none", _refusing(HttpRefused("path_not_found")))

    async def _logged(
        self, request: Request, route: str, answer: "Callable[[_Seen], Awaitable[Response]]"
    ) -> Response:
        given = request.headers.get(REQUEST_ID, "")
        seen = _Seen(request, given if is_id(given) else self.new_id())
        began_s = self.now_s()
        try:
            response = await answer(seen)
        except ClientDisconnect:
            response = Response(status_code=499)  # Nobody reads it; the log does.
        except Exception as error:  # noqa: BLE001 - a shell's last line: a client gets a problem
            response = self._refuse(error, seen)
        took_s = self.now_s() - began_s
        response.headers[REQUEST_ID] = seen.id
        self.observe(route, response.status_code, took_s)
        self._line(route, seen, response.status_code, took_s)
        return response

    async def _pass(self, route: Route, seen: "_Seen") -> Response:
        request = seen.request
        if route.roles is not None:
            seen.principal = self.tokens.who(request.headers.get(AUTHORIZATION))
            require(seen.principal, route.roles)
        names = read_names(request.path_params)
        seen.names = names
        raw_query = request.scope.get("query_string", b"")
        query: Query = read_query(route.query, request.query_params.multi_items(), len(raw_query))
        self.admits(route)
        body = None if route.body is None else await _body(route.body, request)
        call = Call(
            names=names,
            headers=request.headers,
            query=query,
            body=body,
            principal=seen.principal,
        )
        return _response(route, await route.handle(call))

    def _refuse(self, error: Exception, seen: "_Seen") -> Response:
        refused = refusal_of(error)
        if refused is None:
            self.log.bug("request_broke", error, request_id=seen.id)
            refused = ControlError("internal")
        seen.code = refused.code
        status, headers, body = problem(refused, seen.id)
        return Response(body, status, headers)

    def _line(self, route: str, seen: "_Seen", status: int, took_s: float) -> None:
        who = seen.principal
        self.log.say(
            "request",
            "info" if status < 500 else "warning",
            request_id=seen.id,
            method=seen.request.method,
            route=route,
            **seen.names,
            status=status,
            code=seen.code,
            ms=round(took_s * 1000, 1),
            by=who.name if who else "",
            token=who.token if who else "",
        )


@dataclass(slots=True)
class _Seen:
    """What is known of a request so far, for its line in the log."""

    request: Request
    id: str
    principal: Principal | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    code: str = ""


def _refusing(refused: ControlError) -> "Callable[[_Seen], Awaitable[Response]]":
    async def refuse(_seen: "_Seen") -> Response:
        raise refused

    return refuse


async def _body(model: type[Body], request: Request) -> Body:
    if _CHARSET.fullmatch(request.headers.get(CONTENT_TYPE, JSON)) is None:
        raise HttpRefused("unsupported_media_type")
    pieces: list[bytes] = []
    room = BODY_BYTES_MAX
    async for piece in request.stream():
        pieces.append(piece)
        room -= len(piece)
        if room < 0:
            raise HttpRefused("payload_too_large")
    return read_body(model, b"".join(pieces))


def _response(route: Route, reply: Reply) -> Response:
    headers = {**_NO_STORE, "content-type": reply.kind, **reply.headers}
    raw = reply.raw
    if raw is None:
        raw = adapter(route.answer).dump_json(reply.value)
    if reply.status == 304:
        headers.pop("content-type")
        raw = b""
    return Response(raw, reply.status, headers)


@cache
def adapter(answer: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - whatever pydantic can write
    """Return what writes values of the type `answer` as JSON."""
    return TypeAdapter(answer)

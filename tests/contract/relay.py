"""A relay before a stand-in that breaks what passes through it, for any vendor's protocol.

It refuses to know a vendor: what a throttled answer looks like is told to it.
"""

import http.client
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from cell_devstack.http_server import HttpRequest, HttpResponse, LocalHttpServer

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
_TIMEOUT_S = 10.0

NOISES = {
    "a page for people": b"<html><body>Sign in to continue</body></html>",
    "half an answer": b'{"Responses": {"T": [{"pk": {"S": "T-1',
    "other JSON": b'{"noise": 1}',
    "a list": b"[]",
    "nothing": b"",
    "no text": b"\x00\xff\xfe\x80",
}
"""Bodies with which nobody can do anything, although the status is 200."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a relay breaks a request.

    Attributes:
        applies: Whether the stand-in behind is asked first.
        answer: What is answered; None cuts the connection.
    """

    applies: bool
    answer: HttpResponse | None


DIES_BEFORE = Way(applies=False, answer=None)
DIES_AFTER = Way(applies=True, answer=None)


def garbles(noise: bytes) -> Way:
    """Return the way of a backend that does what it is asked and answers `noise`."""
    return Way(applies=True, answer=HttpResponse(status=200, body=noise))


class Relay:
    """Passes on what it is asked to `upstream`, broken in `way` where `breaks` says so."""

    def __init__(self, upstream: str, way: Way, *, breaks: Callable[[HttpRequest], bool]) -> None:
        self._upstream = urlsplit(upstream).netloc
        self._way = way
        self._breaks = breaks
        self._server = LocalHttpServer(self._answer)
        self.url = f"http://127.0.0.1:{self._server.port}/"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.close()

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if not self._breaks(request):
            return self._passed_on(request)
        if self._way.applies:
            self._passed_on(request)
        if self._way.answer is None:
            raise ConnectionResetError("cut on purpose")
        return self._way.answer

    def _passed_on(self, request: HttpRequest) -> HttpResponse:
        headers = {name: value for name, value in request.headers if name not in _HOP_BY_HOP}
        with closing(http.client.HTTPConnection(self._upstream, timeout=_TIMEOUT_S)) as upstream:
            upstream.request(request.method, request.target, request.body, headers)
            response = upstream.getresponse()
            return HttpResponse(
                status=response.status, headers=tuple(response.getheaders()), body=response.read()
            )

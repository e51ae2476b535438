"""Serves a cell's application over HTTP/1.1 as fast as Python allows, and breaks it on demand.

For load tests only: it trusts its clients, and runs the application in the event loop.
"""

import asyncio
import random  # noqa: TID251, TC003 - the type of the generator that the bootstrap passes in
import sys
from collections import Counter, deque
from http import HTTPStatus
from typing import Final, cast
from urllib.parse import urlsplit

import httptools

from cell_core.app import App
from cell_core.wire.message import Request, Response
from cell_devstack.memory_cell_faults import CellFaults, Fate

_CONTROL: Final = "/v1/control/"
_STATUS: Final = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n" for s in HTTPStatus}
_UNCODED: Final = (
    b"HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/html\r\n"
    b"content-length: 4\r\n\r\noops"
)
_GARBAGE: Final = b"\x16\x03\x01 this is not HTTP \r\n\r\n"


class MemoryCellServing:
    """What the connections of one cell share.

    Attributes:
        faults: What goes wrong from now on.
        fates: How often what happened.
    """

    def __init__(self, app: App, generator: "random.Random") -> None:
        self.app = app
        self.generator = generator
        self.faults = CellFaults()
        self.fates: Counter[str] = Counter()
        self.taken = 0
        self.waiting: deque[CellConnection] = deque()

    def begin(self, connection: "CellConnection") -> None:
        """Serve what `connection` has read, when its time has come."""
        faults = self.faults
        delay_s = faults.delay_s(self.generator)
        if delay_s:
            asyncio.get_running_loop().call_later(delay_s, self._enter, connection)
        else:
            self._enter(connection)

    def _enter(self, connection: "CellConnection") -> None:
        if not self.faults.places:
            connection.serve()
        elif self.taken < self.faults.places:
            self._take(connection)
        else:
            self.waiting.append(connection)

    def _take(self, connection: "CellConnection") -> None:
        self.taken += 1
        loop = asyncio.get_running_loop()
        loop.call_later(self.faults.service_ms / 1000, self._leave, connection)

    def _leave(self, connection: "CellConnection") -> None:
        self.taken -= 1
        connection.serve()
        while self.waiting:
            following = self.waiting.popleft()
            if following.is_open:  # Nobody waits for the answer of one that is closed.
                self._take(following)
                return


class CellConnection(asyncio.Protocol):
    """One kept connection; its peer sends the next request after the answer to the last."""

    def __init__(self, serving: MemoryCellServing) -> None:
        self._serving = serving
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    @property
    def is_open(self) -> bool:
        """Whether its peer may still read an answer."""
        return self._transport is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """End; what is under way is done nevertheless."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Take a piece of a request."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._end()

    def on_url(self, url: bytes) -> None:  # noqa: D102 - httptools' protocol
        self._url, self._headers, self._body = url, {}, []

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: D102 - httptools' protocol
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:  # noqa: D102 - httptools' protocol
        self._body.append(body)

    def on_message_complete(self) -> None:  # noqa: D102 - httptools' protocol
        self._serving.begin(self)

    def serve(self) -> None:
        """Do what was asked, as the faults allow."""
        serving = self._serving
        url = urlsplit(self._url.decode("latin-1"))
        spared = url.path.startswith(_CONTROL)
        fate = Fate.WELL if spared else serving.faults.fate(serving.generator)
        serving.fates[fate.value] += 1
        if fate is Fate.DROPPED:
            self._end()
            return
        answer = serving.app.handle(
            Request(
                method=self._parser.get_method().decode("latin-1"),
                path=url.path,
                query=url.query,
                headers=self._headers,
                body=b"".join(self._body),
            )
        )
        if answer.status == 500:
            sys.stdout.write(f"bug: {dict(answer.facts)}\n")
        match fate:
            case Fate.UNANSWERED:
                self._end()
            case Fate.UNCODED:
                self._write(_UNCODED)
            case Fate.GARBAGE:
                self._write(_GARBAGE)
                self._end()
            case _:
                self._write(_bytes(answer))

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _end(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _bytes(answer: Response) -> bytes:
    fields = "".join([f"{name}: {value}\r\n" for name, value in answer.headers.items()])
    head = f"{_STATUS[answer.status]}{fields}content-length: {len(answer.body)}\r\n\r\n"
    return head.encode("latin-1") + answer.body

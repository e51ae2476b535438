"""A cell's place on the wire: records every byte that the edge sends, judges it, and answers.

It answers well unless a script says otherwise: a script gets the connection and the request and
may then do whatever a broken cell would.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Final, Self

from tests.router.framing.loop_thread import LoopThread
from tests.router.framing.strict import Ambiguous, Seen, take_request

DRIP_S: Final = 0.01


class Peer(asyncio.Protocol):
    """One connection from the edge; what scripts act on.

    Attributes:
        number: Counts the connections of an upstream.
        raw: Every byte that came.
    """

    def __init__(self, upstream: "Upstream", number: int) -> None:
        self.number = number
        self.raw = bytearray()
        self._upstream = upstream
        self._unread = b""
        self._paused = False
        self._after: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._upstream.open.add(self)
        self._upstream.on_accept(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._upstream.open.discard(self)
        if self._unread:
            self._upstream.cut.append(self._unread)

    def data_received(self, data: bytes) -> None:
        self.raw += data
        self._unread += data
        try:
            taken = take_request(self._unread)
        except Ambiguous as found:
            self._upstream.ambiguities.append(str(found))
            self.transport.abort()
            return
        if taken is None:
            return
        seen, self._unread = taken
        if self._unread:
            # The edge must not send a second request before the first is answered.
            self._upstream.ambiguities.append(f"bytes behind a request: {self._unread[:80]!r}")
        self._upstream.requests.append((self.number, seen))
        self._upstream.script(self, seen)

    def send(self, data: bytes) -> None:
        """Write `data` as it is."""
        self.transport.write(data)

    def close(self) -> None:
        """End the connection behind what was written."""
        self.transport.close()

    def reset(self) -> None:
        """End the connection at once."""
        self.transport.abort()

    def drip(self, data: bytes) -> None:
        """Write `data` again and again, slowly, until the connection ends."""
        if not self.transport.is_closing():
            self.transport.write(data)
            asyncio.get_running_loop().call_later(DRIP_S, self.drip, data)

    def later(self, data: bytes) -> None:
        """Write `data` a moment later, so that it arrives by itself."""
        asyncio.get_running_loop().call_later(DRIP_S, self.send, data)

    def flood(self, data: bytes) -> None:
        """Write `data` again and again, as fast as it is read, until the connection ends."""
        self._after = lambda: self.flood(data)
        while not (self._paused or self.transport.is_closing()):
            self.transport.write(data)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._after is not None:
            self._after()


Script = Callable[[Peer, Seen], None]


def answer(body: bytes) -> bytes:
    """Return a good answer with `body`."""
    fields = b"Content-Type: application/json\r\nX-Tenant-Epoch: 16\r\nX-Tenant-Seq: 1\r\n"
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (fields, len(body), body)


def echo(peer: Peer, seen: Seen) -> None:
    """Answer with what was asked, so that an answer tells whose it is."""
    body = json.dumps(
        {
            "method": seen.method,
            "target": seen.target,
            "body": seen.body.decode("latin-1"),
        }
    )
    whole = answer(body.encode())
    head = whole.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    peer.send(head if seen.method == "HEAD" else whole)


class Upstream:
    """Listens on a port of this machine, with a loop and a thread of its own.

    Attributes:
        requests: What came, in order, each with the number of its connection.
        ambiguities: Bytes that two readers could read differently; must stay empty.
        cut: Requests that ended early.
        open: Connections that stand.
        script, on_accept: What to do with a request, and before one.
    """

    def __init__(self, script: Script = echo) -> None:
        self.requests: list[tuple[int, Seen]] = []
        self.ambiguities: list[str] = []
        self.cut: list[bytes] = []
        self.open: set[Peer] = set()
        self.script = script
        self.on_accept: Callable[[Peer], None] = lambda peer: None
        self.connections = 0
        self.port = 0
        self._thread = LoopThread("upstream")

    def __enter__(self) -> Self:
        self._thread.start()
        self._thread.run(self._listen())
        return self

    def __exit__(self, *exc: object) -> None:
        self._thread.run(self._end())
        self._thread.stop()

    def seen(self) -> list[Seen]:
        """Return the requests without their connections."""
        return [seen for _, seen in self.requests]

    def settle(self) -> None:
        """Return once everything that was sent here has been read."""
        self._thread.settle()

    def act(self, script: Script, peer: Peer, seen: Seen) -> None:
        """Do what `script` does, later than it would have."""

        async def acted() -> None:
            script(peer, seen)

        self._thread.run(acted())

    def forget(self) -> None:
        """Begin anew, on the connections that stand."""
        self.requests.clear()
        self.ambiguities.clear()
        self.cut.clear()

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._server.close()
        for peer in list(self.open):
            peer.reset()
        await asyncio.sleep(0)

    def _accept(self) -> Peer:
        self.connections += 1
        return Peer(self, self.connections)

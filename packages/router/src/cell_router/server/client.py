"""One client's connection: reads requests, answers them in order, and never queues without bound.

Requests of one connection are served one after the other, pipelined or not. Refuses to know what
a request means.
"""

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

from cell_router.exchange import request_id_of
from cell_router.messages import CellAnswer, EdgeRequest, Reply
from cell_router.problems import problem
from cell_router.server.express import replied
from cell_router.server.framing import RequestReader, RequestRefused

if TYPE_CHECKING:
    from cell_router.server.serving import Serving
    from cell_router.server.upstream import Stream

PIPELINED_MAX: Final = 16
LINGER_S: Final = 1.0
_LINGER_BYTES_MAX: Final = 256 * 1024
_SHED: Final = problem("overloaded")
_IDLE, _HEAD, _BODY, _SERVED = range(4)
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_STATUS: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


class ClientConnection(asyncio.Protocol):
    """See the module.

    Attributes:
        due: Monotonic seconds at which it is closed unless something arrives; set while it waits
            for the client.
        busy: A request of it is being served.
    """

    __slots__ = (
        "_clogged", "_closing", "_draining", "_keep_alive_asked", "_lingered", "_peer_done",
        "_phase", "_reader", "_refusal", "_serving", "_stream", "_transport", "busy", "due",
    )  # fmt: skip

    def __init__(self, serving: "Serving") -> None:
        self._serving = serving
        self._reader = RequestReader(serving.limits.request_bytes_max, serving.new_id)
        self._transport: asyncio.Transport | None = None
        self._stream: Stream | None = None
        self._clogged = self._closing = self._draining = self._peer_done = False
        self._keep_alive_asked = True
        self._refusal: RequestRefused | None = None
        self._lingered = 0
        self._phase = _IDLE
        self.busy = False
        self.due = 0.0

    # ── What the event loop calls ────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless there are too many connections."""
        self._transport = cast("asyncio.Transport", transport)
        if not self._serving.admit(self):
            self._transport.abort()
            return
        self.due = self._serving.loop.time() + self._serving.limits.idle_s

    def data_received(self, data: bytes) -> None:
        """Take bytes; begin with the first request that is whole."""
        if self._closing:
            self._lingered += len(data)
            if self._lingered > _LINGER_BYTES_MAX:
                self._abort()
            return
        reader = self._reader
        if reader.idle and not self.busy and self._begin_quickly(data):
            return
        begins = reader.idle
        try:
            reader.feed(data)
        except RequestRefused as no:
            self._closing = True
            self._refusal = no
        if begins and reader.idle and len(reader.complete) == 1:
            self._serving.requests.learn(data)
        self._react(reader)

    def _react(self, reader: RequestReader) -> None:
        """Do what the bytes that have arrived ask for."""
        if reader.waits_for_continue and self._transport is not None:
            self._serving.outbox.put(self._transport, _CONTINUE)
            reader.waits_for_continue = False
        if self.busy:
            if len(reader.complete) >= PIPELINED_MAX and self._transport is not None:
                self._transport.pause_reading()
        elif reader.complete:
            self._next()
        else:
            self._await_more()

    def eof_received(self) -> bool:
        """Finish what was asked, if anything was; the client may still read."""
        self._peer_done = True
        if self.busy or self._closing or self._reader.complete:
            return True
        self._serving.outbox.flush()  # The answer may wait there: the transport ends at once.
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Forget the client; what was sent to a cell for it goes on."""
        self._transport = None
        self._closing = True
        self._reader.complete.clear()
        if self._stream is not None:
            self._stream.abandon()
            self._stream = None
        self._serving.gone(self)

    def pause_writing(self) -> None:
        """The client reads more slowly than it asks: it may not ask more, nor its cell write."""
        self._clogged = True
        self.due = self._serving.loop.time() + self._serving.limits.idle_s
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
        if self._stream is not None:
            self._stream.pause()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._clogged = False
        self._read_on()
        self._go_on()
        if self._stream is not None:
            self._stream.resume()

    # ── What the serving loop calls ──────────────────────────────────────────

    def reply(self, reply: Reply) -> None:
        """Answer the request that is being served, and go on to the next one."""
        transport = self._transport
        if transport is None or transport.is_closing():
            self.busy = False
            if reply.stream is not None:
                cast("Stream", reply.stream).abandon()
            return
        if reply.stream is not None:
            self._begin_stream(reply)
            return
        closes = self._closes()
        framing = b"content-length: %d\r\n" % len(reply.body)
        self._serving.outbox.put(transport, self._head(reply, closes, framing) + reply.body)
        self._served(closes=closes)

    def deliver(self, answer: CellAnswer, cell_lines: bytes, request_id: str, code: str) -> None:
        """Answer with what a cell said, in the express lane."""
        transport = self._transport
        if transport is None or self._draining or self._refusal or not answer.lines:
            self.reply(replied(answer, cell_lines, request_id, code))
            return
        body = answer.body
        self._serving.outbox.put(
            transport,
            b"%s%s%sx-request-id: %s\r\n%scontent-length: %d\r\n%s\r\n%s"
            % (
                _STATUS.get(answer.status) or b"HTTP/1.1 %d Status\r\n" % answer.status,
                answer.lines,
                cell_lines,
                request_id.encode(),
                self._serving.date_line,
                len(body),
                b"" if self._keep_alive_asked else b"connection: close\r\n",
                body,
            ),
        )
        self._served(closes=not self._keep_alive_asked)

    def shed(self, request: EdgeRequest) -> None:
        """Refuse a request before anything was done for it."""
        line = b"x-request-id: %s\r\n" % request.id.encode()
        self.reply(Reply(503, _SHED.headers, _SHED.body, _SHED.code, lines=line))

    def drain(self) -> None:
        """Say `Connection: close` with the next answer; an idle connection may ask once more."""
        self._draining = True

    def expire(self, now: float) -> None:
        """End a connection that kept the edge waiting until `now`."""
        if self.busy or self.due > now or self._transport is None:
            return
        if self._reader.complete and not self._clogged:
            return  # The next request is about to be served.
        if self._closing or self._clogged:
            self._abort()  # It has had its time to read what was written.
        elif self._reader.idle:
            self._end()
        else:
            self._refusal = RequestRefused("request_timeout")
            self._refuse()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being served and nothing of a request has arrived."""
        return not self.busy and self._reader.idle

    def close(self) -> None:
        """Close it once everything written has been sent."""
        if self._transport is not None:
            self._end()

    # ── Streaming ────────────────────────────────────────────────────────────

    def _begin_stream(self, reply: Reply) -> None:
        stream = cast("Stream", reply.stream)
        assert self._transport is not None  # noqa: S101 - `reply` has looked
        closes = self._closes()
        chunked = stream.length is None
        framing = b"transfer-encoding: chunked\r\n"
        if stream.length is not None:
            framing = b"content-length: %d\r\n" % stream.length
        self._serving.outbox.put(self._transport, self._head(reply, closes, framing))
        self._stream = stream
        stream.begin(self, chunked=chunked, closes=closes)

    def stream_data(self, data: bytes) -> None:
        """Pass on a piece of the answer, framed already."""
        if self._transport is not None:
            self._serving.outbox.put(self._transport, data)

    def stream_ended(self, *, whole: bool, closes: bool) -> None:
        """End the answer; one that broke off is cut, so that nobody takes it for whole."""
        self._stream = None
        if whole:
            self._served(closes=closes)
        else:
            self._abort()
            self.busy = False

    # ── Inside ───────────────────────────────────────────────────────────────

    def _begin_quickly(self, data: bytes) -> bool:
        """Begin with a request that is whole and usual; say whether `data` was one."""
        read = self._serving.requests.read(data)
        if read is None:
            return False
        method, url, headers, body = read
        path, _, query = url.partition(b"?")
        request_id = request_id_of(headers.get(b"x-request-id"), self._serving.new_id)
        self._keep_alive_asked = self.busy = True
        self._phase = _SERVED
        self._serving.begin(EdgeRequest(method, path, query, headers, body, request_id), self)
        return True

    def _next(self) -> None:
        request, self._keep_alive_asked = self._reader.complete.popleft()
        self.busy = True
        self._phase = _SERVED
        self._serving.begin(request, self)

    def _served(self, *, closes: bool) -> None:
        self.busy = False
        transport = self._transport
        if transport is None:
            return
        if closes:
            self._linger()
        elif self._reader.complete:
            # Not from within the last one: a long pipeline must not grow the stack.
            self._serving.loop.call_soon(self._go_on)
        elif self._peer_done and not self._refusal:
            self._end()
        else:
            self._await_more()

    def _go_on(self) -> None:
        if self.busy or self._clogged or self._transport is None:
            return
        self._read_on()
        if self._reader.complete:
            self._next()

    def _read_on(self) -> None:
        """Read again, unless enough requests wait or the client does not read its answers."""
        if self._transport is None or self._transport.is_closing() or self._clogged:
            return
        if len(self._reader.complete) < PIPELINED_MAX:
            self._transport.resume_reading()

    def _await_more(self) -> None:
        """Set when the client must have sent the next part; begin of a phase, not each byte."""
        if self._refusal:
            self._refuse()
            return
        limits, reader = self._serving.limits, self._reader
        phase = _IDLE if reader.idle else _HEAD if reader.in_head else _BODY
        if phase != self._phase:
            self._phase = phase
            allowed_s = (limits.idle_s, limits.head_s, limits.body_s)[phase]
            self.due = self._serving.loop.time() + allowed_s

    def _closes(self) -> bool:
        if self._refusal and not self._reader.complete and self._keep_alive_asked:
            return False  # The refusal comes after this answer, and ends the connection.
        return self._draining or not self._keep_alive_asked

    def _refuse(self) -> None:
        """Answer a request that cannot be read; what came before it has been answered."""
        no = self._refusal
        if self._transport is not None and no is not None:
            reply = problem(no.code, **no.limits)
            reply.headers.append((b"x-request-id", self._serving.new_id().encode()))
            self._serving.refused(no.code)
            framing = b"content-length: %d\r\n" % len(reply.body)
            head = self._head(reply, True, framing)  # noqa: FBT003 - see _head
            self._serving.outbox.put(self._transport, head + reply.body)
        self._linger()

    def _linger(self) -> None:
        # Closing while bytes are unread would reset the connection and may lose the answer.
        self._closing = True
        self._reader.complete.clear()
        self.due = self._serving.loop.time() + LINGER_S
        if self._transport is None:
            return
        self._serving.outbox.flush()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._end()

    def _end(self) -> None:
        """Close it behind everything that was written."""
        self._serving.outbox.flush()
        if self._transport is not None:
            self._transport.close()

    def _abort(self) -> None:
        self._serving.outbox.flush()
        if self._transport is not None:
            self._transport.abort()

    def _head(self, reply: Reply, closes: bool, framing: bytes) -> bytes:  # noqa: FBT001 - hot path
        status = _STATUS.get(reply.status) or b"HTTP/1.1 %d Status\r\n" % reply.status
        fields = [b"%s: %s\r\n" % field for field in reply.headers]
        end = b"connection: close\r\n\r\n" if closes else b"\r\n"
        return b"".join((status, reply.lines, *fields, self._serving.date_line, framing, end))

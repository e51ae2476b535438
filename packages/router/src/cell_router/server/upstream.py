"""One connection to a cell: sends one request at a time, reads its answer, trusts nothing.

An answer that is not well framed, is too large, or comes unasked ends the connection, and what was
asked on it counts as unknown. Refuses to interpret a status; it only knows which answers must be
read whole before they are passed on.
"""

import asyncio
from typing import TYPE_CHECKING, Final, cast

import httptools

from cell_router.decide import LOOKED_AT, Failure
from cell_router.limits import ANSWER_BYTES_MAX, ANSWER_HELD_BYTES_MAX, HEAD_BYTES_MAX
from cell_router.messages import PASSED_TO_CLIENT, CellAnswer
from cell_router.server.shapes import PLAIN

if TYPE_CHECKING:
    from cell_router.server.client import ClientConnection
    from cell_router.server.pool import Pool, Sent

_FIELDS_MAX: Final = 100
_INTERIM_MAX: Final = 4
_STATUSES: Final = range(200, 600)
_BODILESS: Final = (204, 304)
_KNOWN: Final[dict[bytes, bytes]] = {}
for _name in (*PASSED_TO_CLIENT, b"content-encoding", b"content-length", b"transfer-encoding"):
    _KNOWN[_name] = _KNOWN[_name.title()] = _name


class _Nonsense(Exception):
    """What the cell sends is not an answer."""


class UpstreamConnection(asyncio.Protocol):
    """See the module.

    Attributes:
        x: Whose request is under way, or None.
        idle_since: Monotonic seconds.
    """

    __slots__ = (
        "_fed_bytes", "_fields", "_head_bytes", "_head_done", "_headers", "_interims",
        "_is_interim", "_keep", "_length", "_parser", "_parts", "_pool", "_received", "_size",
        "_status", "_stream", "_surplus", "_transport", "_used", "_whole", "idle_since", "x",
    )  # fmt: skip

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._used = False
        self.x: Sent | None = None
        self.idle_since = 0.0
        self._reset()

    def _reset(self) -> None:
        self._headers: dict[bytes, bytes] = {}
        self._parts: list[bytes] = []
        self._fields = self._head_bytes = self._size = self._status = self._interims = 0
        self._fed_bytes = 0
        self._length: int | None = None
        self._head_done = self._is_interim = self._whole = self._keep = False
        self._received = self._surplus = False
        self._stream: Stream | None = None

    # ── What the pool calls ──────────────────────────────────────────────────

    def send(self, x: "Sent", data: bytes) -> None:
        """Send a request; its flow is resumed with what comes of it."""
        assert self._transport is not None  # noqa: S101 - the pool lends living connections only
        self.x = x
        self._pool.outbox.put(self._transport, data)

    @property
    def is_usable(self) -> bool:
        """Whether a request may be sent on it."""
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        """End it; what is under way on it is lost."""
        self.x = None
        if self._transport is not None:
            self._transport.abort()

    # ── What the event loop calls ────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take a piece of an answer."""
        x, first = self.x, not self._received
        if x is None and self._stream is None:
            self.close()  # Nobody has asked anything.
        elif x is not None and first and self._answer_quickly(x, data):
            pass
        elif not self._fed(data):
            self._broken(Failure.INVALID)
        elif self._stream is not None:
            self._stream_on()
        elif self._whole:
            if first and self._status in PLAIN and self._keep:
                self._pool.answers.learn(data)
            self._answer()
        elif self._head_done and self._is_long():
            self._begin_stream()

    def _answer_quickly(self, x: "Sent", data: bytes) -> bool:
        """Hand on an answer that is whole and usual; say whether `data` was one."""
        answer = self._pool.answers.read(data)
        if answer is None:
            return False
        self.x = None
        self._used = True
        self._pool.release(self)
        self._pool.answered(x, answer)
        return True

    def _fed(self, data: bytes) -> bool:
        """Parse a piece of an answer; say whether it can be one."""
        self._received = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return False
        if not self._head_done:
            self._fed_bytes += len(data)
        return self._fed_bytes <= 2 * HEAD_BYTES_MAX

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Say what became of the request that was under way."""
        self._transport = None
        x, self.x = self.x, None
        self._pool.lost(self)
        if self._stream is not None:
            self._stream.ended(whole=False)
        elif x is not None:
            # A kept connection that ends without a byte was most likely closed while idle.
            self._pool.failed(x, Failure.UNKNOWN, stale=self._used and not self._received)

    def pause_writing(self) -> None:
        """A request is at most a bundle: the transport may hold it."""

    def resume_writing(self) -> None:
        """See `pause_writing`."""

    # ── What httptools calls ─────────────────────────────────────────────────

    def on_message_begin(self) -> None:  # noqa: D102 - httptools' protocol
        if self._whole:
            self._surplus = True
            raise _Nonsense

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: D102 - httptools' protocol
        self._fields += 1
        self._head_bytes += len(name) + len(value)
        if self._fields > _FIELDS_MAX or self._head_bytes > HEAD_BYTES_MAX:
            raise _Nonsense
        known = _KNOWN.get(name) or _KNOWN.get(name.lower())
        if known is not None and not self._head_done:
            self._headers.setdefault(known, value)

    def on_headers_complete(self) -> None:  # noqa: D102 - httptools' protocol
        status = self._parser.get_status_code()
        self._is_interim = 100 <= status < 200
        if self._is_interim:
            self._interims += 1
            if status == 101 or self._interims > _INTERIM_MAX:
                raise _Nonsense
            return
        if status not in _STATUSES or self._parser.get_http_version() not in ("1.1", "1.0"):
            raise _Nonsense
        self._status = status
        self._head_done = True
        self._length = self._framed(status)

    def on_body(self, body: bytes) -> None:  # noqa: D102 - httptools' protocol
        self._size += len(body)
        if self._size > ANSWER_BYTES_MAX or self._status in _BODILESS:
            raise _Nonsense
        self._parts.append(body)

    def on_message_complete(self) -> None:  # noqa: D102 - httptools' protocol
        if self._is_interim:
            self._headers = {}
            self._fields = self._head_bytes = 0
            return
        self._whole = True
        self._keep = self._parser.should_keep_alive()

    # ── Inside ───────────────────────────────────────────────────────────────

    def _framed(self, status: int) -> int | None:
        """Return the length that the head promises, None if it is chunked."""
        coding = self._headers.pop(b"transfer-encoding", None)
        length = self._headers.pop(b"content-length", None)
        # The client did not ask for a compressed answer, and would not be told that it is one.
        if self._headers.pop(b"content-encoding", b"identity") != b"identity":
            raise _Nonsense
        if status in _BODILESS:
            return 0
        if coding is not None:
            if coding.lower() != b"chunked" or length is not None:
                raise _Nonsense
            if self._parser.get_http_version() == "1.0":  # It knows no chunks (RFC 9112, 6.1).
                raise _Nonsense
            return None
        # Without a length an answer that was cut could not be told from a whole one.
        if length is None or not length.isdigit() or int(length) > ANSWER_BYTES_MAX:
            raise _Nonsense
        return int(length)

    def _is_long(self) -> bool:
        if self._status in LOOKED_AT:
            if (self._length or self._size) > ANSWER_HELD_BYTES_MAX:
                self._broken(Failure.INVALID)
            return False
        return (self._length or self._size) > ANSWER_HELD_BYTES_MAX

    def _answer(self) -> None:
        x, self.x = self.x, None
        parts = self._parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        answer = CellAnswer(self._status, self._headers, body)
        self._release()
        if x is not None:
            self._pool.answered(x, answer)

    def _release(self) -> None:
        keep = self._keep and not self._surplus
        self._used = True
        self._reset()
        if keep:
            self._pool.release(self)
        else:
            self.close()

    def _broken(self, failure: Failure) -> None:
        x, self.x = self.x, None
        stream, self._stream = self._stream, None
        whole = self._whole and stream is None and x is not None
        if whole:
            # One whole answer, and then bytes that nobody asked for: they end the connection.
            self.x = x
            self._surplus = True
            self._answer()
            return
        self.close()
        if stream is not None:
            stream.ended(whole=False)
        elif x is not None:
            self._pool.failed(x, failure, stale=False)

    def _begin_stream(self) -> None:
        x, self.x = self.x, None
        self._stream = Stream(self, self._length)
        if x is not None:
            self._pool.answered(x, CellAnswer(self._status, self._headers, b"", self._stream))

    def _stream_on(self) -> None:
        stream = self._stream
        assert stream is not None  # noqa: S101 - the caller has looked
        stream.flush()
        if self._whole:
            self._stream = None
            self._release()
            stream.ended(whole=True)

    def taken(self) -> bytes:
        """Return what of the body has arrived and was not taken yet."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data

    def set_reading(self, *, on: bool) -> None:
        """Read on, or let the cell wait."""
        if self._transport is not None and not self._transport.is_closing():
            if on:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()


class Stream:
    """An answer that is passed on while it arrives, at the client's speed.

    Attributes:
        length: Bytes in all, or None if the cell does not say.
    """

    __slots__ = ("_chunked", "_client", "_closes", "_connection", "length")

    def __init__(self, connection: UpstreamConnection, length: int | None) -> None:
        self._connection: UpstreamConnection | None = connection
        self._client: ClientConnection | None = None
        self._chunked = self._closes = False
        self.length = length

    def begin(self, client: "ClientConnection", *, chunked: bool, closes: bool) -> None:
        """Pass on to `client`, which has sent the head."""
        self._client, self._chunked, self._closes = client, chunked, closes
        self.flush()

    def flush(self) -> None:
        """Pass on what has arrived."""
        if self._client is None or self._connection is None:
            return
        data = self._connection.taken()
        if data:
            self._client.stream_data(b"%x\r\n%s\r\n" % (len(data), data) if self._chunked else data)

    def ended(self, *, whole: bool) -> None:
        """End the client's answer as the cell's ended."""
        client, self._client, self._connection = self._client, None, None
        if client is not None:
            if whole and self._chunked:
                client.stream_data(b"0\r\n\r\n")
            client.stream_ended(whole=whole, closes=self._closes)

    def abandon(self) -> None:
        """The client is gone, or its time is over: end the cell's connection too."""
        connection, self._connection, self._client = self._connection, None, None
        if connection is not None:
            connection.close()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self._connection is None

    def cut(self) -> None:
        """Its time is over: end both sides."""
        client = self._client
        self.abandon()
        if client is not None:
            client.stream_ended(whole=False, closes=True)

    def pause(self) -> None:
        """The client does not read."""
        if self._connection is not None:
            self._connection.set_reading(on=False)

    def resume(self) -> None:
        """The client reads again."""
        if self._connection is not None:
            self._connection.set_reading(on=True)

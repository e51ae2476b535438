"""Reads one client connection's bytes into whole requests, and refuses whatever is ambiguous.

httptools (llhttp) parses; this adds the edge's own rules (security.md): one Host, one
Content-Length, no coding but chunked, origin-form only, bounded in every direction. Trailers and
all fields but those that the edge reads end here, so a client's framing never reaches a cell.
"""

import re
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import httptools

from cell_core.domain.limits import BUNDLE_BYTES_MAX
from cell_router.exchange import request_id_of
from cell_router.limits import HEAD_BYTES_MAX, HEADER_FIELDS_MAX, TARGET_BYTES_MAX
from cell_router.messages import READ_FROM_CLIENT, EdgeRequest

_TARGET_BYTES: Final = frozenset(range(0x21, 0x7F)) - frozenset(b'#\\"<>^`{|}')
HOST_PATTERN: Final = (
    rb"(?:[A-Za-z0-9_][A-Za-z0-9._-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
)
_HOST: Final = re.compile(HOST_PATTERN)
_METHODS: Final = frozenset({b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"HEAD", b"OPTIONS"})

# What a field is to the edge, by its name as it is usually spelt; other spellings are looked up
# in lower case.
_KNOWN: Final[dict[bytes, bytes]] = {}
for _name in (
    *READ_FROM_CLIENT, b"host", b"content-length", b"transfer-encoding", b"expect", b"upgrade",
):  # fmt: skip
    _KNOWN[_name] = _KNOWN[_name.title()] = _name


class RequestRefused(Exception):
    """What came is not a request that the edge takes; the connection ends after the answer.

    Attributes:
        limits: What the answer says beside the code.
    """

    def __init__(self, code: str, **limits: Any) -> None:  # noqa: ANN401 - JSON
        super().__init__(code)
        self.code = code
        self.limits = limits


class RequestReader:
    """Turns bytes into requests, in order; for one connection.

    Attributes:
        complete: Requests that arrived and were not taken yet.
        waits_for_continue: The client wants to hear 100 before it sends the body.
        idle: Nothing of a next request has arrived.
        in_head: A head has begun and not ended.
    """

    __slots__ = (
        "_body", "_bytes_max", "_fed_bytes", "_fields", "_good_host", "_head_bytes", "_headers",
        "_in_trailers", "_length", "_new_id", "_parser", "_refusal", "_seen_host", "_url",
        "complete", "idle", "in_head", "keep_alive", "waits_for_continue",
    )  # fmt: skip

    def __init__(self, body_bytes_max: int, new_id: Callable[[], str]) -> None:
        self._bytes_max = body_bytes_max
        self._new_id = new_id
        self._parser = httptools.HttpRequestParser(self)
        self._refusal: RequestRefused | None = None
        self._good_host: bytes | None = None
        self.complete: deque[tuple[EdgeRequest, bool]] = deque()
        self.idle = True
        self.waits_for_continue = False
        self._begin()

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._fields = self._head_bytes = self._fed_bytes = self._length = 0
        self._seen_host = self._in_trailers = False
        self._body: list[bytes] = []
        self.in_head = True

    def feed(self, data: bytes) -> None:
        """Take what arrived.

        Raises:
            RequestRefused: With the code of the answer.
        """
        held = len(self.complete)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise RequestRefused("not_implemented") from None
        except httptools.HttpParserInvalidMethodError:
            raise RequestRefused("not_implemented") from None
        except (httptools.HttpParserError, httptools.HttpParserCallbackError):
            raise self._refusal or RequestRefused("bad_request") from None
        # A part that also ended the request before says nothing of how long this head is.
        if self.in_head and not self.idle and len(self.complete) == held:
            self._fed_bytes += len(data)
            if self._fed_bytes > 2 * HEAD_BYTES_MAX:
                raise RequestRefused("headers_too_large")

    # ── What httptools calls ─────────────────────────────────────────────────

    def on_message_begin(self) -> None:  # noqa: D102 - httptools' protocol
        self.idle = False

    def on_url(self, url: bytes) -> None:  # noqa: D102 - httptools' protocol
        self._url += url
        if len(self._url) > TARGET_BYTES_MAX:
            raise self._refused("target_too_long", limit_bytes=TARGET_BYTES_MAX)

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: D102 - httptools' protocol
        self._fields += 1
        self._head_bytes += len(name) + len(value)
        if self._fields > HEADER_FIELDS_MAX or self._head_bytes > HEAD_BYTES_MAX:
            raise self._refused("headers_too_large")
        known = _KNOWN.get(name) or _KNOWN.get(name.lower())
        if known is None or self._in_trailers:
            return
        headers = self._headers
        if known in headers or not value.isascii():
            raise self._refused("bad_request")
        headers[known] = value

    def on_headers_complete(self) -> None:  # noqa: D102 - httptools' protocol
        headers = self._headers
        self._in_trailers = True
        self.in_head = False
        version = self._parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise self._refused("version_not_supported")
        self.keep_alive = version == "1.1" and self._parser.should_keep_alive()
        host = headers.pop(b"host", None)
        if host is None:
            if version == "1.1":
                raise self._refused("bad_request")
        elif host != self._good_host:
            if _HOST.fullmatch(host) is None:
                raise self._refused("bad_request")
            self._good_host = host
        self._check_target()
        expected = headers.pop(b"expect", None)
        if expected is not None and expected.lower() != b"100-continue":
            raise self._refused("expectation_failed")
        if headers.pop(b"upgrade", None) is not None:
            raise self._refused("not_implemented")
        self._check_length(headers, version)
        has_body = self._length != 0
        self.waits_for_continue = expected is not None and has_body and version == "1.1"

    def on_body(self, body: bytes) -> None:  # noqa: D102 - httptools' protocol
        self.waits_for_continue = False
        self._body.append(body)
        if self._length < 0:
            self._length -= len(body)
            if -self._length - 1 > self._limit():
                raise self._refused("payload_too_large", limit_bytes=self._limit())

    def on_message_complete(self) -> None:  # noqa: D102 - httptools' protocol
        path, _, query = self._url.partition(b"?")
        headers = self._headers
        body = self._body
        request = EdgeRequest(
            method=self._parser.get_method(),
            path=path,
            query=query,
            headers=headers,
            body=body[0] if len(body) == 1 else b"".join(body),
            id=request_id_of(headers.get(b"x-request-id"), self._new_id),
        )
        self.complete.append((request, self.keep_alive))
        self.idle = True
        self.waits_for_continue = False
        self._begin()

    # ── The edge's own rules ─────────────────────────────────────────────────

    def _check_target(self) -> None:
        url = self._url
        if not url.startswith(b"/") or not _TARGET_BYTES.issuperset(url):
            raise self._refused("bad_request")
        if self._parser.get_method() not in _METHODS:
            raise self._refused("not_implemented")

    def _check_length(self, headers: dict[bytes, bytes], version: str) -> None:
        coding = headers.pop(b"transfer-encoding", None)
        length = headers.pop(b"content-length", None)
        if coding is not None:
            if version == "1.0" or length is not None:
                raise self._refused("bad_request")
            if coding.lower() != b"chunked":
                raise self._refused("not_implemented")
            self._length = -1  # Counts down from here: the length is not known before its end.
        elif length is not None:
            if not length.isdigit() or len(length) > 15:
                raise self._refused("bad_request")
            self._length = int(length)
            if self._length > self._limit():
                raise self._refused("payload_too_large", limit_bytes=self._limit())

    def _limit(self) -> int:
        return BUNDLE_BYTES_MAX if self._url == b"/v1/bundle" else self._bytes_max

    def _refused(self, code: str, **limits: int) -> RequestRefused:
        # httptools hides what a callback raises behind an error of its own.
        self._refusal = RequestRefused(code, **limits)
        return self._refusal

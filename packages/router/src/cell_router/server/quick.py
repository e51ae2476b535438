"""Reads the usual case at C speed: one whole message in one piece, with nothing unusual in it.

httptools parses here too, but stores straight into containers instead of calling Python for each
field; what the fields mean is looked up by their names, all at once. Whatever is not the usual
case is left to `framing` and `upstream`, which see the same bytes from the start: this refuses
nothing, and may only answer what they would answer (a test compares).
"""

from operator import itemgetter
from typing import Any, Final

import httptools

from cell_router.decide import LOOKED_AT
from cell_router.limits import (
    ANSWER_HELD_BYTES_MAX,
    HEAD_BYTES_MAX,
    HEADER_FIELDS_MAX,
    TARGET_BYTES_MAX,
)
from cell_router.messages import PASSED_TO_CLIENT, READ_FROM_CLIENT, CellAnswer
from cell_router.server.framing import HOST

PLANS_MAX: Final = 512
TARGET_CHARS: Final = bytes(set(range(0x21, 0x7F)) - set(b'#\\"<>^`{|}'))
"""What a request target may consist of."""

_UNUSUAL: Final = frozenset({
    b"transfer-encoding", b"expect", b"upgrade", b"content-encoding", b"proxy-connection",
})  # fmt: skip
_PLAIN: Final = frozenset({*range(200, 300), *range(400, 500)}) - {204} - LOOKED_AT


class _Sink:
    """What httptools calls: C functions only, so that a field costs no Python call."""

    def __init__(self) -> None:
        self.fields: dict[bytes, bytes] = {}
        self.urls: list[bytes] = []
        self.bodies: list[bytes] = []
        # Each may happen once: a second time pops from an empty list, which ends the parsing.
        self.begun: list[None] = []
        self.ended: list[None] = []
        self.on_header = self.fields.__setitem__
        self.on_url = self.urls.append
        self.on_body = self.bodies.append
        self.on_message_begin = self.begun.pop
        self.on_message_complete = self.ended.pop


class _Whole:
    """Feeds one piece to a parser of its own and says whether it was exactly one message."""

    def __init__(self, parser: Any) -> None:  # noqa: ANN401 - one of httptools' two classes
        self._make = parser
        self.renew()

    def renew(self) -> None:
        """Begin anew: what was parsed is not the usual case."""
        self.sink = _Sink()
        self.parser = self._make(self.sink)

    def take(self, data: bytes) -> bool:
        """Parse `data` into the sink; afterwards the caller takes url and body out of it."""
        sink = self.sink
        fields = sink.fields
        fields.clear()
        sink.begun.append(None)
        sink.ended.append(None)
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.renew()
            return False
        # As many lines as fields, first line and empty line: no name stood twice. A body with line
        # ends of its own is not worth telling apart.
        if sink.ended or data.count(b"\r\n") != len(fields) + 2 or len(fields) > HEADER_FIELDS_MAX:
            self.renew()
            return False
        return True

    def body(self) -> bytes | None:
        """Take the body out of the sink; None if it came in several pieces."""
        bodies = self.sink.bodies
        if not bodies:
            return b""
        body = bodies.pop()
        return None if bodies else body


class QuickRequests:
    """Requests of any client; it keeps nothing from one to the next."""

    def __init__(self, body_bytes_max: int) -> None:
        self._bytes_max = body_bytes_max
        self._whole = _Whole(httptools.HttpRequestParser)
        self._plans: dict[tuple[bytes, ...], _RequestPlan | None] = {}
        self._hosts: set[bytes] = set()

    def read(self, data: bytes) -> tuple[bytes, bytes, dict[bytes, bytes], bytes] | None:
        """Return method, target, the fields that the edge reads, and the body; or None."""
        whole = self._whole
        if not whole.take(data):
            return None
        sink = whole.sink
        fields = sink.fields
        body, url = whole.body(), sink.urls.pop()
        names = tuple(fields)
        try:
            plan = self._plans[names]
        except KeyError:
            plan = self._plan(names)
        if plan is None or body is None or sink.urls:
            whole.renew()
            return None
        method = whole.parser.get_method()
        end = len(method) + 1 + len(url)
        headers = {name: fields[raw] for name, raw in plan.read}
        usual = (
            data[end : end + 11] == b" HTTP/1.1\r\n"
            and url[:1] == b"/"
            and len(url) <= TARGET_BYTES_MAX
            and not url.translate(None, TARGET_CHARS)
            and method in _METHODS
            and len(data) - len(body) <= HEAD_BYTES_MAX
            and len(body) <= self._bytes_max
            and self._is_host(fields[plan.host])
            and (plan.length is None or fields[plan.length].isdigit())
            and (plan.connection is None or fields[plan.connection] == b"keep-alive")
            and b"".join(headers.values()).isascii()
        )
        if not usual:
            whole.renew()
            return None
        return method, url, headers, body

    def _is_host(self, host: bytes) -> bool:
        if host in self._hosts:
            return True
        if HOST.fullmatch(host) is None:
            return False
        if len(self._hosts) >= PLANS_MAX:
            self._hosts.clear()
        self._hosts.add(host)
        return True

    def _plan(self, names: tuple[bytes, ...]) -> "_RequestPlan | None":
        if len(self._plans) >= PLANS_MAX:
            self._plans.clear()
        plan = self._plans[names] = _RequestPlan.of(names)
        return plan


_METHODS: Final = frozenset({b"GET", b"POST"})


class _RequestPlan:
    """Where in a request with these names the edge finds what it reads."""

    __slots__ = ("connection", "host", "length", "read")

    def __init__(self, raw: dict[bytes, bytes]) -> None:
        self.host = raw[b"host"]
        self.connection = raw.get(b"connection")
        self.length = raw.get(b"content-length")
        self.read = [(name, raw[name]) for name in raw if name in READ_FROM_CLIENT]

    @classmethod
    def of(cls, names: tuple[bytes, ...]) -> "_RequestPlan | None":
        raw = {name.lower(): name for name in names}
        if len(raw) != len(names) or not _UNUSUAL.isdisjoint(raw) or b"host" not in raw:
            return None
        return cls(raw)


class QuickAnswers:
    """Answers of any cell; it keeps nothing from one to the next."""

    def __init__(self) -> None:
        self._whole = _Whole(httptools.HttpResponseParser)
        self._plans: dict[tuple[bytes, ...], _AnswerPlan | None] = {}

    def read(self, data: bytes) -> CellAnswer | None:
        """Return an answer that can be passed on as it is, and its connection kept; or None."""
        if len(data) > ANSWER_HELD_BYTES_MAX or data[:9] != b"HTTP/1.1 ":
            return None
        whole = self._whole
        if not whole.take(data):
            return None
        status = whole.parser.get_status_code()
        body = whole.body()
        if body is None or status not in _PLAIN or len(data) - len(body) > HEAD_BYTES_MAX:
            whole.renew()
            return None
        fields = whole.sink.fields
        names = tuple(fields)
        try:
            plan = self._plans[names]
        except KeyError:
            if len(self._plans) >= PLANS_MAX:
                self._plans.clear()
            plan = self._plans[names] = _AnswerPlan.of(names)
        if plan is None or (
            plan.connection is not None and fields[plan.connection] != b"keep-alive"
        ):
            whole.renew()  # After `close` a parser takes no more.
            return None
        headers = {name: fields[raw] for name, raw in plan.passed}
        lines = plan.template % plan.values(fields)
        return CellAnswer(status, headers, body, None, lines)


class _AnswerPlan:
    """What of an answer with these names is passed on, and how it is written."""

    __slots__ = ("connection", "passed", "template", "values")

    def __init__(self, connection: bytes | None, passed: list[tuple[bytes, bytes]]) -> None:
        self.connection = connection
        self.passed = passed
        self.template = b"".join(b"%s: %%s\r\n" % name for name, _ in passed)
        # Of two names and more, so that the getter returns a tuple.
        self.values = itemgetter(*(raw for _, raw in passed))

    @classmethod
    def of(cls, names: tuple[bytes, ...]) -> "_AnswerPlan | None":
        raw = {name.lower(): name for name in names}
        if len(raw) != len(names) or not _UNUSUAL.isdisjoint(raw) or b"content-length" not in raw:
            return None
        passed = [(name, raw[name]) for name in raw if name in PASSED_TO_CLIENT]
        return cls(raw.get(b"connection"), passed) if len(passed) > 1 else None

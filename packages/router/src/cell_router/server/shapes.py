"""Reads the usual case at C speed: one whole message in one piece, of a shape that is known.

A shape is the names of a head's fields, in their order and spelling; clients and cells repeat
theirs. Each is learned from messages that the careful reader has taken, and becomes one regular
expression that a head must match as a whole, values and all. Whatever does not match is left to the
careful readers, which see the same bytes: this refuses nothing, and reads nothing otherwise than
they do (tests compare).
"""

import re
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from cell_router.decide import LOOKED_AT
from cell_router.limits import (
    ANSWER_HELD_BYTES_MAX,
    HEAD_BYTES_MAX,
    HEADER_FIELDS_MAX,
    TARGET_BYTES_MAX,
)
from cell_router.messages import PASSED_TO_CLIENT, READ_FROM_CLIENT, CellAnswer
from cell_router.server.framing import HOST_PATTERN

LEARN_AFTER: Final = 4
SEEN_MAX: Final = 512
SHAPES_MAX: Final = 16
"""Tried one after another, the last used first; a shape that does not fit fails within a field."""

PLAIN: Final = frozenset({*range(200, 300), *range(400, 500)}) - {204} - LOOKED_AT
"""Statuses of answers that are passed on as they are."""

# A value as llhttp hands it on: no blank at its ends. What the edge reads is ASCII.
_READ: Final = rb"(?:[!-~](?:[\t -~]*[!-~])?)?"
_UNREAD: Final = rb"[\t -~\x80-\xff]*+"
_PASSED: Final = rb"(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?"
_LENGTH: Final = rb"[0-9]{1,15}"
_TARGET: Final = rb"/[!$-;=?-\[\]_a-z~%]{0," + str(TARGET_BYTES_MAX - 1).encode() + rb"}"
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNUSUAL: Final = frozenset({
    b"transfer-encoding", b"expect", b"upgrade", b"content-encoding", b"proxy-connection",
})  # fmt: skip


class _Shape:
    """The expression of one shape, and which of its groups are what."""

    __slots__ = ("length", "match", "names", "values")

    def __init__(self, first: bytes, names: list[bytes], patterns: dict[bytes, bytes]) -> None:
        parts = [first]
        self.names: list[bytes] = []
        self.values: list[int] = []
        self.length = 0
        group = re.compile(first).groups
        for name in names:
            known = name.lower()
            pattern = patterns.get(known, _UNREAD)
            if known in patterns and known not in _CHECKED:
                group += 1
                pattern = b"(" + pattern + b")"
                if known == b"content-length":
                    self.length = group
                else:
                    self.names.append(known)
                    self.values.append(group)
            parts.append(re.escape(name) + b": " + pattern)
        self.match = re.compile(b"\r\n".join(parts) + b"\r\n\r\n").match


# Looked at, and of no further use.
_CHECKED: Final = frozenset({b"host", b"connection"})
_ShapeT = TypeVar("_ShapeT", bound=_Shape)


class _Known(Generic[_ShapeT]):
    """The shapes that are known, the last used first; one is learned when it has come often."""

    def __init__(self, make: Callable[[list[bytes]], _ShapeT | None]) -> None:
        self._make = make
        self._shapes: list[_ShapeT] = []
        self._seen: dict[tuple[bytes, ...], int] = {}

    def find(self, data: bytes) -> tuple[_ShapeT, re.Match[bytes]] | None:
        """Return the shape that `data` begins with, and the match."""
        for number, shape in enumerate(self._shapes):
            match = shape.match(data)
            if match is not None:
                if number:
                    self._shapes.insert(0, self._shapes.pop(number))
                return shape, match
        return None

    def learn(self, data: bytes) -> None:
        """Note the shape of a whole message that the careful reader has taken."""
        names = _names(data)
        if names is None:
            return
        key = tuple(names)
        seen = self._seen.get(key, 0) + 1
        if len(self._seen) >= SEEN_MAX:
            self._seen.clear()
        self._seen[key] = seen
        # An expression takes a millisecond to make: not for whoever sends another each time.
        if seen % LEARN_AFTER == 0 and (shape := self._make(names)) is not None:
            self._shapes.insert(0, shape)
            del self._shapes[SHAPES_MAX:]


class RequestShapes:
    """Reads requests of shapes that it has learned."""

    def __init__(self, body_bytes_max: int) -> None:
        self._bytes_max = body_bytes_max
        self._known = _Known(_request_shape)
        self.learn = self._known.learn

    def read(self, data: bytes) -> tuple[bytes, bytes, dict[bytes, bytes], bytes] | None:
        """Return method, target, the fields that the edge reads, and the body; or None."""
        found = self._known.find(data)
        if found is None:
            return None
        shape, match = found
        end = match.end()
        body = data[end:]
        length = int(match[shape.length]) if shape.length else 0
        if length != len(body) or length > self._bytes_max or end > HEAD_BYTES_MAX:
            return None
        values = match.group(*shape.values)
        return match[1], match[2], dict(zip(shape.names, values, strict=True)), body


def _request_shape(names: list[bytes]) -> _Shape | None:
    if b"host" not in map(bytes.lower, names):
        return None
    shape = _Shape(rb"(GET|POST) (" + _TARGET + rb") HTTP/1\.1", names, _REQUEST)
    return shape if len(shape.names) > 1 else None  # Of one value `group` returns no tuple.


_REQUEST: Final = {
    **dict.fromkeys(READ_FROM_CLIENT, _READ),
    b"host": HOST_PATTERN,
    b"connection": rb"[Kk]eep-[Aa]live",
    b"content-length": _LENGTH,
}


class AnswerShapes:
    """Reads answers of shapes that it has learned."""

    def __init__(self) -> None:
        self._known = _Known(_answer_shape)
        self.learn = self._known.learn

    def read(self, data: bytes) -> CellAnswer | None:
        """Return an answer that can be passed on as it is, and its connection kept; or None."""
        found = self._known.find(data)
        if found is None:
            return None
        shape, match = found
        end = match.end()
        status = int(match[1])
        body = data[end:]
        length = len(body)
        if int(match[shape.length]) != length or status not in PLAIN or end > HEAD_BYTES_MAX:
            return None
        if length > ANSWER_HELD_BYTES_MAX:
            return None
        return ShapedAnswer(status, body, shape, match.group(*shape.values))


class ShapedAnswer(CellAnswer):
    """An answer whose fields are put into a dict only where somebody asks for one by name."""

    __slots__ = ("_shape", "_values")

    def __init__(
        self, status: int, body: bytes, shape: "_AnswerShape", values: tuple[bytes, ...]
    ) -> None:
        self.status = status
        self.body = body
        self.stream = None
        self.lines = shape.template % values
        self._shape = shape
        self._values = values

    @property
    def headers(self) -> dict[bytes, bytes]:  # type: ignore[override]  # read only, and made late
        """Those of `PASSED_TO_CLIENT` that were sent."""
        return dict(zip(self._shape.names, self._values, strict=True))

    @property
    def position(self) -> tuple[bytes, bytes]:
        """Epoch and seq as they were sent, "" where they were not."""
        values, shape = self._values, self._shape
        if shape.epoch < 0 or shape.seq < 0:
            return b"", b""
        return values[shape.epoch], values[shape.seq]

    @property
    def ack(self) -> bytes:
        """Who has the write, as it was sent, "" where it was not."""
        at = self._shape.ack
        return b"" if at < 0 else self._values[at]


class _AnswerShape(_Shape):
    __slots__ = ("ack", "epoch", "seq", "template")

    def __init__(self, names: list[bytes]) -> None:
        super().__init__(rb"HTTP/1\.1 ([0-9]{3}) [\t -~\x80-\xff]*+", names, _ANSWER)
        self.template = b"".join(b"%s: %%s\r\n" % name for name in self.names)
        self.epoch = _index(self.names, b"x-tenant-epoch")
        self.seq = _index(self.names, b"x-tenant-seq")
        self.ack = _index(self.names, b"x-cell-ack")


def _index(names: list[bytes], name: bytes) -> int:
    return names.index(name) if name in names else -1


def _answer_shape(names: list[bytes]) -> _AnswerShape | None:
    shape = _AnswerShape(names)
    return shape if shape.length and len(shape.names) > 1 else None


_ANSWER: Final = {
    **dict.fromkeys(PASSED_TO_CLIENT, _PASSED),
    b"connection": rb"[Kk]eep-[Aa]live",
    b"content-length": _LENGTH,
}


def _names(data: bytes) -> list[bytes] | None:
    """Return the names of a head's fields, or None if it is not a usual one."""
    head, found, _ = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")[1:]
    names = [line.partition(b": ")[0] for line in lines]
    if not found or not 0 < len(names) <= HEADER_FIELDS_MAX:
        return None
    lower = {name.lower() for name in names}
    if len(lower) != len(names) or not _UNUSUAL.isdisjoint(lower):
        return None
    return names if all(_NAME.fullmatch(name) for name in names) else None

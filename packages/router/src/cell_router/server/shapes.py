"""Reads the usual case at C speed: one whole message in one piece, of a shape that is known.

A shape is the names of a head's fields, in their order and spelling; clients and cells repeat
theirs. Each is learned from messages that the careful reader has taken, and becomes one regular
expression that a head must match as a whole, and that finds where values begin and end. That a head
holds letters only, but for its lines' ends, is seen in one pass over all of it: a dot costs the
expression a quarter of a set of letters. Whatever does not match is left to the careful readers,
which see the same bytes: this refuses nothing, and reads nothing otherwise than they do (tests
compare).
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

_PLAIN_TEXTS: Final = {b"%d" % status: status for status in PLAIN}

# A value as llhttp hands it on: no blank at its ends. A dot is whatever `_PRINTED` leaves over.
_VALUE: Final = rb"(?![\t ]).*(?<![\t ])"
_UNREAD: Final = rb".*"
_PRINTED: Final = b"\t" + bytes(range(0x20, 0x7F))
_LENGTH: Final = rb"[0-9]{1,15}"
_TARGET: Final = rb"/[!$-;=?-\[\]_a-z~%]{0," + str(TARGET_BYTES_MAX - 1).encode() + rb"}"
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNUSUAL: Final = frozenset({
    b"transfer-encoding", b"expect", b"upgrade", b"content-encoding", b"proxy-connection",
})  # fmt: skip


class _Shape:
    """The expression of one shape, and which of its groups are what.

    Attributes:
        fields: The number of each field's group, and its name in lower case.
        length: The number of the group that holds the body's length, -1 if there is none.
        ends: What a head of this shape holds beside letters.
    """

    __slots__ = ("ends", "fields", "length", "match")

    def __init__(self, first: bytes, names: list[bytes], patterns: dict[bytes, bytes]) -> None:
        parts = [first]
        self.fields: list[tuple[int, bytes]] = []
        self.length = -1
        group = re.compile(first).groups
        for name in names:
            known = name.lower()
            pattern = patterns.get(known, _UNREAD)
            if known in patterns and known not in _CHECKED:
                pattern = b"(" + pattern + b")"
                if known == b"content-length":
                    self.length = group
                else:
                    self.fields.append((group, known))
                group += 1
            parts.append(re.escape(name) + b": " + pattern)
        self.match = re.compile(b"\r\n".join(parts) + b"\r\n\r\n").match
        self.ends = b"\r\n" * (len(parts) + 1)


# Looked at, and of no further use.
_CHECKED: Final = frozenset({b"host", b"connection"})
_ShapeT = TypeVar("_ShapeT", bound=_Shape)


class _Known(Generic[_ShapeT]):
    """The shapes that are known, the last used first; one is learned when it has come often."""

    def __init__(self, make: Callable[[list[bytes]], _ShapeT | None]) -> None:
        self._make = make
        self._shapes: list[_ShapeT] = []
        self._seen: dict[tuple[bytes, ...], int] = {}

    def find(self, data: bytes) -> tuple[_ShapeT, re.Match[bytes], int] | None:
        """Return the shape that `data` begins with, the match, and where the body begins."""
        for number, shape in enumerate(self._shapes):
            match = shape.match(data)
            if match is not None:
                if number:
                    self._shapes.insert(0, self._shapes.pop(number))
                end = match.end()
                is_clean = data[:end].translate(None, _PRINTED) == shape.ends
                return (shape, match, end) if is_clean and end <= HEAD_BYTES_MAX else None
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
        shape, match, end = found
        values = match.groups()
        body = data[end:]
        length = int(values[shape.length]) if shape.length >= 0 else 0
        if length != len(body) or length > self._bytes_max:
            return None
        return values[0], values[1], {name: values[at] for at, name in shape.fields}, body


def _request_shape(names: list[bytes]) -> _Shape | None:
    if b"host" not in map(bytes.lower, names):
        return None
    return _Shape(rb"(GET|POST) (" + _TARGET + rb") HTTP/1\.1", names, _REQUEST)


_REQUEST: Final = {
    **dict.fromkeys(READ_FROM_CLIENT, _VALUE),
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
        shape, match, end = found
        values = match.groups()
        status = _PLAIN_TEXTS.get(values[0])
        body = data[end:]
        length = len(body)
        if status is None or int(values[shape.length]) != length or length > ANSWER_HELD_BYTES_MAX:
            return None
        return ShapedAnswer(status, body, shape, values)


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
        return {name: self._values[at] for at, name in self._shape.fields}

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
        super().__init__(rb"HTTP/1\.1 ([0-9]{3}) .*", names, _ANSWER)
        shown = dict(self.fields)
        groups = range(1 + len(shown) + (self.length >= 0))
        # What is not passed on, status and length, is written with no letter of it.
        self.template = b"".join(
            b"%s: %%s\r\n" % shown[at] if at in shown else b"%.0s" for at in groups
        )
        at_of = {name: at for at, name in self.fields}
        self.epoch = at_of.get(b"x-tenant-epoch", -1)
        self.seq = at_of.get(b"x-tenant-seq", -1)
        self.ack = at_of.get(b"x-cell-ack", -1)


def _answer_shape(names: list[bytes]) -> _AnswerShape | None:
    shape = _AnswerShape(names)
    return shape if shape.length >= 0 else None


_ANSWER: Final = {
    **dict.fromkeys(PASSED_TO_CLIENT, _VALUE),
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

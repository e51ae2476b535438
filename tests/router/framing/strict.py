"""Reads HTTP/1.1 as strictly as a message of our own must be written; the judge of both ends.

It refuses everything that two readers could read differently, also what RFC 9112 allows: it is to
judge what the edge writes, not what it may read.
"""

import re
from dataclasses import dataclass, field
from typing import Final

_REQUEST_LINE = re.compile(rb"([A-Z]{3,7}) (/[A-Za-z0-9._~!$&'()*+,;=:@/?%-]*) HTTP/1\.1")
_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) [ -~]*")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([!-~](?:[ -~\t]*[!-~])?)?")
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,8}")
_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}")

NEVER_SENT: Final = frozenset(
    b"te trailer transfer-encoding upgrade expect keep-alive http2-settings forwarded".split()
)
NEVER_SENT_PREFIXES: Final = (b"x-forwarded-", b"x-multicloud-", b"proxy-")


class Ambiguous(ValueError):
    """Two readers could read these bytes differently; the text says where."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived; two are equal if method, target and body are."""

    method: str
    target: str
    body: bytes = b""
    fields: tuple[tuple[bytes, bytes], ...] = field(default=(), compare=False)

    def values(self, name: bytes) -> list[bytes]:
        """Return every value of the field `name` (lower case)."""
        return [value for known, value in self.fields if known == name]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as the client got it."""

    status: int
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def value(self, name: bytes) -> bytes:
        """Return the last value of the field `name` (lower case), or nothing."""
        return dict(self.fields).get(name, b"")


def take_request(buffer: bytes) -> tuple[Seen, bytes] | None:
    """Return the first request of `buffer` and what is behind it; None if it is not whole yet."""
    head, end, rest = buffer.partition(b"\r\n\r\n")
    _check_bytes(head if end else head.removesuffix(b"\r\n\r").removesuffix(b"\r"))
    if not end:
        return None
    line, *lines = head.split(b"\r\n")
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise Ambiguous(f"request line {line[:80]!r}")
    fields = _read_fields(lines)
    _check_request_fields(fields)
    length = _length_of(fields, needed=match[1] in {b"POST", b"PUT", b"PATCH"})
    if len(rest) < length:
        return None
    method, target = match[1].decode(), match[2].decode()
    return Seen(method, target, rest[:length], fields), rest[length:]


def take_reply(buffer: bytes, *, to_head: bool = False) -> tuple[Reply, bytes] | None:
    """Return the first answer of `buffer` and what is behind it; None if it is not whole yet."""
    head, end, rest = buffer.partition(b"\r\n\r\n")
    if not end:
        return None
    _check_bytes(head)
    line, *lines = head.split(b"\r\n")
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise Ambiguous(f"status line {line[:80]!r}")
    fields = _read_fields(lines)
    status = int(match[1])
    body = _read_reply_body(fields, rest, bodiless=to_head or status < 200 or status in {204, 304})
    return None if body is None else (Reply(status, fields, body[0]), body[1])


def _check_bytes(head: bytes) -> None:
    if re.search(rb"[^\r\n\t -~]|\r(?!\n)|(?<!\r)\n", head):
        raise Ambiguous(f"a byte that no head may hold: {head[:400]!r}")


def _read_fields(lines: list[bytes]) -> tuple[tuple[bytes, bytes], ...]:
    fields = []
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise Ambiguous(f"field line {line[:80]!r}")
        fields.append((match[1].lower(), match[2] or b""))
    return tuple(fields)


def _check_request_fields(fields: tuple[tuple[bytes, bytes], ...]) -> None:
    names = [name for name, _ in fields]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise Ambiguous(f"sent twice: {twice}")
    if b"host" not in names:
        raise Ambiguous("no Host")
    never = {n for n in names if n in NEVER_SENT or n.startswith(NEVER_SENT_PREFIXES) or b"_" in n}
    if never:
        raise Ambiguous(f"never to be sent: {never}")
    if dict(fields).get(b"connection", b"keep-alive").lower() != b"keep-alive":
        raise Ambiguous("Connection names a field")


def _length_of(fields: tuple[tuple[bytes, bytes], ...], *, needed: bool) -> int:
    text = dict(fields).get(b"content-length", b"" if needed else b"0")
    if _LENGTH.fullmatch(text) is None:
        raise Ambiguous(f"Content-Length {text!r}")
    return int(text)


def _read_reply_body(
    fields: tuple[tuple[bytes, bytes], ...], rest: bytes, *, bodiless: bool
) -> tuple[bytes, bytes] | None:
    framing = [(n, v) for n, v in fields if n in {b"content-length", b"transfer-encoding"}]
    if bodiless:
        return b"", rest
    if len(framing) != 1:
        raise Ambiguous(f"framed by {framing}")
    if framing[0] == (b"transfer-encoding", b"chunked"):
        return _read_chunks(rest)
    if framing[0][0] == b"transfer-encoding":
        raise Ambiguous(f"coded {framing[0][1]!r}")
    length = _length_of(fields, needed=True)
    return None if len(rest) < length else (rest[:length], rest[length:])


def _read_chunks(rest: bytes) -> tuple[bytes, bytes] | None:
    body = b""
    while True:
        line, end, rest = rest.partition(b"\r\n")
        if not end:
            return None
        if _SIZE.fullmatch(line) is None:
            raise Ambiguous(f"chunk size {line[:40]!r}")
        size = int(line, 16)
        if len(rest) < size + 2:
            return None
        if rest[size : size + 2] != b"\r\n":
            raise Ambiguous("a chunk without its end")
        body, rest = body + rest[:size], rest[size + 2 :]
        if size == 0:
            return body, rest

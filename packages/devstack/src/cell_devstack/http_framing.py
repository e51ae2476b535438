"""Finds where an HTTP/1.1 message ends, and leaves every byte of it as it was.

It refuses what it cannot frame: upgrades, `Expect: 100-continue`, messages beyond its limits.
"""

from dataclasses import dataclass
from typing import BinaryIO, Final

HEAD_BYTES_MAX: Final = 64 * 1024
BODY_BYTES_MAX: Final = 32 * 1024 * 1024

_NO_BODY: Final = {204, 304}


class Unframed(ValueError):
    """The bytes are no message that this module can find the end of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One whole request or reply; `raw` is exactly what was on the wire."""

    head: bytes
    body: bytes

    @property
    def raw(self) -> bytes:
        """The bytes to send on."""
        return self.head + self.body

    @property
    def start_line(self) -> str:
        """The request line or status line."""
        return self.head.partition(b"\r\n")[0].decode("latin-1")

    @property
    def keeps_alive(self) -> bool:
        """Whether another message may follow on the same connection."""
        return "close" not in header(self.head, b"connection").lower() and (
            "HTTP/1.1" in self.start_line
        )


def read_request(stream: BinaryIO) -> Message | None:
    """Read the next request; None at the end of the stream. Raises `Unframed`."""
    head = _read_head(stream)
    if head is None:
        return None
    if header(head, b"expect") or header(head, b"upgrade"):
        raise Unframed("Expect and Upgrade are not supported")
    return Message(head=head, body=_read_body(stream, head, until_end=False))


def read_reply(stream: BinaryIO, request: Message) -> Message:
    """Read the reply to `request`. Raises `Unframed`, also if the stream ends first."""
    head = _read_head(stream)
    if head is None:
        raise Unframed("no reply")
    status = head[9:12]
    if not status.isdigit() or int(status) < 200:
        raise Unframed(f"status {status!r}")
    if request.start_line.startswith("HEAD ") or int(status) in _NO_BODY:
        return Message(head=head, body=b"")
    return Message(head=head, body=_read_body(stream, head, until_end=True))


def header(head: bytes, name: bytes) -> str:
    """Return the first header `name` (lower case) of `head`, or the empty string."""
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip().decode("latin-1")
    return ""


def _read_head(stream: BinaryIO) -> bytes | None:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline(HEAD_BYTES_MAX)
        head += line
        if not line and not head:
            return None
        if not line or len(head) > HEAD_BYTES_MAX:
            raise Unframed("the head ends early, or never")
    return head


def _read_body(stream: BinaryIO, head: bytes, *, until_end: bool) -> bytes:
    if "chunked" in header(head, b"transfer-encoding").lower():
        return _read_chunks(stream)
    length = header(head, b"content-length")
    if length:
        return _read_exactly(stream, int(length)) if length.isdigit() else _refuse(length)
    return _read_exactly_to_end(stream) if until_end else b""


def _refuse(length: str) -> bytes:
    raise Unframed(f"content-length {length!r}")


def _read_exactly(stream: BinaryIO, length: int) -> bytes:
    if length > BODY_BYTES_MAX:
        raise Unframed(f"a body of {length} bytes")
    body = stream.read(length)
    if len(body) < length:
        raise Unframed("the body ends early")
    return body


def _read_exactly_to_end(stream: BinaryIO) -> bytes:
    body = stream.read(BODY_BYTES_MAX + 1)
    if len(body) > BODY_BYTES_MAX:
        raise Unframed("a body without end")
    return body


def _read_chunks(stream: BinaryIO) -> bytes:
    """Read chunks and trailers, with their framing."""
    raw = b""
    while True:
        size_line = stream.readline(HEAD_BYTES_MAX)
        try:
            size = int(size_line.partition(b";")[0], 16)
        except ValueError as error:
            raise Unframed(f"chunk size {size_line[:20]!r}") from error
        raw += size_line
        if size == 0:
            return raw + _read_trailers(stream)
        raw += _read_exactly(stream, size + 2)
        if len(raw) > BODY_BYTES_MAX:
            raise Unframed("chunks without end")


def _read_trailers(stream: BinaryIO) -> bytes:
    raw = b""
    while not raw.endswith(b"\r\n\r\n") and raw != b"\r\n":
        line = stream.readline(HEAD_BYTES_MAX)
        raw += line
        if not line or len(raw) > HEAD_BYTES_MAX:
            raise Unframed("the trailers end early, or never")
    return raw

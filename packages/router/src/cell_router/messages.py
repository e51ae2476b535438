"""A client's request, a cell's answer and the edge's reply, as every shell hands them on.

Header names are in lower case. Only the fields listed here pass the edge, in either direction:
everything else, a forged `X-Tenant-Epoch` or a cell's `Set-Cookie`, ends here.
"""

from dataclasses import dataclass
from typing import Final

READ_FROM_CLIENT: Final = frozenset({
    b"authorization", b"content-type", b"idempotency-key", b"if-match", b"traceparent",
    b"tracestate", b"x-api-key", b"x-deadline-ms", b"x-request-id", b"x-route-explain",
    b"x-tenant-id",
})  # fmt: skip
"""Fields that the edge looks at; each may stand once."""

PASSED_TO_CELL: Final = frozenset({
    b"content-type", b"idempotency-key", b"if-match", b"traceparent", b"tracestate",
})  # fmt: skip

PASSED_TO_CLIENT: Final = frozenset({
    b"allow", b"cache-control", b"content-type", b"etag", b"retry-after",
    b"x-cell-ack", b"x-tenant-chain", b"x-tenant-epoch", b"x-tenant-seq",
})  # fmt: skip


@dataclass(slots=True)
class EdgeRequest:
    """A whole, well-framed request of a client.

    Attributes:
        headers: Those of `READ_FROM_CLIENT` that were sent.
        id: Names this request in logs, at the cell and to the client.
    """

    method: bytes
    path: bytes
    query: bytes
    headers: dict[bytes, bytes]
    body: bytes
    id: str

    # Spelt out, as one is made for each request: what `dataclass` writes is never compiled.
    def __init__(
        self,
        method: bytes,
        path: bytes,
        query: bytes,
        headers: dict[bytes, bytes],
        body: bytes,
        id: str,  # noqa: A002 - the field's name
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.id = id


@dataclass(slots=True)
class CellAnswer:
    """A cell's answer.

    Attributes:
        headers: Those of `PASSED_TO_CLIENT` that were sent.
        body: The whole of it, or its beginning where `stream` brings the rest.
        stream: The shell's own handle on an answer that is longer than the edge holds.
        lines: `headers` as they are written, where the shell has them at hand.
    """

    status: int
    headers: dict[bytes, bytes]
    body: bytes
    stream: object | None = None
    lines: bytes = b""

    @property
    def position(self) -> tuple[bytes, bytes]:
        """Epoch and seq as they were sent, "" where they were not."""
        headers = self.headers
        return headers.get(b"x-tenant-epoch", b""), headers.get(b"x-tenant-seq", b"")

    @property
    def ack(self) -> bytes:
        """Who has the write, as it was sent, "" where it was not."""
        return self.headers.get(b"x-cell-ack", b"")


@dataclass(slots=True)
class Reply:
    """What the client gets.

    Attributes:
        code: The problem's code, or "" for a success; for metrics and the log.
        lines: Header lines that come before `headers`.
        title: What happened, in words, where the edge answers itself.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    code: str = ""
    stream: object | None = None
    lines: bytes = b""
    title: str = ""

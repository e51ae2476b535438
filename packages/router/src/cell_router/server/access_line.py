"""What one line of the access log says; its own module, see `cell_router.wire_texts`."""

import msgspec


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is said of a request.

    Attributes:
        t: Wall clock, milliseconds since 1970-01-01 UTC.
        principal: The caller's id, as `Principal.id`, safe to log.
        reason: For failures: more than the client is told, a code.
        ack: Who has the write, where its tenant asks for a standby: see `replies.ack_of`.
        hold_ms: How long it was held for a moving tenant.
    """

    t: int
    request: str
    status: int
    method: str = ""
    code: str = ""
    reason: str = ""
    tenant: str = ""
    cell: str = ""
    epoch: int = 0
    principal: str = ""
    ack: str = ""
    ms: float = 0.0
    attempts: int = 0
    hold_ms: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    trace: str = ""

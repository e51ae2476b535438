"""The edge's bounds and their defaults (router.md, security.md); each may be configured lower."""

from dataclasses import dataclass
from typing import Final

from cell_core.domain.limits import BUNDLE_BYTES_MAX, BUNDLE_ENVELOPES_MAX, REQUEST_BYTES_MAX

HEAD_BYTES_MAX: Final = 16 * 1024
HEADER_FIELDS_MAX: Final = 64
TARGET_BYTES_MAX: Final = 2048
ANSWER_BYTES_MAX: Final = 6 * 1024 * 1024
ANSWER_HELD_BYTES_MAX: Final = 64 * 1024
"""An answer of at most this size is read whole before a byte of it is sent on."""

HOPS_MAX: Final = 3
"""How often one request may follow a 421 (protocol.md 8)."""

PARKED_TENANT_MAX: Final = 1000
PARKED_MAX: Final = 10_000
HOLD_MAX_S: Final = 10.0
PROBE_S: Final = 0.1
"""How often one of the requests held for a frozen tenant asks its cell again."""

UNKNOWN_TENANT_S: Final = 5.0
UNKNOWN_TENANTS_MAX: Final = 10_000
ASKS_MAX: Final = 1000

BUNDLE_SENT_BYTES_MAX: Final = BUNDLE_BYTES_MAX - 4096
LANE_WAITING_MAX: Final = 8 * BUNDLE_ENVELOPES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one worker process allows.

    Attributes:
        request_bytes_max: Of a body; a bundle may be larger (`BUNDLE_BYTES_MAX`).
        total_s: From the whole request to its answer, when the client names no deadline.
        connect_s: Until a connection to a cell stands.
        cell_in_flight_max, tenant_in_flight_max: Requests sent and not answered.
        queue_s: How long a request waits for one of those places before it is refused.
        tenant_rate: Requests a second, 0 for no limit; `tenant_burst` at once.
        coalesce: Whether commands of one stripe that arrive together share a commit.
    """

    request_bytes_max: int = REQUEST_BYTES_MAX
    total_s: float = 5.0
    deadline_max_s: float = 30.0
    connect_s: float = 1.0
    cell_in_flight_max: int = 256
    tenant_in_flight_max: int = 32
    queue_s: float = 0.05
    queue_max: int = 1000
    tenant_rate: float = 0.0
    tenant_burst: int = 100
    coalesce: bool = True
    head_s: float = 10.0
    body_s: float = 10.0
    idle_s: float = 75.0
    connections_max: int = 20_000
    upstream_idle_s: float = 30.0
    upstream_connections_max: int = 512

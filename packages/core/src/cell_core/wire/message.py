"""The cloud-neutral request and response, and the names of the headers they carry."""

from collections.abc import Mapping
from dataclasses import dataclass, field

AUTHORIZATION = "authorization"
CONTENT_TYPE = "content-type"
DEADLINE = "x-deadline-ms"
IDEMPOTENCY_KEY = "idempotency-key"
IF_MATCH = "if-match"
REQUEST_ID = "x-request-id"
TENANT = "x-tenant-id"
TRACEPARENT = "traceparent"

CELL = "x-cell"
EPOCH = "x-tenant-epoch"
SEQ = "x-tenant-seq"
CHAIN = "x-tenant-chain"
ETAG = "etag"
RETRY_AFTER = "retry-after"

GRANT = "x-cell-grant"
"""Carries the grant where a cloud's own layer uses `Authorization` (IAM-signed Function URL)."""

STANDBY = "x-cell-standby"
"""Base URL of the standby that must hold the entry before the command is answered."""

STANDBY_GRANT = "x-cell-standby-grant"
"""A grant of scope `replicate` for that standby, this tenant and epoch."""

STANDBY_GRANT_HEADER = "x-cell-standby-grant-header"
"""In which header the standby takes it: `authorization` or `x-cell-grant`."""

STANDBY_ELSE = "x-cell-standby-else"
"""What to do when the standby does not take the entry: `refuse` or `degrade`."""

ACK = "x-cell-ack"
"""In an answer: who holds the entry, `standby` (both) or `local` (this cell alone)."""

JSON = "application/json"
PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP request without its cloud.

    Attributes:
        path: Percent-decoded never; without the cloud's prefix (`/api`, a stage) and query.
        query: The raw query string, without the question mark.
        headers: Names in lower case; several values of one name joined by a comma.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An HTTP response without its cloud; header names are in lower case.

    Attributes:
        facts: What a log line may say of it; never sent.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    facts: Mapping[str, str | int] = field(default_factory=dict, compare=False)

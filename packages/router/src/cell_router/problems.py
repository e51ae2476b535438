"""The edge's own answers, RFC 9457 problems like the cell's (cell.md 5): one table of codes.

A cell's problems pass through as they are; these are what the edge says itself.
"""

from collections.abc import Mapping
from typing import Any, Final

from cell_core.domain.canonical import canonical
from cell_core.wire.message import PROBLEM
from cell_router.messages import Reply

_CONTENT_TYPE: Final = (b"content-type", PROBLEM.encode())
_NO_STORE: Final = (b"cache-control", b"no-store")

# code: status, title, detail, retryable
PROBLEMS: Final[Mapping[str, tuple[int, str, str, bool]]] = {
    "bad_request": (400, "Bad request", "The request is not well-formed HTTP/1.1.", False),
    "invalid_json": (400, "Invalid JSON", "Send one strict JSON object in UTF-8.", False),
    "invalid_envelope": (400, "Invalid request", "See `problem`, and /openapi.json.", False),
    "invalid_header": (400, "Invalid header", "The field that `at` names is malformed.", False),
    "invalid_path": (400, "Invalid path", "An identifier in the path is malformed.", False),
    "tenant_missing": (
        400, "Missing tenant_id",
        "Name the tenant: `tenant_id` in the body, or X-Tenant-Id.", False,
    ),
    "credential_missing": (
        401, "Credential missing",
        "Send `Authorization: Bearer` or `X-Api-Key`.", False,
    ),
    "credential_invalid": (
        401, "Credential invalid",
        "This credential is not accepted here.", False,
    ),
    "credential_expired": (401, "Credential expired", "Get a new one.", False),
    "scope_missing": (403, "Scope missing", "The credential does not allow this operation.", False),
    "tenant_forbidden": (
        403, "Tenant forbidden",
        "Credential, header, path and body must name one tenant that the credential allows.", False,
    ),
    "path_not_found": (404, "Path not found", "See /openapi.json for the paths.", False),
    "tenant_not_found": (
        404, "Tenant not allocated to any cell",
        "No cell holds this tenant.", False,
    ),
    "method_not_allowed": (405, "Method not allowed", "See the Allow header.", False),
    "request_timeout": (408, "Request too slow", "The request did not arrive in time.", True),
    "payload_too_large": (413, "Request too large", "See `limit_bytes`.", False),
    "target_too_long": (414, "Target too long", "See `limit_bytes`.", False),
    "unsupported_media_type": (415, "Not JSON", "Send Content-Type: application/json.", False),
    "expectation_failed": (417, "Expectation failed", "Only 100-continue is understood.", False),
    "rate_limited": (429, "Rate limited", "This tenant sends too much; nothing was done.", True),
    "headers_too_large": (431, "Headers too large", "At most 16 KiB and 64 fields.", False),
    "internal": (500, "Internal error", "Name the request id.", False),
    "not_implemented": (501, "Not implemented", "This method or coding is not supported.", False),
    "upstream_invalid": (
        502, "Cell answered nonsense",
        "The cell's answer was refused. A command may have been done: send it again.", True,
    ),
    "cell_refused": (
        502, "Cell refused the edge",
        "The cell does not accept the edge's grant; nothing was done.", True,
    ),
    "frozen": (503, "Tenant is moving", "Nothing was done; wait.", True),
    "tenant_moving": (
        503, "Tenant is moving",
        "Its home changed too often meanwhile; nothing was done.", True,
    ),
    "epoch_behind": (
        503, "Cell is behind",
        "The cell does not know its tenant yet; nothing was done.", True,
    ),
    "tenant_blocked": (503, "Tenant is blocked", "An operator has blocked this tenant.", False),
    "cell_unavailable": (
        503, "Cell unavailable",
        "The tenant's cell cannot be reached; nothing was done.", True,
    ),
    "standby_unavailable": (
        503, "Standby unavailable",
        "There is no cell now to acknowledge a write beside its home; nothing was done.", True,
    ),
    "registry_unavailable": (
        503, "Registry unavailable",
        "The edge does not know any tenant yet.", True,
    ),
    "auth_unavailable": (
        503, "Keys unavailable",
        "The keys of the credential's issuer are not at hand.", True,
    ),
    "overloaded": (503, "Overloaded", "Too many requests are under way; nothing was done.", True),
    "outcome_unknown": (
        504, "Outcome unknown",
        "It may have been done: send it again with the same command_id.", True,
    ),
    "cell_timeout": (504, "Cell too slow", "No answer came in time; nothing was changed.", True),
    "version_not_supported": (505, "Version not supported", "Speak HTTP/1.1.", False),
}  # fmt: skip

_WAITING: Final = {429, 503, 504}


def problem(
    code: str,
    *,
    retry_after_s: int = 1,
    headers: tuple[tuple[bytes, bytes], ...] = (),
    **fields: Any,  # noqa: ANN401 - JSON
) -> Reply:
    """Return the reply for `code`; `fields` name limits and places, never values of the client."""
    status, title, detail, retryable = PROBLEMS[code]
    body = canonical(
        {
            **fields,
            "type": f"urn:cells:problem:{code}",
            "title": title,
            "status": status,
            "code": code,
            "detail": detail,
            "retryable": retryable,
        }
    ).encode()
    named = [_CONTENT_TYPE, _NO_STORE, *headers]
    if status in _WAITING:
        named.append((b"retry-after", b"%d" % max(1, retry_after_s)))
    if status == 401:
        named.append((b"www-authenticate", b'Bearer realm="cells"'))
    return Reply(status, named, body, code, title=title)


class EdgeRefused(Exception):
    """The edge answers this request itself.

    Attributes:
        reply: The whole answer.
        reason: For the log alone.
    """

    def __init__(self, reply: Reply, reason: str = "") -> None:
        super().__init__(reply.code)
        self.reply = reply
        self.reason = reason


def refused(code: str, reason: str = "", **fields: Any) -> EdgeRefused:  # noqa: ANN401 - JSON
    """Return the exception that answers with `code`."""
    return EdgeRefused(problem(code, **fields), reason)

"""The one table from error codes to HTTP answers, as RFC 9457 problems (cell.md 5).

Codes are part of the contract, texts are not. A domain's own codes bring their own status.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cell_core.domain.canonical import canonical
from cell_core.domain.errors import CellError, Unavailable
from cell_core.wire.message import PROBLEM, RETRY_AFTER


@dataclass(frozen=True, slots=True)
class Problem:
    """How a code is answered."""

    status: int
    title: str
    detail: str
    retryable: bool = False


PROBLEMS: Final[Mapping[str, Problem]] = {
    "invalid_json": Problem(400, "Invalid JSON", "Send one strict JSON value in UTF-8."),
    "invalid_envelope": Problem(400, "Invalid request", "See `errors` or `problem`."),
    "unknown_command": Problem(
        400, "Unknown command", "See /openapi.json for the domains and their commands."
    ),
    "invalid_data": Problem(400, "Invalid data", "See `errors` or `problem`."),
    "invalid_path": Problem(400, "Invalid path", "An identifier in the path is malformed."),
    "invalid_query": Problem(400, "Invalid query", "See /openapi.json for the parameters."),
    "grant_missing": Problem(
        401, "Grant missing", "Send `Authorization: Bearer` with a grant of the edge."
    ),
    "grant_invalid": Problem(401, "Grant invalid", "The grant is not one this cell accepts."),
    "grant_expired": Problem(401, "Grant expired", "Get a new grant; they live 30 seconds."),
    "grant_scope": Problem(403, "Wrong scope", "The grant is not for this operation."),
    "grant_tenant": Problem(
        403, "Wrong tenant", "Grant, headers and request must name one tenant and epoch."
    ),
    "tenant_not_found": Problem(404, "Tenant not found", "This cell holds no such tenant."),
    "stream_not_found": Problem(404, "Stream not found", "Nothing was written to this stream."),
    "entity_not_found": Problem(404, "Entity not found", "The stream holds no such entity."),
    "view_not_found": Problem(404, "View not found", "The domain has no such view."),
    "path_not_found": Problem(404, "Path not found", "See /openapi.json for the paths."),
    "method_not_allowed": Problem(405, "Method not allowed", "See the Allow header."),
    "contention": Problem(409, "Contention", "Other writers won; send it again.", retryable=True),
    "epoch_behind": Problem(
        409, "Cell is behind", "The cell does not know this epoch yet.", retryable=True
    ),
    "fence_refused": Problem(409, "Fence refuses", "See `fence` for the state that is there."),
    "gap": Problem(409, "Entries missing", "Send the entries behind `have`."),
    "diverged": Problem(409, "Logs differ", "Two logs disagree at `seq`; an operator must look."),
    "version_mismatch": Problem(412, "Version mismatch", "Read again; `found` is the version."),
    "view_too_large": Problem(413, "Stream too large", "Ask the lake; a view reads 100 pages."),
    "payload_too_large": Problem(413, "Request too large", "See `limit_bytes`."),
    "event_too_large": Problem(413, "Event too large", "An event holds at most 16 KiB."),
    "entity_too_large": Problem(413, "Entity too large", "An entity holds at most 32 KiB."),
    "batch_too_large": Problem(413, "Batch too large", "Split it: one commit has limits."),
    "unsupported_media_type": Problem(415, "Not JSON", "Send Content-Type: application/json."),
    "moved": Problem(421, "Tenant moved", "The tenant lives at `home` since `epoch`."),
    "command_id_reused": Problem(
        422, "Command id reused", "This command_id answered another request."
    ),
    "throttled": Problem(429, "Throttled", "The store asks for less.", retryable=True),
    "internal": Problem(500, "Internal error", "Nothing was written. Name the request id."),
    "frozen": Problem(503, "Tenant is moving", "Nothing was done; wait.", retryable=True),
    "store_unavailable": Problem(
        503, "Store unavailable", "Nothing was done; wait.", retryable=True
    ),
    "outcome_unknown": Problem(
        503, "Outcome unknown", "Send it again with the same command_id.", retryable=True
    ),
    "overloaded": Problem(503, "Overloaded", "Nothing was done; wait.", retryable=True),
}

KERNEL_REJECTIONS: Final = {"event_too_large", "entity_too_large", "batch_too_large"}
"""Codes with which the kernel, not a domain, rejects a command; journaled like a domain's."""

_WAITING: Final = {429, 503}
_RETRY_AFTER_S: Final = 1


def problem_of(error: CellError) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Return status, body and headers of the answer to `error`."""
    known = PROBLEMS[error.code]
    # What a bug of ours left in the fields is for the log, not for a client.
    body = _body(error.code, known, {} if known.status == 500 else error.fields)
    headers = {"content-type": PROBLEM}
    if known.status in _WAITING:
        wait_ms = error.retry_after_ms if isinstance(error, Unavailable) else 0
        headers[RETRY_AFTER] = str(max(_RETRY_AFTER_S, -(-wait_ms // 1000)))
    return known.status, body, headers


def rejection_of(code: str, status: int, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of a domain's journaled no."""
    known = PROBLEMS.get(code)
    title = known.title if known else code.replace("_", " ").capitalize()
    detail = known.detail if known else "The domain's rules do not allow it."
    return _body(code, Problem(status, title, detail), fields)


def _body(code: str, known: Problem, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **fields,
        "type": f"urn:cells:problem:{code}",
        "title": known.title,
        "status": known.status,
        "code": code,
        "detail": known.detail,
        "retryable": known.retryable,
    }


def encode(body: Any) -> bytes:  # noqa: ANN401 - JSON
    """Return `body` as it goes over the wire."""
    return canonical(body).encode()

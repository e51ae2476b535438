"""What is answered when something is refused or breaks: one table from codes to statuses.

Refuses to show the text of an exception: a code, ids and numbers are all that a client gets.
"""

from collections.abc import Mapping
from typing import Any, Final

from cell_control.codec import RecordBroken
from cell_control.errors import (
    Conflict,
    ControlError,
    Invalid,
    NotFound,
    Refused,
    Unavailable,
)
from cell_control.ports import (
    ChangesGone,
    RegistryConflict,
    RegistryError,
    RegistryUnknown,
)
from cell_core.domain.canonical import canonical
from cell_core.wire.message import PROBLEM, RETRY_AFTER

RETRY_AFTER_S: Final = 1

STATUSES: Final[Mapping[str, int]] = {
    "credential_missing": 401,
    "credential_invalid": 401,
    "role_refused": 403,
    "invalid_path": 400,
    "invalid_query": 400,
    "invalid_json": 400,
    "invalid_data": 422,
    "payload_too_large": 413,
    "unsupported_media_type": 415,
    "path_not_found": 404,
    "method_not_allowed": 405,
    "changes_gone": 410,
    "contention": 409,
    "overloaded": 503,
    "registry_unavailable": 503,
    "registry_empty": 503,
    "recovering": 503,
    "outcome_unknown": 503,
    "stopping": 503,
    "record_broken": 500,
    "internal": 500,
}
"""What is not listed has the status of its family (`cell_control.errors`)."""

_FAMILIES: Final[tuple[tuple[type[ControlError], int], ...]] = (
    (NotFound, 404),
    (Invalid, 422),
    (Conflict, 409),
    (Refused, 409),
    (Unavailable, 503),
)
_DETAILS: Final[Mapping[str, str]] = {
    "credential_missing": "Send a token as `Authorization: Bearer cc_...`.",
    "credential_invalid": "This token is not known here, was revoked or has expired.",
    "role_refused": "This token's role does not allow it.",
    "path_not_found": "See /openapi.json for what is here.",
    "payload_too_large": "A body has at most 65536 bytes.",
    "unsupported_media_type": "Send application/json.",
    "changes_gone": "Take a snapshot.",
    "contention": "Others won: read again, then decide.",
    "overloaded": "Too many ask at once; try again.",
    "registry_unavailable": "The registry cannot be reached; nothing was changed.",
    "registry_empty": "The registry holds nothing yet.",
    "recovering": "The registry is being compared with the cells; try again.",
    "outcome_unknown": "It may have been done: read again to know.",
    "internal": "This is a bug of the control plane; see its log.",
    "record_broken": "The registry holds a record that cannot be read; see the log.",
}


class HttpRefused(ControlError):
    """Refused by the shape of the request alone; the code is in `STATUSES`."""


def refusal_of(error: Exception) -> ControlError | None:
    """Return what `error` means to a client, or None if it is a bug."""
    match error:
        case ControlError():
            return error
        case ChangesGone():
            return HttpRefused("changes_gone", rev=error.rev)
        case RegistryConflict():
            return HttpRefused("contention", kind=error.kind, key=error.key)
        case RegistryUnknown():
            return HttpRefused("outcome_unknown")
        case RegistryError():
            return HttpRefused("registry_unavailable")
        case RecordBroken():
            return HttpRefused("record_broken")
        case _:
            return None


def status_of(refused: ControlError) -> int:
    """Return the HTTP status of `refused`."""
    listed = STATUSES.get(refused.code)
    if listed is not None:
        return listed
    return next((status for kind, status in _FAMILIES if isinstance(refused, kind)), 500)


def problem(refused: ControlError, request_id: str) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of the answer to what was refused."""
    status = status_of(refused)
    fields: dict[str, Any] = {
        "type": f"urn:cells:problem:{refused.code}",
        "title": refused.code.replace("_", " ").capitalize(),
        "status": status,
        "code": refused.code,
        "request_id": request_id,
    }
    if detail := _DETAILS.get(refused.code):
        fields["detail"] = detail
    headers = {"content-type": PROBLEM, "cache-control": "no-store"}
    if status == 503:
        headers[RETRY_AFTER] = str(RETRY_AFTER_S)
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    if allow := refused.fields.get("allow"):
        headers["allow"] = ", ".join(allow)
    return status, headers, canonical({**refused.fields, **fields}).encode()

"""A Function URL or HTTP API event (payload 2.0) as a `Request`; a `Response` as its reply.

Refuses nothing, because refusing is core's business: what is malformed becomes a request that core
refuses. Pure, and on plain mappings: Powertools' typed event would bring the classes of forty other
event sources with it, 85 ms of CPU in a cold start whose budget is 500 ms.
"""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any, Final

from cell_core.wire.message import Request, Response

_DEFAULT_STAGE: Final = "$default"

_UNREADABLE: Final = b"\xff"
"""Stands for a body that cannot be decoded. No UTF-8 begins so: core answers `invalid_json`."""

_TIMERS: Final = frozenset({"aws.events", "aws.scheduler"})


def is_timer(event: object) -> bool:
    """Say whether `event` comes from EventBridge on a schedule, not from a caller.

    No caller can make one: what a caller sends stands below these fields.
    """
    fields = _mapping(event)
    return "requestContext" not in fields and (
        fields.get("source") in _TIMERS or fields.get("detail-type") == "Scheduled Event"
    )


def to_request(event: object) -> Request:
    """Return the request inside `event`. Total: any JSON value gives a request."""
    fields = _mapping(event)
    context = _mapping(fields.get("requestContext"))
    return Request(
        method=_text(_mapping(context.get("http")).get("method")),
        path=_path(_text(fields.get("rawPath")), _text(context.get("stage"))),
        query=_text(fields.get("rawQueryString")),
        headers=_headers(_mapping(fields.get("headers"))),
        body=_body(_text(fields.get("body")), is_base64=fields.get("isBase64Encoded") is True),
    )


def from_response(response: Response) -> dict[str, Any]:
    """Return the reply in the form that Lambda's payload 2.0 asks for."""
    return {
        "statusCode": response.status,
        "headers": dict(response.headers),
        "body": response.body.decode(),
        "isBase64Encoded": False,
    }


def _path(raw: str, stage: str) -> str:
    """Return `raw`, still percent-encoded, without the stage that an HTTP API puts before it."""
    if stage in ("", _DEFAULT_STAGE):
        return raw
    prefix = f"/{stage}"
    if raw == prefix:
        return "/"
    return raw.removeprefix(prefix) if raw.startswith(f"{prefix}/") else raw


def _headers(raw: Mapping[str, Any]) -> dict[str, str]:
    """Return `raw` by lower-case name, without cookies: nothing in a cell may depend on one."""
    headers: dict[str, str] = {}
    for name, value in raw.items():
        lower = name.lower()
        if lower != "cookie" and isinstance(value, str):
            headers[lower] = f"{headers[lower]},{value}" if lower in headers else value
    return headers


def _body(raw: str, *, is_base64: bool) -> bytes:
    try:
        return b64decode(raw, validate=True) if is_base64 else raw.encode()
    except ValueError:  # Not base64, or a lone surrogate.
        return _UNREADABLE


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""

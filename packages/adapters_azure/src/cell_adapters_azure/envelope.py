"""An `azure.functions` request to core's, and core's response back. Pure.

Refuses to read a body or a path: bytes and escapes pass as they are.
"""

from urllib.parse import urlsplit

import azure.functions as func

from cell_core.wire.message import Request, Response

PREFIX = "/api"
"""The route prefix of host.json (its default), which is the cloud's and not the cell's."""


def to_request(event: func.HttpRequest) -> Request:
    """Return the request inside `event`.

    The host has decoded and encoded the path again before this sees it: a needlessly escaped
    character arrives plain, `%2F` stays as it is. Several headers of one name were joined by it.
    """
    target = urlsplit(event.url)
    return Request(
        method=event.method,
        path=_without_prefix(target.path),
        query=target.query,
        headers={name.lower(): value for name, value in event.headers.items()},
        body=event.get_body() or b"",
    )


def from_response(response: Response) -> func.HttpResponse:
    """Return the reply that the Functions host expects."""
    return func.HttpResponse(
        response.body,
        status_code=response.status,
        headers=dict(response.headers),
        # Without one the SDK would invent `text/plain`.
        mimetype=response.headers.get("content-type", "application/octet-stream"),
    )


def _without_prefix(path: str) -> str:
    if path == PREFIX or path.startswith(f"{PREFIX}/"):
        return path[len(PREFIX) :] or "/"
    return path or "/"
